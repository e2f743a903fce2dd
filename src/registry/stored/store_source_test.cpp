// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/store_source.h"

#include <array>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/alias.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "registry/test_folder.h"
#include "store/artifact_index.h"
#include "store/change_trim.h"

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

// A store in files, with the tables that the source reads.
class StoreSourceTest : public ::testing::Test {
 protected:
  StoreSourceTest() {
    const std::array schemas{store::artifact_schema(), catalog_schema(), signing_schema()};
    auto opened = store::open_store({.address = (folder_.path() / "db").string()}, schemas);
    CHECK(opened.ok(), "a test needs a store");
    store_ = std::move(*opened);
    auto artifacts = store::open_artifact_folder(folder_.path() / "blobs");
    CHECK(artifacts.ok(), "a test needs a place for artifacts");
    artifacts_ = std::move(*artifacts);
    source_ = std::make_unique<StoreSource>(*store_, *artifacts_, "default");
  }

  void write(const store::Store::Work& work) {
    const Status status = store_->write_and_wait(work);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void add_model(const std::string& name) {
    NewModel model;
    model.name = name;
    write([&](store::Transaction& t) { return create_model(t, {}, model).status(); });
  }
  void add_version(const std::string& name, const std::string& location) {
    write([&](store::Transaction& t) {
      NewVersion version;
      version.model = name;
      version.location = version.source = location;
      return create_version(t, {}, version).status();
    });
  }
  void point(const std::string& name, const std::string& alias, std::int64_t version) {
    write([&](store::Transaction& t) {
      AliasChange change;
      change.model = name;
      change.alias = alias;
      change.version = version;
      return set_aliases(t, {}, std::span(&change, 1)).status();
    });
  }
  void add_file(const std::string& path, const std::string& text) {
    auto writer = artifacts_->begin();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->write(std::as_bytes(std::span<const char>(text))).ok());
    const auto blob = (*writer)->finish();
    ASSERT_TRUE(blob.ok());
    write([&](store::Transaction& t) { return store::put_artifact(t, "default", path, *blob); });
  }
  SourceChanges changes() {
    auto out = source_->changes();
    EXPECT_TRUE(out.ok()) << out.status().to_string();
    return out.ok() ? std::move(*out) : SourceChanges{};
  }

  TestFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<StoreSource> source_;
};

TEST_F(StoreSourceTest, gives_everything_at_first_and_changes_after) {
  add_model("a");
  add_version("a", "1/r/artifacts/m");
  SourceChanges first = changes();
  EXPECT_TRUE(first.whole);
  ASSERT_EQ(first.models.size(), 1U);
  EXPECT_EQ(first.models[0].name, "a");
  ASSERT_EQ(first.models[0].versions.size(), 1U);
  EXPECT_EQ(first.models[0].versions[0].number, 1);
  EXPECT_THAT(changes().models, IsEmpty());
  add_model("b");
  add_version("b", "1/r/artifacts/n");
  point("b", "champion", 1);
  const SourceChanges second = changes();
  EXPECT_FALSE(second.whole);
  ASSERT_EQ(second.models.size(), 1U);
  EXPECT_EQ(second.models[0].name, "b");
  EXPECT_THAT(second.models[0].aliases, ElementsAre(Pair("champion", 1)));
}

TEST_F(StoreSourceTest, reads_everything_anew_when_the_feed_was_trimmed_behind_its_back) {
  add_model("a");
  EXPECT_TRUE(changes().whole);
  for (const char* name : {"b", "c", "d"}) add_model(name);
  write([](store::Transaction& t) { return store::trim_changes(t, 1).status(); });
  const SourceChanges all = changes();
  EXPECT_TRUE(all.whole);
  EXPECT_EQ(all.models.size(), 4U);
  add_model("e");
  EXPECT_FALSE(changes().whole);
}

TEST_F(StoreSourceTest, says_what_is_gone_and_tells_a_model_from_its_namesake) {
  add_model("a");
  add_version("a", "1/r/artifacts/m");
  const std::string origin = changes().models.at(0).versions.at(0).origin;
  write([](store::Transaction& t) { return delete_model(t, {}, "a"); });
  EXPECT_THAT(changes().gone, ElementsAre("a"));
  add_model("a");
  add_version("a", "1/r/artifacts/m");
  EXPECT_NE(changes().models.at(0).versions.at(0).origin, origin);
}

TEST_F(StoreSourceTest, shows_stages_as_aliases_that_no_alias_can_be_called) {
  add_model("a");
  for (int i = 0; i < 3; ++i) add_version("a", "1/r/artifacts/m");
  for (const auto& [version, stage] : std::initializer_list<std::pair<int, LifecycleStage>>{
           {1, LifecycleStage::kProduction},
           {2, LifecycleStage::kProduction},
           {3, LifecycleStage::kArchived},
       }) {
    write([&, v = version, s = stage](store::Transaction& t) {
      return transition_stage(t, {}, {"a", v}, s, false).status();
    });
  }
  EXPECT_THAT(changes().models.at(0).aliases, ElementsAre(Pair("/Production", 2)));
}

TEST_F(StoreSourceTest, lists_reads_and_links_the_files_of_a_version) {
  add_model("a");
  add_file("1/r/artifacts/m/MLmodel", "flavors: {}");
  add_file("1/r/artifacts/m/data/w", "weights");
  add_file("1/r/artifacts/mother/x", "another folder");
  add_version("a", "1/r/artifacts/m");
  const auto files = source_->files(changes().models.at(0).versions.at(0).origin);
  ASSERT_TRUE(files.ok()) << files.status().to_string();
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].path, "MLmodel");
  EXPECT_EQ((*files)[1].path, "data/w");
  EXPECT_EQ(*source_->read((*files)[0], 100), "flavors: {}");
  EXPECT_EQ(source_->read((*files)[0], 3).status().code(), Code::kResourceExhausted);
  const auto to = folder_.path() / "linked";
  ASSERT_TRUE(source_->fetch((*files)[1], to).ok());
  EXPECT_EQ(std::filesystem::file_size(to), 7U);
}

TEST_F(StoreSourceTest, leads_an_alias_that_requires_signatures_past_unsigned_versions) {
  SignatureGate gate(*store_, *artifacts_, "default", {});
  StoreSource source(*store_, *artifacts_, "default", &gate);
  add_model("a");
  add_file("1/r/artifacts/m/model.onnx", "weights");
  add_version("a", "1/r/artifacts/m");
  point("a", "champion", 1);
  point("a", "other", 1);
  const auto before = source.changes();
  ASSERT_TRUE(before.ok()) << before.status().to_string();
  EXPECT_EQ(before->models.at(0).aliases.size(), 2U);
  write([](store::Transaction& t) {
    return set_signature_policy(t, {}, "a", "champion", SignaturePolicy::kRequire);
  });
  const auto after = source.changes();
  ASSERT_TRUE(after.ok()) << after.status().to_string();
  // It stands and leads nowhere: nothing may take its place.
  EXPECT_THAT(after->models.at(0).aliases, ElementsAre(Pair("champion", 0), Pair("other", 1)));
  EXPECT_THAT(after->models.at(0).notes.at(1), testing::HasSubstr("not signed"));
  EXPECT_TRUE(source.files(after->models.at(0).versions.at(0).origin).ok());
}

TEST_F(StoreSourceTest, asks_again_for_a_model_whose_signature_cannot_be_read_now) {
  class Unreachable final : public store::ArtifactStore {
   public:
    explicit Unreachable(store::ArtifactStore& inner) : inner_(inner) {}
    Result<std::unique_ptr<store::BlobWriter>> begin() override { return inner_.begin(); }
    Result<std::unique_ptr<store::BlobReader>> open(const std::string& digest) override {
      if (away) return unavailable("the store is away");
      return inner_.open(digest);
    }
    Result<bool> contains(const std::string& digest) override { return inner_.contains(digest); }
    Result<bool> remove(const std::string& digest, Duration age) override {
      return inner_.remove(digest, age);
    }
    Result<std::uint64_t> sweep(Duration age) override { return inner_.sweep(age); }
    Result<std::vector<store::StoredBlob>> list(std::string_view after, std::size_t limit)
        override {
      return inner_.list(after, limit);
    }
    Result<store::Blob> join(std::span<const store::Blob> parts) override {
      return inner_.join(parts);
    }
    Status materialise(const std::string& digest, const std::filesystem::path& to) override {
      return inner_.materialise(digest, to);
    }
    bool away = true;

   private:
    store::ArtifactStore& inner_;
  };
  Unreachable artifacts(*artifacts_);
  SignatureGate gate(*store_, artifacts, "default", {});
  StoreSource source(*store_, artifacts, "default", &gate);
  ASSERT_TRUE(source.changes().ok());
  for (const char* name : {"a", "b"}) {
    add_model(name);
    add_version(name, "1/r/artifacts/m");
    point(name, "champion", 1);
  }
  add_file("1/r/artifacts/m/model.sig", "a signature");
  write([](store::Transaction& t) {
    return set_signature_policy(t, {}, "a", "champion", SignaturePolicy::kWarn);
  });
  const auto first = source.changes();
  ASSERT_TRUE(first.ok()) << first.status().to_string();
  EXPECT_TRUE(first->again);
  ASSERT_EQ(first->models.size(), 1U);
  EXPECT_EQ(first->models[0].name, "b");
  artifacts.away = false;
  const auto second = source.changes();
  ASSERT_TRUE(second.ok()) << second.status().to_string();
  EXPECT_FALSE(second->again);
  ASSERT_EQ(second->models.size(), 1U);
  EXPECT_EQ(second->models[0].notes.size(), 1U);
}

}  // namespace
}  // namespace cortex::registry
