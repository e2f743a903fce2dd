// SPDX-License-Identifier: Apache-2.0
#include "scheduler/draft_model.h"

#include <algorithm>
#include <string>
#include <utility>

#include "request/model_config.h"

namespace cortex::scheduler {
namespace {

constexpr double kReadShare = 0.25;       // of the large model's step, for text that is new
constexpr std::size_t kReadRowsMin = 32;  // else a long text would never be read
// A probe that has taken so many steps of the large model, and still reads, goes on another time.
constexpr double kProbeTimeMax = 2;
constexpr double kModelMemory = 0.99;
constexpr double kModelChance = 0.7;  // before anything was seen, counted as so many tokens:
constexpr double kModelWeight = 8;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// How far the first choice leads the second, in the classes of DraftRecord.
std::size_t alike_of(float lead) {
  if (lead < 1) return 2;
  if (lead < 2) return 4;
  return lead < 4 ? 8 : 16;
}

struct Choice {
  Token token = 0;
  float lead = 0;
};

Choice choose(std::span<const float> logits) {
  std::size_t best = 0;
  for (std::size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  float second = -1e30F;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    if (i != best) second = std::max(second, logits[i]);
  }
  return {static_cast<Token>(best), logits[best] - second};
}

}  // namespace

DraftModel::DraftModel(std::shared_ptr<backend::SequenceBackend> backend, const Clock& clock)
    : backend_(std::move(backend)), clock_(clock), held_(backend_->model().sequences_max) {}

Status DraftModel::fits(
    const backend::SequenceBackend& small, const backend::SequenceBackend& large
) {
  const backend::SequenceModel& model = small.model();
  if (!large.model().can_cut) return failed_precondition("the model's own memory cannot be cut");
  if (!model.can_cut) return failed_precondition("its memory cannot be cut");
  if (model.sequences_max < large.model().sequences_max) {
    return failed_precondition(
        "it has ids for " + std::to_string(model.sequences_max) + " sequences, the model for " +
        std::to_string(large.model().sequences_max)
    );
  }
  if (model.vocabulary_size != large.model().vocabulary_size) {
    return failed_precondition(
        "it has " + std::to_string(model.vocabulary_size) + " tokens, the model " +
        std::to_string(large.model().vocabulary_size)
    );
  }
  for (std::size_t i = 0; i < model.vocabulary_size; ++i) {
    const auto token = static_cast<Token>(i);
    if (small.vocabulary().piece(token, true) == large.vocabulary().piece(token, true)) continue;
    return failed_precondition("its token " + std::to_string(i) + " is another than the model's");
  }
  return {};
}

std::size_t DraftModel::worth(
    const StepShape& shape, const StepCost& cost, std::size_t sequences, double gain_min
) {
  ++steps_;
  probing_ = false;
  if (sequences == 0) return 0;
  if (gain_min == 0) return kSpeculationTokensMax;
  if (!cost.known()) return 0;
  probing_ = !cost_.known() || probes_.due(steps_);
  if (probing_) return 1;
  const double chance = (came_ + kModelWeight * kModelChance) / (foretold_ + kModelWeight);
  const auto each = static_cast<double>(sequences);
  const double position =
      shape.attended / static_cast<double>(std::max<std::size_t>(shape.decode_rows, 1));
  const StepShape small{.decode_rows = sequences, .attended = shape.attended};
  const double small_step = seconds(cost_.estimate(small));
  const double without = seconds(cost.estimate(shape));
  StepShape with = shape;
  double tokens = 1;
  double next = 1;
  double best_gain = gain_min;
  std::size_t best = 0;
  for (std::size_t count = 1; count <= kSpeculationTokensMax; ++count) {
    next *= chance;
    tokens += next;
    with.decode_rows += sequences;
    with.attended += each * position;
    const double time = seconds(cost.estimate(with)) + static_cast<double>(count) * small_step;
    const double gain = tokens * without / time;
    if (gain <= best_gain) continue;
    best_gain = gain;
    best = count;
  }
  if (best > 0) {
    probes_.ran(steps_, false);
    probe_time_ = {};
  }
  return best;
}

std::size_t DraftModel::rows_for(Duration time) const {
  const StepShape one{.prompt_rows = 1};
  const StepShape two{.prompt_rows = 2};
  const double row = std::max(seconds(cost_.estimate(two)) - seconds(cost_.estimate(one)), 1e-9);
  const double rows = seconds(time) * kReadShare / row;
  const auto most = static_cast<double>(backend_->model().step_rows_max);
  const double least = std::min(static_cast<double>(kReadRowsMin), most);
  return static_cast<std::size_t>(std::clamp(rows, least, most));
}

// Pieces of a long text that are all alike say nothing of what a step of one token takes, and on
// that hangs whether the model is of use: while its steps are learnt, every other piece is one row.
bool DraftModel::tries_one_row() const {
  return !cost_.known() && cost_.learnt() % 2 == 1 && rows_.empty();
}

// What the small memory holds of a sequence becomes a beginning of it, without its last token.
// False where the small model, of whose cells so many are used, cannot go on as long.
bool DraftModel::agree(const Wish& wish, std::size_t& used) {
  const backend::SequenceModel& model = backend_->model();
  const std::size_t wanted = wish.tokens.size() + kSpeculationTokensMax;
  const std::size_t others = used - held_[static_cast<std::size_t>(wish.id)].size();
  if (wanted > model.context_length || others + wanted > model.cells) {
    forget(wish.id);
    used = others;
    return false;
  }
  used = others + wanted;
  std::vector<Token>& held = held_[static_cast<std::size_t>(wish.id)];
  const auto parted =
      std::mismatch(held.begin(), held.end(), wish.tokens.begin(), wish.tokens.end());
  const auto same =
      std::min(static_cast<std::size_t>(parted.first - held.begin()), wish.tokens.size() - 1);
  if (same == held.size()) return true;
  backend_->remove(wish.id, static_cast<std::int32_t>(same), -1);
  held.resize(same);
  return true;
}

void DraftModel::add_row(backend::SequenceId id, Token token, bool output) {
  std::vector<Token>& held = held_[static_cast<std::size_t>(id)];
  rows_.push_back({token, static_cast<std::int32_t>(held.size()), id, output});
  held.push_back(token);
  shape_.attended += attended_by(held.size() - 1, 1);
}

// What the step was to add to the small memory.
void DraftModel::undo() {
  for (auto row = rows_.rbegin(); row != rows_.rend(); ++row) {
    held_[static_cast<std::size_t>(row->sequence)].pop_back();
    backend_->remove(row->sequence, row->position, -1);
  }
}

// False: there are no logits. Of a step that failed nothing is held any more, of one that was given
// up what was held before.
bool DraftModel::run(const std::function<bool()>& abort) {
  backend::SequenceStep step;
  step.rows = rows_;
  step.abort = abort;
  const TimePoint began = clock_.now();
  const Status status = backend_->decode(step);
  ++steps_run_;
  probe_time_ += clock_.now() - began;
  if (status.ok()) {
    cost_.learn(shape_, clock_.now() - began);
  } else if (status.code() == Code::kCancelled) {
    undo();
  } else {
    forget_all();
  }
  rows_.clear();
  shape_ = {};
  return status.ok();
}

std::vector<DraftModel::Draft> DraftModel::foretell(
    std::span<const Wish> wishes,
    std::size_t count,
    Duration step,
    const std::function<bool()>& abort
) {
  std::vector<Draft> out(wishes.size());
  std::vector<Turn> turns;
  std::size_t room = std::max(rows_for(step), wishes.size());
  std::size_t used = 0;
  for (const std::vector<Token>& held : held_) used += held.size();
  for (std::size_t i = 0; i < wishes.size() && room > 0; ++i) {
    const Wish& wish = wishes[i];
    if (wish.most == 0 || !agree(wish, used)) continue;
    const std::size_t from = held_[static_cast<std::size_t>(wish.id)].size();
    const std::size_t left = wish.tokens.size() - from;
    const bool all = left <= room;
    if (!all && tries_one_row()) room = 1;
    const std::size_t rows = std::min(room, left);
    for (std::size_t row = 0; row < rows; ++row) {
      add_row(wish.id, wish.tokens[from + row], all && row + 1 == rows);
    }
    (rows == 1 ? shape_.decode_rows : shape_.prompt_rows) += rows;
    room -= rows;
    if (all) turns.push_back({&wish, &out[i], rows_.size() - 1});
  }
  if (!rows_.empty() && run(abort)) go_on(turns, count, abort);
  const bool over = seconds(probe_time_) > kProbeTimeMax * seconds(step);
  if (probing_ && cost_.known() && (over || !turns.empty())) end_probe();
  return out;
}

void DraftModel::end_probe() {
  probes_.ran(steps_, true);
  probe_time_ = {};
}

// Token after token; who has enough of them drops out.
void DraftModel::go_on(
    std::vector<Turn>& turns, std::size_t count, const std::function<bool()>& abort
) {
  std::vector<Turn> left = turns;
  for (std::size_t number = 1; !left.empty(); ++number) {
    for (Turn& turn : left) {
      const Choice choice = choose(backend_->logits(turn.row));
      turn.draft->tokens.push_back(choice.token);
      turn.draft->alike.push_back(alike_of(choice.lead));
    }
    if (number == count) return;
    std::erase_if(left, [&](const Turn& turn) { return number >= turn.wish->most; });
    for (Turn& turn : left) {
      turn.row = rows_.size();
      add_row(turn.wish->id, turn.draft->tokens.back(), true);
    }
    shape_.decode_rows = left.size();
    if (!left.empty() && !run(abort)) return;
  }
}

void DraftModel::fork(backend::SequenceId from, backend::SequenceId to, std::size_t tokens) {
  const std::vector<Token>& held = held_[static_cast<std::size_t>(from)];
  const std::size_t count = std::min(tokens, held.size());
  if (count == 0) return;
  backend_->share(from, to, 0, static_cast<std::int32_t>(count));
  held_[static_cast<std::size_t>(to)].assign(
      held.begin(), held.begin() + static_cast<std::ptrdiff_t>(count)
  );
}

void DraftModel::forget(backend::SequenceId id) {
  std::vector<Token>& held = held_[static_cast<std::size_t>(id)];
  if (held.empty()) return;
  backend_->remove(id, 0, -1);
  held.clear();
}

void DraftModel::forget_all() {
  for (std::size_t id = 0; id < held_.size(); ++id) {
    backend_->remove(static_cast<backend::SequenceId>(id), 0, -1);
    held_[id].clear();
  }
}

void DraftModel::learn(std::size_t alike, bool came) {
  record_.learn(alike, came);
  foretold_ = foretold_ * kModelMemory + 1;
  came_ = came_ * kModelMemory + (came ? 1 : 0);
}

}  // namespace cortex::scheduler
