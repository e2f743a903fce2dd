// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_policy.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// A place of 100 bytes in the same model, used at second `used`.
AdapterPlace place(int used) {
  AdapterPlace out;
  out.bytes = 100;
  out.last_used = TimePoint(std::chrono::seconds(used));
  out.same_model = true;
  return out;
}

TEST(AdapterPolicy, nothing_gives_way_where_there_is_room) {
  const std::vector<AdapterPlace> places = {place(1), place(2)};
  EXPECT_THAT(*make_room(places, {3, 300}, 100), IsEmpty());
  EXPECT_THAT(*make_room({}, {1, 0}, 1'000'000), IsEmpty());
}

TEST(AdapterPolicy, the_one_used_least_recently_gives_way) {
  const std::vector<AdapterPlace> places = {place(5), place(2), place(9)};
  EXPECT_THAT(*make_room(places, {3, 0}, 100), ElementsAre(1));
  EXPECT_THAT(*make_room(places, {2, 0}, 100), ElementsAre(1, 0));
  EXPECT_THAT(*make_room(places, {10, 350}, 150), ElementsAre(1));
}

TEST(AdapterPolicy, pinned_ones_and_those_in_use_stay) {
  std::vector<AdapterPlace> places = {place(1), place(2), place(3)};
  places[0].pinned = true;
  places[1].in_use = true;
  EXPECT_THAT(*make_room(places, {3, 0}, 100), ElementsAre(2));
  places[2].in_use = true;
  const Status full = make_room(places, {3, 0}, 100).status();
  EXPECT_EQ(full.code(), Code::kResourceExhausted);
  EXPECT_EQ(full.text(), "Maximum adapters (3) already loaded");
  EXPECT_TRUE(full.retry_after().has_value());
}

TEST(AdapterPolicy, other_models_give_way_for_memory_alone) {
  std::vector<AdapterPlace> places = {place(1), place(2)};
  places[0].same_model = false;
  EXPECT_THAT(*make_room(places, {1, 0}, 100), ElementsAre(1));
  EXPECT_THAT(*make_room(places, {2, 250}, 100), ElementsAre(0));
}

TEST(AdapterPolicy, one_that_can_never_fit_drives_nobody_out) {
  const std::vector<AdapterPlace> places = {place(1)};
  const Status status = make_room(places, {3, 300}, 301).status();
  EXPECT_EQ(status.code(), Code::kResourceExhausted);
  EXPECT_NE(status.text().find("adapters.memory (300 bytes)"), std::string::npos);
}

}  // namespace
}  // namespace cortex::registry
