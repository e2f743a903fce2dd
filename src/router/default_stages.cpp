// SPDX-License-Identifier: Apache-2.0
#include "router/default_stages.h"

#include <utility>

#include "router/stages/admit.h"
#include "router/stages/fit.h"
#include "router/stages/submit.h"

namespace cortex::router {

Stages default_stages(StageContext context) {
  Stages stages;
  // First: what is refused here costs nothing, neither a look-up nor a lease.
  stages.push_back(std::make_unique<Admit>(context.clock, context.draining));
  // Before anything is looked up for who has used up his share. Not there where nobody has limits.
  if (context.quota.limiter != nullptr) {
    stages.push_back(std::make_unique<Quota>(std::move(context.quota)));
  }
  // Takes the lease; everything below knows the version.
  stages.push_back(std::make_unique<Resolve>(std::move(context.resolver)));
  // Needs the version, whose memory the adapter lies in; the request may wait here.
  if (context.adapters) stages.push_back(std::make_unique<Adapt>(std::move(context.adapters)));
  // Needs the signature; before the queue, so that a request that cannot run never waits in it.
  stages.push_back(std::make_unique<Fit>());
  // Watches what follows, so that a run that fails gets another attempt. Not there unless asked
  // for: it costs every request a little.
  if (context.fall_back.previous) {
    stages.push_back(std::make_unique<FallBack>(context.clock, std::move(context.fall_back)));
  }
  // Last: hands over.
  stages.push_back(std::make_unique<Submit>());
  return stages;
}

}  // namespace cortex::router
