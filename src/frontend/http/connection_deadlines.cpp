// SPDX-License-Identifier: Apache-2.0
// The phases of a connection and their deadlines.
#include "frontend/http/connection.h"

namespace cortex::frontend {
namespace {

// A buffered body must bring this much within each body_timeout.
constexpr std::uint64_t kBodyStepBytes = 16 * 1024;
constexpr std::chrono::milliseconds kLingerTime{2000};

}  // namespace

Connection::Phase Connection::current_phase() const {
  if (lingering_) return Phase::kLingering;
  if (exchange_ && !out_.empty()) return Phase::kWriting;
  if (exchange_) return awaits_part() ? Phase::kBody : Phase::kRunning;
  switch (reader_.phase()) {
    case RequestReader::Phase::kHeader:
      return Phase::kHeader;
    case RequestReader::Phase::kBody:
      return Phase::kBody;
    case RequestReader::Phase::kIdle:
    case RequestReader::Phase::kWhole:
      break;
  }
  return served_one_ ? Phase::kIdle : Phase::kFresh;
}

void Connection::update_phase() {
  const Phase now = current_phase();
  const std::uint64_t step = exchange_ ? 1 : kBodyStepBytes;
  const bool progress = now == Phase::kBody && reader_.wire_bytes() - body_mark_ >= step;
  if (now != phase_ || progress) enter(now);
}

void Connection::enter(Phase phase) {
  const ServerContext& server = loop_->server();
  const HttpServerOptions& options = server.options;
  phase_ = phase;
  body_mark_ = reader_.wire_bytes();
  if (phase == Phase::kRunning) {
    deadline_ = kNoDeadline;  // how long a request may run is its model's business
    return;
  }
  std::chrono::milliseconds wait = options.header_timeout;
  if (phase == Phase::kBody) wait = options.body_timeout;
  if (phase == Phase::kWriting) wait = options.write_timeout;
  if (phase == Phase::kIdle) wait = options.keep_alive_timeout;
  if (phase == Phase::kLingering) wait = kLingerTime;
  deadline_ = server.clock->now() + wait;
}

void Connection::on_sweep(TimePoint now) {
  if (!closed_ && now >= deadline_) on_timeout();
  if (!closed_ && exchange_ && exchange_->beat) beat_if_quiet(now);
}

void Connection::beat_if_quiet(TimePoint now) {
  const std::shared_ptr<ExchangeState> state = exchange_;
  if (state->complete || !out_.empty()) return;
  if (now - state->last_write < state->beat_interval) return;
  state->last_write = now;
  run(std::function<void()>(state->beat));
}

void Connection::on_timeout() {
  LoopCounts& counts = loop_->counts();
  switch (phase_) {
    case Phase::kHeader:
      LoopCounts::add(counts.header_timeouts);
      return refuse({408, deadline_exceeded("the header did not arrive in time")});
    case Phase::kBody:
      LoopCounts::add(counts.body_timeouts);
      if (exchange_) return fail_body({408, deadline_exceeded("the body did not arrive in time")});
      return refuse({408, deadline_exceeded("the body did not arrive in time")});
    case Phase::kWriting:
      LoopCounts::add(counts.write_timeouts);
      return on_stalled();
    case Phase::kFresh:
      LoopCounts::add(counts.header_timeouts);
      return close();
    case Phase::kIdle:
      LoopCounts::add(counts.idle_timeouts);
      return close();
    case Phase::kLingering:
      return close();
    case Phase::kRunning:
      return;
  }
}

}  // namespace cortex::frontend
