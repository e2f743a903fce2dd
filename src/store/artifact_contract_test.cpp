// SPDX-License-Identifier: Apache-2.0
// What ArtifactStore promises, on a folder and on an S3-compatible store.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <optional>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "store/artifact_digest.h"
#include "store/testing/temporary_artifacts.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::hours kHour{1};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string digest_of(std::string_view text) {
  Digest digest;
  digest.add(bytes_of(text));
  return digest.finish();
}

std::string text_of_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// No two windows of it are alike.
std::string long_text(std::size_t size) {
  std::string out;
  out.reserve(size + 20);
  for (std::size_t i = 0; out.size() < size; ++i) out += std::to_string(i * 2654435761U) + ' ';
  out.resize(size);
  return out;
}

class ArtifactContract : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryArtifacts::available(GetParam())) GTEST_SKIP() << "CORTEX_TEST_S3";
    artifacts_.emplace(GetParam());
  }

  ArtifactStore& store() { return **artifacts_; }
  Result<Blob> put(std::string_view text) {
    CORTEX_ASSIGN_OR_RETURN(const auto writer, store().begin());
    CORTEX_RETURN_IF_ERROR(writer->write(bytes_of(text)));
    return writer->finish();
  }
  std::string get(const std::string& digest, std::uint64_t offset = 0, std::size_t most = 1 << 20) {
    const auto reader = store().open(digest);
    if (!reader.ok()) return "<" + reader.status().text() + ">";
    std::string out(most, '\0');
    const auto size = reader.value()->read(offset, std::as_writable_bytes(std::span(out)));
    EXPECT_TRUE(size.ok()) << size.status().to_string();
    out.resize(size.ok() ? size.value() : 0);
    return out;
  }

  std::optional<TemporaryArtifacts> artifacts_;
};

TEST_P(ArtifactContract, gives_back_what_was_put_in) {
  const auto blob = put("hello");
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_EQ(blob->digest, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(blob->size, 5U);
  EXPECT_EQ(get(blob->digest), "hello");
  EXPECT_EQ(get(blob->digest, 1, 3), "ell");
  EXPECT_EQ(get(blob->digest, 5), "");
  artifacts_->reopen();
  EXPECT_EQ(get(blob->digest), "hello");
  EXPECT_TRUE(check_blob(store(), *blob).ok());
}

TEST_P(ArtifactContract, takes_an_empty_blob_and_one_in_pieces) {
  EXPECT_EQ(get(put("")->digest), "");
  const auto writer = store().begin();
  ASSERT_TRUE(writer.ok());
  // More than one part of an upload.
  const std::string whole = long_text(11'000'000);
  for (std::size_t at = 0; at < whole.size(); at += 777'777) {
    ASSERT_TRUE(writer.value()->write(bytes_of(whole.substr(at, 777'777))).ok());
  }
  const auto blob = writer.value()->finish();
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_EQ(blob->digest, digest_of(whole));
  EXPECT_TRUE(get(blob->digest, 0, 16 << 20) == whole);
  EXPECT_EQ(get(blob->digest, 5'242'878, 5), whole.substr(5'242'878, 5));
  EXPECT_TRUE(store().remove(blob->digest, {}).value());
  EXPECT_FALSE(store().contains(blob->digest).value());
}

TEST_P(ArtifactContract, lists_equal_bytes_once) {
  EXPECT_EQ(put("same")->digest, put("same")->digest);
  const auto all = store().list("", 10);
  ASSERT_TRUE(all.ok());
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ(all->front().blob.size, 4U);
}

TEST_P(ArtifactContract, shows_nothing_of_an_upload_before_its_end) {
  const std::string whole = long_text(6'000'000);
  {
    const auto writer = store().begin();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer.value()->write(bytes_of(whole)).ok());
    EXPECT_FALSE(store().contains(digest_of(whole)).value());
    EXPECT_TRUE(store().list("", 10)->empty());
  }
  EXPECT_TRUE(store().list("", 10)->empty());
}

TEST_P(ArtifactContract, knows_no_blob_by_a_name_that_is_no_digest) {
  for (const std::string name : {"", "..", "../../etc/passwd", "2C", "/etc/passwd", "zz"}) {
    EXPECT_EQ(store().open(name).status().code(), Code::kNotFound);
    EXPECT_FALSE(store().contains(name).value());
    EXPECT_TRUE(store().remove(name, {}).value());
    EXPECT_EQ(store().materialise(name, artifacts_->folder() / "x").code(), Code::kNotFound);
  }
  EXPECT_EQ(store().open(digest_of("nothing")).status().code(), Code::kNotFound);
}

TEST_P(ArtifactContract, removes_what_is_old_enough) {
  const std::string digest = put("x")->digest;
  EXPECT_FALSE(store().remove(digest, kHour).value());
  EXPECT_TRUE(store().contains(digest).value());
  EXPECT_TRUE(store().remove(digest, {}).value());
  EXPECT_FALSE(store().contains(digest).value());
  EXPECT_TRUE(store().remove(digest, kHour).value());
}

TEST_P(ArtifactContract, lists_blobs_by_digest) {
  std::vector<std::string> digests;
  for (int i = 0; i < 20; ++i) digests.push_back(put(std::to_string(i))->digest);
  std::sort(digests.begin(), digests.end());
  std::vector<std::string> seen;
  std::string after;
  while (true) {
    const auto page = store().list(after, 7);
    ASSERT_TRUE(page.ok());
    for (const StoredBlob& one : page.value()) {
      EXPECT_GE(one.blob.size, 1U);
      EXPECT_LT(one.age, kHour);
      seen.push_back(one.blob.digest);
    }
    if (page->size() < 7) break;
    after = seen.back();
  }
  EXPECT_EQ(seen, digests);
}

TEST_P(ArtifactContract, materialises) {
  const std::string whole = long_text(9'000'000);
  const std::string digest = put(whole)->digest;
  const fs::path to = artifacts_->folder() / "model.onnx";
  ASSERT_TRUE(store().materialise(digest, to).ok());
  EXPECT_TRUE(text_of_file(to) == whole);
  EXPECT_EQ(store().materialise(digest, to).code(), Code::kAlreadyExists);
  EXPECT_EQ(
      store().materialise(digest, artifacts_->folder() / "none" / "x").code(), Code::kNotFound
  );
  EXPECT_EQ(
      store().materialise(digest_of("none"), artifacts_->folder() / "y").code(), Code::kNotFound
  );
  EXPECT_TRUE(store().remove(digest, {}).value());
  EXPECT_TRUE(text_of_file(to) == whole);
}

TEST_P(ArtifactContract, joins_parts) {
  const std::string large = long_text(6'000'000);
  const std::vector<Blob> parts{*put("begin "), *put(large), *put(""), *put("begin ")};
  const auto whole = store().join(parts);
  ASSERT_TRUE(whole.ok()) << whole.status().to_string();
  EXPECT_EQ(whole->digest, digest_of("begin " + large + "begin "));
  EXPECT_TRUE(check_blob(store(), *whole).ok());
  const std::vector<Blob> missing{*put("a"), Blob{digest_of("never"), 5}};
  EXPECT_EQ(store().join(missing).status().code(), Code::kNotFound);
  const std::vector<Blob> wrong{Blob{digest_of("a"), 2}};
  EXPECT_EQ(store().join(wrong).status().code(), Code::kDataLoss);
}

TEST_P(ArtifactContract, a_sweep_spares_uploads_under_way) {
  const std::string whole = long_text(6'000'000);
  const auto writer = store().begin();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer.value()->write(bytes_of(whole)).ok());
  const auto other = artifacts_->open_another();
  ASSERT_TRUE(other->sweep(kHour).ok());
  const auto blob = writer.value()->finish();
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_TRUE(other->contains(blob->digest).value());
}

TEST_P(ArtifactContract, what_finishes_beside_a_removal_is_there) {
  const auto other = artifacts_->open_another();
  const std::string digest = digest_of("contested");
  std::atomic<bool> stop{false};
  std::thread remover([&] {
    while (!stop) EXPECT_TRUE(other->remove(digest, kHour).ok());
  });
  for (int i = 0; i < 12; ++i) {
    ASSERT_TRUE(put("contested").ok());
    // Young, so the other one must not have taken it.
    EXPECT_EQ(get(digest), "contested");
    if (i % 2 == 0) {
      EXPECT_TRUE(store().remove(digest, {}).value());
    }
  }
  stop = true;
  remover.join();
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ArtifactContract,
    testing::ValuesIn(TemporaryArtifacts::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::store
