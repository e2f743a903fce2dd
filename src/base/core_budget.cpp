// SPDX-License-Identifier: Apache-2.0
#include "base/core_budget.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace cortex {
namespace {

std::size_t affinity_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
}

// The quota of control groups v2 in whole cores, rounded up; `fallback` where there is none.
std::size_t quota_cores(std::size_t fallback) {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  double period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return fallback;
  const double cores = std::strtod(quota.c_str(), nullptr) / period;
  return std::max<std::size_t>(1, static_cast<std::size_t>(cores + 0.999));
}

}  // namespace

CoreBudget::CoreBudget(std::size_t limit) : cores_(limit) {
  if (cores_ == 0) {
    const std::size_t available = affinity_cores();
    cores_ = std::min(available, quota_cores(available));
  }
}

CoreBudget::Plan CoreBudget::plan(std::size_t instances, std::size_t threads) const {
  if (instances == 0 && threads == 0) return {cores_, 1};
  if (instances == 0) instances = std::max<std::size_t>(1, cores_ / std::min(threads, cores_));
  if (threads == 0) threads = std::max<std::size_t>(1, cores_ / instances);
  return {instances, std::min(threads, cores_)};
}

}  // namespace cortex
