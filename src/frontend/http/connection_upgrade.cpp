// SPDX-License-Identifier: Apache-2.0
// Connections that become pipes, and what long streams are told.
#include <utility>

#include "frontend/http/connection.h"

namespace cortex::frontend {

// From here on the reader hands out what comes as it comes.
void Connection::on_upgrade() {
  const RequestHead& head = reader_.head();
  if (head.has_body() || head.http10) {
    admission_.fault = bad_request("an upgrade is asked for by HTTP/1.1, without a body");
    admission_.route = nullptr;
    close_after_ = true;
    return answer_unserved();
  }
  reader_.open_pipe();
  on_request();
}

void Connection::begin_pipe(ExchangeState& state, const HttpReply& head) {
  state.upgraded = true;
  state.streaming = true;
  state.record.http_status = head.status;
  // The head says "Connection: Upgrade"; whatever ends the pipe ends the connection.
  close_after_ = false;
  out_.push(make_head(state, head, 0, false));
  close_after_ = true;
  flush();
}

void Connection::set_notice(
    const std::shared_ptr<ExchangeState>& state, std::function<void(Exchange::Notice)> tell
) {
  if (state->client_left || state->settled) return;
  state->notice = std::move(tell);
  if (loop_->server().draining) notify(Exchange::Notice::kDraining);
}

void Connection::notify(Exchange::Notice notice) {
  if (!exchange_ || !exchange_->notice || exchange_->complete) return;
  const auto tell = exchange_->notice;
  run([&tell, notice] { tell(notice); });
}

// Who can say something to a client that does not read gets as much time again for that.
void Connection::on_stalled() {
  if (!exchange_ || !exchange_->notice || std::exchange(exchange_->told_stalled, true)) {
    return lose_client();
  }
  enter(Phase::kWriting);
  notify(Exchange::Notice::kStalled);
}

}  // namespace cortex::frontend
