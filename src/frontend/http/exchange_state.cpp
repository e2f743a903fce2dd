// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/exchange_state.h"

#include "base/check.h"
#include "base/log.h"
#include "frontend/http/admission.h"
#include "frontend/http/connection.h"
#include "frontend/status_map.h"

namespace cortex::frontend {
namespace {

// Runs `call` on the loop of the exchange: at once where the loop waits for just this, else by its
// queue.
template <typename F>
void on_loop(const std::shared_ptr<ExchangeState>& state, F call) {
  if (state->loop->is_current() && state->connection->is_pumping()) return call();
  if (state->loop->server().stopped) return;
  state->loop->post(std::move(call));
}

void log_fault(const ExchangeState& state, const Status& status) {
  log::error(
      "request failed",
      {{"request_id", state.request.id},
       {"route", state.record.route},
       {"error", status.to_string()}}
  );
}

}  // namespace

HttpExchange::~HttpExchange() {
  if (stream_ == Stream::kOpen) {
    on_loop(state_, [state = state_] { state->connection->abandon_stream(state); });
  }
  if (state_->answered || state_->loop->server().stopped) return;
  fail(internal("the handler let go of the exchange without an answer"));
}

void HttpExchange::claim_answer() {
  CHECK(!state_->answered.exchange(true), "an exchange is answered once");
}

void HttpExchange::post(std::function<void()> work) {
  if (state_->loop->server().stopped) return;
  state_->loop->post([state = state_, work = std::move(work)] { state->connection->run(work); });
}

void HttpExchange::reply(HttpReply reply) {
  claim_answer();
  on_loop(state_, [state = state_, reply = std::move(reply)]() mutable {
    state->connection->send(state, std::move(reply));
  });
}

void HttpExchange::fail(const Status& status) {
  CHECK(!status.ok(), "fail() needs an error");
  if (is_server_fault(status.code())) log_fault(*state_, status);
  state_->record.status = status;
  reply(error_reply(state_->api, state_->request.id, status));
}

void HttpExchange::begin_stream(HttpReply head) {
  claim_answer();
  stream_ = Stream::kOpen;
  on_loop(state_, [state = state_, head = std::move(head)]() mutable {
    state->connection->begin_stream(state, std::move(head));
  });
}

bool HttpExchange::write(std::string chunk) {
  CHECK(stream_ == Stream::kOpen, "write() belongs between begin_stream() and end_stream()");
  if (state_->client_left || state_->queued_bytes >= state_->stream_queue_limit) return false;
  if (chunk.empty()) return true;
  state_->queued_bytes += chunk.size();
  on_loop(state_, [state = state_, chunk = std::move(chunk)]() mutable {
    state->connection->push_chunk(state, std::move(chunk));
  });
  return true;
}

void HttpExchange::on_writable(std::function<void()> wake) {
  on_loop(state_, [state = state_, wake = std::move(wake)]() mutable {
    state->connection->set_writable(state, std::move(wake));
  });
}

void HttpExchange::end_stream() {
  CHECK(stream_ == Stream::kOpen, "end_stream() comes once, after begin_stream()");
  stream_ = Stream::kEnded;
  on_loop(state_, [state = state_] { state->connection->end_stream(state); });
}

void HttpExchange::end_with(std::string last) {
  CHECK(stream_ == Stream::kOpen, "end_with() comes once, after begin_stream()");
  stream_ = Stream::kEnded;
  if (!state_->client_left) state_->queued_bytes += last.size();
  on_loop(state_, [state = state_, last = std::move(last)]() mutable {
    if (!last.empty()) state->connection->push_chunk(state, std::move(last));
    state->connection->end_stream(state);
  });
}

void HttpExchange::on_notice(std::function<void(Notice)> tell) {
  on_loop(state_, [state = state_, tell = std::move(tell)]() mutable {
    state->connection->set_notice(state, std::move(tell));
  });
}

void HttpExchange::on_quiet(std::chrono::milliseconds interval, std::function<void()> beat) {
  on_loop(state_, [state = state_, interval, beat = std::move(beat)]() mutable {
    state->connection->set_beat(state, interval, std::move(beat));
  });
}

void HttpExchange::read_body(std::function<void(Result<BodyPart>)> take) {
  CHECK(state_->streams_body, "only the body of a streamed route is read in parts");
  on_loop(state_, [state = state_, take = std::move(take)]() mutable {
    state->connection->read_body(state, std::move(take));
  });
}

void HttpExchange::on_disconnect(std::function<void()> callback) {
  on_loop(state_, [state = state_, callback = std::move(callback)]() mutable {
    if (state->client_left) return callback();
    state->disconnected = std::move(callback);
  });
}

}  // namespace cortex::frontend
