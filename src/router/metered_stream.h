// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "request/response_stream.h"

namespace cortex::router {

// A stream before another one: what a servable writes into it goes on to `outer` as it comes, and
// `on_end` is told what was spent just before the end gets there. Back-pressure and cancelling work
// through it; it adds room for one part. `on_end` is called once, on the thread that takes the end
// on: the producer's, or the consumer's where that was slow.
[[nodiscard]] std::shared_ptr<ResponseStream> metered_stream(
    std::shared_ptr<ResponseStream> outer, std::function<void(const Timings&)> on_end
);

}  // namespace cortex::router
