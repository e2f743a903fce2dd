// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/audit_log.h"

#include <optional>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/canonical_json.h"
#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

class AuditLog : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    catalog_.emplace(GetParam());
  }

  // Five rows.
  void fill() {
    ASSERT_TRUE(catalog_->make_model("m").ok());
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(catalog_->make_version("m").ok());
    ASSERT_TRUE(catalog_->set_alias({"m", "champion", 2, {}}, "it \"won\"\n").ok());
  }
  std::vector<AuditRow> rows() {
    return *catalog_->read([](store::Transaction& transaction) {
      return read_audit(transaction, "default", 0, 100);
    });
  }
  AuditVerdict verify(const std::optional<AuditHead>& known = {}) {
    return *catalog_->read([&](store::Transaction& transaction) {
      return verify_audit(transaction, "default", known);
    });
  }
  void tamper(const std::string& sql) {
    ASSERT_TRUE(
        catalog_->write([&](store::Transaction& transaction) { return transaction.execute(sql); }
        ).ok()
    );
  }

  std::optional<TestCatalog> catalog_;
};

TEST_P(AuditLog, holds_every_change_in_canonical_form) {
  fill();
  const auto all = rows();
  ASSERT_THAT(all, SizeIs(5));
  EXPECT_EQ(all[0].prev_hash, std::string(64, '0'));
  EXPECT_EQ(all[1].prev_hash, all[0].hash);
  for (const AuditRow& row : all) EXPECT_EQ(*canonical_json(row.event), row.event);
  EXPECT_THAT(all[4].event, HasSubstr(R"("action":"alias.set")"));
  EXPECT_THAT(all[4].event, HasSubstr(R"("from":0)"));
  EXPECT_THAT(all[4].event, HasSubstr(R"("reason":"it \"won\"\n")"));
  EXPECT_THAT(all[4].event, HasSubstr(R"("to":2)"));
  EXPECT_THAT(all[4].event, HasSubstr(R"("user":"ada")"));
}

TEST_P(AuditLog, of_an_untouched_catalog_verifies) {
  EXPECT_FALSE(verify().broken);
  fill();
  const AuditVerdict verdict = verify();
  EXPECT_FALSE(verdict.broken) << verdict.broken->reason;
  EXPECT_EQ(verdict.head.seq, 5);
  EXPECT_EQ(verdict.head.hash, rows().back().hash);
}

TEST_P(AuditLog, names_a_row_whose_event_was_changed) {
  fill();
  tamper("UPDATE audit_event SET event = replace(event, 'ada', 'bob') WHERE seq = 3");
  const AuditVerdict verdict = verify();
  ASSERT_TRUE(verdict.broken.has_value());
  EXPECT_EQ(verdict.broken->seq, 3);
  EXPECT_THAT(verdict.broken->reason, HasSubstr("not that of its event"));
  EXPECT_EQ(verdict.head.seq, 2);
}

TEST_P(AuditLog, names_the_row_behind_one_that_was_made_anew) {
  fill();
  tamper("UPDATE audit_event SET hash = '00' || substr(hash, 3) WHERE seq = 2");
  EXPECT_EQ(verify().broken->seq, 2);
  tamper("UPDATE audit_event SET prev_hash = '00' || substr(prev_hash, 3) WHERE seq = 2");
  EXPECT_THAT(verify().broken->reason, HasSubstr("does not follow"));
}

TEST_P(AuditLog, names_a_row_that_is_missing) {
  fill();
  tamper("DELETE FROM audit_event WHERE seq = 3");
  const AuditVerdict verdict = verify();
  ASSERT_TRUE(verdict.broken.has_value());
  EXPECT_EQ(verdict.broken->seq, 4);
  EXPECT_THAT(verdict.broken->reason, HasSubstr("row 3 is missing"));
}

TEST_P(AuditLog, a_head_that_was_kept_tells_of_rows_that_were_cut_off_or_written_anew) {
  fill();
  const AuditHead head = verify().head;
  EXPECT_FALSE(verify(head).broken);
  tamper("DELETE FROM audit_event WHERE seq = 5");
  EXPECT_FALSE(verify().broken);
  EXPECT_EQ(verify(head).broken->seq, 5);
  ASSERT_TRUE(catalog_->make_version("m").ok());
  EXPECT_FALSE(verify().broken);
  EXPECT_EQ(verify(head).broken->seq, 5);
}

TEST_P(AuditLog, has_no_row_of_a_change_that_was_undone) {
  fill();
  EXPECT_FALSE(catalog_->set_alias({"m", "champion", 99, {}}).ok());
  EXPECT_FALSE(catalog_->make_model("m").ok());
  EXPECT_THAT(rows(), SizeIs(5));
}

TEST_P(AuditLog, is_one_chain_for_each_workspace) {
  fill();
  ASSERT_TRUE(catalog_
                  ->write([](store::Transaction& transaction) {
                    return create_model(transaction, {"other", "eve", "", 1}, {"m", "", {}});
                  })
                  .ok());
  EXPECT_THAT(rows(), SizeIs(5));
  const auto other = catalog_->read([](store::Transaction& transaction) {
    return read_audit(transaction, "other", 0, 10);
  });
  ASSERT_THAT(*other, SizeIs(1));
  EXPECT_EQ(other->front().seq, 1);
}

TEST_P(AuditLog, every_kind_of_change_adds_to_it) {
  fill();
  std::size_t last = rows().size();
  const auto expect_more = [&](const char* action, auto change) {
    ASSERT_TRUE(catalog_
                    ->write([&](store::Transaction& transaction) {
                      return change(transaction, catalog_->author());
                    })
                    .ok()
    ) << action;
    const auto all = rows();
    EXPECT_GT(all.size(), last) << action;
    EXPECT_THAT(all.back().event, HasSubstr(action));
    last = all.size();
  };
  using T = store::Transaction;
  using A = Authorship;
  expect_more("model.described", [](T& t, const A& a) { return describe_model(t, a, "m", "x"); });
  expect_more("model.tag_set", [](T& t, const A& a) { return set_model_tag(t, a, "m", "k", "v"); });
  expect_more("model.tag_deleted", [](T& t, const A& a) {
    return delete_model_tag(t, a, "m", "k");
  });
  expect_more("model.renamed", [](T& t, const A& a) { return rename_model(t, a, "m", "n"); });
  const VersionId id{"n", 2};
  expect_more("version.described", [&](T& t, const A& a) {
    return describe_version(t, a, id, "x");
  });
  expect_more("version.tag_set", [&](T& t, const A& a) {
    return set_version_tag(t, a, id, "k", "v");
  });
  expect_more("version.tag_deleted", [&](T& t, const A& a) {
    return delete_version_tag(t, a, id, "k");
  });
  expect_more("version.staged", [&](T& t, const A& a) {
    return transition_stage(t, a, id, LifecycleStage::kProduction, true);
  });
  expect_more("version.deprecated", [&](T& t, const A& a) { return deprecate_version(t, a, id); });
  expect_more("version.undeprecated", [&](T& t, const A& a) { return undo_deprecation(t, a, id); });
  expect_more("alias.rolled_back", [](T& t, const A& a) {
    return rollback_alias(t, a, "n", "champion");
  });
  expect_more("version.deleted", [&](T& t, const A& a) { return delete_version(t, a, id); });
  expect_more("model.deleted", [](T& t, const A& a) { return delete_model(t, a, "n"); });
  EXPECT_FALSE(verify().broken);
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    AuditLog,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
