// SPDX-License-Identifier: Apache-2.0
#include "registry/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using enum VersionState;
using testing::ElementsAre;
using testing::IsEmpty;

ModelFolder folder(std::vector<std::int64_t> versions, std::uint64_t fingerprint = 0) {
  ModelFolder out;
  out.name = "m";
  out.config.name = "m";
  for (const std::int64_t v : versions) out.versions.push_back({v, "/m", fingerprint});
  return out;
}

std::vector<std::string> index_of(const Ledger& ledger) {
  std::vector<std::string> out;
  for (const IndexEntry& entry : ledger.index("m")) {
    out.push_back(entry.version + " " + std::string(index_state(entry.state)) + " " + entry.reason);
  }
  return out;
}

// Plans, and gives the one load that is expected.
LoadId plan_load(Ledger& ledger, std::int64_t version) {
  const LedgerPlan plan = ledger.next();
  EXPECT_EQ(plan.loads.size(), 1U);
  if (plan.loads.empty()) return {};
  EXPECT_EQ(plan.loads[0].version, version);
  return plan.loads[0].id;
}

TEST(Ledger, brings_a_version_up_and_down) {
  Ledger ledger(true);
  ledger.see_model("m", folder({1}));
  const LoadId id = plan_load(ledger, 1);
  EXPECT_THAT(index_of(ledger), ElementsAre("1 LOADING "));
  EXPECT_FALSE(ledger.settled());
  EXPECT_FALSE(ledger.outcome("m").has_value());
  ledger.loaded(id);
  EXPECT_THAT(ledger.next().loads, IsEmpty());
  EXPECT_TRUE(ledger.settled());
  EXPECT_TRUE(ledger.outcome("m")->ok());
  EXPECT_THAT(ledger.ready("m"), ElementsAre(id));
  ledger.see_model("m", std::nullopt);
  EXPECT_THAT(ledger.next().retire, ElementsAre(id));
  EXPECT_THAT(index_of(ledger), ElementsAre("1 UNLOADING "));
  EXPECT_FALSE(ledger.empty());
  ledger.released(id);
  EXPECT_TRUE(ledger.next().retire.empty());
  EXPECT_TRUE(ledger.empty());
  EXPECT_FALSE(ledger.knows("m"));
}

TEST(Ledger, forgives_a_failure_when_it_is_asked_again) {
  Ledger ledger(false);
  ledger.see_model("m", folder({1}));
  EXPECT_THAT(index_of(ledger), ElementsAre("1 UNAVAILABLE not loaded"));
  ledger.want("m");
  ledger.failed(plan_load(ledger, 1), invalid_argument("broken"));
  EXPECT_THAT(ledger.next().loads, IsEmpty());
  EXPECT_THAT(index_of(ledger), ElementsAre("1 UNAVAILABLE broken"));
  ledger.see_model("m", folder({1}));
  EXPECT_THAT(ledger.next().loads, IsEmpty());
  ledger.want("m");
  ledger.loaded(plan_load(ledger, 1));
  EXPECT_TRUE(ledger.outcome("m")->ok());
  ledger.unwant("m");
  const LedgerPlan plan = ledger.next();
  ASSERT_EQ(plan.retire.size(), 1U);
  ledger.released(plan.retire[0]);
  EXPECT_THAT(index_of(ledger), ElementsAre("1 UNAVAILABLE unloaded"));
}

TEST(Ledger, shows_the_edition_that_serves_and_why_the_newer_one_does_not) {
  Ledger ledger(true);
  ledger.see_model("m", folder({1}, 10));
  const LoadId old = plan_load(ledger, 1);
  ledger.loaded(old);
  ledger.see_model("m", folder({1}, 11));
  const LoadId bad = plan_load(ledger, 1);
  EXPECT_THAT(index_of(ledger), ElementsAre("1 READY "));
  ledger.failed(bad, invalid_argument("broken"));
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  EXPECT_THAT(index_of(ledger), ElementsAre("1 READY broken"));
  ledger.see_model("m", folder({1}, 12));
  const LoadId good = plan_load(ledger, 1);
  ledger.loaded(good);
  EXPECT_THAT(ledger.next().retire, ElementsAre(old));
  EXPECT_THAT(ledger.ready("m"), ElementsAre(good));
  EXPECT_THAT(index_of(ledger), ElementsAre("1 READY "));
}

TEST(Ledger, keeps_what_serves_while_a_folder_is_at_fault) {
  Ledger ledger(true);
  ledger.see_model("m", folder({1}));
  const LoadId id = plan_load(ledger, 1);
  ledger.loaded(id);
  ModelFolder faulty = folder({1, 2});
  faulty.fault = invalid_argument("unknown key");
  ledger.see_model("m", faulty);
  const LedgerPlan plan = ledger.next();
  EXPECT_THAT(plan.retire, IsEmpty());
  EXPECT_TRUE(plan.loads.empty());
  EXPECT_EQ(ledger.outcome("m")->text(), "failed to load 'm': unknown key");
  EXPECT_THAT(index_of(ledger), ElementsAre("1 READY ", "2 UNAVAILABLE unknown key"));
}

TEST(Ledger, wants_nothing_once_it_is_closed) {
  Ledger ledger(true);
  ledger.see_model("m", folder({1}));
  const LoadId id = plan_load(ledger, 1);
  ledger.close();
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  ledger.loaded(id);
  EXPECT_THAT(ledger.next().retire, ElementsAre(id));
  EXPECT_EQ(ledger.outcome("m")->code(), Code::kUnavailable);
  ledger.see_model("m", folder({1, 2}));
  EXPECT_TRUE(ledger.next().loads.empty());
}

TEST(Ledger, names_what_changed_once) {
  Ledger ledger(true);
  ledger.see_model("m", folder({1}));
  EXPECT_THAT(ledger.take_changed(), ElementsAre("m"));
  EXPECT_THAT(ledger.take_changed(), IsEmpty());
}

ModelFolder stored_folder(std::vector<std::int64_t> versions) {
  ModelFolder out = folder(std::move(versions));
  out.stored = true;
  out.config.version_policy = VersionPolicy::kAll;
  return out;
}

TEST(Ledger, follows_stored_models_whatever_the_mode_and_with_every_version) {
  Ledger ledger(false);
  ledger.see_model("m", stored_folder({1, 2}));
  EXPECT_TRUE(ledger.is_stored("m"));
  const LedgerPlan plan = ledger.next();
  ASSERT_EQ(plan.loads.size(), 2U);
  EXPECT_TRUE(plan.loads[0].stored);
}

TEST(Ledger, orders_a_load_again_only_while_its_folder_is_there) {
  Ledger ledger(false);
  ledger.see_model("m", stored_folder({1, 2}));
  const LedgerPlan plan = ledger.next();
  ASSERT_EQ(plan.loads.size(), 2U);
  for (const LoadOrder& order : plan.loads) ledger.gone(order.id);
  ledger.see_model("m", stored_folder({2}));
  const LedgerPlan again = ledger.next();
  ASSERT_EQ(again.loads.size(), 1U);
  EXPECT_EQ(again.loads[0].version, 2);
  ASSERT_EQ(ledger.index("m").size(), 1U);
}

TEST(Ledger, gives_a_stored_version_its_own_configuration_and_spares_it_its_neighbours_fault) {
  Ledger ledger(false);
  ModelFolder two = stored_folder({1, 2});
  two.versions[0].config = ModelConfig{};
  two.versions[0].config->max_batch_size = 7;
  two.versions[1].fault = invalid_argument("model.yaml: line 1");
  ledger.see_model("m", std::move(two));
  const LedgerPlan plan = ledger.next();
  ASSERT_EQ(plan.loads.size(), 1U);
  EXPECT_EQ(plan.loads[0].config.max_batch_size, 7U);
  ledger.loaded(plan.loads[0].id);
  EXPECT_THAT(index_of(ledger), ElementsAre("1 READY ", "2 UNAVAILABLE model.yaml: line 1"));
}

TEST(Ledger, keeps_a_pinned_version_without_its_folder_until_it_is_pinned_no_more) {
  Ledger ledger(false);
  ledger.pin("m", {1});
  ledger.see_model("m", stored_folder({1, 2}));
  const auto loads = ledger.next().loads;
  for (const LoadOrder& order : loads) ledger.loaded(order.id);
  ledger.see_model("m", stored_folder({2}));
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  EXPECT_THAT(ledger.ready("m"), ElementsAre(loads[0].id, loads[1].id));
  ledger.pin("m", {2});
  EXPECT_THAT(ledger.next().retire, ElementsAre(loads[0].id));
  ledger.see_model("m", std::nullopt);
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  ledger.pin("m", {});
  EXPECT_THAT(ledger.next().retire, ElementsAre(loads[1].id));
  ledger.released(loads[0].id);
  ledger.released(loads[1].id);
  EXPECT_TRUE(ledger.next().loads.empty());
  EXPECT_FALSE(ledger.knows("m"));
}

// An alias may be pointed to a version while its folder goes.
TEST(Ledger, keeps_what_is_pinned_between_the_end_of_its_folder_and_the_next_plan) {
  Ledger ledger(false);
  ledger.see_model("m", stored_folder({1, 2}));
  const auto loads = ledger.next().loads;
  for (const LoadOrder& order : loads) ledger.loaded(order.id);
  ledger.see_model("m", std::nullopt);
  ledger.pin("m", {1});
  EXPECT_THAT(ledger.next().retire, ElementsAre(loads[1].id));
  EXPECT_THAT(ledger.ready("m"), ElementsAre(loads[0].id));
}

TEST(Ledger, keeps_what_is_pinned_when_its_load_ends_after_its_folder_went) {
  Ledger ledger(false);
  ledger.see_model("m", stored_folder({1}));
  const auto loads = ledger.next().loads;
  ledger.see_model("m", std::nullopt);
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  ledger.loaded(loads[0].id);
  ledger.pin("m", {1});
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  EXPECT_THAT(ledger.ready("m"), ElementsAre(loads[0].id));
  ledger.pin("m", {});
  EXPECT_THAT(ledger.next().retire, ElementsAre(loads[0].id));
  ledger.released(loads[0].id);
  EXPECT_THAT(ledger.next().retire, IsEmpty());
  EXPECT_FALSE(ledger.knows("m"));
}

}  // namespace
}  // namespace cortex::registry
