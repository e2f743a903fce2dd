// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_upload.h"

#include <optional>

#include <gtest/gtest.h>

#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

Blob blob(char digit, std::uint64_t size = 10) { return {std::string(64, digit), size}; }

class ArtifactUploads : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "no " << GetParam();
    store_.emplace(GetParam(), std::vector<Schema>{artifact_schema()});
  }

  Status work(const Store::Work& work) { return (*store_)->write_and_wait(work); }
  std::string begin(std::int64_t parts) {
    std::string id;
    EXPECT_TRUE(work([&](Transaction& t) -> Status {
                  CORTEX_ASSIGN_OR_RETURN(
                      const auto upload, begin_upload(t, "default", "models/big", parts)
                  );
                  id = upload.id;
                  return {};
                }).ok());
    return id;
  }
  Status put(const std::string& id, std::int64_t number, const Blob& bytes) {
    return work([&](Transaction& t) { return put_upload_part(t, id, {number, bytes}); });
  }
  Status finish(const std::string& id, const Blob& bytes) {
    return work([&](Transaction& t) { return finish_upload(t, id, bytes); });
  }
  std::int64_t uses(const Blob& bytes) {
    std::int64_t out = -1;
    EXPECT_TRUE(work([&](Transaction& t) -> Status {
                  CORTEX_ASSIGN_OR_RETURN(
                      const Rows rows,
                      t.query("SELECT uses FROM blob WHERE digest = $1", {bytes.digest})
                  );
                  out = rows.empty() ? -1 : rows.integer(0, 0);
                  return {};
                }).ok());
    return out;
  }
  Result<std::vector<UploadPart>> parts(const std::string& id) {
    Result<std::vector<UploadPart>> out = not_found("");
    EXPECT_TRUE(work([&](Transaction& t) -> Status {
                  out = list_upload_parts(t, id);
                  return out.status();
                }).ok());
    return out;
  }

  std::optional<TemporaryStore> store_;
};

TEST_P(ArtifactUploads, parts_come_in_any_order_and_end_as_one_artifact) {
  const std::string id = begin(3);
  EXPECT_EQ(id.size(), 64U);
  EXPECT_NE(id, begin(3));
  ASSERT_TRUE(put(id, 3, blob('c', 3)).ok());
  ASSERT_TRUE(put(id, 1, blob('a', 1)).ok());
  ASSERT_TRUE(put(id, 2, blob('b', 2)).ok());
  const auto all = parts(id);
  ASSERT_EQ(all->size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ((*all)[i].number, static_cast<std::int64_t>(i + 1));
    EXPECT_EQ((*all)[i].blob.size, i + 1);
  }
  ASSERT_TRUE(finish(id, blob('d', 6)).ok());
  EXPECT_EQ(uses(blob('a')), 0);
  EXPECT_EQ(uses(blob('d')), 1);
  EXPECT_TRUE(parts(id)->empty());
  EXPECT_TRUE(work([&](Transaction& t) -> Status {
                CORTEX_ASSIGN_OR_RETURN(
                    const auto entry, find_artifact(t, "default", "models/big")
                );
                EXPECT_EQ(entry->digest, blob('d').digest);
                CORTEX_ASSIGN_OR_RETURN(const auto upload, find_upload(t, id));
                EXPECT_TRUE(upload.finished);
                return {};
              }).ok());
}

TEST_P(ArtifactUploads, a_repeated_end_changes_nothing) {
  const std::string id = begin(1);
  ASSERT_TRUE(put(id, 1, blob('a')).ok());
  ASSERT_TRUE(finish(id, blob('a')).ok());
  ASSERT_TRUE(finish(id, blob('b')).ok());
  EXPECT_EQ(uses(blob('a')), 1);
  EXPECT_EQ(uses(blob('b')), -1);
  EXPECT_EQ(put(id, 1, blob('b')).code(), Code::kFailedPrecondition);
}

TEST_P(ArtifactUploads, a_part_that_comes_again_takes_the_place_of_the_first) {
  const std::string id = begin(1);
  ASSERT_TRUE(put(id, 1, blob('a')).ok());
  ASSERT_TRUE(put(id, 1, blob('b')).ok());
  ASSERT_TRUE(put(id, 1, blob('b')).ok());
  EXPECT_EQ(uses(blob('a')), 0);
  EXPECT_EQ(uses(blob('b')), 1);
}

TEST_P(ArtifactUploads, refuses_what_it_has_no_place_for) {
  const std::string id = begin(2);
  EXPECT_EQ(put(id, 0, blob('a')).code(), Code::kInvalidArgument);
  EXPECT_EQ(put(id, 3, blob('a')).code(), Code::kInvalidArgument);
  EXPECT_EQ(put(std::string(64, '0'), 1, blob('a')).code(), Code::kNotFound);
  EXPECT_EQ(finish(std::string(64, '0'), blob('a')).code(), Code::kNotFound);
  EXPECT_EQ(uses(blob('a')), -1);
  for (const std::int64_t count : {std::int64_t{0}, std::int64_t{-1}, kUploadPartsMax + 1}) {
    const Status status =
        work([&](Transaction& t) { return begin_upload(t, "default", "x", count).status(); });
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
  }
}

TEST_P(ArtifactUploads, what_is_aborted_or_old_lets_its_parts_go) {
  const std::string aborted = begin(1);
  const std::string old = begin(1);
  ASSERT_TRUE(put(aborted, 1, blob('a')).ok());
  ASSERT_TRUE(put(old, 1, blob('b')).ok());
  EXPECT_TRUE(work([&](Transaction& t) { return abort_upload(t, aborted); }).ok());
  EXPECT_TRUE(work([&](Transaction& t) { return abort_upload(t, aborted); }).ok());
  EXPECT_EQ(uses(blob('a')), 0);
  EXPECT_EQ(uses(blob('b')), 1);
  for (const auto& [age, count] :
       {std::pair<Duration, std::size_t>(std::chrono::hours(1), 0), {Duration::zero(), 1}}) {
    EXPECT_TRUE(work([&, older = age, wanted = count](Transaction& t) -> Status {
                  CORTEX_ASSIGN_OR_RETURN(const std::size_t expired, expire_uploads(t, older));
                  EXPECT_EQ(expired, wanted);
                  return {};
                }).ok());
  }
  EXPECT_EQ(uses(blob('b')), 0);
  EXPECT_EQ(put(old, 1, blob('c')).code(), Code::kNotFound);
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ArtifactUploads,
    testing::ValuesIn(TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::store
