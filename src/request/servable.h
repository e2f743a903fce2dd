// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "request/language_controls.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex {

// Whatever can serve a request: a lane, an embedding model over a lane, a pipeline, a remote.
class Servable {
 public:
  // Ends every request that is still inside with kUnavailable before it returns.
  virtual ~Servable() = default;

  // Hands the request over; never blocks and never throws. Exactly one finish() on the stream
  // follows, perhaps before submit returns: kResourceExhausted with a retry_after when the queue is
  // full, kDeadlineExceeded when it waited too long, kInvalidArgument when the request does not fit
  // the model. Thread-safe.
  virtual void submit(
      std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream
  ) = 0;

  // What its operators may do with it beside asking; null where it is no language model. Lives as
  // long as the servable.
  [[nodiscard]] virtual LanguageControls* language() { return nullptr; }
};

}  // namespace cortex
