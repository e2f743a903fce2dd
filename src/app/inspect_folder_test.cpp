// SPDX-License-Identifier: Apache-2.0
#include "app/inspect_folder.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

#include <boost/json.hpp>
#include <gtest/gtest.h>

namespace cortex::app {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

class InspectFolder : public testing::Test {
 protected:
  InspectFolder()
      : folder_(fs::path(testing::TempDir()) / ("cortex_inspect_" + std::to_string(getpid()))) {}
  ~InspectFolder() override { fs::remove_all(folder_); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
  }
  [[nodiscard]] json::object told() const {
    const auto text = inspect_folder(folder_.string());
    EXPECT_TRUE(text.ok()) << text.status().to_string();
    return text.ok() ? json::parse(*text).as_object() : json::object();
  }

  fs::path folder_;
};

TEST_F(InspectFolder, shows_what_the_file_left_open_as_a_server_would_run_it) {
  write("model.yaml", "backend: synthetic\n");
  write("1/model.synthetic", "result: identity\ninputs: OLD FP32 [-1,2]\n");
  write("3/model.synthetic", "result: identity\ninputs: INPUT0 FP32 [-1,2]\n");
  const json::object out = told();
  EXPECT_FALSE(out.contains("fault")) << out.at("fault");
  EXPECT_EQ(out.at("versions"), json::value({1, 3}));
  const json::object& config = out.at("config").as_object();
  EXPECT_EQ(config.at("max_batch_size"), 32);
  EXPECT_EQ(config.at("batching"), true);
  EXPECT_GT(config.at("instances").to_number<int>(), 0);
  EXPECT_GT(config.at("threads").to_number<int>(), 0);
  ASSERT_TRUE(config.contains("inputs"));
  EXPECT_EQ(
      config.at("inputs"),
      json::value({{{"name", "INPUT0"}, {"datatype", "FP32"}, {"shape", json::array{2}}}})
  );
}

TEST_F(InspectFolder, shows_the_context_of_a_language_model) {
  write("model.yaml", "backend: synthetic_sequences\n");
  write("1/sequences.synthetic", "context_length: 300\n");
  const json::object out = told();
  EXPECT_FALSE(out.contains("fault")) << out.at("fault");
  EXPECT_EQ(out.at("config").at("instances"), 1);
  EXPECT_EQ(out.at("config").at("generation").at("context_length"), 300);
}

TEST_F(InspectFolder, shows_the_memory_of_a_language_model_with_its_draft_model) {
  write("model.yaml", "backend: synthetic_sequences\n");
  write("1/sequences.synthetic", "");
  const auto memory = [&] {
    return told().at("config").at("generation").at("memory_bytes").to_number<std::uint64_t>();
  };
  const std::uint64_t alone = memory();
  EXPECT_GT(alone, 0u);
  write("model.yaml", "backend: synthetic_sequences\ngeneration: {draft_model: small.synthetic}\n");
  write("small.synthetic", "weights: 3\n");
  EXPECT_EQ(memory(), 2 * alone) << "it has as many cells";
}

TEST_F(InspectFolder, a_version_that_does_not_load_is_shown_as_written_with_the_reason) {
  write("model.yaml", "backend: synthetic\nmax_batch_size: 4\n");
  write("1/model.synthetic", "result: nonsense\n");
  const json::object out = told();
  EXPECT_EQ(out.at("config").at("max_batch_size"), 4);
  EXPECT_NE(out.at("fault").as_string().find("nonsense"), json::string::npos) << out.at("fault");
}

}  // namespace
}  // namespace cortex::app
