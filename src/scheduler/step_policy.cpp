// SPDX-License-Identifier: Apache-2.0
#include "scheduler/step_policy.h"

#include <algorithm>
#include <map>
#include <utility>

namespace cortex::scheduler {
namespace {

constexpr double kShareWanted = 2.2;    // of a step without prompts
constexpr double kShareMin = 1.67;      // below it prompts get less than 40 % of the time
constexpr double kShareMax = 2.5;       // above it streams get less than 40 %
constexpr std::size_t kSoonRead = 256;  // tokens that are left of a prompt
// Of its share of a step, what a flow leaves to its own prompts while others decode beside it.
constexpr double kOwnPrompts = 0.4;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void add_decoder(const StepDecoder& decoder, StepShape& shape) {
  ++shape.decode_rows;
  shape.attended += attended_by(decoder.position, 1);
}

StepShape with_chunk(StepShape shape, std::size_t position, std::size_t tokens) {
  shape.prompt_rows += tokens;
  shape.attended += attended_by(position, tokens);
  return shape;
}

// Rows of each flow, in the order of the view.
std::map<std::size_t, std::vector<std::size_t>> rows_by_flow(const StepView& view) {
  std::map<std::size_t, std::vector<std::size_t>> rows;
  for (std::size_t i = 0; i < view.decoders.size(); ++i) {
    rows[view.decoders[i].flow].push_back(i);
  }
  return rows;
}

// The cheapest flow's time, were it alone.
double least_alone(const StepView& view, const StepCost& cost) {
  double least = 0;
  for (const auto& [flow, rows] : rows_by_flow(view)) {
    StepShape alone;
    for (const std::size_t row : rows) add_decoder(view.decoders[row], alone);
    const double time = seconds(cost.estimate(alone));
    least = least == 0 ? time : std::min(least, time);
  }
  return least;
}

// True where a flow that decodes here has a prompt to read, too.
bool reads_beside(
    const StepView& view, const std::map<std::size_t, std::vector<std::size_t>>& flows
) {
  return std::any_of(view.readers.begin(), view.readers.end(), [&](const StepReader& reader) {
    return flows.contains(reader.flow);
  });
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
    const double least = least_alone(view, cost);
    time_max = static_cast<double>(flows.size()) * least;
    if (reads_beside(view, flows)) time_max -= kOwnPrompts * least;
  }
  StepShape base;
  for (std::size_t turn = 0;; ++turn) {
    bool any = false;
    for (const auto& [flow, rows] : flows) {
      if (turn >= rows.size()) continue;
      if (plan.decoders.size() >= rows_max) return;
      StepShape with = base;
      add_decoder(view.decoders[rows[turn]], with);
      if (turn > 0 && seconds(cost.estimate(with)) > time_max) continue;
      base = with;
      plan.decoders.push_back(rows[turn]);
      add_decoder(view.decoders[rows[turn]], plan.shape);
      any = true;
    }
    if (!any) return;
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
  // A flow that decodes beside others takes its prompts' time from its own share.
  const double flow_time_max =
      flows.size() > 1 ? static_cast<double>(flows.size()) * least_alone(view, cost) : 0;
  std::size_t room = view.rows_max - std::min(view.rows_max, plan.shape.decode_rows);
  for (std::size_t i = 0; i < view.readers.size() && room > 0; ++i) {
    const StepReader& reader = view.readers[i];
    std::size_t tokens = std::min(room, reader.remaining);
    if (reader.chunk_max > 0) tokens = std::min(tokens, reader.chunk_max);
    if (!plan.decoders.empty()) {
      const bool from_own = flow_time_max > 0 && flows.contains(reader.flow);
      const double time_max = from_own ? flow_time_max : seconds(quiet) * share(quiet);
      const bool soon = reader.remaining <= kSoonRead;
      const double stretched = from_own || !soon ? time_max : seconds(quiet) * kShareMax;
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
