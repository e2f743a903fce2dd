// SPDX-License-Identifier: Apache-2.0
// The protocol of artifact_index.h, step by step against a store whose clock stands still, and on a
// real folder.
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/artifact_digest.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::chrono::hours kGrace{1};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

// Blobs with a clock of their own; `before_removal` is run where another process might come in.
class SteppedArtifacts final : public ArtifactStore {
 public:
  Blob finish(std::string_view text) {
    Digest digest;
    digest.add(bytes_of(text));
    Blob blob{digest.finish(), text.size()};
    blobs_[blob.digest] = {blob, now_};
    return blob;
  }
  void advance(Duration by) { now_ += by; }
  std::function<void()> before_removal;

  Result<std::unique_ptr<BlobWriter>> begin() override { return unimplemented("begin"); }
  Result<std::unique_ptr<BlobReader>> open(const std::string&) override {
    return unimplemented("open");
  }
  Result<bool> contains(const std::string& digest) override { return blobs_.contains(digest); }
  Result<bool> remove(const std::string& digest, Duration age) override {
    if (before_removal) std::exchange(before_removal, nullptr)();
    const auto found = blobs_.find(digest);
    if (found == blobs_.end()) return true;
    if (now_ - found->second.second < age) return false;
    blobs_.erase(found);
    return true;
  }
  Result<std::vector<StoredBlob>> list(std::string_view after, std::size_t limit) override {
    std::vector<StoredBlob> out;
    for (auto at = blobs_.upper_bound(std::string(after)); at != blobs_.end(); ++at) {
      if (out.size() == limit) break;
      out.push_back({at->second.first, now_ - at->second.second});
    }
    return out;
  }
  Result<std::uint64_t> sweep(Duration) override { return unimplemented("sweep"); }
  Result<Blob> join(std::span<const Blob>) override { return unimplemented("join"); }
  Status materialise(const std::string&, const std::filesystem::path&) override {
    return unimplemented("materialise");
  }

 private:
  std::map<std::string, std::pair<Blob, Duration>> blobs_;
  Duration now_{};
};

class ArtifactCollection : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!TemporaryStore::available(GetParam())) GTEST_SKIP() << "no " << GetParam();
    store_.emplace(GetParam(), std::vector<Schema>{artifact_schema()});
  }

  void put(std::string_view path, const Blob& blob) {
    const Status status = (*store_)->write_and_wait([&](Transaction& t) {
      return put_artifact(t, "default", path, blob);
    });
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void remove(std::string_view path) {
    const Status status = (*store_)->write_and_wait([&](Transaction& t) {
      return remove_artifacts(t, "default", path).status();
    });
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  // Both clocks go on, the table's and the artifacts'.
  void pass(std::chrono::hours hours) {
    artifacts_.advance(hours);
    const Status status = (*store_)->write_and_wait([&](Transaction& t) {
      return t
          .execute(
              "UPDATE blob SET unused_since = unused_since - $1",
              {std::chrono::milliseconds(hours).count()}
          )
          .status();
    });
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  std::uint64_t collect() {
    const auto freed = collect_artifacts(**store_, artifacts_, kGrace);
    EXPECT_TRUE(freed.ok()) << freed.status().to_string();
    return freed.value();
  }
  bool has_row(const Blob& blob) {
    bool found = false;
    EXPECT_TRUE((*store_)
                    ->read_and_wait([&](Transaction& t) -> Status {
                      CORTEX_ASSIGN_OR_RETURN(
                          const Rows rows,
                          t.query("SELECT 1 FROM blob WHERE digest = $1", {blob.digest})
                      );
                      found = !rows.empty();
                      return {};
                    })
                    .ok());
    return found;
  }

  std::optional<TemporaryStore> store_;
  SteppedArtifacts artifacts_;
};

TEST_P(ArtifactCollection, takes_what_nothing_refers_to_any_more_after_the_grace) {
  const Blob kept = artifacts_.finish("kept");
  const Blob dropped = artifacts_.finish("dropped!");
  put("a/kept", kept);
  put("a/dropped", dropped);
  remove("a/dropped");
  EXPECT_EQ(collect(), 0U);
  pass(kGrace);
  EXPECT_EQ(collect(), 8U);
  EXPECT_FALSE(has_row(dropped));
  EXPECT_FALSE(artifacts_.contains(dropped.digest).value());
  EXPECT_TRUE(has_row(kept));
  EXPECT_TRUE(artifacts_.contains(kept.digest).value());
  EXPECT_EQ(collect(), 0U);
}

TEST_P(ArtifactCollection, what_was_put_again_in_time_stays) {
  const Blob blob = artifacts_.finish("x");
  put("a", blob);
  remove("a");
  pass(kGrace);
  put("b", blob);
  EXPECT_EQ(collect(), 0U);
  remove("b");
  EXPECT_EQ(collect(), 0U);
}

TEST_P(ArtifactCollection, takes_more_than_a_batch) {
  for (int i = 0; i < 1'100; ++i) {
    const Status status = (*store_)->write_and_wait(
        [&](Transaction& t) -> Status {
          const Blob blob = artifacts_.finish(std::to_string(i));
          CORTEX_RETURN_IF_ERROR(hold_blob(t, blob));
          return release_blob(t, blob.digest);
        },
        Durability::kRelaxed
    );
    ASSERT_TRUE(status.ok());
  }
  pass(kGrace);
  EXPECT_EQ(collect(), 10U * 1 + 90 * 2 + 900 * 3 + 100 * 4);
  EXPECT_THAT(artifacts_.list("", 10).value(), IsEmpty());
}

// An upload finishes (F) and puts (P); the collector takes the row (T) and removes the bytes (R).
TEST_P(ArtifactCollection, an_upload_beside_the_collector_ends_with_its_bytes_in_every_order) {
  for (const std::string order : {"FPTR", "FTPR", "FTRP", "TFPR", "TFRP", "TRFP"}) {
    const std::string text = "bytes of " + order;
    Blob blob = artifacts_.finish(text);
    put("old", blob);
    remove("old");
    pass(kGrace);
    const auto run = [&](std::size_t from, std::size_t to) {
      for (std::size_t i = from; i < to; ++i) {
        if (order[i] == 'F') blob = artifacts_.finish(text);
        if (order[i] == 'P') put("new/" + order, blob);
      }
    };
    const std::size_t take = order.find('T');
    const std::size_t removal = order.find('R');
    run(0, take);
    bool between = false;
    artifacts_.before_removal = [&] {
      between = true;
      run(take + 1, removal);
    };
    (void)collect();
    artifacts_.before_removal = nullptr;
    if (!between) run(take + 1, removal);
    run(removal + 1, order.size());
    EXPECT_TRUE(has_row(blob)) << order;
    EXPECT_TRUE(artifacts_.contains(blob.digest).value()) << order;
    pass(kGrace);
    (void)collect();
    EXPECT_TRUE(artifacts_.contains(blob.digest).value()) << order;
  }
}

TEST_P(ArtifactCollection, names_bytes_without_a_row_and_rows_without_bytes) {
  const Blob stray = artifacts_.finish("stray");
  const Blob lost = artifacts_.finish("lost");
  const Blob fine = artifacts_.finish("fine");
  put("lost", lost);
  put("fine", fine);
  ASSERT_TRUE(artifacts_.remove(lost.digest, {}).value());
  const auto digests = [](const std::vector<Blob>& blobs) {
    std::vector<std::string> out;
    for (const Blob& blob : blobs) out.push_back(blob.digest);
    return out;
  };
  auto strays = find_strays(**store_, artifacts_, kGrace);
  ASSERT_TRUE(strays.ok());
  EXPECT_THAT(strays->without_row, IsEmpty());
  EXPECT_THAT(digests(strays->without_bytes), ElementsAre(lost.digest));
  artifacts_.advance(kGrace);
  strays = find_strays(**store_, artifacts_, kGrace);
  EXPECT_THAT(digests(strays->without_row), ElementsAre(stray.digest));
  EXPECT_EQ(remove_strays(**store_, artifacts_, kGrace).value(), 5U);
  EXPECT_FALSE(artifacts_.contains(stray.digest).value());
  EXPECT_TRUE(artifacts_.contains(fine.digest).value());
}

TEST_P(ArtifactCollection, an_upload_that_meets_the_removal_of_strays_stays) {
  const Blob stray = artifacts_.finish("stray");
  artifacts_.advance(kGrace);
  artifacts_.before_removal = [&] { (void)artifacts_.finish("stray"); };
  EXPECT_EQ(remove_strays(**store_, artifacts_, kGrace).value(), 0U);
  put("new", stray);
  EXPECT_TRUE(artifacts_.contains(stray.digest).value());
}

TEST_P(ArtifactCollection, finds_strays_among_many) {
  for (int i = 0; i < 1'201; ++i) {
    const Blob blob = artifacts_.finish(std::to_string(i));
    if (i % 600 == 0) continue;
    const Status status = (*store_)->write_and_wait(
        [&](Transaction& t) { return hold_blob(t, blob); }, Durability::kRelaxed
    );
    ASSERT_TRUE(status.ok());
  }
  const auto strays = find_strays(**store_, artifacts_, {});
  EXPECT_EQ(strays->without_row.size(), 3U);
  EXPECT_THAT(strays->without_bytes, IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ArtifactCollection,
    testing::ValuesIn(TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::store
