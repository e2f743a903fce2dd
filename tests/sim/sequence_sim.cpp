// SPDX-License-Identifier: Apache-2.0
// Simulates the lane of a language model on a virtual clock: arrivals, forks, adapters, clients
// that leave or read slowly, deadlines, steps that fail and a memory that is too small, in an order
// that a seed decides. Drives the very SequenceCore that serves, over the synthetic model, whose
// every token follows from all tokens before it. After every step nothing may be lost, doubled or
// leaked, nobody goes before a class that could be served, and in the end every answer is what its
// request would have got alone. Every tenth seed also has principals of several weights, who always
// ask: at every step each has had its share.
//
//   sequence_sim SEEDS [FIRST]
//
// On a failure it prints the seed; `sequence_sim 1 SEED` repeats it.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/prefix_store.h"
#include "scheduler/prefix_space.h"
#include "scheduler/sequence_core.h"
#include "scheduler/testing/sequence_driver.h"

namespace cortex::scheduler {
namespace {

using std::chrono::microseconds;
using testing::prompt_of;
using testing::sequence_input;
using testing::sequence_request;
using testing::SequenceClient;
using testing::SequenceDriver;
using Keys = SequenceDriver::Keys;

constexpr std::size_t kAdapters = 3;
constexpr std::size_t kPrincipals = 3;
// Steps that a sequence in memory may wait for rows.
constexpr std::uint64_t kStepsWithoutRowsMax = 2000;

std::shared_ptr<const backend::SequenceAdapter> load_adapter(
    backend::SyntheticSequences& backend, std::size_t number
) {
  const auto file =
      std::filesystem::temp_directory_path() / ("sequence_sim_adapter_" + std::to_string(number));
  if (!std::filesystem::exists(file)) {
    std::ofstream(file) << "synthetic adapter\n" << number << "\n";
  }
  auto loaded = backend.load_adapter(file);
  CHECK(loaded.ok(), "the adapter is one");
  return *loaded;
}

// A request as the simulation knows it.
struct Asked {
  std::shared_ptr<SequenceClient> client;
  std::shared_ptr<const NamedAdapter> adapter;
  std::shared_ptr<const Request> request;
  bool refused = false;
};

class SequenceWorld {
 public:
  explicit SequenceWorld(std::uint64_t seed) : random_(seed), driver_(make_keys(), make_options()) {
    for (std::size_t i = 0; i < kAdapters; ++i) add_adapter(i);
    for (std::size_t i = 0; i < 4; ++i) stems_.push_back(prompt_of(10 + pick(120), 500 + i));
    for (std::size_t i = 0; i < kPrincipals; ++i) {
      Principal& principal = principals_[i];
      principal.key = "key" + std::to_string(i);
      principal.priority_class = static_cast<PriorityClass>(pick(kPriorityClasses));
      principal.weight = chance(50) ? 1 : 0.25 * static_cast<double>(1 + pick(20));
    }
    driver_.after_plan([this] { check_classes(); });
  }

  // The first thing that did not hold; empty when all did.
  std::string_view live() {
    const std::size_t events = 150 + pick(250);
    for (std::size_t i = 0; i < events && fault_.empty(); ++i) happen();
    for (Asked& asked : asked_) resume(*asked.client);
    for (std::size_t quiet = 0; quiet < 3 && fault_.empty();) quiet = turn() ? 0 : quiet + 1;
    check_end();
    return fault_;
  }

  [[nodiscard]] SequenceCounts counts() const { return driver_.counts(); }
  // Admissions while somebody else waited who could have been meant.
  [[nodiscard]] std::uint64_t orders_checked() const { return orders_checked_; }

 private:
  std::size_t pick(std::size_t below) {
    return below == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, below - 1)(random_);
  }
  bool chance(std::size_t percent) { return pick(100) < percent; }

  void require(bool holds, std::string_view what) {
    if (!holds && fault_.empty()) fault_ = what;
  }

  Keys make_keys() {
    Keys keys;
    cuts_ = chance(80);
    repeats_ = chance(60);
    cells_ = 200 + pick(chance(50) ? 300 : 3000);
    keys["cells"] = std::to_string(cells_);
    keys["context_length"] = std::to_string(100 + pick(300));
    keys["sequences_max"] = std::to_string(3 + pick(40));
    keys["step_rows_max"] = std::to_string(1 + pick(chance(50) ? 16 : 200));
    keys["can_cut"] = cuts_ ? "true" : "false";
    keys["part_rows"] = std::to_string(1 + pick(32));
    keys["step_us"] = std::to_string(pick(5000));
    keys["row_us"] = std::to_string(pick(3000));
    keys["cell_ns"] = std::to_string(pick(2000));
    keys["end_every"] = chance(50) ? "30" : "0";
    end_every_ = keys["end_every"];
    if (chance(30)) {
      keys["fail_every"] = std::to_string(5 + pick(60));
      const std::vector<std::string> codes = {"internal", "cancelled", "resource_exhausted"};
      keys["fail_code"] = codes[pick(3)];
      fails_ = true;
      // Of such a model only a step that nobody wants is cancelled, or it reads again and again.
      if (!cuts_ && keys["fail_code"] == "cancelled") keys["fail_code"] = "internal";
    }
    keys["fail_rows"] = std::to_string(pick(3));
    return keys;
  }

  SequenceCoreOptions make_options() {
    SequenceCoreOptions options;
    options.running_max = chance(50) ? 0 : 1 + pick(8);
    options.stretch_max = chance(50) ? 0 : 1.5 + static_cast<double>(pick(4));
    options.queue_requests_max = 1 + pick(40);
    options.first_token_max = microseconds(chance(70) ? 0 : pick(500'000));
    options.prefix_cache = chance(85);
    options.draft_tokens_max = chance(70) ? 1 + pick(15) : 0;
    options.token_interval = microseconds(chance(70) ? 0 : pick(50'000));
    options.saved_bytes_max = chance(30) ? 0 : std::size_t{1} << 20;
    options.seed = random_();
    if (chance(50)) {
      cache::PrefixStoreOptions store;
      store.model = "simulated";
      store.memory_bytes_max = chance(50) ? 5'000 : 500'000;
      options.store = std::make_shared<cache::PrefixStore>(std::move(store));
      options.store_outlives = chance(50);
    }
    return options;
  }

  void add_adapter(std::size_t i) {
    auto adapter = std::make_shared<NamedAdapter>();
    adapter->name = "a" + std::to_string(i);
    adapter->number = ++adapter_numbers_;
    adapter->adapter = load_adapter(driver_.backend(), i + adapter->number % 2 * kAdapters);
    adapters_[i] = std::move(adapter);
  }

  // One thing that happens.
  void happen() {
    if (chance(30)) {
      ask();
    } else if (chance(6)) {
      if (Asked* asked = somebody()) asked->client->stream->cancel();
    } else if (chance(8)) {
      if (Asked* asked = somebody()) asked->client->reads = false;
    } else if (chance(20)) {
      if (Asked* asked = somebody()) resume(*asked->client);
    } else if (chance(3)) {
      swap_adapter(pick(kAdapters));
    } else if (chance(5)) {
      name_prefix();
    } else if (chance(10)) {
      driver_.clock().advance(microseconds(pick(20'000)));
    } else {
      for (std::size_t i = pick(6); i > 0; --i) turn();
    }
  }

  Asked* somebody() {
    const std::size_t recent = std::min<std::size_t>(asked_.size(), 20);
    return recent == 0 ? nullptr : &asked_[asked_.size() - 1 - pick(recent)];
  }

  static void resume(SequenceClient& client) {
    client.reads = true;
    client.read();
  }

  void swap_adapter(std::size_t i) {
    const auto old = adapters_[i];
    add_adapter(i);
    driver_.core().forget_adapter(*old);
  }

  // A prefix gets a name, or loses it.
  void name_prefix() {
    const SequenceState& state = driver_.state();
    const std::string name = "p" + std::to_string(pick(4));
    if (!state.shares_prefixes || state.named_arrivals.contains(name)) {
      return driver_.core().remove_prefix(name);
    }
    PrefixArrival arrival;
    arrival.name = name;
    arrival.tokens = stems_[pick(stems_.size())];
    if (arrival.tokens.size() >= state.length_max) return;
    std::size_t taken = arrival.tokens.size();
    for (const auto& [other, named] : state.named_arrivals) taken += named.tokens.size();
    if (taken > named_prefix_limits(driver_.backend().model()).tokens_max) return;
    if (chance(30)) arrival.adapter = adapters_[pick(kAdapters)];
    arrival.space =
        prefix_space(joined_names("default", "default"), "", arrival.adapter.get(), 1.0F);
    driver_.core().add_prefix(std::move(arrival));
  }

  std::vector<Token> make_prompt() {
    std::vector<Token> prompt;
    if (chance(60)) {
      const auto& stem = stems_[pick(stems_.size())];
      prompt.assign(
          stem.begin(), stem.begin() + static_cast<std::ptrdiff_t>(1 + pick(stem.size()))
      );
    }
    const auto rest = prompt_of(1 + pick(60), pick(1000));
    prompt.insert(prompt.end(), rest.begin(), rest.end());
    // A conversation that goes on.
    if (chance(20) && !asked_.empty()) {
      const SequenceClient& before = *asked_[pick(asked_.size())].client;
      prompt = std::get<SequenceInput>(before.request->input).prompt;
      if (!before.answers.empty()) {
        prompt.insert(prompt.end(), before.answers[0].begin(), before.answers[0].end());
      }
    }
    return prompt;
  }

  void ask() {
    auto request = sequence_request(make_prompt(), 1 + pick(60));
    request->principal = principals_[pick(kPrincipals)];
    SequenceInput& input = sequence_input(*request);
    input.ignore_end = chance(50);
    input.sampling.seed = pick(50);
    input.sequences = chance(20) ? 1 + pick(4) : 1;
    if (repeats_ && chance(70)) repeat(input);
    input.adapter_scale = chance(80) ? 1.0F : 0.5F;
    input.prompt_logprobs = chance(5);
    if (chance(10)) input.cache_salt = "salt";
    request->niceness = chance(20) ? static_cast<std::int32_t>(pick(7)) - 3 : 0;
    if (chance(8)) request->deadline = driver_.clock().now() + microseconds(pick(2'000'000));
    if (chance(8)) request->queue_timeout = microseconds(1 + pick(500'000));
    if (chance(20)) request->principal.tenant = "other";
    Asked asked;
    asked.request = request;
    if (chance(30)) asked.adapter = adapters_[pick(kAdapters)];
    asked.client = driver_.ask(request, asked.adapter);
    asked.refused = asked.client->ended;
    asked_.push_back(std::move(asked));
  }

  // Few letters, so that what comes is often what came before.
  void repeat(SequenceInput& input) {
    const std::size_t letters = 1 + pick(3);
    for (std::size_t i = 0; i < letters; ++i) {
      input.sampling.logit_bias.emplace_back(static_cast<Token>('a' + i), 20.0F);
    }
    if (chance(30)) input.sampling.repeat_penalty = 1.2F;
    if (chance(20)) input.top_logprobs = 2;
  }

  // One turn of the lane; time passes where it has nothing to run.
  bool turn() {
    note_queue();
    const bool ran = driver_.step();
    if (!ran) driver_.clock().advance(microseconds(20'000));
    check_memory();
    check_bounds();
    return ran;
  }

  void note_queue() {
    const SequenceState& state = driver_.state();
    before_.waiting.clear();
    for (const auto& [ticket, generation] : state.waiting) before_.waiting.insert(ticket);
    before_.flows.clear();
    for (const auto& [flow, slots] : state.slots_by_flow) before_.flows.insert(flow);
    for (std::size_t level = 0; level < kPriorityClasses; ++level) {
      before_.passed_over[level] = state.queue.passed_over(level);
    }
  }

  // Whoever came in with this plan is behind nobody of an earlier class who waits, but for those
  // whose flow has places and must leave the next ones to others.
  void check_classes() {
    const SequenceState& state = driver_.state();
    std::vector<std::size_t> admitted;
    for (const auto& generation : state.running) {
      if (before_.waiting.contains(generation->ticket)) admitted.push_back(generation->level);
    }
    if (admitted.empty()) return;
    std::size_t earliest = kPriorityClasses;
    for (const auto& [ticket, waiting] : state.waiting) {
      if (waiting->recalls_until || state.slots_by_flow.contains(waiting->flow)) continue;
      if (before_.flows.contains(waiting->flow)) continue;
      earliest = std::min(earliest, waiting->level);
    }
    for (const std::size_t level : admitted) {
      const bool starved =
          before_.passed_over[level] + admitted.size() >= FairQueue::kPassedOverMax;
      require(level <= earliest || starved, "a class went before an earlier one");
      if (earliest < kPriorityClasses) ++orders_checked_;
    }
  }

  // The engine's memory is what we believe it to be, cell by cell.
  void check_memory() {
    const SequenceState& state = driver_.state();
    require(
        driver_.backend().counts().cells_used == state.cells_used(), "cells were lost or leaked"
    );
    require(state.cells_used() <= state.capacity, "more cells are used than there are");
    std::size_t own = 0;
    std::size_t inside = 0;
    state.each_sequence([&](const LaneSequence& sequence) {
      own += sequence.own_cells;
      require(sequence.inside() == (sequence.id >= 0), "an id without a place in memory");
      if (!sequence.inside()) return;
      ++inside;
      if (state.steps % 4 != 0) return;
      const auto held = driver_.backend().tokens_of(sequence.id);
      require(
          held.size() == sequence.computed &&
              std::equal(held.begin(), held.end(), sequence.tokens.begin()),
          "a sequence holds other tokens than its own"
      );
      require(
          sequence.generation->stalled || state.steps < sequence.last_step + kStepsWithoutRowsMax ||
              sequence.last_step == 0,
          "a sequence starves"
      );
    });
    require(own == state.own_cells, "cells of sequences are counted wrongly");
    require(inside + state.free_ids.size() == state.running_max, "ids were lost or doubled");
  }

  void check_bounds() {
    const SequenceState& state = driver_.state();
    require(state.door.requests() == state.waiting.size(), "the queue's places are wrong");
    require(state.queue.size() == state.waiting.size(), "the queue lost a request");
    const std::size_t most = state.options.queue_requests_max;
    require(state.waiting.size() <= most + most / 8, "the queue is too long");
    require(state.saved_bytes <= state.options.saved_bytes_max, "too many states are kept");
    std::size_t slots = 0;
    for (const auto& generation : state.running) {
      slots += generation->input().sequences;
      for (const TokenOutput& output : generation->unsent) {
        require(output.tokens.size() <= 16, "too much is kept for a slow reader");
      }
    }
    require(slots == state.slots && slots <= state.running_max, "more run than may");
  }

  void check_end() {
    if (!fault_.empty()) return;
    const SequenceState& state = driver_.state();
    require(state.waiting.empty() && state.running.empty(), "somebody never ended");
    require(state.cells_used() == state.tree.cells(), "cells of nobody are left");
    require(state.saved_bytes == 0, "a state of nobody is kept");
    require(state.recalled_bytes == 0 && state.recalling == 0, "a state waits for nobody");
    for (const cache::NamedPrefix& prefix : state.named.list()) {
      require(
          prefix.held <= state.tree.cells() - state.tree.evictable() &&
              prefix.held <= state.tree.matching(prefix.space, prefix.tokens),
          "a name holds what is not there"
      );
    }
    for (const Asked& asked : asked_) {
      require(asked.client->ended, "a request never ended");
      if (fault_.empty() && !asked.refused) check_answer(asked);
    }
  }

  // What this request says when nobody else is there.
  std::vector<std::vector<Token>> alone(const Asked& asked) const {
    SequenceDriver driver(Keys{
        {"end_every", end_every_},
        {"context_length", std::to_string(driver_.state().length_max)},
        {"sequences_max", "4"},
        {"can_cut", "false"},  // without prefixes and drafts
    });
    const auto request = std::make_shared<Request>(*asked.request);
    request->deadline = kNoDeadline;
    const auto client = driver.ask(request, asked.adapter);
    driver.run();
    return client->answers;
  }

  void check_answer(const Asked& asked) {
    const SequenceClient& client = *asked.client;
    const auto wanted = alone(asked);
    if (client.status().ok()) {
      require(client.answers == wanted, "an answer differs from the one alone");
      for (const FinishReason reason : client.finishes) {
        require(reason != FinishReason::kNone, "a sequence ended without a reason");
      }
      return;
    }
    const Code code = client.status().code();
    require(
        code == Code::kCancelled || code == Code::kDeadlineExceeded ||
            (fails_ && (code == Code::kInternal || code == Code::kResourceExhausted)),
        "a request failed without a reason"
    );
    for (std::size_t i = 0; i < client.answers.size(); ++i) {
      const auto& said = client.answers[i];
      require(
          i < wanted.size() && said.size() <= wanted[i].size() &&
              std::equal(said.begin(), said.end(), wanted[i].begin()),
          "the begin of an answer differs from the one alone"
      );
    }
  }

  // The queue as it was before a plan.
  struct Before {
    std::set<std::uint64_t> waiting;
    std::set<std::string> flows;  // that have places
    std::array<std::size_t, kPriorityClasses> passed_over{};
  };

  std::mt19937_64 random_;
  bool cuts_ = true;
  bool fails_ = false;
  bool repeats_ = false;
  std::size_t cells_ = 0;
  std::string end_every_;
  SequenceDriver driver_;
  std::array<std::shared_ptr<const NamedAdapter>, kAdapters> adapters_;
  std::uint64_t adapter_numbers_ = 0;
  std::array<Principal, kPrincipals> principals_;
  Before before_;
  std::uint64_t orders_checked_ = 0;
  std::vector<std::vector<Token>> stems_;
  std::vector<Asked> asked_;
  std::string_view fault_;
};

// One who always has something waiting, and what it had.
struct Asker {
  std::vector<std::shared_ptr<SequenceClient>> clients;
  std::size_t prompt = 0;
  std::size_t width = 0;
  Principal principal;
  double ended = 0;  // tokens of what ended

  // For its weight, as the queue counts: prompts once they are read.
  [[nodiscard]] double given() const {
    double sum = ended;
    for (const auto& client : clients) sum += tokens_of(*client);
    return sum / principal.weight;
  }
  [[nodiscard]] double tokens_of(const SequenceClient& client) const {
    if (client.tokens.empty()) return 0;
    return static_cast<double>(prompt + 2 * client.tokens.size());
  }
  void take_ended() {
    std::erase_if(clients, [this](const auto& client) {
      if (client->ended) ended += tokens_of(*client);
      return client->ended;
    });
  }
};

// Principals that always have something waiting get the same for their weights at every time,
// however large their requests are and however many they ask at once.
std::string_view share_fairly(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](std::size_t below) { return random() % below; };
  SequenceDriver driver(Keys{
      {"cells", std::to_string(600 + pick(3000))},
      {"step_us", std::to_string(1000 + pick(9000))},
      {"row_us", std::to_string(100 + pick(4000))},
      {"sequences_max", std::to_string(16 + pick(48))},
  });
  std::vector<Asker> askers(2 + pick(2));
  for (std::size_t i = 0; i < askers.size(); ++i) {
    askers[i].prompt = 10 + pick(150);
    askers[i].width = 20 + pick(40);
    askers[i].principal.key = "key" + std::to_string(i);
    askers[i].principal.weight = static_cast<double>(1 + pick(3));
  }
  const std::size_t answer = 20 + pick(30);
  // Each has at most its running requests more or less.
  std::size_t largest = 0;
  for (const Asker& asker : askers) largest = std::max(largest, asker.prompt + 2 * answer);
  const double bound = static_cast<double>(largest * (driver.state().running_max + 1));
  std::uint64_t number = 0;
  for (std::size_t steps = 0; steps < 1200; ++steps) {
    for (Asker& asker : askers) {
      asker.take_ended();
      while (asker.clients.size() < asker.width) {
        auto request = sequence_request(prompt_of(asker.prompt, ++number), answer);
        request->principal = asker.principal;
        asker.clients.push_back(driver.ask(request));
      }
    }
    if (!driver.step()) return "a lane with requests stands still";
    const auto [least, most] = std::ranges::minmax_element(askers, {}, &Asker::given);
    if (most->given() - least->given() > bound) return "a principal got more than its share";
  }
  for (const Asker& asker : askers) {
    for (const auto& client : asker.clients) client->stream->cancel();
  }
  return "";
}

}  // namespace
}  // namespace cortex::scheduler

int main(int argc, char** argv) {
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const std::uint64_t first = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 1;
  std::uint64_t foretold = 0;
  std::uint64_t orders = 0;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    cortex::scheduler::SequenceWorld world(seed);
    std::string_view fault = world.live();
    foretold += world.counts().draft_tokens_accepted;
    orders += world.orders_checked();
    if (fault.empty() && seed % 10 == 0) fault = cortex::scheduler::share_fairly(seed);
    if (fault.empty()) continue;
    std::printf(
        "seed %llu: %s\n", static_cast<unsigned long long>(seed), std::string(fault).c_str()
    );
    return 1;
  }
  std::printf(
      "%llu seeds held, %llu tokens were foretold, %llu times a class could have been passed\n",
      static_cast<unsigned long long>(seeds),
      static_cast<unsigned long long>(foretold),
      static_cast<unsigned long long>(orders)
  );
  return seeds < 20 || (foretold > 0 && orders > 0) ? 0 : 1;
}
