// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/json_depth.h"

#include <atomic>

namespace cortex::frontend {
namespace {

std::atomic<int> depth_max{64};

}  // namespace

void set_json_depth_max(int depth) { depth_max.store(depth, std::memory_order_relaxed); }

int json_depth_max() { return depth_max.load(std::memory_order_relaxed); }

}  // namespace cortex::frontend
