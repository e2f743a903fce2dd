// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::cli {
namespace {

using testing::HasSubstr;

class CommandLine : public testing::Test {
 protected:
  int run_with(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "cortex");
    out_.str("");
    err_.str("");
    return run(static_cast<int>(arguments.size()), arguments.data(), hooks_, out_, err_);
  }

  std::optional<config::Settings> served_;
  Hooks hooks_{
      .serve =
          [this](const config::Settings& settings) {
            served_ = settings;
            return 0;
          },
      .open_raw_engine = {},
      .inspect_folder = [](const std::string& folder) -> Result<std::string> {
        return "{\"folder\":\"" + folder + "\"}";
      },
      .probe_model = {},
      .restore = {},
      .sign_model = {},
      .verify_model = {},
      .engine_versions = [] { return std::string("onnx none\n"); },
  };
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CommandLine, hands_serve_what_its_flags_said) {
  EXPECT_EQ(
      run_with(
          {"serve",
           "--http-port",
           "0",
           "--model-repository",
           "a",
           "--model-repository",
           "b",
           "--insecure",
           "--host",
           "0.0.0.0"}
      ),
      kSuccess
  ) << err_.str();
  ASSERT_TRUE(served_.has_value());
  EXPECT_EQ(served_->http.port, 0u);
  EXPECT_THAT(served_->models.repositories, testing::ElementsAre("a", "b"));
  EXPECT_TRUE(served_->auth.insecure);
}

TEST_F(CommandLine, names_every_wrong_flag_at_once_and_serves_nothing) {
  EXPECT_EQ(run_with({"serve", "--http-port", "x", "--log-level", "loud"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("--http-port: 'x' is not a whole number"));
  EXPECT_THAT(err_.str(), HasSubstr("--log-level: 'loud' is not one of"));
  EXPECT_FALSE(served_.has_value());
}

TEST_F(CommandLine, refuses_unknown_commands_and_flags) {
  EXPECT_EQ(run_with({"sreve"}), kUsage);
  EXPECT_EQ(run_with({"serve", "--no-such-flag"}), kUsage);
  EXPECT_EQ(run_with({}), kUsage);
  EXPECT_EQ(run_with({"--help"}), kSuccess);
  EXPECT_THAT(out_.str(), HasSubstr("bench"));
}

TEST_F(CommandLine, names_the_command_that_there_is_not) {
  EXPECT_EQ(run_with({"sreve", "--http-port", "0"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("'sreve' is not a command of 'cortex'\nRun with --help"));
  EXPECT_EQ(run_with({"models", "lits"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("'lits' is not a command of 'cortex models'\n"));
}

TEST_F(CommandLine, names_the_flag_that_there_is_not_where_a_command_is_missing) {
  EXPECT_EQ(run_with({"--no-such-flag"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("not expected: --no-such-flag"));
  EXPECT_EQ(run_with({"models"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("A subcommand is required"));
}

TEST_F(CommandLine, says_that_no_server_answers) {
  // Port 1 is privileged and unused.
  EXPECT_EQ(run_with({"models", "list", "--url", "http://127.0.0.1:1"}), kUnreachable);
  EXPECT_THAT(err_.str(), HasSubstr("cannot connect to 127.0.0.1:1"));
}

TEST_F(CommandLine, inspects_a_folder_without_a_server) {
  EXPECT_EQ(run_with({"models", "inspect", "./"}), kSuccess) << err_.str();
  EXPECT_THAT(out_.str(), HasSubstr("\"folder\": \"./\""));
}

TEST_F(CommandLine, checks_a_settings_file) {
  const std::string path = testing::TempDir() + "cortex_check_test.yaml";
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("http: {port: 70000}\n", file);
  std::fclose(file);
  EXPECT_EQ(run_with({"config", "check", path.c_str()}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr(path + ":1: http.port: '70000'"));
}

TEST_F(CommandLine, wants_tensors_or_json_to_infer_not_both_and_not_neither) {
  EXPECT_EQ(run_with({"infer", "m"}), kUsage);
  EXPECT_EQ(run_with({"infer", "m", "--json", "a", "--input", "x=@y"}), kUsage);
  EXPECT_EQ(run_with({"infer", "m", "--input", "x"}), kUsage);
  EXPECT_THAT(err_.str(), HasSubstr("is not NAME=@FILE.npy"));
}

TEST_F(CommandLine, prints_its_version_and_the_engines) {
  EXPECT_EQ(run_with({"version"}), kSuccess);
  EXPECT_THAT(out_.str(), HasSubstr("cortex 0."));
  EXPECT_THAT(out_.str(), HasSubstr("onnx none\n"));
}

}  // namespace
}  // namespace cortex::cli
