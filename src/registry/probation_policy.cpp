// SPDX-License-Identifier: Apache-2.0
#include "registry/probation_policy.h"

namespace cortex::registry {

ProbationStep next_step(
    const std::optional<ProbationVerdict>& remembered, bool asked, const std::string& limits
) {
  if (!remembered) return ProbationStep::kTry;
  if (remembered->passed) return ProbationStep::kAdmit;
  const bool other_limits = !remembered->limits.empty() && remembered->limits != limits;
  return asked || other_limits ? ProbationStep::kTry : ProbationStep::kRefuse;
}

}  // namespace cortex::registry
