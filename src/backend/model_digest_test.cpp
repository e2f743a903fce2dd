// SPDX-License-Identifier: Apache-2.0
#include "backend/model_digest.h"

#include <chrono>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;

class ModelDigestTest : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) {
    const fs::path file = fs::path(::testing::TempDir()) / ("model_digest_test_" + name);
    std::ofstream(file, std::ios::binary) << bytes;
    fs::last_write_time(file, time_);
    return file;
  }
  std::string digest(const std::string& name, const std::string& bytes) {
    const auto out = model_digest(write(name, bytes));
    EXPECT_TRUE(out.ok());
    return out.ok() ? *out : "";
  }

  const fs::file_time_type time_ = fs::file_time_type::clock::now();
};

TEST_F(ModelDigestTest, is_the_same_for_the_same_file) {
  const std::string bytes(3 << 20, 'a');
  EXPECT_EQ(digest("a", bytes), digest("b", bytes));
  EXPECT_EQ(digest("a", bytes).size(), 64u);
  EXPECT_EQ(digest("c", "").size(), 64u);
}

TEST_F(ModelDigestTest, sees_another_start_end_size_and_middle) {
  const std::string bytes(6 << 20, 'a');
  const std::string first = digest("a", bytes);
  for (const std::size_t at : {std::size_t{0}, bytes.size() - 1}) {
    std::string other = bytes;
    other[at] = 'b';
    EXPECT_NE(digest("b", other), first) << at;
  }
  EXPECT_NE(digest("b", bytes + "a"), first);
  std::string other = bytes;
  std::fill(other.begin() + (2 << 20), other.begin() + (3 << 20), 'b');
  EXPECT_NE(digest("b", other), first);
}

TEST_F(ModelDigestTest, sees_a_change_that_no_sample_holds_by_its_time) {
  const std::string first = digest("a", "weights");
  const fs::path file = fs::path(::testing::TempDir()) / "model_digest_test_a";
  fs::last_write_time(file, time_ + std::chrono::seconds(1));
  EXPECT_NE(*model_digest(file), first);
}

TEST_F(ModelDigestTest, says_what_cannot_be_read) {
  EXPECT_EQ(model_digest("/nowhere/model.gguf").status().code(), Code::kFailedPrecondition);
}

}  // namespace
}  // namespace cortex::backend
