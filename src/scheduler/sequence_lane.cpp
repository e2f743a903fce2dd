// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_lane.h"

#include <algorithm>
#include <random>
#include <utility>

#include "base/thread.h"
#include "scheduler/lane_inbox.h"
#include "scheduler/sequence_core.h"

namespace cortex::scheduler {
namespace {

constexpr TimePoint kNoWait{};

SequenceCoreOptions sequence_core_options(
    const SequenceLaneOptions& options, const std::shared_ptr<LaneInbox>& inbox, const Clock& clock
) {
  SequenceCoreOptions core;
  core.identity = options.identity;
  core.running_max = options.running_max;
  core.queue_requests_max = options.queue_requests_max;
  core.queue_tokens_max = options.queue_tokens_max;
  core.first_token_max = options.first_token_max;
  core.stretch_max = options.stretch_max;
  core.token_interval = options.token_interval;
  core.prefix_cache = options.prefix_cache;
  core.draft_tokens_max = options.draft_tokens_max;
  core.draft_backend = options.draft_backend;
  core.clock = &clock;
  core.saved_bytes_max = options.saved_bytes_max;
  core.seed = std::random_device{}();
  core.store = options.prefix_store;
  core.store_outlives = options.prefix_store_outlives;
  core.wake = [weak = std::weak_ptr<LaneInbox>(inbox)] {
    if (const auto alive = weak.lock()) alive->wake();
  };
  core.on_prefix_held = [weak = std::weak_ptr<LaneInbox>(inbox)](auto& name, std::size_t tokens) {
    if (const auto alive = weak.lock()) alive->show_held(name, tokens);
  };
  return core;
}

}  // namespace

struct SequenceLane::Inner {
  Inner(
      SequenceLaneOptions lane_options,
      std::shared_ptr<backend::SequenceBackend> engine,
      const Clock& lane_clock
  )
      : options(std::move(lane_options)),
        backend(std::move(engine)),
        clock(lane_clock),
        probe(options.probe ? options.probe : std::make_shared<SequenceProbe>()),
        inbox(
            std::make_shared<LaneInbox>(named_prefix_limits(backend->model()), options.prefix_store)
        ),
        core(sequence_core_options(options, inbox, clock), *backend, *probe),
        thread("lane-" + options.identity.name, [this] { serve(); }) {}

  void serve();
  void take_in(LaneNews& news);
  [[nodiscard]] Status ending() const {
    return {Code::kUnavailable, "model '" + options.identity.name + "' is being unloaded"};
  }

  const SequenceLaneOptions options;
  const std::shared_ptr<backend::SequenceBackend> backend;
  const Clock& clock;
  const std::shared_ptr<SequenceProbe> probe;
  const std::shared_ptr<LaneInbox> inbox;
  SequenceCore core;  // the thread's, but for door() and abort()
  Thread thread;
};

void SequenceLane::Inner::take_in(LaneNews& news) {
  for (SequenceArrival& arrival : news.arrivals) core.add(std::move(arrival));
  for (auto& [name, prefix] : news.prefixes) {
    if (prefix) {
      core.add_prefix(std::move(*prefix));
    } else {
      core.remove_prefix(name);
    }
  }
  for (const auto& adapter : news.removed) core.forget_adapter(*adapter);
  news = {};
}

void SequenceLane::Inner::serve() {
  LaneNews news;
  TimePoint wait_until = kNoDeadline;
  while (inbox->take(wait_until, news)) {
    take_in(news);
    const SequenceCore::Turn turn = core.plan(clock.now());
    wait_until = turn.wait_until;
    if (turn.step == nullptr) continue;
    const TimePoint began = clock.now();
    const Status status = backend->decode(*turn.step);
    core.commit(status, began, clock.now());
    wait_until = kNoWait;
  }
  take_in(news);
  core.close(ending(), clock.now());
  const auto adapters = inbox->take_adapters();
}

SequenceLane::SequenceLane(
    SequenceLaneOptions options,
    std::shared_ptr<backend::SequenceBackend> backend,
    const Clock& clock
)
    : inner_(std::make_unique<Inner>(std::move(options), std::move(backend), clock)) {}

SequenceLane::~SequenceLane() {
  inner_->core.abort();
  inner_->inbox->close();
  inner_->thread.join();
}

void SequenceLane::submit(
    std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream
) {
  Status status = inner_->core.door().enter(*request);
  if (!status.ok()) return stream->finish(std::move(status));
  const auto& input = std::get<SequenceInput>(request->input);
  SequenceArrival arrival{request, stream, nullptr, inner_->clock.now()};
  const Code code = inner_->inbox->leave(arrival, input.adapter);
  if (code == Code::kOk) return;
  inner_->core.door().leave(*request);
  if (code != Code::kNotFound) {
    SequenceProbe::add(inner_->probe->rejected_closed);
    return stream->finish(inner_->ending());
  }
  SequenceProbe::add(inner_->probe->rejected_adapter);
  stream->finish(Status(
      Code::kNotFound,
      "model '" + inner_->options.identity.name + "' has no adapter '" + input.adapter + "'"
  ));
}

void SequenceLane::drain() { inner_->core.door().drain(); }

void SequenceLane::add_adapter(
    std::string name, std::shared_ptr<const backend::SequenceAdapter> adapter
) {
  inner_->inbox->add_adapter(std::move(name), std::move(adapter));
}

bool SequenceLane::remove_adapter(const std::string& name) {
  return inner_->inbox->remove_adapter(name);
}

Status SequenceLane::create_prefix(backend::SequencePrefix prefix) {
  const SequenceState& state = inner_->core.state();
  if (!state.shares_prefixes) {
    return unimplemented(
        "prompts of model '" + inner_->options.identity.name + "' share nothing of its memory"
    );
  }
  if (prefix.tokens.size() >= state.length_max) {
    return invalid_argument(
        "a prefix of " + std::to_string(prefix.tokens.size()) + " tokens leaves no room in " +
        std::to_string(state.length_max)
    );
  }
  const auto size = static_cast<Token>(inner_->backend->model().vocabulary_size);
  const bool known = std::all_of(prefix.tokens.begin(), prefix.tokens.end(), [&](Token token) {
    return token >= 0 && token < size;
  });
  if (!known) return invalid_argument("a prefix has a token that is outside the vocabulary");
  return inner_->inbox->add_prefix(std::move(prefix));
}

bool SequenceLane::remove_prefix(const std::string& name) {
  return inner_->inbox->remove_prefix(name);
}

std::vector<PrefixState> SequenceLane::prefixes() const { return inner_->inbox->prefixes(); }

const SequenceProbe& SequenceLane::probe() const { return *inner_->probe; }

}  // namespace cortex::scheduler
