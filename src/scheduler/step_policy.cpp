// SPDX-License-Identifier: Apache-2.0
#include "scheduler/step_policy.h"

#include <algorithm>
#include <map>
#include <utility>

namespace cortex::scheduler {
namespace {

constexpr double kShareWanted = 2.1;  // of a step without prompts
constexpr double kShareMin = 1.67;    // below it prompts get less than 40 % of the time
constexpr double kShareMax = 2.5;     // above it streams get less than 40 %
constexpr std::size_t kShortPrompt = 256;
// Of its share of a step, what a flow leaves to its own prompts while others decode beside it.
constexpr double kOwnPrompts = 0.4;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// What is left of `share` while steps take longer than estimated: prompts wait then, not streams.
double share_now(double share, const StepCost& cost) {
  return std::max(share / cost.slowness(), kShareMin);
}

void add_decoder(const StepDecoder& decoder, StepShape& shape) {
  ++shape.decode_rows;
  shape.attended += attended_by(decoder.position, 1);
}

StepShape with_chunk(StepShape shape, std::size_t position, std::size_t tokens) {
  shape.prompt_rows += tokens;
  shape.attended += attended_by(position, tokens);
  return shape;
}

using RowsByFlow = std::map<std::size_t, std::vector<std::size_t>>;

// In the order of the view.
RowsByFlow rows_by_flow(const StepView& view) {
  RowsByFlow rows;
  for (std::size_t i = 0; i < view.decoders.size(); ++i) {
    rows[view.decoders[i].flow].push_back(i);
  }
  return rows;
}

double weight_of(const StepView& view, std::size_t flow) {
  return flow < view.weights.size() ? view.weights[flow] : 1;
}

double weight_of_all(const StepView& view, const RowsByFlow& flows) {
  double sum = 0;
  for (const auto& [flow, rows] : flows) sum += weight_of(view, flow);
  return sum;
}

// Those that have nothing more to do than their rows.
RowsByFlow without_prompts(const StepView& view, RowsByFlow flows) {
  for (const StepReader& reader : view.readers) flows.erase(reader.flow);
  return flows;
}

// What the flow with the least to do, for its weight, would take alone; for a weight of 1.
double least_alone(const StepView& view, const RowsByFlow& flows, const StepCost& cost) {
  double least = 0;
  for (const auto& [flow, rows] : flows) {
    StepShape alone;
    for (const std::size_t row : rows) add_decoder(view.decoders[row], alone);
    const double time = seconds(cost.estimate(alone)) / weight_of(view, flow);
    least = least == 0 ? time : std::min(least, time);
  }
  return least;
}

// The largest weight of those flows that decode here and have a prompt to read, too; 0: none has.
double weight_of_readers(const StepView& view, const RowsByFlow& flows) {
  double most = 0;
  for (const StepReader& reader : view.readers) {
    if (flows.contains(reader.flow)) most = std::max(most, weight_of(view, reader.flow));
  }
  return most;
}

struct Turn {
  double when = 0;
  std::size_t row = 0;
};

// The first row of every flow, then the others as the weights have it.
std::vector<Turn> turns_of(const StepView& view, const RowsByFlow& flows) {
  std::vector<Turn> turns;
  for (const auto& [flow, rows] : flows) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      turns.push_back({static_cast<double>(i) / weight_of(view, flow), rows[i]});
    }
  }
  std::ranges::stable_sort(turns, {}, &Turn::when);
  return turns;
}

// The most tokens that the step may carry on from `base` and stay within the time.
std::size_t largest_chunk(
    const StepCost& cost,
    const StepShape& base,
    const StepReader& reader,
    std::size_t most,
    double time_max
) {
  std::size_t low = 0;
  std::size_t high = most + 1;
  while (high - low > 1) {
    const std::size_t middle = low + (high - low) / 2;
    const StepShape with = with_chunk(base, reader.position, middle);
    (seconds(cost.estimate(with)) <= time_max ? low : high) = middle;
  }
  return low;
}

}  // namespace

StepPlan StepPolicy::next(const StepView& view, const StepCost& cost) const {
  StepPlan plan;
  plan.shape.switched = view.switched;
  add_decoders(view, cost, plan);
  add_drafts(view, cost, plan);
  add_chunks(view, cost, plan);
  return plan;
}

void StepPolicy::add_decoders(const StepView& view, const StepCost& cost, StepPlan& plan) const {
  const auto flows = rows_by_flow(view);
  // A prompt must not be kept out by streams alone.
  const std::size_t rows_max =
      view.readers.empty() ? view.rows_max : std::max<std::size_t>(view.rows_max - 1, 1);
  double time_max = seconds(Duration::max());
  if (flows.size() > 1) {
    const auto content = without_prompts(view, flows);
    const double least = least_alone(view, content.empty() ? flows : content, cost);
    time_max = (weight_of_all(view, flows) - kOwnPrompts * weight_of_readers(view, flows)) * least;
  }
  StepShape base;
  for (const Turn& turn : turns_of(view, flows)) {
    if (plan.decoders.size() >= rows_max) return;
    StepShape with = base;
    add_decoder(view.decoders[turn.row], with);
    if (turn.when > 0 && seconds(cost.estimate(with)) > time_max) continue;
    base = with;
    plan.decoders.push_back(turn.row);
    add_decoder(view.decoders[turn.row], plan.shape);
  }
}

void StepPolicy::add_drafts(const StepView& view, const StepCost& cost, StepPlan& plan) const {
  plan.drafts.assign(plan.decoders.size(), 0);
  const std::size_t taken = plan.decoders.size() + (view.readers.empty() ? 0 : 1);
  DraftView drafts;
  drafts.rows_max = std::min(view.draft_rows_max, view.rows_max - std::min(view.rows_max, taken));
  if (drafts.rows_max == 0) return;
  std::vector<DraftCandidate> candidates;
  for (const std::size_t decoder : plan.decoders) {
    candidates.push_back({view.decoders[decoder].position, view.decoders[decoder].chances});
  }
  drafts.candidates = candidates;
  drafts.shape = plan.shape;
  drafts.shape.switched = false;
  drafts.probe = view.probe_drafts;
  drafts.gain_min = view.draft_gain_min;
  DraftPlan carried = DraftPolicy().next(drafts, cost);
  plan.drafts = std::move(carried.tokens);
  plan.probe = carried.probe;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    plan.shape.decode_rows += plan.drafts[i];
    plan.shape.attended += attended_by(candidates[i].position + 1, plan.drafts[i]);
  }
}

double StepPolicy::share(Duration quiet) const {
  if (interval_.count() == 0) return kShareWanted;
  return std::clamp(seconds(interval_) / seconds(quiet), kShareMin, kShareMax);
}

void StepPolicy::add_chunks(const StepView& view, const StepCost& cost, StepPlan& plan) const {
  StepShape base = plan.shape;
  base.switched = false;
  const Duration quiet = cost.estimate(base);
  const auto flows = rows_by_flow(view);
  const double time_wanted = seconds(quiet) * share_now(share(quiet), cost);
  // A flow that decodes beside others that only decode takes its prompts' time from its own share.
  const auto content = without_prompts(view, flows);
  const bool shares = flows.size() > 1 && !content.empty();
  const double own_time = weight_of_all(view, flows) * least_alone(view, content, cost);
  std::size_t room = view.rows_max - std::min(view.rows_max, plan.shape.decode_rows);
  for (std::size_t i = 0; i < view.readers.size() && room > 0; ++i) {
    const StepReader& reader = view.readers[i];
    std::size_t tokens = std::min(room, reader.remaining);
    if (reader.chunk_max > 0) tokens = std::min(tokens, reader.chunk_max);
    if (!plan.decoders.empty()) {
      const bool from_own = shares && flows.contains(reader.flow);
      const double time_max = from_own ? std::min(own_time, time_wanted) : time_wanted;
      const bool is_short = reader.position + reader.remaining <= kShortPrompt;
      const double stretched =
          from_own || !is_short ? time_max : seconds(quiet) * share_now(kShareMax, cost);
      const std::size_t most = tokens;
      tokens = largest_chunk(cost, base, reader, most, time_max);
      // Tiny chunks pay a step's fixed part again and again. Of a long prompt streams would feel it
      // for long.
      const std::size_t least = std::min(kChunkMin, most);
      if (tokens < least) tokens = largest_chunk(cost, base, reader, least, stretched);
      // Somebody's prompt always goes on.
      if (plan.chunks.empty()) tokens = std::max<std::size_t>(tokens, 1);
    }
    if (tokens == 0) continue;
    plan.chunks.push_back({i, tokens});
    base = with_chunk(base, reader.position, tokens);
    plan.shape = with_chunk(plan.shape, reader.position, tokens);
    room -= tokens;
  }
}

}  // namespace cortex::scheduler
