// SPDX-License-Identifier: Apache-2.0
// The way of a streamed body into its handler.
#include <span>
#include <utility>

#include "base/check.h"
#include "frontend/http/connection.h"

namespace cortex::frontend {

void Connection::read_body(
    const std::shared_ptr<ExchangeState>& state,
    std::function<void(Result<Exchange::BodyPart>)> take
) {
  if (state->client_left) return take(cancelled("the client left"));
  if (state->body_fault) return take(state->body_fault->status);
  if (state->complete) return;
  CHECK(!state->take_part, "one part of a body is read at a time");
  state->take_part = std::move(take);
  invite_body();
  pump();
}

bool Connection::awaits_part() const {
  // Of a pipe nothing is owed.
  return exchange_->take_part && !exchange_->upgraded &&
         reader_.phase() == RequestReader::Phase::kBody;
}

// A client that waits to be asked for its body is asked when somebody wants it.
void Connection::invite_body() {
  if (!std::exchange(continue_owed_, false) || reader_.body_arrived()) return;
  if (reader_.phase() != RequestReader::Phase::kBody) return;
  out_.push(std::string("HTTP/1.1 100 Continue\r\n\r\n"));
  flush();
}

void Connection::on_part(RequestReader::Event event) {
  if (event == RequestReader::Event::kRefused) return fail_body(reader_.fault());
  const auto take = std::exchange(exchange_->take_part, nullptr);
  const bool end = event == RequestReader::Event::kRequest;
  take(std::as_bytes(std::span(end ? std::string_view() : reader_.part())));
}

// The handler hears of it and answers; nothing after it can be trusted.
void Connection::fail_body(HttpFault fault) {
  const auto state = exchange_;
  close_after_ = true;
  LoopCounts::add(loop_->counts().bad_requests);
  state->body_fault = std::move(fault);
  const auto take = std::exchange(state->take_part, nullptr);
  run([&] { take(state->body_fault->status); });
}

}  // namespace cortex::frontend
