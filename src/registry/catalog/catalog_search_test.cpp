// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/catalog_search.h"

#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class CatalogSearch : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    catalog_.emplace(GetParam());
    ASSERT_TRUE(catalog_->make_model("Alpha", {{"team", "red"}, {"tier", "1"}}).ok());
    ASSERT_TRUE(catalog_->make_model("beta", {{"team", "blue"}}).ok());
    ASSERT_TRUE(catalog_->make_model("b_ta", {{"team", "red"}}).ok());
    ASSERT_TRUE(catalog_->make_model("ask", {{"mlflow.prompt.is_prompt", "true"}}).ok());
  }

  Result<CatalogPage<RegisteredModel>> models(const CatalogQuery& query) {
    return catalog_->read([&](store::Transaction& transaction) {
      return search_models(transaction, "default", query);
    });
  }
  std::vector<std::string> names(const std::string& filter, std::vector<std::string> order = {}) {
    const auto page = models({filter, std::move(order), 100, {}});
    if (!page.ok()) return {page.status().text()};
    std::vector<std::string> out;
    for (const RegisteredModel& model : page->items) out.push_back(model.name);
    return out;
  }
  Result<CatalogPage<ModelVersion>> versions(const CatalogQuery& query) {
    return catalog_->read([&](store::Transaction& transaction) {
      return search_versions(transaction, "default", query);
    });
  }
  std::vector<std::string> ids(const std::string& filter, std::vector<std::string> order = {}) {
    const auto page = versions({filter, std::move(order), 100, {}});
    if (!page.ok()) return {page.status().text()};
    std::vector<std::string> out;
    for (const ModelVersion& version : page->items) {
      out.push_back(version.id.model + "/" + std::to_string(version.id.version));
    }
    return out;
  }
  void make_versions() {
    for (const char* model : {"Alpha", "beta", "Alpha"}) {
      NewVersion wanted;
      wanted.model = model;
      wanted.source = std::string("runs:/r-") + model + "/model";
      wanted.location = "1/x";
      wanted.run = std::string("r-") + model;
      wanted.tags = {{"of", model}};
      ASSERT_TRUE(catalog_->make_version(wanted).ok());
    }
    ASSERT_TRUE(catalog_->make_version("ask").ok());
  }
  Code fault(const std::string& filter, std::vector<std::string> order = {}) {
    return models({filter, std::move(order), 10, {}}).status().code();
  }

  std::optional<TestCatalog> catalog_;
};

TEST_P(CatalogSearch, gives_all_models_but_prompts_by_name) {
  EXPECT_THAT(names(""), ElementsAre("Alpha", "b_ta", "beta"));
}

TEST_P(CatalogSearch, gives_prompts_when_it_is_asked_for_them) {
  EXPECT_THAT(names("tags.`mlflow.prompt.is_prompt` = 'true'"), ElementsAre("ask"));
  EXPECT_THAT(
      names("tags.`mlflow.prompt.is_prompt` != 'true'"), ElementsAre("Alpha", "b_ta", "beta")
  );
  EXPECT_THAT(
      names("tags.`mlflow.prompt.is_prompt` = 'false' and name = 'beta'"), ElementsAre("beta")
  );
}

TEST_P(CatalogSearch, compares_names) {
  EXPECT_THAT(names("name = 'beta'"), ElementsAre("beta"));
  EXPECT_THAT(names("name != 'beta'"), ElementsAre("Alpha", "b_ta"));
  EXPECT_THAT(names("name LIKE 'b%'"), ElementsAre("b_ta", "beta"));
  EXPECT_THAT(names("name LIKE 'al%'"), IsEmpty());
  EXPECT_THAT(names("name ILIKE 'al%'"), ElementsAre("Alpha"));
  EXPECT_THAT(names("name IN ('beta', 'Alpha', 'x')"), ElementsAre("Alpha", "beta"));
  EXPECT_THAT(names("attribute.name = 'beta'"), ElementsAre("beta"));
  EXPECT_THAT(names("name = 'it''s'"), IsEmpty());
}

TEST_P(CatalogSearch, compares_tags_of_models_that_have_them) {
  EXPECT_THAT(names("tags.team = 'red'"), ElementsAre("Alpha", "b_ta"));
  EXPECT_THAT(names("tag.team != 'red'"), ElementsAre("beta"));
  EXPECT_THAT(names("tags.tier != '2'"), ElementsAre("Alpha"));
  EXPECT_THAT(names("tags.team ILIKE 'RE%' AND tags.tier = '1'"), ElementsAre("Alpha"));
}

TEST_P(CatalogSearch, orders_models) {
  EXPECT_THAT(names("", {"name DESC"}), ElementsAre("beta", "b_ta", "Alpha"));
  EXPECT_THAT(names("", {"last_updated_timestamp DESC"}), ElementsAre("b_ta", "beta", "Alpha"));
  EXPECT_THAT(names("", {"timestamp"}), ElementsAre("Alpha", "beta", "b_ta"));
}

TEST_P(CatalogSearch, says_what_is_wrong_with_a_query) {
  EXPECT_EQ(fault("nonsense"), Code::kInvalidArgument);
  EXPECT_EQ(fault("name > 'a'"), Code::kInvalidArgument);
  EXPECT_EQ(fault("name = 1"), Code::kInvalidArgument);
  EXPECT_EQ(fault("tags.a IN ('x')"), Code::kInvalidArgument);
  EXPECT_EQ(fault("run_id = 'x'"), Code::kInvalidArgument);
  EXPECT_EQ(fault("metrics.a = 1"), Code::kInvalidArgument);
  EXPECT_EQ(fault("", {"description"}), Code::kInvalidArgument);
  EXPECT_EQ(fault("", {"name", "name DESC"}), Code::kInvalidArgument);
  EXPECT_EQ(fault("", {"timestamp", "last_updated_timestamp"}), Code::kInvalidArgument);
  EXPECT_EQ(models({"", {}, 0, {}}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(models({"", {}, 10, "nonsense"}).status().code(), Code::kInvalidArgument);
}

TEST_P(CatalogSearch, pages_hold_every_model_once_though_others_come_in_between) {
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(catalog_->make_model("p" + std::to_string(100 + i)).ok());
  }
  CatalogQuery query{"name LIKE 'p%'", {"last_updated_timestamp DESC"}, 7, {}};
  std::vector<std::string> seen;
  do {
    const auto page = models(query);
    ASSERT_TRUE(page.ok()) << page.status().to_string();
    for (const RegisteredModel& model : page->items) seen.push_back(model.name);
    query.page_token = page->next_page_token;
    ASSERT_TRUE(catalog_->make_model("px" + std::to_string(seen.size())).ok());
  } while (!query.page_token.empty());
  ASSERT_EQ(seen.size(), 20U);
  EXPECT_EQ(seen.front(), "p119");
  EXPECT_EQ(seen.back(), "p100");
}

TEST_P(CatalogSearch, a_token_fits_its_own_query_alone) {
  const auto page = models({"", {}, 1, {}});
  ASSERT_FALSE(page->next_page_token.empty());
  EXPECT_TRUE(models({"", {}, 1, page->next_page_token}).ok());
  EXPECT_EQ(
      models({"", {"name DESC"}, 1, page->next_page_token}).status().code(), Code::kInvalidArgument
  );
}

TEST_P(CatalogSearch, gives_versions_with_the_latest_change_first) {
  make_versions();
  EXPECT_THAT(ids(""), ElementsAre("Alpha/2", "beta/1", "Alpha/1"));
  EXPECT_THAT(ids("name = 'Alpha'"), ElementsAre("Alpha/2", "Alpha/1"));
  const auto page = versions({"name = 'beta'", {}, 10, {}});
  EXPECT_EQ(page->items.front().tags.at("of"), "beta");
}

TEST_P(CatalogSearch, compares_what_versions_have) {
  make_versions();
  EXPECT_THAT(ids("run_id = 'r-beta'"), ElementsAre("beta/1"));
  EXPECT_THAT(ids("run_id IN ('r-beta', 'r-x')"), ElementsAre("beta/1"));
  EXPECT_THAT(ids("source_path LIKE '%r-Alpha%'"), ElementsAre("Alpha/2", "Alpha/1"));
  EXPECT_THAT(ids("version_number = 2"), ElementsAre("Alpha/2"));
  EXPECT_THAT(ids("version_number >= 1 and version_number < 2"), ElementsAre("beta/1", "Alpha/1"));
  EXPECT_THAT(ids("tags.of = 'beta'"), ElementsAre("beta/1"));
  EXPECT_THAT(ids("source_path IN ('x')"), ElementsAre(HasSubstr("Invalid comparator")));
  EXPECT_THAT(ids("tags.`mlflow.prompt.is_prompt` = 'true'"), ElementsAre("ask/1"));
}

TEST_P(CatalogSearch, orders_versions_and_pages_them) {
  make_versions();
  EXPECT_THAT(
      ids("", {"name ASC", "version_number ASC"}), ElementsAre("Alpha/1", "Alpha/2", "beta/1")
  );
  EXPECT_THAT(ids("", {"version_number DESC"}), ElementsAre("Alpha/2", "Alpha/1", "beta/1"));
  CatalogQuery query{"", {"creation_timestamp ASC"}, 2, {}};
  const auto first = versions(query);
  ASSERT_EQ(first->items.size(), 2U);
  query.page_token = first->next_page_token;
  const auto second = versions(query);
  ASSERT_EQ(second->items.size(), 1U);
  EXPECT_EQ(second->items[0].id, (VersionId{"Alpha", 2}));
  EXPECT_EQ(second->next_page_token, "");
}

TEST_P(CatalogSearch, leaves_deleted_ones_out) {
  make_versions();
  ASSERT_TRUE(
      catalog_
          ->write([&](store::Transaction& transaction) -> Status {
            CORTEX_RETURN_IF_ERROR(delete_version(transaction, catalog_->author(), {"Alpha", 1}));
            return delete_model(transaction, catalog_->author(), "beta");
          })
          .ok()
  );
  EXPECT_THAT(ids(""), ElementsAre("Alpha/2"));
  EXPECT_THAT(names(""), ElementsAre("Alpha", "b_ta"));
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    CatalogSearch,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
