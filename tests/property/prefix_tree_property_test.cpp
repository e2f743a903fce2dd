// SPDX-License-Identifier: Apache-2.0
// Random calls of the prefix tree over a naive memory of cells. rapidcheck prints the smallest
// counterexample and the seed that repeats it.
#include <rapidcheck.h>

#include <array>
#include <set>

#include <gtest/gtest.h>

#include "cache/testing/kv_memory.h"

namespace cortex::cache {
namespace {

using testing::KvMemory;

constexpr std::int32_t kRunners = 4;
constexpr std::int32_t kScratch = kRunners;
constexpr std::int32_t kHolderFirst = kRunners + 1;

struct Runner {
  bool active = false;
  PrefixSpace space;
  std::vector<Token> tokens;
  std::size_t shared = 0;
  PrefixTree::Pin pin;
};

struct TreeWorld {
  explicit TreeWorld(const PrefixTreeOptions& what) : options(what) {}

  PrefixTreeOptions options;
  KvMemory memory{kHolderFirst};
  PrefixTree tree{options};
  std::array<Runner, kRunners> runners;
  TimePoint now{std::chrono::hours(1)};
};

PrefixTreeOptions any_tree() {
  PrefixTreeOptions out;
  out.holder_first = kHolderFirst;
  out.holders = *rc::gen::inRange<std::int32_t>(0, 7);
  out.insert_tokens_min = *rc::gen::element<std::size_t>(0, 1, 3);
  out.attend_cost = *rc::gen::element(0.0, 0.001, 1.0);
  return out;
}

std::vector<Token> any_tokens() {
  return *rc::gen::container<std::vector<Token>>(rc::gen::weightedElement<Token>({{3, 1}, {1, 2}}));
}

PrefixSpace any_space() {
  return *rc::gen::weightedElement<PrefixSpace>({{3, {}}, {1, {"lora", "", ""}}});
}

void apply_moves(TreeWorld& world, const std::vector<KvMove>& moves) {
  RC_ASSERT(world.memory.apply(moves) == "");
}

void insert(TreeWorld& world, std::int32_t id) {
  Runner& runner = world.runners[static_cast<std::size_t>(id)];
  const std::size_t free = world.tree.holders_free();
  auto out = world.tree.insert(runner.space, runner.tokens, id, world.now, std::move(runner.pin));
  apply_moves(world, out.moves);
  RC_ASSERT(out.tokens >= runner.shared && out.tokens <= runner.tokens.size());
  const bool forgotten = runner.shared > 0 && world.memory.row(id).begin()->second->forgotten;
  const bool worth = runner.tokens.size() - out.tokens >= world.options.insert_tokens_min;
  RC_ASSERT(forgotten || free < 2 || !worth || out.tokens == runner.tokens.size());
  runner.shared = out.tokens;
  runner.pin = std::move(out.pin);
}

void start(TreeWorld& world, std::int32_t id) {
  Runner& runner = world.runners[static_cast<std::size_t>(id)];
  if (runner.active) return;
  runner.active = true;
  runner.space = any_space();
  runner.tokens = any_tokens();
  const auto most = *rc::gen::inRange<std::size_t>(0, runner.tokens.size() + 1);
  const std::size_t there = world.memory.matching(runner.space, runner.tokens);
  auto match = world.tree.match(runner.space, runner.tokens, most, id, world.now);
  apply_moves(world, match.moves);
  RC_ASSERT(match.tokens == std::min(there, most));
  RC_ASSERT(world.memory.holds(id, runner.space, std::span(runner.tokens).first(match.tokens)));
  world.memory.compute(id, runner.space, runner.tokens, match.tokens);
  runner.shared = match.tokens;
  runner.pin = std::move(match.pin);
  if (*rc::gen::arbitrary<bool>()) insert(world, id);
}

void go_on(TreeWorld& world, std::int32_t id) {
  Runner& runner = world.runners[static_cast<std::size_t>(id)];
  if (!runner.active) return;
  const std::size_t before = runner.tokens.size();
  const auto more = any_tokens();
  runner.tokens.insert(runner.tokens.end(), more.begin(), more.end());
  world.memory.compute(id, runner.space, runner.tokens, before);
  insert(world, id);
}

void leave(TreeWorld& world, std::int32_t id) {
  world.memory.clear(id);
  world.runners[static_cast<std::size_t>(id)] = {};
}

void evict(TreeWorld& world) {
  const auto wanted = *rc::gen::inRange<std::size_t>(0, 30);
  const std::size_t before = world.tree.cells();
  const std::size_t possible = std::min(wanted, world.tree.evictable());
  apply_moves(world, world.tree.evict(wanted, world.now));
  const std::size_t freed = before - world.tree.cells();
  RC_ASSERT(freed >= possible);
  RC_ASSERT(freed <= wanted + world.options.insert_tokens_min || possible < wanted);
}

void forget(TreeWorld& world) {
  const PrefixSpace space = any_space();
  const auto moves = world.tree.forget(space);
  world.memory.forget(space);
  apply_moves(world, moves);
}

void copy(TreeWorld& world) {
  const auto tokens_min = *rc::gen::inRange<std::size_t>(0, 10);
  const auto out = world.tree.copy(tokens_min, world.now);
  if (!out) return;
  const auto middle = *rc::gen::inRange<std::size_t>(0, out->tokens.size() + 1);
  apply_moves(world, world.tree.part(out->pin, 0, middle, kScratch));
  apply_moves(world, world.tree.part(out->pin, middle, out->tokens.size(), kScratch));
  RC_ASSERT(out->tokens.size() >= tokens_min);
  RC_ASSERT(world.memory.holds(kScratch, out->space, out->tokens));
  RC_ASSERT(world.memory.matching(out->space, out->tokens) == out->tokens.size());
  world.memory.clear(kScratch);
}

// What holds after every call whose moves were done.
void check_world(TreeWorld& world) {
  apply_moves(world, world.tree.collect());
  const auto held = world.memory.held();
  std::set<const KvMemory::Cell*> cells;
  for (const auto& cell : held) cells.insert(cell.get());
  RC_ASSERT(cells.size() == held.size());  // no cell has two holders
  RC_ASSERT(world.tree.cells() == cells.size());
  RC_ASSERT(world.tree.nodes() == world.memory.holders_used());
  const auto holders = static_cast<std::size_t>(world.options.holders);
  RC_ASSERT(world.tree.holders_free() + world.tree.nodes() == holders);
  std::set<const KvMemory::Cell*> pinned;
  std::size_t own = 0;
  for (std::int32_t id = 0; id < kRunners; ++id) {
    const Runner& runner = world.runners[static_cast<std::size_t>(id)];
    RC_ASSERT(world.memory.holds(id, runner.space, runner.tokens));
    for (const auto& [position, cell] : world.memory.row(id)) {
      const bool shares = static_cast<std::size_t>(position) < runner.shared;
      RC_ASSERT(cells.contains(cell.get()) == shares);
      if (shares) pinned.insert(cell.get());
      own += shares ? 0 : 1;
    }
  }
  RC_ASSERT(world.tree.evictable() == cells.size() - pinned.size());
  RC_ASSERT(world.memory.cells() == cells.size() + own);
  const PrefixSpace space = any_space();
  const auto query = any_tokens();
  RC_ASSERT(world.tree.matching(space, query) == world.memory.matching(space, query));
}

TEST(PrefixTreeProperty, the_memory_holds_what_the_tree_says) {
  const bool holds = rc::check("random calls against a naive memory", [] {
    TreeWorld world(any_tree());
    const auto calls = *rc::gen::inRange(1, 40);
    for (int i = 0; i < calls; ++i) {
      world.now += std::chrono::seconds(*rc::gen::inRange(0, 5));
      const auto id = *rc::gen::inRange<std::int32_t>(0, kRunners);
      const auto call = *rc::gen::inRange(0, 13);
      if (call < 4) start(world, id);
      if (call >= 4 && call < 7) go_on(world, id);
      if (call >= 7 && call < 9) leave(world, id);
      if (call >= 9 && call < 11) evict(world);
      if (call == 11) forget(world);
      if (call == 12) copy(world);
      check_world(world);
    }
    for (std::int32_t id = 0; id < kRunners; ++id) leave(world, id);
    apply_moves(world, world.tree.evict(100'000, world.now));
    RC_ASSERT(world.memory.cells() == 0u);
    RC_ASSERT(world.tree.nodes() == 0u && world.tree.cells() == 0u);
    RC_ASSERT(world.tree.holders_free() == static_cast<std::size_t>(world.options.holders));
  });
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace cortex::cache
