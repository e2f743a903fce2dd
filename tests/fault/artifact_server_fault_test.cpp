// SPDX-License-Identifier: Apache-2.0
// A real S3-compatible server that is killed within a transfer, and started again. Runs where
// CORTEX_TEST_S3 is set; the server is one of its own.
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/check.h"
#include "base/thread.h"
#include "store/artifact_s3.h"
#include "store/testing/temporary_artifacts.h"

namespace cortex::store {
namespace {

std::string run(const std::string& action, const std::string& folder) {
  const std::string command = std::string(CORTEX_S3_SERVICE) + " " + action + " " + folder;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  CHECK(pipe != nullptr, "a shell starts");
  std::string out;
  std::array<char, 256> buffer{};
  while (std::fgets(buffer.data(), buffer.size(), pipe) != nullptr) out += buffer.data();
  CHECK(::pclose(pipe) == 0, "tests/services/s3 does what it is told");
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

// Differs in every place.
std::string long_text(std::size_t size) {
  std::string out;
  for (std::size_t i = 0; out.size() < size; ++i) out += std::to_string(i * 2654435761U) + ' ';
  out.resize(size);
  return out;
}

class ArtifactServer : public testing::Test {
 protected:
  void SetUp() override {
    if (!TemporaryArtifacts::available("s3")) GTEST_SKIP() << "CORTEX_TEST_S3";
    std::string name = (std::filesystem::temp_directory_path() / "cortex-s3-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr, "a test needs a folder");
    folder_ = name + "/server";
    options_ = TemporaryArtifacts::s3_options(run("start", folder_));
  }
  void TearDown() override {
    if (folder_.empty()) return;
    run("stop", folder_);
    std::filesystem::remove_all(std::filesystem::path(folder_).parent_path());
  }

  std::unique_ptr<ArtifactStore> open(std::chrono::milliseconds timeout) {
    S3Options options = options_;
    options.timeout = timeout;
    auto opened = open_artifact_s3(options);
    CHECK(opened.ok(), opened.status().to_string().c_str());
    return std::move(opened).value();
  }
  static Result<Blob> put(ArtifactStore& store, const std::string& text) {
    CORTEX_ASSIGN_OR_RETURN(const auto writer, store.begin());
    CORTEX_RETURN_IF_ERROR(writer->write(std::as_bytes(std::span(text.data(), text.size()))));
    return writer->finish();
  }

  std::string folder_;
  S3Options options_;
};

TEST_F(ArtifactServer, killed_within_an_upload_shows_nothing_of_it) {
  const auto store = open(std::chrono::milliseconds(1'000));
  const std::string text = long_text(6'000'000);
  {
    auto writer = store->begin();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->write(std::as_bytes(std::span(text.data(), text.size()))).ok());
    run("kill", folder_);
    EXPECT_EQ((*writer)->finish().status().code(), Code::kUnavailable);
  }
  run("start", folder_);
  EXPECT_TRUE(store->list("", 10)->empty());
  EXPECT_TRUE(store->sweep({}).ok());
  const auto blob = put(*store, text);
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_TRUE(check_blob(*store, *blob).ok());
}

TEST_F(ArtifactServer, killed_within_a_download_is_waited_for) {
  const auto store = open(std::chrono::seconds(60));
  const std::string text = long_text(9'000'000);
  const auto blob = put(*store, text);
  ASSERT_TRUE(blob.ok());
  const auto reader = store->open(blob->digest);
  ASSERT_TRUE(reader.ok());
  std::string out(text.size(), '\0');
  const auto bytes = std::as_writable_bytes(std::span(out));
  ASSERT_EQ((*reader)->read(0, bytes.first(1000)).value(), 1000U);
  run("kill", folder_);
  const Thread again("again", [this] { run("start", folder_); });
  const auto got = (*reader)->read(0, bytes);
  ASSERT_TRUE(got.ok()) << got.status().to_string();
  EXPECT_TRUE(out == text);
  EXPECT_GE(store->traffic()->repeats, 1U);
}

}  // namespace
}  // namespace cortex::store
