// SPDX-License-Identifier: Apache-2.0
#include "registry/registry_policy.h"

#include <ostream>

#include <gtest/gtest.h>

#include "registry/version_machine.h"

namespace cortex::registry {

// For the messages of failed tests.
void PrintTo(const Action& action, std::ostream* out) {
  constexpr const char* kNames[] = {"load", "retire", "forget"};
  *out << kNames[static_cast<int>(action.kind)] << " " << action.edition.version << "/"
       << action.edition.fingerprint;
}

namespace {

using enum VersionState;

struct Row {
  const char* name;
  std::vector<Edition> wanted;
  std::vector<HeldEdition> held;
  std::vector<Action> actions;
  std::size_t stay_max = 1;
};

Action load(std::int64_t version, std::uint64_t fingerprint = 0) {
  return {ActionKind::kLoad, {version, fingerprint}};
}
Action retire(std::int64_t version, std::uint64_t fingerprint = 0) {
  return {ActionKind::kRetire, {version, fingerprint}};
}
Action forget(std::int64_t version, std::uint64_t fingerprint = 0) {
  return {ActionKind::kForget, {version, fingerprint}};
}

class RegistryPolicyTable : public testing::TestWithParam<Row> {};

TEST_P(RegistryPolicyTable, gives_the_actions_of_the_row) {
  EXPECT_EQ(
      next_actions(GetParam().wanted, GetParam().held, GetParam().stay_max), GetParam().actions
  );
}

INSTANTIATE_TEST_SUITE_P(
    RegistryPolicy,
    RegistryPolicyTable,
    testing::Values(
        Row{"nothing_is_wanted_and_held", {}, {}, {}},
        Row{"loads_what_is_wanted", {{1, 0}, {2, 0}}, {}, {load(1), load(2)}},
        Row{"leaves_a_loading_version_alone", {{1, 0}}, {{{1, 0}, kLoading}}, {}},
        Row{"leaves_a_ready_version_alone", {{1, 0}}, {{{1, 0}, kReady}}, {}},
        Row{"keeps_a_failed_version_in_quarantine", {{1, 0}}, {{{1, 0}, kFailed}}, {}},
        Row{"loads_beside_the_old_one", {{2, 0}}, {{{1, 0}, kReady}}, {load(2)}},
        Row{"keeps_the_old_one_while_the_new_one_loads",
            {{2, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kLoading}},
            {}},
        Row{"retires_the_old_one_once_the_new_one_is_ready",
            {{2, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kReady}},
            {retire(1)}},
        Row{"keeps_the_old_one_when_the_new_one_failed",
            {{2, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kFailed}},
            {}},
        Row{"keeps_only_the_newest_of_the_old_ones_when_the_new_one_failed",
            {{4, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kReady}, {{3, 0}, kReady}, {{4, 0}, kFailed}},
            {retire(1)},
            2},
        Row{"keeps_the_old_ones_while_the_new_one_loads",
            {{3, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kReady}, {{3, 0}, kLoading}},
            {}},
        Row{"waits_for_all_that_is_wanted",
            {{2, 0}, {3, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kReady}, {{3, 0}, kLoading}},
            {}},
        Row{"one_ready_version_is_enough_when_the_others_failed",
            {{2, 0}, {3, 0}},
            {{{1, 0}, kReady}, {{2, 0}, kReady}, {{3, 0}, kFailed}},
            {retire(1)}},
        Row{"retires_all_when_nothing_is_wanted",
            {},
            {{{1, 0}, kReady}, {{2, 0}, kReady}},
            {retire(1), retire(2)}},
        Row{"a_loading_version_nobody_wants_ends_first", {}, {{{1, 0}, kLoading}}, {}},
        Row{"forgets_a_failure_nobody_wants", {}, {{{1, 0}, kFailed}}, {forget(1)}},
        Row{"changed_files_load_beside", {{1, 7}}, {{{1, 0}, kReady}}, {load(1, 7)}},
        Row{"changed_files_replace_when_ready",
            {{1, 7}},
            {{{1, 0}, kReady}, {{1, 7}, kReady}},
            {retire(1, 0)}},
        Row{"broken_new_files_keep_the_old_even_beside_other_ready_versions",
            {{1, 7}, {2, 0}},
            {{{1, 0}, kReady}, {{1, 7}, kFailed}, {{2, 0}, kReady}},
            {}},
        Row{"changed_files_leave_the_quarantine",
            {{1, 7}},
            {{{1, 0}, kFailed}},
            {load(1, 7), forget(1, 0)}},
        Row{"one_edition_of_a_version_loads_at_a_time", {{1, 8}}, {{{1, 7}, kLoading}}, {}},
        Row{"a_draining_version_does_not_stop_its_return",
            {{1, 0}},
            {{{1, 0}, kDraining}},
            {load(1)}},
        Row{"a_draining_version_is_left_alone", {}, {{{1, 0}, kDraining}}, {}}
    ),
    [](const auto& row) { return std::string(row.param.name); }
);

TEST(SelectVersions, follows_the_version_policy) {
  const std::vector<std::int64_t> versions{1, 2, 5, 9};
  ModelConfig config;
  EXPECT_EQ(select_versions(config, versions), (std::vector<std::int64_t>{9}));
  config.latest_versions = 2;
  EXPECT_EQ(select_versions(config, versions), (std::vector<std::int64_t>{5, 9}));
  config.latest_versions = 100;
  EXPECT_EQ(select_versions(config, versions), versions);
  config.version_policy = VersionPolicy::kAll;
  EXPECT_EQ(select_versions(config, versions), versions);
  config.version_policy = VersionPolicy::kSpecific;
  config.specific_versions = {5, 1, 77};
  EXPECT_EQ(select_versions(config, versions), (std::vector<std::int64_t>{1, 5}));
}

TEST(VersionMachine, walks_from_loading_over_ready_to_unavailable) {
  VersionMachine machine;
  EXPECT_EQ(machine.state(), kUnavailable);
  machine.start_loading();
  EXPECT_EQ(machine.state(), kLoading);
  machine.loaded();
  EXPECT_EQ(machine.state(), kReady);
  machine.drain();
  EXPECT_EQ(machine.state(), kDraining);
  machine.drained();
  EXPECT_EQ(machine.state(), kUnavailable);
}

TEST(VersionMachine, keeps_the_reason_of_a_failure_until_it_loads_again) {
  VersionMachine machine;
  machine.start_loading();
  machine.failed(invalid_argument("broken"));
  EXPECT_EQ(machine.state(), kFailed);
  EXPECT_EQ(machine.reason().text(), "broken");
  machine.start_loading();
  EXPECT_TRUE(machine.reason().ok());
}

TEST(VersionMachineDeathTest, refuses_every_way_that_is_not_drawn) {
  const auto machine_in = [](VersionState state) {
    VersionMachine machine;
    if (state == kUnavailable) return machine;
    machine.start_loading();
    if (state == kFailed) machine.failed(invalid_argument("broken"));
    if (state == kReady || state == kDraining) machine.loaded();
    if (state == kDraining) machine.drain();
    return machine;
  };
  const auto move = [](VersionMachine machine, int way) {
    if (way == 0) machine.start_loading();
    if (way == 1) machine.loaded();
    if (way == 2) machine.failed(invalid_argument("broken"));
    if (way == 3) machine.drain();
    if (way == 4) machine.drained();
  };
  // By state in the order of the enumeration: the ways that are legal.
  const std::vector<std::vector<int>> legal{{0}, {1, 2}, {3}, {4}, {0}};
  for (int state = 0; state < 5; ++state) {
    for (int way = 0; way < 5; ++way) {
      const auto& ways = legal[static_cast<std::size_t>(state)];
      if (std::find(ways.begin(), ways.end(), way) != ways.end()) continue;
      EXPECT_DEATH(move(machine_in(static_cast<VersionState>(state)), way), "a version|only a");
    }
  }
}

}  // namespace
}  // namespace cortex::registry
