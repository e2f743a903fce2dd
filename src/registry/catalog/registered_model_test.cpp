// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/registered_model.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/serving_view.h"
#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RegisteredModels : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    catalog_.emplace(GetParam());
  }

  template <typename Change>
  auto change(Change change) {
    return catalog_->write([&](store::Transaction& transaction) {
      return change(transaction, catalog_->author());
    });
  }
  Result<RegisteredModel> find(const std::string& name, const std::string& workspace = "default") {
    return catalog_->read([&](store::Transaction& transaction) {
      return find_model(transaction, workspace, name);
    });
  }
  Result<RegisteredModel> rename(const std::string& from, const std::string& to) {
    return change([&](store::Transaction& transaction, const Authorship& author) {
      return rename_model(transaction, author, from, to);
    });
  }
  Status remove(const std::string& name) {
    return change([&](store::Transaction& transaction, const Authorship& author) {
      return delete_model(transaction, author, name);
    });
  }

  std::optional<TestCatalog> catalog_;
};

TEST_P(RegisteredModels, keep_what_they_were_made_with) {
  const auto made = change([](store::Transaction& transaction, const Authorship& author) {
    return create_model(transaction, author, {"m", "text", {{"k", "v"}}});
  });
  ASSERT_TRUE(made.ok());
  const RegisteredModel found = *find("m");
  EXPECT_EQ(found.name, "m");
  EXPECT_EQ(found.description, "text");
  EXPECT_EQ(found.user, "ada");
  EXPECT_EQ(found.tags, (Tags{{"k", "v"}}));
  EXPECT_THAT(found.aliases, IsEmpty());
  EXPECT_EQ(found.created_at, found.updated_at);
  EXPECT_GT(found.revision, 0);
}

TEST_P(RegisteredModels, a_name_is_taken_once_in_a_workspace) {
  ASSERT_TRUE(catalog_->make_model("m").ok());
  const auto again = catalog_->make_model("m");
  EXPECT_EQ(again.status().code(), Code::kAlreadyExists);
  EXPECT_THAT(again.status().text(), HasSubstr("Registered Model (name=m) already exists."));
  const auto elsewhere = catalog_->write([&](store::Transaction& transaction) {
    return create_model(transaction, {"other", "ada", "", 1}, {"m", "", {}});
  });
  EXPECT_TRUE(elsewhere.ok());
  EXPECT_NE(find("m", "other")->identity, find("m")->identity);
}

TEST_P(RegisteredModels, names_tell_cases_apart_and_have_their_rules) {
  ASSERT_TRUE(catalog_->make_model("m").ok());
  EXPECT_TRUE(catalog_->make_model("M").ok());
  EXPECT_TRUE(catalog_->make_model("with space.and-more_\xC3\xA4").ok());
  for (const std::string& bad :
       {std::string(),
        std::string("  "),
        std::string("a/b"),
        std::string("a:b"),
        std::string(".."),
        std::string("a\nb"),
        std::string(257, 'a')}) {
    EXPECT_EQ(catalog_->make_model(bad).status().code(), Code::kInvalidArgument) << bad;
  }
}

TEST_P(RegisteredModels, unknown_ones_are_named) {
  EXPECT_EQ(find("x").status().text(), "Registered Model with name=x not found");
  EXPECT_EQ(remove("x").code(), Code::kNotFound);
  EXPECT_EQ(rename("x", "y").status().code(), Code::kNotFound);
}

TEST_P(RegisteredModels, a_rename_takes_versions_aliases_and_history_along) {
  ASSERT_TRUE(catalog_->make_model("old").ok());
  ASSERT_TRUE(catalog_->make_version("old", {{"k", "v"}}).ok());
  ASSERT_TRUE(catalog_->set_alias({"old", "a", 1, {}}).ok());
  const std::int64_t before = (*catalog_->store()).revision();
  ASSERT_TRUE(rename("old", "new").ok());
  EXPECT_EQ(find("old").status().code(), Code::kNotFound);
  EXPECT_EQ(catalog_->version("new", 1)->tags.at("k"), "v");
  EXPECT_EQ(catalog_->alias("new", "a"), 1);
  EXPECT_THAT(catalog_->history("new", "a"), SizeIs(1));
  const auto changes = catalog_->read([before](store::Transaction& transaction) {
    return store::changes_after(transaction, before, 10);
  });
  ASSERT_THAT(*changes, SizeIs(2));
  EXPECT_EQ(changes->front().key, "old");
  EXPECT_EQ(changes->back().key, "new");
  EXPECT_EQ(find("new")->revision, changes->back().revision);
}

TEST_P(RegisteredModels, a_rename_does_not_take_a_taken_name) {
  ASSERT_TRUE(catalog_->make_model("a").ok());
  ASSERT_TRUE(catalog_->make_model("b").ok());
  EXPECT_EQ(rename("a", "b").status().code(), Code::kAlreadyExists);
  EXPECT_EQ(rename("a", "b/c").status().code(), Code::kInvalidArgument);
  EXPECT_TRUE(find("a").ok());
}

TEST_P(RegisteredModels, one_made_after_a_deletion_is_another_one) {
  ASSERT_TRUE(catalog_->make_model("m", {{"k", "v"}}).ok());
  const std::int64_t identity = find("m")->identity;
  ASSERT_TRUE(catalog_->make_version("m").ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 1, {}}).ok());
  ASSERT_TRUE(remove("m").ok());
  EXPECT_EQ(find("m").status().code(), Code::kNotFound);
  EXPECT_EQ(catalog_->version("m", 1).status().code(), Code::kNotFound);
  ASSERT_TRUE(catalog_->make_model("m").ok());
  EXPECT_NE(find("m")->identity, identity);
  EXPECT_THAT(find("m")->tags, IsEmpty());
  EXPECT_EQ(catalog_->alias("m", "a"), 0);
  EXPECT_THAT(catalog_->history("m", "a"), IsEmpty());
  EXPECT_EQ(catalog_->make_version("m")->id.version, 1);
}

TEST_P(RegisteredModels, every_change_raises_the_revision) {
  std::int64_t last = catalog_->make_model("m")->revision;
  const auto expect_raised = [&] {
    const std::int64_t now = find("m")->revision;
    EXPECT_GT(now, last);
    last = now;
  };
  ASSERT_TRUE(catalog_->make_version("m").ok());
  expect_raised();
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 1, {}}).ok());
  expect_raised();
  ASSERT_TRUE(change([](store::Transaction& transaction, const Authorship& author) {
                return set_model_tag(transaction, author, "m", "k", "v");
              }).ok());
  expect_raised();
  ASSERT_TRUE(change([](store::Transaction& transaction, const Authorship& author) {
                return delete_model_tag(transaction, author, "m", "k");
              }).ok());
  expect_raised();
  ASSERT_TRUE(change([](store::Transaction& transaction, const Authorship& author) {
                return describe_model(transaction, author, "m", "new");
              }).ok());
  expect_raised();
  EXPECT_EQ(find("m")->description, "new");
  EXPECT_THAT(find("m")->tags, IsEmpty());
}

TEST_P(RegisteredModels, serving_sees_ready_versions_with_a_folder) {
  ASSERT_TRUE(catalog_->make_model("b").ok());
  ASSERT_TRUE(catalog_->make_model("a").ok());
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(catalog_->make_version("a").ok());
  NewVersion odd;
  odd.model = "a";
  odd.source = "x";
  odd.location = "1/x";
  odd.status = VersionStatus::kPending;
  ASSERT_TRUE(catalog_->make_version(odd).ok());
  odd.status = VersionStatus::kReady;
  odd.location = "";
  ASSERT_TRUE(catalog_->make_version(odd).ok());
  ASSERT_TRUE(catalog_->set_alias({"a", "prod", 3, {}}).ok());
  ASSERT_TRUE(
      change([](store::Transaction& transaction, const Authorship& author) -> Status {
        CORTEX_RETURN_IF_ERROR(deprecate_version(transaction, author, {"a", 1}).status());
        CORTEX_RETURN_IF_ERROR(
            transition_stage(transaction, author, {"a", 3}, LifecycleStage::kProduction, false)
                .status()
        );
        return delete_version(transaction, author, {"a", 2});
      }).ok()
  );
  const auto all = catalog_->read([](store::Transaction& transaction) {
    return serving_view(transaction, "default");
  });
  ASSERT_THAT(*all, SizeIs(2));
  const ServedModel& model = all->front();
  EXPECT_EQ(model.name, "a");
  EXPECT_EQ(model.revision, find("a")->revision);
  ASSERT_THAT(model.versions, SizeIs(2));
  EXPECT_EQ(model.versions[0].version, 1);
  EXPECT_TRUE(model.versions[0].deprecated);
  EXPECT_EQ(model.versions[1].version, 3);
  EXPECT_EQ(model.versions[1].stage, LifecycleStage::kProduction);
  EXPECT_EQ(model.versions[1].location, "1/models/m-0/artifacts");
  EXPECT_EQ(model.aliases, (std::map<std::string, std::int64_t>{{"prod", 3}}));
  EXPECT_EQ(all->back().name, "b");
  EXPECT_THAT(all->back().versions, IsEmpty());

  const auto one = catalog_->read([](store::Transaction& transaction) {
    return serving_view(transaction, "default", "a");
  });
  ASSERT_TRUE(one->has_value());
  EXPECT_EQ((*one)->versions, model.versions);
  EXPECT_EQ((*one)->aliases, model.aliases);
  const auto none = catalog_->read([](store::Transaction& transaction) {
    return serving_view(transaction, "default", "x");
  });
  EXPECT_FALSE(none->has_value());
}

// What it reads of a model does not grow with the model: the oldest are there when something names
// them, and only then.
TEST_P(RegisteredModels, gives_serving_the_newest_versions_and_those_that_are_named) {
  const auto many = static_cast<std::int64_t>(kServedNewest) + 50;
  ASSERT_TRUE(catalog_->make_models({"m", "other"}, many).ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 3, {}}).ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 5, {}}).ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "new", many, {}}).ok());
  ASSERT_TRUE(change([](store::Transaction& transaction, const Authorship& author) -> Status {
                for (const std::int64_t version : {7, 9}) {
                  CORTEX_RETURN_IF_ERROR(
                      transition_stage(
                          transaction, author, {"m", version}, LifecycleStage::kProduction, false
                      )
                          .status()
                  );
                }
                return transition_stage(
                           transaction, author, {"m", 11}, LifecycleStage::kArchived, false
                )
                    .status();
              }).ok());
  const auto one = catalog_->read([](store::Transaction& transaction) {
    return serving_view(transaction, "default", "m");
  });
  const auto all = catalog_->read([](store::Transaction& transaction) {
    return serving_view(transaction, "default");
  });
  ASSERT_TRUE(one.ok() && one->has_value());
  ASSERT_TRUE(all.ok());
  const ServedModel& model = **one;
  ASSERT_THAT(model.versions, SizeIs(kServedNewest + 3));
  std::vector<std::int64_t> oldest;
  for (std::size_t i = 0; i < 4; ++i) oldest.push_back(model.versions[i].version);
  EXPECT_EQ(oldest, (std::vector<std::int64_t>{3, 5, 9, 51}));
  EXPECT_EQ(model.versions.back().version, many);
  EXPECT_EQ(model.aliases, (std::map<std::string, std::int64_t>{{"a", 5}, {"new", many}}));
  EXPECT_EQ(model.previous, (std::map<std::string, std::int64_t>{{"a", 3}}));
  EXPECT_EQ(all->front().name, "m");
  EXPECT_EQ(all->front().versions, model.versions);
  EXPECT_EQ(all->front().aliases, model.aliases);
  EXPECT_EQ(all->front().previous, model.previous);
  EXPECT_THAT(all->back().versions, SizeIs(kServedNewest));
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    RegisteredModels,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

TEST(ChangeKey, is_the_bare_name_in_the_default_workspace) {
  EXPECT_EQ(change_key("default", "m"), "m");
  EXPECT_EQ(change_key("team", "m"), "team/m");
}

}  // namespace
}  // namespace cortex::registry
