// SPDX-License-Identifier: Apache-2.0
#include "router/stages/quota.h"

#include <utility>

#include "router/metered_stream.h"

namespace cortex::router {

Verdict Quota::enter(const std::shared_ptr<Passage>& passage) const {
  const Request& request = *passage->request();
  const QuotaLimits& limits = options_.quotas->of(request.principal);
  if (limits.none()) return Verdict::kContinue;
  const auto answer =
      options_.limiter->take(estimate(request, limits), [this, passage](const QuotaAnswer& later) {
        if (admit(*passage, later)) passage->resume();
      });
  if (!answer) return Verdict::kSuspend;
  return admit(*passage, *answer) ? Verdict::kContinue : Verdict::kFinished;
}

bool Quota::admit(Passage& passage, const QuotaAnswer& answer) const {
  const std::shared_ptr<const Request>& request = passage.request();
  const std::string& principal = request->principal.key;
  if (answer.refusal) {
    if (options_.on_refusal) options_.on_refusal(principal, answer.refusal->kind);
    passage.stream()->finish(refusal_status(*answer.refusal, principal));
    return false;
  }
  // By the bytes at the door, by the tokens at the end.
  auto settle = [this, request, reserved = answer.reserved](const Timings& timings) {
    const QuotaAsk granted = estimate(*request, options_.quotas->of(request->principal));
    options_.limiter->settle(granted, reserved, timings.input_tokens + timings.output_tokens);
  };
  passage.replace_stream(metered_stream(passage.stream(), std::move(settle)));
  return true;
}

}  // namespace cortex::router
