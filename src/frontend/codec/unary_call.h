// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "frontend/codec/model_catalog.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend {

// Turns what the servable gave into the reply. Runs on the connection's thread. Tensors in the
// reply must keep `stream` alive too: it holds the lease on the version whose engine owns their
// memory.
using Answer = std::function<
    Result<HttpReply>(ResponsePart&& part, const std::shared_ptr<ResponseStream>& stream)>;

// A request of the client's: id, principal, arrival and deadline are the exchange's.
[[nodiscard]] std::shared_ptr<Request> request_from(const HttpRequest& http);

// Submits a request that is answered by one part, and replies when it ends: with `answer`, or with
// the error. Fills the exchange's record. A client that leaves cancels the stream. Thread: the
// connection's own; returns at once.
void submit_unary(
    const Submit& submit,
    std::shared_ptr<Exchange> exchange,
    std::shared_ptr<const Request> request,
    Answer answer
);

}  // namespace cortex::frontend
