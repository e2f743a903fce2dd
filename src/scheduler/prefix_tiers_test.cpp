// SPDX-License-Identifier: Apache-2.0
// Prefixes that left a language model's memory come back, and those with names stay.
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "cache/prefix_store.h"
#include "scheduler/prefix_space.h"
#include "scheduler/testing/sequence_driver.h"
#include "scheduler/testing/waiter.h"

namespace cortex::scheduler {
namespace {

using std::chrono::milliseconds;
using testing::prompt_of;
using testing::sequence_request;
using testing::SequenceClient;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;

// Computing a token costs a millisecond: a copy is always cheaper.
const Keys kSlow = {
    {"cells", "600"}, {"context_length", "400"}, {"step_us", "1000"}, {"row_us", "1000"}
};

class PrefixTiersTest : public ::testing::Test {
 protected:
  PrefixTiersTest() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    folder_ =
        std::filesystem::temp_directory_path() / ("prefix_tiers_" + std::string(test->name()));
    std::filesystem::remove_all(folder_);
  }
  ~PrefixTiersTest() override { std::filesystem::remove_all(folder_); }

  std::shared_ptr<cache::PrefixStore> open_store(
      std::uint64_t memory,
      bool disk,
      std::function<ssize_t(int, const void*, std::size_t)> write = nullptr
  ) {
    cache::PrefixStoreOptions options;
    options.write = std::move(write);
    options.model = "model";
    options.memory_bytes_max = memory;
    if (disk) options.folder = folder_;
    options.disk_bytes_max = 1 << 24;
    auto store = std::make_shared<cache::PrefixStore>(std::move(options));
    EXPECT_TRUE(settle(*store));
    return store;
  }
  static bool settle(const cache::PrefixStore& store) {
    return store.settle(steady_clock().now() + std::chrono::seconds(20));
  }
  static SequenceCoreOptions with(std::shared_ptr<cache::PrefixStore> store, bool outlives) {
    SequenceCoreOptions options;
    options.store = std::move(store);
    options.store_outlives = outlives;
    return options;
  }

  static std::vector<Token> persona(std::uint64_t number, std::uint64_t question) {
    std::vector<Token> out = prompt_of(200, number);
    const auto rest = prompt_of(12, 1000 + question);
    out.insert(out.end(), rest.begin(), rest.end());
    return out;
  }
  static std::shared_ptr<SequenceClient> ask(
      SequenceDriver& driver, std::uint64_t number, std::uint64_t question
  ) {
    auto client = driver.ask(sequence_request(persona(number, question), 5));
    driver.run();
    return client;
  }
  static std::vector<std::vector<Token>> cold_answer(std::uint64_t number, std::uint64_t question) {
    SequenceDriver driver(kSlow);
    return ask(driver, number, question)->answers;
  }
  static std::size_t cached(const SequenceClient& client) {
    return client.stream->timings().cached_tokens;
  }
  static void expect_no_leak(SequenceDriver& driver) {
    EXPECT_EQ(driver.backend().counts().cells_used, driver.state().cells_used());
    EXPECT_EQ(driver.state().cells_used(), driver.state().tree.cells());
    EXPECT_EQ(driver.state().recalled_bytes, 0U);
    EXPECT_EQ(driver.state().recalling, 0U);
  }
  // Lets everything that is idle work be done.
  static void idle(SequenceDriver& driver) {
    for (int i = 0; i < 200; ++i) {
      driver.clock().advance(milliseconds(100));
      driver.run();
    }
  }

  // Until it is computed, and the lane looks for something to copy again.
  static void read_prompt(SequenceDriver& driver, std::vector<Token> prompt) {
    const auto client = driver.ask(sequence_request(std::move(prompt), 1));
    while (!client->ended && driver.step()) {
    }
    driver.clock().advance(std::chrono::seconds(2));
  }

  static PrefixArrival named(const std::string& name, std::vector<Token> tokens) {
    PrefixArrival out;
    out.name = name;
    out.space = prefix_space(joined_names("default", "default"), "", nullptr, 1);
    out.tokens = std::move(tokens);
    return out;
  }

  std::filesystem::path folder_;
};

TEST_F(PrefixTiersTest, what_was_evicted_comes_back_from_memory_as_if_it_had_stayed) {
  const auto store = open_store(1 << 20, false);
  SequenceDriver driver(kSlow, with(store, false));
  for (std::uint64_t number = 1; number <= 4; ++number) {
    ask(driver, number, 1);
    idle(driver);
  }
  EXPECT_GT(driver.counts().evicted_cells, 0U);
  EXPECT_GT(store->counts().memory_states, 0U);
  const auto client = ask(driver, 1, 2);
  EXPECT_GE(cached(*client), 190U);
  EXPECT_GT(driver.counts().hits_memory, 190U);
  EXPECT_EQ(client->answers, cold_answer(1, 2));
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, without_a_store_what_was_evicted_is_computed_again) {
  SequenceDriver driver(kSlow);
  for (std::uint64_t number = 1; number <= 4; ++number) ask(driver, number, 1);
  EXPECT_LT(cached(*ask(driver, 1, 2)), 100U);
}

TEST_F(PrefixTiersTest, another_process_finds_on_the_disk_what_one_computed) {
  {
    SequenceDriver driver(kSlow, with(open_store(0, true), true));
    ask(driver, 1, 1);
  }
  const auto store = open_store(0, true);
  ASSERT_GT(store->counts().disk_states, 0U);
  SequenceDriver driver(kSlow, with(store, true));
  const auto client = driver.ask(sequence_request(persona(1, 2), 5));
  const auto other = driver.ask(sequence_request(prompt_of(20, 77), 5, "other"));
  driver.run();
  EXPECT_TRUE(other->ended) << "nobody waits for another's state";
  ASSERT_TRUE(settle(*store));
  driver.run();
  ASSERT_TRUE(client->ended);
  EXPECT_EQ(client->answers, cold_answer(1, 2));
  EXPECT_EQ(cached(*client), 200U);
  EXPECT_EQ(driver.counts().hits_disk, 200U);
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, a_state_that_is_larger_than_the_bound_comes_back_alone) {
  {
    SequenceDriver driver(kSlow, with(open_store(0, true), true));
    ask(driver, 1, 1);
    ask(driver, 2, 1);
  }
  const auto store = open_store(0, true);
  ASSERT_EQ(store->counts().disk_states, 2U);
  SequenceCoreOptions options = with(store, true);
  options.saved_bytes_max = 1;
  SequenceDriver driver(kSlow, std::move(options));
  const auto first = driver.ask(sequence_request(persona(1, 2), 5));
  const auto second = driver.ask(sequence_request(persona(2, 2), 5));
  driver.run();
  EXPECT_TRUE(second->ended) << "the second is computed, as the first one's bytes wait";
  ASSERT_TRUE(settle(*store));
  driver.run();
  ASSERT_TRUE(first->ended);
  EXPECT_EQ(first->answers, cold_answer(1, 2));
  EXPECT_EQ(cached(*first), 200U);
  EXPECT_EQ(cached(*second), 0U);
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, a_state_that_does_not_come_is_computed) {
  {
    SequenceDriver driver(kSlow, with(open_store(0, true), true));
    ask(driver, 1, 1);
  }
  const auto store = open_store(0, true);
  for (const auto& file : std::filesystem::directory_iterator(folder_)) {
    if (file.path().extension() == ".prefix") std::filesystem::resize_file(file.path(), 200);
  }
  SequenceDriver driver(kSlow, with(store, true));
  const auto client = driver.ask(sequence_request(persona(1, 2), 5));
  ASSERT_TRUE(settle(*store));
  driver.run();
  ASSERT_TRUE(client->ended);
  EXPECT_EQ(client->answers, cold_answer(1, 2));
  EXPECT_EQ(driver.counts().restores_failed, 1U);
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, a_request_waits_a_bounded_time_for_the_disk) {
  {
    SequenceDriver driver(kSlow, with(open_store(0, true), true));
    ask(driver, 1, 1);
  }
  testing::Gate gate;
  const auto store = open_store(0, true, [&gate](int file, const void* bytes, std::size_t count) {
    gate.pass();
    return ::write(file, bytes, count);
  });
  SequenceDriver driver(kSlow, with(store, true));
  store->keep({"", "nobody", ""}, prompt_of(100, 9), std::vector<std::byte>(100));
  gate.wait_for_arrivals(1);
  const auto client = driver.ask(sequence_request(persona(1, 2), 5));
  ASSERT_EQ(driver.state().recalling, 1U);
  driver.run();
  EXPECT_FALSE(client->ended);
  driver.clock().advance(std::chrono::seconds(3));
  driver.run();
  EXPECT_TRUE(client->ended);
  EXPECT_EQ(client->answers, cold_answer(1, 2));
  EXPECT_EQ(driver.counts().restores_failed, 1U);
  gate.open();
  ASSERT_TRUE(settle(*store));
  driver.run();
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, who_leaves_while_its_state_is_read_is_let_go) {
  {
    SequenceDriver driver(kSlow, with(open_store(0, true), true));
    ask(driver, 1, 1);
  }
  const auto store = open_store(0, true);
  SequenceDriver driver(kSlow, with(store, true));
  const auto client = driver.ask(sequence_request(persona(1, 2), 5));
  ASSERT_EQ(driver.state().recalling, 1U);
  client->stream->cancel();
  driver.run();
  EXPECT_TRUE(client->ended);
  ASSERT_TRUE(settle(*store));
  driver.run();
  expect_no_leak(driver);
}

// Computing a token costs a microsecond: a copy beside streams goes on by the smallest pieces.
const Keys kQuick = {
    {"cells", "600"}, {"context_length", "500"}, {"step_us", "1"}, {"row_us", "1"}
};

TEST_F(PrefixTiersTest, a_long_prefix_is_copied_piece_by_piece_beside_streams) {
  {
    SequenceDriver driver(kQuick, with(open_store(0, true), true));
    const auto stream = driver.ask(sequence_request(prompt_of(20, 5), 300));
    read_prompt(driver, persona(1, 1));
    std::uint64_t before = 0;
    driver.after_plan([&] {
      const std::uint64_t now = driver.backend().counts().saves;
      EXPECT_LE(now - before, 1U) << "a piece between two steps";
      before = now;
    });
    while (!stream->ended && driver.step()) {
    }
    EXPECT_GT(driver.backend().counts().saves, 10U);
    EXPECT_EQ(driver.counts().prefixes_saved, 1U);
    driver.after_plan(nullptr);
  }
  const auto store = open_store(0, true);
  SequenceDriver driver(kSlow, with(store, true));
  const auto client = driver.ask(sequence_request(persona(1, 2), 5));
  driver.run();
  ASSERT_TRUE(settle(*store));
  driver.run();
  EXPECT_GE(cached(*client), 190U);
  EXPECT_EQ(client->answers, cold_answer(1, 2));
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, a_copy_keeps_nobody_out_who_needs_the_cells) {
  SequenceDriver driver(kQuick, with(open_store(0, true), true));
  const auto stream = driver.ask(sequence_request(prompt_of(20, 5), 200));
  read_prompt(driver, persona(1, 1));
  driver.step();
  ASSERT_TRUE(driver.state().copying);
  const auto large = driver.ask(sequence_request(prompt_of(400, 6), 5));
  for (int i = 0; i < 4; ++i) driver.step();
  EXPECT_FALSE(driver.state().copying);
  driver.run();
  EXPECT_TRUE(large->ended && stream->ended);
  EXPECT_EQ(large->status().code(), Code::kOk);
  idle(driver);
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, short_prompts_are_not_kept) {
  const auto store = open_store(1 << 20, true);
  SequenceDriver driver(kSlow, with(store, true));
  for (std::uint64_t number = 1; number <= 40; ++number) {
    driver.ask(sequence_request(prompt_of(20, number), 5));
    driver.run();
  }
  idle(driver);
  EXPECT_GT(driver.counts().evicted_cells, 0U);
  EXPECT_EQ(driver.backend().counts().saves, 0U);
}

TEST_F(PrefixTiersTest, what_is_stored_but_for_little_is_not_stored_again) {
  const auto store = open_store(1 << 20, true);
  SequenceDriver driver(kSlow, with(store, true));
  ask(driver, 1, 1);
  idle(driver);
  const std::uint64_t saves = driver.backend().counts().saves;
  EXPECT_GT(saves, 0U);
  for (std::uint64_t question = 2; question <= 6; ++question) {
    ask(driver, 1, question);
    idle(driver);
  }
  EXPECT_EQ(driver.backend().counts().saves, saves);
}

TEST_F(PrefixTiersTest, nothing_that_an_adapter_computed_is_found_for_another_of_its_name) {
  const auto store = open_store(1 << 20, true);
  SequenceDriver driver(kSlow, with(store, true));
  const auto load = [&](const std::string& text, std::uint64_t number) {
    const auto file = std::filesystem::temp_directory_path() / ("prefix_tiers_adapter_" + text);
    std::ofstream(file) << "synthetic adapter\n" << text << "\n";
    auto adapter = std::make_shared<NamedAdapter>();
    adapter->name = "a";
    adapter->number = number;
    adapter->adapter = *driver.backend().load_adapter(file);
    return adapter;
  };
  const auto first = load("one", 1);
  driver.ask(sequence_request(persona(1, 1), 5), first);
  driver.run();
  idle(driver);
  EXPECT_GT(store->counts().memory_states, 0U);
  const auto second = load("two", 2);
  const auto other = driver.ask(sequence_request(persona(1, 1), 5), second);
  driver.run();
  EXPECT_EQ(cached(*other), 0U);
  idle(driver);
  // The same content again, under another number: what was stored of it serves.
  const auto again = load("one", 3);
  driver.core().forget_adapter(*second);
  const auto client = driver.ask(sequence_request(persona(1, 2), 5), again);
  driver.run();
  EXPECT_EQ(cached(*client), 200U);
  driver.core().forget_adapter(*again);
  EXPECT_TRUE(settle(*store));
  EXPECT_EQ(store->counts().memory_states, 0U);
}

TEST_F(PrefixTiersTest, a_prefix_with_a_name_is_read_when_nobody_waits_and_then_stays) {
  std::size_t shown = 0;
  SequenceCoreOptions options;
  options.on_prefix_held = [&](const std::string&, std::size_t tokens) { shown = tokens; };
  SequenceDriver driver(kSlow, std::move(options));
  driver.core().add_prefix(named("pirate", prompt_of(200, 1)));
  driver.run();
  EXPECT_EQ(shown, 200U);
  EXPECT_EQ(driver.counts().generated_tokens, 0U);
  for (std::uint64_t number = 2; number <= 6; ++number) ask(driver, number, 1);
  EXPECT_GT(driver.counts().evicted_cells, 0U);
  const auto client = ask(driver, 1, 2);
  EXPECT_EQ(cached(*client), 200U);
  EXPECT_EQ(client->answers, cold_answer(1, 2));
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, a_name_that_was_removed_holds_nothing) {
  SequenceDriver driver(kSlow);
  driver.core().add_prefix(named("pirate", prompt_of(200, 1)));
  driver.run();
  driver.core().remove_prefix("pirate");
  for (std::uint64_t number = 2; number <= 6; ++number) ask(driver, number, 1);
  EXPECT_LT(cached(*ask(driver, 1, 2)), 200U);
  EXPECT_EQ(driver.state().named.tokens_held(), 0U);
}

TEST_F(PrefixTiersTest, a_name_that_is_removed_while_it_is_read_stops_the_reading) {
  Keys keys = kSlow;
  keys["step_rows_max"] = "64";
  SequenceDriver driver(keys);
  driver.core().add_prefix(named("pirate", prompt_of(290, 1)));
  ASSERT_TRUE(driver.step());
  driver.core().remove_prefix("pirate");
  driver.run();
  EXPECT_TRUE(driver.state().running.empty());
  EXPECT_EQ(driver.state().named.tokens_held(), 0U);
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, who_asks_comes_before_a_name_that_is_read) {
  SequenceDriver driver(kSlow);
  driver.core().add_prefix(named("pirate", prompt_of(200, 1)));
  const TimePoint asked = driver.clock().now();
  const auto client = driver.ask(sequence_request(prompt_of(20, 9), 5));
  driver.run();
  ASSERT_TRUE(client->ended);
  EXPECT_LT(client->arrivals.front() - asked, milliseconds(60));
  EXPECT_EQ(driver.state().named.tokens_held(), 200U);
}

TEST_F(PrefixTiersTest, names_give_way_to_a_sequence_that_needs_all_of_memory_and_come_back) {
  const Keys keys = {{"cells", "400"}, {"context_length", "400"}, {"row_us", "100"}};
  SequenceDriver driver(keys);
  driver.core().add_prefix(named("pirate", prompt_of(200, 1)));
  driver.run();
  EXPECT_EQ(driver.state().named.tokens_held(), 200U);
  const auto client = driver.ask(sequence_request(prompt_of(350, 2), 40));
  driver.run();
  ASSERT_TRUE(client->ended);
  EXPECT_TRUE(client->status().ok());
  EXPECT_EQ(driver.counts().named_released, 1U);
  EXPECT_EQ(driver.state().named.tokens_held(), 0U);
  idle(driver);
  EXPECT_EQ(driver.state().named.tokens_held(), 200U);
  expect_no_leak(driver);
}

TEST_F(PrefixTiersTest, a_name_is_restored_from_the_disk_after_a_restart) {
  {
    SequenceDriver driver(kSlow, with(open_store(0, true), true));
    driver.core().add_prefix(named("pirate", prompt_of(200, 1)));
    driver.run();
    idle(driver);
  }
  const auto store = open_store(0, true);
  SequenceDriver driver(kSlow, with(store, true));
  driver.core().add_prefix(named("pirate", prompt_of(200, 1)));
  driver.run();
  ASSERT_TRUE(settle(*store));
  driver.run();
  EXPECT_EQ(driver.state().named.tokens_held(), 200U);
  EXPECT_EQ(driver.counts().restored_tokens, 199U);
  EXPECT_EQ(driver.counts().hits_disk, 0U);
  EXPECT_EQ(driver.counts().computed_tokens, 1U);
  expect_no_leak(driver);
}

}  // namespace
}  // namespace cortex::scheduler
