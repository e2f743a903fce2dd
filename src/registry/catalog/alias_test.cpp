// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/alias.h"

#include <atomic>
#include <latch>
#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/testing/recording_transaction.h"
#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

using testing::AllOf;
using testing::Each;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Aliases : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    catalog_.emplace(GetParam());
    ASSERT_TRUE(catalog_->make_models({"m", "n"}, 3).ok());
  }

  Result<std::vector<AliasEntry>> set(std::vector<AliasChange> changes) {
    return catalog_->write([&](store::Transaction& transaction) {
      return set_aliases(transaction, catalog_->author("because"), changes);
    });
  }

  std::optional<TestCatalog> catalog_;
};

TEST_P(Aliases, point_where_they_were_set_to) {
  ASSERT_TRUE(catalog_->set_alias({"m", "champion", 2, {}}).ok());
  EXPECT_EQ(catalog_->alias("m", "champion"), 2);
  EXPECT_EQ(catalog_->alias("m", "other"), 0);
  EXPECT_EQ(catalog_->alias("n", "champion"), 0);
}

TEST_P(Aliases, show_on_their_version_and_on_their_model) {
  ASSERT_TRUE(set({{"m", "b", 2, {}}, {"m", "a", 2, {}}}).ok());
  EXPECT_EQ(catalog_->version("m", 2)->aliases, (std::vector<std::string>{"a", "b"}));
  EXPECT_THAT(catalog_->version("m", 1)->aliases, IsEmpty());
  const auto model = catalog_->read([](store::Transaction& transaction) {
    return find_model(transaction, "default", "m");
  });
  EXPECT_EQ(model->aliases, (std::map<std::string, std::int64_t>{{"a", 2}, {"b", 2}}));
}

TEST_P(Aliases, remember_who_when_why_from_and_to) {
  ASSERT_TRUE(catalog_->set_alias({"m", "champion", 1, {}}, "first").ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "champion", 3, {}}, "better").ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "champion", 0, {}}, "gone").ok());
  const auto history = catalog_->history("m", "champion");
  ASSERT_THAT(history, SizeIs(3));
  EXPECT_EQ(history[0].action, AliasAction::kDeleted);
  EXPECT_EQ(history[0].from, 3);
  EXPECT_EQ(history[0].to, 0);
  EXPECT_EQ(history[1].seq, 2);
  EXPECT_EQ(history[1].from, 1);
  EXPECT_EQ(history[1].to, 3);
  EXPECT_EQ(history[1].user, "ada");
  EXPECT_EQ(history[1].reason, "better");
  EXPECT_GT(history[1].at, history[2].at);
  EXPECT_GT(history[1].revision, history[2].revision);
  EXPECT_EQ(history[2].from, 0);
}

TEST_P(Aliases, history_comes_in_pages) {
  for (const std::int64_t version : {1, 2, 3}) {
    ASSERT_TRUE(catalog_->set_alias({"m", "a", version, {}}).ok());
  }
  const auto page = catalog_->read([](store::Transaction& transaction) {
    return alias_history(transaction, "default", "m", "a", 3, 1);
  });
  ASSERT_THAT(*page, SizeIs(1));
  EXPECT_EQ(page->front().to, 2);
}

TEST_P(Aliases, setting_one_again_to_the_same_version_adds_nothing) {
  const auto first = catalog_->set_alias({"m", "a", 1, {}}, "first");
  const auto again = catalog_->set_alias({"m", "a", 1, {}}, "again");
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->front().revision, first->front().revision);
  EXPECT_EQ(again->front().reason, "first");
  EXPECT_THAT(catalog_->history("m", "a"), SizeIs(1));
}

TEST_P(Aliases, deleting_one_that_does_not_stand_is_no_error) {
  const auto entries = catalog_->set_alias({"m", "never", 0, {}});
  ASSERT_TRUE(entries.ok());
  EXPECT_EQ(entries->front().seq, 0);
  EXPECT_THAT(catalog_->history("m", "never"), IsEmpty());
}

TEST_P(Aliases, a_wrong_expectation_names_both_values_and_changes_nothing) {
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 1, {}}).ok());
  const auto wrong = catalog_->set_alias({"m", "a", 3, {.version = 2, .revision = {}}});
  EXPECT_EQ(wrong.status().code(), Code::kAborted);
  EXPECT_THAT(wrong.status().text(), AllOf(HasSubstr("version 2"), HasSubstr("version 1")));
  EXPECT_EQ(catalog_->alias("m", "a"), 1);
  EXPECT_THAT(catalog_->history("m", "a"), SizeIs(1));
}

TEST_P(Aliases, a_revision_is_good_for_one_change) {
  const auto first = catalog_->set_alias({"m", "a", 1, {}});
  const AliasExpectation seen{.version = {}, .revision = first->front().revision};
  EXPECT_TRUE(catalog_->set_alias({"m", "a", 2, seen}).ok());
  const auto late = catalog_->set_alias({"m", "a", 3, seen});
  EXPECT_EQ(late.status().code(), Code::kAborted);
  EXPECT_THAT(late.status().text(), HasSubstr(std::to_string(*seen.revision)));
  EXPECT_EQ(catalog_->alias("m", "a"), 2);
}

TEST_P(Aliases, zero_expects_that_none_stands) {
  const AliasExpectation none{.version = 0, .revision = 0};
  EXPECT_TRUE(catalog_->set_alias({"m", "a", 1, none}).ok());
  EXPECT_EQ(catalog_->set_alias({"m", "a", 2, none}).status().code(), Code::kAborted);
}

TEST_P(Aliases, of_several_models_change_together) {
  const auto entries = set({{"m", "prod", 1, {}}, {"n", "prod", 2, {}}, {"m", "canary", 3, {}}});
  ASSERT_TRUE(entries.ok());
  ASSERT_THAT(*entries, SizeIs(3));
  EXPECT_EQ((*entries)[1].model, "n");
  EXPECT_EQ(catalog_->alias("m", "prod"), 1);
  EXPECT_EQ(catalog_->alias("n", "prod"), 2);
  EXPECT_EQ(catalog_->alias("m", "canary"), 3);
}

TEST_P(Aliases, of_several_models_change_all_or_none) {
  const auto entries = set({{"m", "prod", 1, {}}, {"n", "prod", 99, {}}});
  EXPECT_EQ(entries.status().code(), Code::kNotFound);
  EXPECT_THAT(entries.status().text(), HasSubstr("name=n, version=99"));
  EXPECT_EQ(catalog_->alias("m", "prod"), 0);
  EXPECT_THAT(catalog_->history("m", "prod"), IsEmpty());
  EXPECT_EQ(set({{"m", "prod", 1, {}}, {"x", "prod", 1, {}}}).status().code(), Code::kNotFound);
  EXPECT_EQ(catalog_->alias("m", "prod"), 0);
}

TEST_P(Aliases, the_same_one_twice_is_refused) {
  const auto twice = set({{"m", "a", 1, {}}, {"m", "a", 2, {}}});
  EXPECT_EQ(twice.status().code(), Code::kInvalidArgument);
}

TEST_P(Aliases, names_have_their_rules) {
  for (const char* bad : {"", "a b", "a/b", "a.b", "\xC3\xA4", "latest", "Latest", "v1", "V12"}) {
    const auto entries = catalog_->set_alias({"m", bad, 1, {}});
    EXPECT_EQ(entries.status().code(), Code::kInvalidArgument) << bad;
  }
  EXPECT_EQ(
      catalog_->set_alias({"m", std::string(256, 'a'), 1, {}}).status().code(),
      Code::kInvalidArgument
  );
  for (const std::string& good : {std::string("v"), std::string("v1a"), std::string(255, 'a')}) {
    EXPECT_TRUE(catalog_->set_alias({"m", good, 1, {}}).ok()) << good;
  }
}

TEST_P(Aliases, latest_is_the_greatest_ready_version) {
  EXPECT_EQ(catalog_->alias("m", "latest"), 3);
  NewVersion pending;
  pending.model = "m";
  pending.source = "x";
  pending.status = VersionStatus::kPending;
  ASSERT_TRUE(catalog_->make_version(pending).ok());
  EXPECT_EQ(catalog_->alias("m", "LATEST"), 3);
  ASSERT_TRUE(catalog_
                  ->write([&](store::Transaction& transaction) {
                    return delete_version(transaction, catalog_->author(), {"m", 3});
                  })
                  .ok());
  EXPECT_EQ(catalog_->alias("m", "latest"), 2);
}

TEST_P(Aliases, an_unknown_model_is_not_an_unknown_alias) {
  const auto found = catalog_->read([](store::Transaction& transaction) {
    return resolve_alias(transaction, "default", "x", "a");
  });
  EXPECT_EQ(found.status().code(), Code::kNotFound);
  EXPECT_EQ(found.status().text(), "Registered Model with name=x not found");
}

TEST_P(Aliases, one_call_rolls_back_and_is_remembered) {
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 1, {}}).ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 3, {}}).ok());
  const auto back = catalog_->rollback("m", "a");
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->from, 3);
  EXPECT_EQ(back->to, 1);
  EXPECT_EQ(back->action, AliasAction::kRolledBack);
  EXPECT_EQ(catalog_->alias("m", "a"), 1);
  EXPECT_THAT(catalog_->history("m", "a"), SizeIs(3));
  EXPECT_EQ(catalog_->rollback("m", "a")->to, 3);
}

TEST_P(Aliases, rolling_back_the_first_change_takes_the_alias_away) {
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 1, {}}).ok());
  ASSERT_TRUE(catalog_->rollback("m", "a").ok());
  EXPECT_EQ(catalog_->alias("m", "a"), 0);
}

TEST_P(Aliases, rolling_back_a_deletion_brings_the_alias_back) {
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 2, {}}).ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 0, {}}).ok());
  ASSERT_TRUE(catalog_->rollback("m", "a").ok());
  EXPECT_EQ(catalog_->alias("m", "a"), 2);
}

TEST_P(Aliases, do_not_roll_back_to_a_deleted_version) {
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 1, {}}).ok());
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 2, {}}).ok());
  ASSERT_TRUE(catalog_
                  ->write([&](store::Transaction& transaction) {
                    return delete_version(transaction, catalog_->author(), {"m", 1});
                  })
                  .ok());
  const auto back = catalog_->rollback("m", "a");
  EXPECT_EQ(back.status().code(), Code::kFailedPrecondition);
  EXPECT_THAT(back.status().text(), HasSubstr("version 1"));
  EXPECT_EQ(catalog_->alias("m", "a"), 2);
}

TEST_P(Aliases, that_never_changed_cannot_roll_back) {
  EXPECT_EQ(catalog_->rollback("m", "a").status().code(), Code::kNotFound);
}

TEST_P(Aliases, go_with_their_version_and_the_history_says_so) {
  ASSERT_TRUE(set({{"m", "a", 2, {}}, {"m", "b", 1, {}}}).ok());
  ASSERT_TRUE(catalog_
                  ->write([&](store::Transaction& transaction) {
                    return delete_version(transaction, catalog_->author("bad"), {"m", 2});
                  })
                  .ok());
  EXPECT_EQ(catalog_->alias("m", "a"), 0);
  EXPECT_EQ(catalog_->alias("m", "b"), 1);
  const AliasEntry last = catalog_->history("m", "a").front();
  EXPECT_EQ(last.action, AliasAction::kVersionDeleted);
  EXPECT_EQ(last.from, 2);
  EXPECT_EQ(last.reason, "bad");
}

TEST_P(Aliases, of_many_who_expect_the_same_one_wins) {
  constexpr int kWriters = 16;
  std::atomic<int> won = 0;
  std::atomic<int> lost = 0;
  std::latch ended(kWriters);
  for (int i = 0; i < kWriters; ++i) {
    const AliasChange change{"m", "a", 1 + i % 3, {.version = 0, .revision = {}}};
    (*catalog_->store())
        .write(
            [change, author = catalog_->author()](store::Transaction& transaction) {
              return set_aliases(transaction, author, std::span(&change, 1)).status();
            },
            [&](const Status& status) {
              if (status.ok()) ++won;
              if (status.code() == Code::kAborted) ++lost;
              ended.count_down();
            }
        );
  }
  ended.wait();
  EXPECT_EQ(won, 1);
  EXPECT_EQ(lost, kWriters - 1);
  EXPECT_THAT(catalog_->history("m", "a"), SizeIs(1));
}

TEST_P(Aliases, every_change_is_in_the_feed) {
  const std::int64_t before = (*catalog_->store()).revision();
  ASSERT_TRUE(set({{"m", "a", 1, {}}, {"n", "a", 1, {}}}).ok());
  const auto changes = catalog_->read([before](store::Transaction& transaction) {
    return store::changes_after(transaction, before, 10);
  });
  ASSERT_THAT(*changes, SizeIs(2));
  EXPECT_EQ(changes->front().kind, "model");
  EXPECT_EQ(changes->front().key, "m");
  EXPECT_EQ(changes->back().key, "n");
}

TEST_P(Aliases, are_read_by_one_indexed_statement) {
  if (GetParam() != "sqlite") GTEST_SKIP() << "plans are SQLite's";
  ASSERT_TRUE(catalog_->set_alias({"m", "a", 2, {}}).ok());
  for (const char* alias : {"a", "latest"}) {
    std::vector<std::string> plans;
    const Status status = catalog_->read([&](store::Transaction& transaction) -> Status {
      RecordingTransaction recording(transaction);
      CORTEX_RETURN_IF_ERROR(resolve_alias(recording, "default", "m", alias).status());
      EXPECT_EQ(recording.query_count(), 1U);
      CORTEX_ASSIGN_OR_RETURN(plans, recording.plans());
      return {};
    });
    ASSERT_TRUE(status.ok()) << status.to_string();
    EXPECT_THAT(plans, Not(IsEmpty()));
    EXPECT_THAT(plans, Each(Not(HasSubstr("SCAN v")))) << testing::PrintToString(plans);
    EXPECT_THAT(plans, Each(Not(HasSubstr("SCAN m"))));
    EXPECT_THAT(plans, Each(Not(HasSubstr("SCAN a"))));
    EXPECT_THAT(plans, Each(Not(HasSubstr("TEMP B-TREE"))));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    Aliases,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
