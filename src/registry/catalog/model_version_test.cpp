// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/model_version.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/testing/recording_transaction.h"
#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class ModelVersions : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    catalog_.emplace(GetParam());
    ASSERT_TRUE(catalog_->make_model("m").ok());
  }

  template <typename Change>
  auto change(Change change) {
    return catalog_->write([&](store::Transaction& transaction) {
      return change(transaction, catalog_->author("why"));
    });
  }
  Status remove(std::int64_t version) {
    return change([version](store::Transaction& transaction, const Authorship& author) {
      return delete_version(transaction, author, {"m", version});
    });
  }
  Result<ModelVersion> stage(std::int64_t version, LifecycleStage to, bool archive = false) {
    return change([=](store::Transaction& transaction, const Authorship& author) {
      return transition_stage(transaction, author, {"m", version}, to, archive);
    });
  }
  Result<ModelVersion> make(std::variant<std::monostate, SemanticVersion, Increment> semantic) {
    NewVersion wanted;
    wanted.model = "m";
    wanted.source = "1/x";
    wanted.location = "1/x";
    wanted.semantic = semantic;
    return catalog_->make_version(wanted);
  }
  std::vector<std::int64_t> latest(std::vector<LifecycleStage> stages = {}) {
    const auto found = catalog_->read([&](store::Transaction& transaction) {
      return find_latest_versions(transaction, "default", "m", stages);
    });
    std::vector<std::int64_t> numbers;
    for (const ModelVersion& version : *found) numbers.push_back(version.id.version);
    return numbers;
  }

  std::optional<TestCatalog> catalog_;
};

TEST_P(ModelVersions, are_counted_from_1_and_keep_what_they_were_made_of) {
  NewVersion wanted;
  wanted.model = "m";
  wanted.source = "runs:/r1/model";
  wanted.location = "1/r1/artifacts/model";
  wanted.run = "r1";
  wanted.run_link = "link";
  wanted.logged_model = "m-1";
  wanted.description = "first";
  wanted.tags = {{"k", "v"}, {"empty", ""}};
  const auto made = catalog_->make_version(wanted);
  ASSERT_TRUE(made.ok());
  const ModelVersion found = *catalog_->version("m", 1);
  EXPECT_EQ(found.id, (VersionId{"m", 1}));
  EXPECT_EQ(found.source, wanted.source);
  EXPECT_EQ(found.location, wanted.location);
  EXPECT_EQ(found.run, "r1");
  EXPECT_EQ(found.run_link, "link");
  EXPECT_EQ(found.logged_model, "m-1");
  EXPECT_EQ(found.description, "first");
  EXPECT_EQ(found.tags, wanted.tags);
  EXPECT_EQ(found.user, "ada");
  EXPECT_EQ(found.status, VersionStatus::kReady);
  EXPECT_EQ(found.stage, LifecycleStage::kNone);
  EXPECT_FALSE(found.semantic);
  EXPECT_FALSE(found.deprecation);
  EXPECT_EQ(found.created_at, found.updated_at);
  EXPECT_EQ(catalog_->make_version("m")->id.version, 2);
}

TEST_P(ModelVersions, need_a_model) {
  EXPECT_EQ(catalog_->make_version("x").status().code(), Code::kNotFound);
}

TEST_P(ModelVersions, a_number_is_never_used_again) {
  ASSERT_TRUE(catalog_->make_version("m").ok());
  ASSERT_TRUE(catalog_->make_version("m").ok());
  ASSERT_TRUE(remove(2).ok());
  EXPECT_EQ(catalog_->make_version("m")->id.version, 3);
  const auto gone = catalog_->version("m", 2);
  EXPECT_EQ(gone.status().code(), Code::kNotFound);
  EXPECT_EQ(gone.status().text(), "Model Version (name=m, version=2) not found");
}

TEST_P(ModelVersions, a_tombstone_keeps_nothing_and_cannot_be_changed) {
  ASSERT_TRUE(catalog_->make_version("m", {{"secret", "1"}}).ok());
  ASSERT_TRUE(remove(1).ok());
  const auto rows = catalog_->read([](store::Transaction& transaction) {
    return transaction.query(
        "SELECT v.source, v.location, v.author, "
        "(SELECT count(*) FROM version_tag) FROM model_version v"
    );
  });
  ASSERT_EQ(rows->size(), 1U);
  for (std::size_t column = 0; column < 3; ++column) EXPECT_EQ(rows->text(0, column), "");
  EXPECT_EQ(rows->integer(0, 3), 0);
  EXPECT_EQ(remove(1).code(), Code::kNotFound);
  EXPECT_EQ(stage(1, LifecycleStage::kStaging).status().code(), Code::kNotFound);
  EXPECT_EQ(catalog_->set_alias({"m", "a", 1, {}}).status().code(), Code::kNotFound);
}

TEST_P(ModelVersions, count_their_semantic_version_up_from_the_greatest) {
  EXPECT_EQ(to_text(*make(Increment::kMinor)->semantic), "1.0.0");
  EXPECT_EQ(to_text(*make(SemanticVersion{1, 9, 9})->semantic), "1.9.9");
  EXPECT_EQ(to_text(*make(SemanticVersion{1, 10, 0})->semantic), "1.10.0");
  EXPECT_EQ(to_text(*make(SemanticVersion{0, 1, 0})->semantic), "0.1.0");
  EXPECT_EQ(to_text(*make(Increment::kPatch)->semantic), "1.10.1");
  EXPECT_EQ(to_text(*make(Increment::kMajor)->semantic), "2.0.0");
  EXPECT_FALSE(make(std::monostate())->semantic);
}

TEST_P(ModelVersions, a_semantic_version_belongs_to_one_version_of_a_model_for_ever) {
  const SemanticVersion semantic{1, 2, 3};
  ASSERT_TRUE(make(semantic).ok());
  EXPECT_EQ(make(semantic).status().code(), Code::kAlreadyExists);
  ASSERT_TRUE(remove(1).ok());
  const auto again = make(semantic);
  EXPECT_EQ(again.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(again.status().text(), HasSubstr("1.2.3 is that of version 1"));
}

TEST_P(ModelVersions, are_found_by_their_semantic_version) {
  ASSERT_TRUE(make(SemanticVersion{1, 0, 0}).ok());
  ASSERT_TRUE(make(SemanticVersion{1, 1, 0}).ok());
  const auto find = [this](SemanticVersion semantic) {
    return catalog_->read([&](store::Transaction& transaction) {
      return find_semantic_version(transaction, "default", "m", semantic);
    });
  };
  EXPECT_EQ(find({1, 1, 0})->id.version, 2);
  EXPECT_EQ(find({1, 2, 0}).status().code(), Code::kNotFound);
}

TEST_P(ModelVersions, move_through_the_stages_and_archive_the_others_when_asked) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(catalog_->make_version("m").ok());
  ASSERT_TRUE(stage(1, LifecycleStage::kProduction).ok());
  ASSERT_TRUE(stage(2, LifecycleStage::kProduction).ok());
  EXPECT_EQ(catalog_->version("m", 1)->stage, LifecycleStage::kProduction);
  const auto third = stage(3, LifecycleStage::kProduction, true);
  EXPECT_EQ(third->stage, LifecycleStage::kProduction);
  EXPECT_EQ(catalog_->version("m", 1)->stage, LifecycleStage::kArchived);
  EXPECT_EQ(catalog_->version("m", 2)->stage, LifecycleStage::kArchived);
  EXPECT_EQ(catalog_->version("m", 1)->updated_at, third->updated_at);
}

TEST_P(ModelVersions, only_a_move_to_an_active_stage_archives) {
  ASSERT_TRUE(catalog_->make_version("m").ok());
  EXPECT_EQ(stage(1, LifecycleStage::kNone, true).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(stage(1, LifecycleStage::kArchived, true).status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(stage(1, LifecycleStage::kStaging, true).ok());
}

TEST_P(ModelVersions, latest_is_the_greatest_ready_one_of_each_stage) {
  EXPECT_THAT(latest(), IsEmpty());
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(catalog_->make_version("m").ok());
  ASSERT_TRUE(stage(1, LifecycleStage::kProduction).ok());
  ASSERT_TRUE(stage(2, LifecycleStage::kProduction).ok());
  EXPECT_THAT(latest(), ElementsAre(4, 2));
  EXPECT_THAT(latest({LifecycleStage::kProduction}), ElementsAre(2));
  EXPECT_THAT(latest({LifecycleStage::kStaging}), IsEmpty());
  EXPECT_THAT(latest({LifecycleStage::kProduction, LifecycleStage::kProduction}), ElementsAre(2));
  ASSERT_TRUE(remove(4).ok());
  EXPECT_THAT(latest(), ElementsAre(3, 2));
}

TEST_P(ModelVersions, latest_of_many_models_comes_in_one_go) {
  std::vector<RegisteredModel> models;
  for (int i = 0; i < 40; ++i) {
    const std::string name = "many" + std::to_string(100 + i);
    models.push_back(*catalog_->make_model(name));
    ASSERT_TRUE(catalog_->make_version(name, {{"of", name}}).ok());
  }
  const auto found = catalog_->read([&](store::Transaction& transaction) {
    return find_latest_versions(transaction, "default", models);
  });
  ASSERT_THAT(*found, SizeIs(40));
  EXPECT_EQ(found->front().id.model, "many100");
  EXPECT_EQ(found->back().tags.at("of"), "many139");
}

TEST_P(ModelVersions, that_are_pending_are_finished_once) {
  NewVersion wanted;
  wanted.model = "m";
  wanted.source = "x";
  wanted.status = VersionStatus::kPending;
  ASSERT_TRUE(catalog_->make_version(wanted).ok());
  const auto finish = [this](VersionStatus status) {
    return change([status](store::Transaction& transaction, const Authorship& author) {
      return finish_version(transaction, author, {"m", 1}, status, "text");
    });
  };
  EXPECT_EQ(finish(VersionStatus::kFailed)->status, VersionStatus::kFailed);
  EXPECT_EQ(catalog_->version("m", 1)->status_message, "text");
  EXPECT_EQ(finish(VersionStatus::kReady).status().code(), Code::kFailedPrecondition);
}

TEST_P(ModelVersions, are_deprecated_with_a_reason_and_back) {
  ASSERT_TRUE(catalog_->make_version("m").ok());
  const auto deprecated = change([](store::Transaction& transaction, const Authorship& author) {
    return deprecate_version(transaction, author, {"m", 1});
  });
  ASSERT_TRUE(deprecated->deprecation.has_value());
  EXPECT_EQ(deprecated->deprecation->user, "ada");
  EXPECT_EQ(deprecated->deprecation->reason, "why");
  EXPECT_EQ(deprecated->deprecation->at, deprecated->updated_at);
  const auto back = change([](store::Transaction& transaction, const Authorship& author) {
    return undo_deprecation(transaction, author, {"m", 1});
  });
  EXPECT_FALSE(back->deprecation.has_value());
}

TEST_P(ModelVersions, tags_are_overwritten_and_deleted) {
  ASSERT_TRUE(catalog_->make_version("m").ok());
  const auto set = [this](const std::string& key, const std::string& value) {
    return change([&](store::Transaction& transaction, const Authorship& author) {
      return set_version_tag(transaction, author, {"m", 1}, key, value);
    });
  };
  ASSERT_TRUE(set("k", "1").ok());
  ASSERT_TRUE(set("k", "2").ok());
  EXPECT_EQ(catalog_->version("m", 1)->tags, (Tags{{"k", "2"}}));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(change([](store::Transaction& transaction, const Authorship& author) {
                  return delete_version_tag(transaction, author, {"m", 1}, "k");
                }).ok());
  }
  EXPECT_THAT(catalog_->version("m", 1)->tags, IsEmpty());
  EXPECT_EQ(set("", "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(set(std::string(251, 'k'), "x").code(), Code::kInvalidArgument);
  EXPECT_EQ(set("k", std::string(100'001, 'v')).code(), Code::kInvalidArgument);
}

TEST_P(ModelVersions, a_description_can_be_changed) {
  ASSERT_TRUE(catalog_->make_version("m").ok());
  const auto changed = change([](store::Transaction& transaction, const Authorship& author) {
    return describe_version(transaction, author, {"m", 1}, "new");
  });
  EXPECT_EQ(changed->description, "new");
  EXPECT_GT(changed->updated_at, changed->created_at);
}

TEST_P(ModelVersions, of_one_workspace_are_unknown_in_another) {
  ASSERT_TRUE(catalog_->make_version("m").ok());
  const auto elsewhere = catalog_->read([](store::Transaction& transaction) {
    return find_version(transaction, "other", {"m", 1});
  });
  EXPECT_EQ(elsewhere.status().code(), Code::kNotFound);
}

TEST_P(ModelVersions, are_read_through_indices_alone) {
  if (GetParam() != "sqlite") GTEST_SKIP() << "plans are SQLite's";
  ASSERT_TRUE(catalog_->make_version("m", {{"k", "v"}}).ok());
  std::vector<std::string> plans;
  const Status status = catalog_->read([&](store::Transaction& transaction) -> Status {
    RecordingTransaction recording(transaction);
    CORTEX_RETURN_IF_ERROR(find_version(recording, "default", {"m", 1}).status());
    CORTEX_RETURN_IF_ERROR(find_latest_versions(recording, "default", "m", {}).status());
    CORTEX_ASSIGN_OR_RETURN(plans, recording.plans());
    return {};
  });
  ASSERT_TRUE(status.ok()) << status.to_string();
  // The lists of keys are the only thing that is walked.
  for (const char* table : {"SCAN v", "SCAN m", "SCAN version_tag", "SCAN model_alias"}) {
    EXPECT_THAT(plans, Each(Not(testing::StartsWith(table)))) << testing::PrintToString(plans);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    ModelVersions,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
