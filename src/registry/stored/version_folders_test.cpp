// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/version_folders.h"

#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/thread.h"
#include "registry/model_repository.h"
#include "registry/stored/fake_source.h"
#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class VersionFoldersTest : public ::testing::Test {
 protected:
  VersionFoldersTest() : folders_(root_.path() / "models", locks_, std::chrono::milliseconds(20)) {
    EXPECT_TRUE(folders_.prepare().ok());
  }

  // Origins count from 1 in the order of put().
  Status make(std::int64_t version, const std::string& origin) {
    return folders_.make(source_, "m", {version, origin});
  }
  [[nodiscard]] fs::path place(const std::string& file) const {
    return root_.path() / "models" / "m" / file;
  }
  [[nodiscard]] ModelFolder read() const {
    return *read_model({}, "m", {}, {root_.path() / "models"});
  }

  TestFolder root_;
  FakeSource source_;
  FolderLocks locks_;
  VersionFolders folders_;
};

TEST_F(VersionFoldersTest, makes_what_the_registry_reads) {
  source_.put(
      "m", 1, {{"model.onnx", "x"}, {"model.yaml", "max_batch_size: 4"}, {"vocab.txt", "a"}}
  );
  source_.put("m", 2, {{"model.synthetic", "y"}, {"config.pbtxt", "name: \"trained_as\""}});
  ASSERT_TRUE(make(1, "1").ok());
  ASSERT_TRUE(make(2, "2").ok());
  const ModelFolder folder = read();
  EXPECT_TRUE(folder.stored);
  ASSERT_EQ(folder.versions.size(), 2U);
  EXPECT_TRUE(folder.versions[0].fault.ok()) << folder.versions[0].fault.to_string();
  EXPECT_EQ(folder.versions[0].config->name, "m");
  EXPECT_EQ(folder.versions[0].config->max_batch_size, 4U);
  EXPECT_EQ(folder.versions[0].config->text.tokenizer, "vocab.txt");
  EXPECT_EQ(folder.versions[1].config->name, "m");
  EXPECT_EQ(folder.versions[1].config->backend, "synthetic");
  EXPECT_EQ(folders_.present()->at("m"), (std::set<std::int64_t>{1, 2}));
}

TEST_F(VersionFoldersTest, leaves_alone_what_stands) {
  source_.put("m", 1, {{"model.onnx", "x"}});
  ASSERT_TRUE(make(1, "1").ok());
  const auto before = read().versions[0].fingerprint;
  const int calls = source_.calls();
  ASSERT_TRUE(make(1, "1").ok());
  EXPECT_EQ(source_.calls(), calls + 1);  // the list of files alone
  EXPECT_EQ(read().versions[0].fingerprint, before);
}

TEST_F(VersionFoldersTest, makes_anew_what_is_incomplete_or_of_another_origin) {
  source_.put("m", 1, {{"model.onnx", "x"}});
  source_.put("m", 1, {{"model.onnx", "z"}});
  ASSERT_TRUE(make(1, "1").ok());
  const auto before = read().versions[0].fingerprint;
  fs::remove(place("1/model.onnx"));
  ASSERT_TRUE(make(1, "1").ok());
  EXPECT_TRUE(fs::exists(place("1/model.onnx")));
  EXPECT_EQ(read().versions[0].fingerprint, before);
  ASSERT_TRUE(make(1, "2").ok());
  EXPECT_NE(read().versions[0].fingerprint, before);
}

TEST_F(VersionFoldersTest, refuses_bytes_that_are_not_what_their_digest_says) {
  for (const char* other : {"y", "longer"}) {
    source_.put("m", 1, {{"model.onnx", "x"}});
    source_.damage("x", other);
    const Status status = make(1, "1");
    EXPECT_EQ(status.code(), Code::kDataLoss);
    EXPECT_THAT(status.text(), HasSubstr("'model.onnx' is not what its digest says"));
    EXPECT_FALSE(fs::exists(place("1")));
  }
}

TEST_F(VersionFoldersTest, says_why_a_version_cannot_be_served) {
  source_.put("m", 1, {{"MLmodel", "flavors: {sklearn: {}}"}, {"model.pkl", "x"}});
  EXPECT_EQ(make(1, "1").text(), "no ONNX flavor, and not one GGUF file: sklearn");
  source_.put("m", 2, {{"MLmodel", "flavors: ["}, {"model.onnx", "x"}});
  EXPECT_THAT(make(2, "2").text(), HasSubstr("MLmodel: line"));
  EXPECT_FALSE(fs::exists(place("")));
}

TEST_F(VersionFoldersTest, leaves_nothing_behind_whatever_call_fails) {
  const FakeSource::Files files = {
      {"MLmodel", "flavors: {onnx: {data: a/model.onnx}}"}, {"a/model.onnx", "x"}, {"a/w/0", "y"}
  };
  source_.put("m", 1, files);
  for (int n = 1; n <= 4; ++n) {
    const int first = source_.calls();
    source_.fail([&](const std::string&, int number) {
      return number == first + n ? unavailable("the peer is away") : Status();
    });
    EXPECT_EQ(make(1, "1").code(), Code::kUnavailable) << n;
    EXPECT_TRUE(folders_.present()->empty()) << n;
  }
  source_.fail({});
  ASSERT_TRUE(make(1, "1").ok());
  EXPECT_TRUE(fs::exists(place("1/w/0")));
  EXPECT_TRUE(fs::is_empty(root_.path() / "models" / ".incoming"));
}

TEST_F(VersionFoldersTest, removes_versions_and_with_the_last_one_the_model) {
  source_.put("m", 1, {{"model.onnx", "x"}});
  ASSERT_TRUE(make(1, "1").ok());
  ASSERT_TRUE(make(2, "1").ok());
  EXPECT_TRUE(folders_.remove("m", 1).ok());
  EXPECT_TRUE(folders_.remove("m", 1).ok());
  EXPECT_EQ(folders_.present()->at("m"), (std::set<std::int64_t>{2}));
  EXPECT_TRUE(folders_.remove("m", 2).ok());
  EXPECT_TRUE(folders_.present()->empty());
}

TEST_F(VersionFoldersTest, takes_nothing_away_that_is_being_read) {
  source_.put("m", 1, {{"model.onnx", "x"}});
  source_.put("m", 1, {{"model.onnx", "z"}});
  ASSERT_TRUE(make(1, "1").ok());
  const auto before = read().versions[0].fingerprint;
  {
    const FolderLocks::Reading reading(locks_, place("1"));
    EXPECT_EQ(folders_.remove("m", 1).code(), Code::kUnavailable);
    EXPECT_EQ(make(1, "2").code(), Code::kUnavailable);
    EXPECT_EQ(read().versions[0].fingerprint, before);
  }
  EXPECT_TRUE(make(1, "2").ok());
  EXPECT_NE(read().versions[0].fingerprint, before);
  EXPECT_TRUE(folders_.remove("m", 1).ok());
}

TEST_F(VersionFoldersTest, whoever_reads_meanwhile_sees_a_version_as_a_whole_or_not_at_all) {
  source_.put("m", 1, {{"model.onnx", "x"}, {"model.yaml", "max_batch_size: 4"}});
  const auto done_or_refused = [](const Status& status) {
    EXPECT_TRUE(status.ok() || status.code() == Code::kUnavailable) << status.text();
  };
  std::atomic<bool> over = false;
  Thread writer("writer", [&] {
    for (int times = 0; times < 200; ++times) {
      done_or_refused(make(1, "1"));
      done_or_refused(folders_.remove("m", 1));
    }
    over = true;
  });
  while (!over) {
    const auto model = read_model({}, "m", {}, {root_.path() / "models", &locks_});
    if (!model || model->versions.empty()) continue;
    EXPECT_TRUE(model->fault.ok()) << model->fault.text();
    const VersionFolder& version = model->versions[0];
    EXPECT_TRUE(version.fault.ok()) << version.fault.text();
    EXPECT_EQ(version.config.value_or(ModelConfig()).max_batch_size, 4U);
  }
  writer.join();
}

TEST_F(VersionFoldersTest, removes_what_a_killed_process_left_unfinished) {
  root_.write("models/.incoming/new/model.onnx", "half");
  ASSERT_TRUE(folders_.prepare().ok());
  EXPECT_TRUE(fs::is_empty(root_.path() / "models" / ".incoming"));
}

}  // namespace
}  // namespace cortex::registry
