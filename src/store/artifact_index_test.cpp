// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_index.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kHere = "default";

Blob blob(char digit, std::uint64_t size = 10) { return {std::string(64, digit), size}; }

class ArtifactIndex : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "no " << GetParam();
    store_.emplace(GetParam(), std::vector<Schema>{artifact_schema()});
  }

  // What `read` of a transaction comes to.
  template <typename Read>
  auto in_work(Read read) {
    std::optional<decltype(read(std::declval<Transaction&>()))> out;
    const Status status = (*store_)->write_and_wait([&](Transaction& transaction) {
      out.emplace(read(transaction));
      if constexpr (std::is_same_v<decltype(read(transaction)), Status>) {
        return *out;
      } else {
        return out->status();
      }
    });
    EXPECT_EQ(status.ok(), [&] {
      if constexpr (std::is_same_v<std::decay_t<decltype(*out)>, Status>) {
        return out->ok();
      } else {
        return out->ok();
      }
    }()) << status.to_string();
    return std::move(*out);
  }

  Status put(std::string_view path, const Blob& bytes, std::string_view workspace = kHere) {
    return in_work([&](Transaction& t) { return put_artifact(t, workspace, path, bytes); });
  }
  std::int64_t remove(std::string_view path, std::string_view workspace = kHere) {
    return in_work([&](Transaction& t) { return remove_artifacts(t, workspace, path); }).value();
  }
  std::optional<ArtifactEntry> find(std::string_view path, std::string_view workspace = kHere) {
    return in_work([&](Transaction& t) { return find_artifact(t, workspace, path); }).value();
  }
  // "name" for a file, "name/" for a folder.
  std::vector<std::string> list(
      std::string_view folder,
      std::string_view after = {},
      std::size_t limit = 1000,
      std::string_view workspace = kHere
  ) {
    return names(in_work([&](Transaction& t) {
      return list_artifacts(t, workspace, folder, after, limit);
    }));
  }
  std::vector<std::string> walk(std::string_view folder, std::size_t limit = 1000) {
    return names(in_work([&](Transaction& t) { return walk_artifacts(t, kHere, folder, limit); }));
  }
  static std::vector<std::string> names(const Result<std::vector<ArtifactEntry>>& entries) {
    std::vector<std::string> out;
    for (const ArtifactEntry& entry : entries.value()) {
      EXPECT_EQ(entry.is_folder, entry.digest.empty());
      out.push_back(entry.path + (entry.is_folder ? "/" : ""));
    }
    return out;
  }
  std::int64_t number(std::string_view sql, std::vector<Value> parameters = {}) {
    const auto rows =
        in_work([&](Transaction& t) { return t.query(sql, std::span<const Value>(parameters)); });
    return rows->empty() ? -1 : rows->integer(0, 0);
  }
  // -1: not in the table.
  std::int64_t uses(const Blob& bytes) {
    return number("SELECT uses FROM blob WHERE digest = $1", {bytes.digest});
  }

  std::optional<TemporaryStore> store_;
};

TEST_P(ArtifactIndex, finds_what_was_put) {
  ASSERT_TRUE(put("1/run/artifacts/model/MLmodel", blob('a', 77)).ok());
  const auto file = find("1/run/artifacts/model/MLmodel");
  ASSERT_TRUE(file.has_value());
  EXPECT_EQ(file->path, "1/run/artifacts/model/MLmodel");
  EXPECT_EQ(file->digest, blob('a').digest);
  EXPECT_EQ(file->size, 77U);
  EXPECT_FALSE(file->is_folder);
  const auto folder = find("1/run");
  ASSERT_TRUE(folder.has_value());
  EXPECT_TRUE(folder->is_folder);
  EXPECT_FALSE(find("1/ru").has_value());
  EXPECT_FALSE(find("1/run/artifacts/model/MLmodel/x").has_value());
  EXPECT_FALSE(find("1/run", "other").has_value());
}

TEST_P(ArtifactIndex, lists_what_stands_directly_below_a_folder_by_name) {
  for (const char* path : {"a/x/1", "a/x/2", "a/x.y", "a/x-", "a/x0", "a/b/c/d", "ab", "a.b"}) {
    ASSERT_TRUE(put(path, blob('a')).ok());
  }
  EXPECT_THAT(list(""), ElementsAre("a/", "a.b", "ab"));
  EXPECT_THAT(list("a"), ElementsAre("a/b/", "a/x/", "a/x-", "a/x.y", "a/x0"));
  EXPECT_THAT(list("a/x"), ElementsAre("a/x/1", "a/x/2"));
  EXPECT_THAT(list("a/x0"), IsEmpty());
  EXPECT_THAT(list("unknown"), IsEmpty());
  EXPECT_THAT(list("", "", 1000, "other"), IsEmpty());
  EXPECT_THAT(list("a", "", 2), ElementsAre("a/b/", "a/x/"));
  EXPECT_THAT(list("a", "x", 2), ElementsAre("a/x-", "a/x.y"));
}

TEST_P(ArtifactIndex, walks_a_folder_and_all_below_it) {
  for (const char* path : {"a/x/1", "a/0", "a-b/1", "a/x/y/2", "a0/1", "b"}) {
    ASSERT_TRUE(put(path, blob('a')).ok());
  }
  EXPECT_THAT(walk("a"), ElementsAre("a/0", "a/x/1", "a/x/y/2"));
  EXPECT_THAT(walk("a", 2), ElementsAre("a/0", "a/x/1"));
  EXPECT_THAT(walk(""), ElementsAre("b", "a/0", "a-b/1", "a/x/1", "a/x/y/2", "a0/1"));
  EXPECT_THAT(walk("b"), IsEmpty());
}

TEST_P(ArtifactIndex, text_is_compared_byte_by_byte) {
  for (const char* path : {"b", "B", "a", "_", "\xC3\xA4", "Z", "%", "_x"}) {
    ASSERT_TRUE(put(path, blob('a')).ok());
  }
  EXPECT_THAT(list(""), ElementsAre("%", "B", "Z", "_", "_x", "a", "b", "\xC3\xA4"));
  EXPECT_EQ(remove("_"), 1);
  EXPECT_TRUE(find("_x").has_value());
}

TEST_P(ArtifactIndex, a_path_is_a_file_or_a_folder) {
  ASSERT_TRUE(put("a/b", blob('a')).ok());
  EXPECT_EQ(put("a", blob('b')).code(), Code::kFailedPrecondition);
  EXPECT_EQ(put("a/b/c", blob('b')).code(), Code::kFailedPrecondition);
  EXPECT_EQ(put("a/b/c/d/e", blob('b')).code(), Code::kFailedPrecondition);
  EXPECT_EQ(uses(blob('b')), -1);
  EXPECT_THAT(walk(""), ElementsAre("a/b"));
  EXPECT_TRUE(put("a", blob('b'), "other").ok());
  EXPECT_EQ(remove("a"), 1);
  EXPECT_TRUE(put("a", blob('b')).ok());
}

TEST_P(ArtifactIndex, counts_the_references_of_every_blob) {
  ASSERT_TRUE(put("x", blob('a')).ok());
  ASSERT_TRUE(put("y", blob('a')).ok());
  ASSERT_TRUE(put("x", blob('a'), "other").ok());
  EXPECT_EQ(uses(blob('a')), 3);
  ASSERT_TRUE(put("x", blob('a')).ok());
  EXPECT_EQ(uses(blob('a')), 3);
  ASSERT_TRUE(put("x", blob('b')).ok());
  EXPECT_EQ(uses(blob('a')), 2);
  EXPECT_EQ(uses(blob('b')), 1);
  EXPECT_EQ(find("x")->digest, blob('b').digest);
  EXPECT_EQ(remove("y"), 1);
  EXPECT_EQ(remove("y"), 0);
  EXPECT_EQ(number("SELECT COUNT(*) FROM blob WHERE unused_since IS NOT NULL"), 0);
  EXPECT_EQ(remove("x", "other"), 1);
  EXPECT_EQ(uses(blob('a')), 0);
  EXPECT_EQ(number("SELECT COUNT(*) FROM blob WHERE unused_since IS NOT NULL"), 1);
  ASSERT_TRUE(put("z", blob('a')).ok());
  EXPECT_EQ(uses(blob('a')), 1);
  EXPECT_EQ(number("SELECT COUNT(*) FROM blob WHERE unused_since IS NOT NULL"), 0);
}

TEST_P(ArtifactIndex, removes_a_folder_with_all_below_it_and_nothing_beside_it) {
  for (const char* path : {"r/a/1", "r/a/b/2", "r/a/b/3", "r/a-b/4", "r/a0", "r/a.b/c"}) {
    ASSERT_TRUE(put(path, blob('a')).ok());
  }
  ASSERT_TRUE(put("r/a/b/4", blob('b')).ok());
  ASSERT_TRUE(put("r/a/b/4", blob('b'), "other").ok());
  EXPECT_EQ(remove("r/a"), 4);
  EXPECT_THAT(walk(""), ElementsAre("r/a0", "r/a-b/4", "r/a.b/c"));
  EXPECT_EQ(uses(blob('a')), 3);
  EXPECT_EQ(uses(blob('b')), 1);
  EXPECT_EQ(remove("r/a"), 0);
  EXPECT_EQ(remove(""), 3);
  EXPECT_THAT(list(""), IsEmpty());
  EXPECT_EQ(uses(blob('a')), 0);
  EXPECT_TRUE(find("r/a/b/4", "other").has_value());
}

TEST_P(ArtifactIndex, a_folder_goes_with_the_last_file_in_it) {
  ASSERT_TRUE(put("r/a/b/c", blob('a')).ok());
  ASSERT_TRUE(put("r/x", blob('a')).ok());
  EXPECT_EQ(remove("r/a/b/c"), 1);
  EXPECT_FALSE(find("r/a").has_value());
  EXPECT_TRUE(find("r").has_value());
  EXPECT_EQ(remove("r/x"), 1);
  EXPECT_FALSE(find("r").has_value());
  EXPECT_EQ(number("SELECT COUNT(*) FROM artifact"), 0);
}

TEST_P(ArtifactIndex, a_failed_work_changes_nothing) {
  ASSERT_TRUE(put("x", blob('a')).ok());
  const Status status = (*store_)->write_and_wait([&](Transaction& t) -> Status {
    CORTEX_RETURN_IF_ERROR(put_artifact(t, kHere, "y", blob('b')));
    CORTEX_RETURN_IF_ERROR(remove_artifacts(t, kHere, "x").status());
    return put_artifact(t, kHere, "y/z", blob('b'));
  });
  EXPECT_EQ(status.code(), Code::kFailedPrecondition);
  EXPECT_THAT(walk(""), ElementsAre("x"));
  EXPECT_EQ(uses(blob('b')), -1);
  EXPECT_EQ(uses(blob('a')), 1);
}

TEST_P(ArtifactIndex, a_held_blob_is_released_as_often_as_it_was_held) {
  const auto hold = [&] {
    return in_work([&](Transaction& t) { return hold_blob(t, blob('a')); });
  };
  const auto release = [&] {
    return in_work([&](Transaction& t) { return release_blob(t, blob('a').digest); });
  };
  ASSERT_TRUE(hold().ok());
  ASSERT_TRUE(hold().ok());
  ASSERT_TRUE(release().ok());
  EXPECT_EQ(uses(blob('a')), 1);
  ASSERT_TRUE(release().ok());
  EXPECT_EQ(uses(blob('a')), 0);
  EXPECT_EQ(release().code(), Code::kInternal);
}

TEST_P(ArtifactIndex, a_listing_reads_what_it_lists) {
  if (GetParam() != "sqlite") GTEST_SKIP() << "its own words for plans";
  const auto plan = in_work([&](Transaction& t) {
    return t.query(
        "EXPLAIN QUERY PLAN SELECT folder, name, digest, size FROM artifact"
        " WHERE workspace = $1 AND folder = $2 AND name > $3 ORDER BY name LIMIT $4",
        {"default", "a", "", std::int64_t{10}}
    );
  });
  ASSERT_EQ(plan->size(), 1U);
  EXPECT_THAT(plan->text(0, 3), testing::StartsWith("SEARCH artifact USING INDEX"));
  EXPECT_THAT(plan->text(0, 3), testing::HasSubstr("workspace=? AND folder=? AND name>?"));
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ArtifactIndex,
    testing::ValuesIn(TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::store
