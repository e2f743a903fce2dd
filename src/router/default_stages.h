// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>

#include "base/clock.h"
#include "router/stage.h"
#include "router/stages/adapt.h"
#include "router/stages/fall_back.h"
#include "router/stages/quota.h"
#include "router/stages/resolve.h"

namespace cortex::router {

// What the default stages look at. The references outlive the stages.
struct StageContext {
  const Clock& clock;
  const std::atomic<bool>& draining;  // set once, when the server stops
  Resolver resolver;
  FallBackOptions fall_back = {};  // without `previous`: no other attempts
  AdapterLender adapters = {};     // empty: there are none
  QuotaOptions quota = {};         // without `limiter`: nobody has limits
};

// The usual list. default_stages.cpp says why the order is what it is.
[[nodiscard]] Stages default_stages(StageContext context);

}  // namespace cortex::router
