// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "request/request.h"
#include "request/response_stream.h"
#include "router/stage.h"

namespace cortex::router {

// Takes a request through the stages to the servable that answers it. Stages may suspend; no thread
// waits meanwhile. Thread-safe; runs on the caller's thread up to the first suspension. Outlives
// every request inside.
class Router {
 public:
  // Called in this order; default_stages() makes the usual list.
  explicit Router(Stages stages);

  // Never blocks. Exactly one finish() on the stream follows, perhaps before this returns.
  void route(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream) const;

 private:
  const Stages stages_;
};

}  // namespace cortex::router
