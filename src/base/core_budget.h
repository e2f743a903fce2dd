// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace cortex {

// The machine's cores, shared by every engine, tokeniser and worker of this process: nobody takes
// threads by himself. A plan says how many threads its holder may run at once. Models take turns on
// cores, so plans may add up to more than the machine has. Immutable.
class CoreBudget {
 public:
  // The cores this process may use: `limit`, or when it is 0 the smaller of the affinity mask and
  // the cgroup quota.
  explicit CoreBudget(std::size_t limit = 0);

  [[nodiscard]] std::size_t cores() const { return cores_; }

  // How the cores are used by one loaded version.
  struct Plan {
    std::size_t instances;  // lane threads, each running one batch at a time
    std::size_t
        threads_per_instance;  // threads of the engine inside one run, the lane's own included
  };
  // `instances` or `threads` of 0 are chosen here: as many instances as cores with one thread each
  // when neither is given (the best throughput; a parallel run of small operators loses to two
  // independent ones), else the cores divided by the one that is given. Never more threads per
  // instance than cores.
  [[nodiscard]] Plan plan(std::size_t instances, std::size_t threads) const;

 private:
  std::size_t cores_;
};

}  // namespace cortex
