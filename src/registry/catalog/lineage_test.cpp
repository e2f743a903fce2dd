// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/lineage.h"

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

class Lineage : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    catalog_.emplace(GetParam());
    ASSERT_TRUE(catalog_->make_model("m").ok());
    ASSERT_TRUE(catalog_->make_model("n").ok());
  }

  Result<ModelVersion> make(const std::string& model, std::optional<VersionId> baseline = {}) {
    NewVersion wanted;
    wanted.model = model;
    wanted.source = "1/x";
    wanted.location = "1/x";
    wanted.run = "run-of-" + model;
    wanted.baseline = std::move(baseline);
    return catalog_->make_version(wanted);
  }
  Status set(const VersionId& id, const std::optional<VersionId>& baseline) {
    return catalog_->write([&](store::Transaction& transaction) {
      return set_baseline(transaction, catalog_->author(), id, baseline);
    });
  }
  Result<std::vector<LineageLink>> find(const VersionId& id) {
    return catalog_->read([&](store::Transaction& transaction) {
      return find_lineage(transaction, "default", id);
    });
  }
  std::vector<std::string> chain(const VersionId& id) {
    std::vector<std::string> out;
    const auto links = find(id);
    if (!links.ok()) return {links.status().text()};
    for (const LineageLink& link : *links) {
      out.push_back(link.id.model + "/" + std::to_string(link.id.version));
    }
    return out;
  }

  std::optional<TestCatalog> catalog_;
};

TEST_P(Lineage, goes_from_the_oldest_ancestor_to_the_version) {
  ASSERT_TRUE(make("m").ok());
  ASSERT_TRUE(make("m", VersionId{"m", 1}).ok());
  ASSERT_TRUE(make("n", VersionId{"m", 2}).ok());
  EXPECT_THAT(chain({"n", 1}), ElementsAre("m/1", "m/2", "n/1"));
  const auto links = find({"n", 1});
  EXPECT_FALSE((*links)[0].baseline);
  EXPECT_EQ((*links)[2].baseline, (VersionId{"m", 2}));
  EXPECT_EQ((*links)[2].run, "run-of-n");
  EXPECT_EQ(catalog_->version("n", 1)->baseline, (VersionId{"m", 2}));
}

TEST_P(Lineage, a_version_without_a_baseline_is_its_own_chain) {
  ASSERT_TRUE(make("m").ok());
  EXPECT_THAT(chain({"m", 1}), ElementsAre("m/1"));
  EXPECT_EQ(find({"m", 2}).status().code(), Code::kNotFound);
}

TEST_P(Lineage, a_version_is_not_its_own_ancestor) {
  ASSERT_TRUE(make("m").ok());
  ASSERT_TRUE(make("m", VersionId{"m", 1}).ok());
  ASSERT_TRUE(make("m", VersionId{"m", 2}).ok());
  EXPECT_EQ(set({"m", 1}, VersionId{"m", 1}).code(), Code::kFailedPrecondition);
  const Status closed = set({"m", 1}, VersionId{"m", 3});
  EXPECT_EQ(closed.code(), Code::kFailedPrecondition);
  EXPECT_THAT(closed.text(), HasSubstr("its own ancestor"));
  EXPECT_THAT(chain({"m", 3}), ElementsAre("m/1", "m/2", "m/3"));
}

TEST_P(Lineage, a_baseline_can_be_changed_and_taken_away) {
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(make("m").ok());
  ASSERT_TRUE(set({"m", 3}, VersionId{"m", 1}).ok());
  ASSERT_TRUE(set({"m", 3}, VersionId{"m", 2}).ok());
  EXPECT_THAT(chain({"m", 3}), ElementsAre("m/2", "m/3"));
  ASSERT_TRUE(set({"m", 3}, std::nullopt).ok());
  EXPECT_THAT(chain({"m", 3}), ElementsAre("m/3"));
}

TEST_P(Lineage, a_baseline_must_stand) {
  ASSERT_TRUE(make("m").ok());
  EXPECT_EQ(set({"m", 1}, VersionId{"m", 9}).code(), Code::kNotFound);
  EXPECT_EQ(set({"m", 1}, VersionId{"x", 1}).code(), Code::kNotFound);
  EXPECT_EQ(make("m", VersionId{"x", 1}).status().code(), Code::kNotFound);
  EXPECT_EQ(make("m")->id.version, 2);
}

TEST_P(Lineage, leads_through_tombstones) {
  ASSERT_TRUE(make("n").ok());
  ASSERT_TRUE(make("m", VersionId{"n", 1}).ok());
  ASSERT_TRUE(make("m", VersionId{"m", 1}).ok());
  ASSERT_TRUE(catalog_
                  ->write([&](store::Transaction& transaction) -> Status {
                    CORTEX_RETURN_IF_ERROR(delete_version(transaction, catalog_->author(), {"m", 1})
                    );
                    return delete_model(transaction, catalog_->author(), "n");
                  })
                  .ok());
  EXPECT_THAT(chain({"m", 2}), ElementsAre("n/1", "m/1", "m/2"));
  const auto links = find({"m", 2});
  EXPECT_TRUE((*links)[0].deleted);
  EXPECT_TRUE((*links)[1].deleted);
  EXPECT_EQ((*links)[1].run, "");
  EXPECT_FALSE((*links)[2].deleted);
}

TEST_P(Lineage, names_the_data_that_a_version_saw) {
  ASSERT_TRUE(make("m").ok());
  ASSERT_TRUE(make("m", VersionId{"m", 1}).ok());
  const std::vector<VersionDataset> seen = {
      {"wine", "d1", "training"}, {"iris", "d2", ""}, {"wine", "d1", "training"}
  };
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(catalog_
                    ->write([&](store::Transaction& transaction) {
                      return add_version_datasets(transaction, catalog_->author(), {"m", 2}, seen);
                    })
                    .ok());
  }
  const auto links = find({"m", 2});
  EXPECT_THAT((*links)[0].datasets, IsEmpty());
  EXPECT_THAT((*links)[1].datasets, ElementsAre(seen[1], seen[0]));
}

TEST_P(Lineage, a_chain_that_closes_in_the_database_is_found_out) {
  ASSERT_TRUE(make("m").ok());
  ASSERT_TRUE(make("m", VersionId{"m", 1}).ok());
  ASSERT_TRUE(catalog_
                  ->write([](store::Transaction& transaction) {
                    return transaction.execute(
                        "UPDATE model_version SET baseline_model_id = model_id, "
                        "baseline_version = 3 - version"
                    );
                  })
                  .ok());
  EXPECT_EQ(find({"m", 2}).status().code(), Code::kFailedPrecondition);
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    Lineage,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
