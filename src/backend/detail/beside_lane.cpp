// SPDX-License-Identifier: Apache-2.0
#include "backend/detail/beside_lane.h"

#include <chrono>
#include <string>
#include <utility>

#include "base/clock.h"

namespace cortex::backend {
namespace {

// The pool works on long texts: they take milliseconds each.
constexpr std::chrono::milliseconds kPoolFullRetry{1000};

void answer(ResponseStream& stream, const std::function<Result<ResponsePart>()>& work) {
  if (stream.cancelled()) return stream.finish(cancelled("the client left"));
  const TimePoint begin = steady_clock().now();
  Result<ResponsePart> part = work();
  Timings timings;
  timings.compute_input = steady_clock().now() - begin;
  if (!part.ok()) return stream.finish(part.status(), timings);
  stream.finish(std::move(*part), timings);
}

}  // namespace

Status check_tokenize_bytes(std::size_t bytes) {
  if (bytes <= kTokenizeBytesMax) return {};
  return invalid_argument(
      std::to_string(bytes) + " bytes of text; the limit is " + std::to_string(kTokenizeBytesMax)
  );
}

Status check_detokenize_tokens(std::size_t tokens) {
  if (tokens <= kDetokenizeTokensMax) return {};
  return invalid_argument(
             std::to_string(tokens) + " tokens; the limit is " +
             std::to_string(kDetokenizeTokensMax)
  )
      .with_field("tokens");
}

void answer_beside_lane(LaneGate& gate, ThreadPool& pool, BesideLane call) {
  if (!gate.enter()) return call.stream->finish(unavailable("the model is ending"));
  if (call.at_once) {
    answer(*call.stream, call.work);
    return gate.leave();
  }
  const auto stream = call.stream;
  // The work goes before the gate is left: it may hold what the gate's owner keeps.
  auto run = [&gate, call = std::move(call)]() mutable {
    answer(*call.stream, call.work);
    call.work = nullptr;
    gate.leave();
  };
  if (pool.submit(std::move(run))) return;
  stream->finish(resource_exhausted("too many long texts are waiting to be tokenised")
                     .with_retry_after(kPoolFullRetry));
  gate.leave();
}

}  // namespace cortex::backend
