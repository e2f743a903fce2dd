// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/clock.h"
#include "request/principal.h"

namespace cortex::scheduler {

// A request that waits for its turn.
struct FairEntry {
  std::uint64_t ticket = 0;   // names it; unique
  std::string flow;           // who asks: one share of the lane for each
  std::size_t level = 0;      // 0 is served first
  std::int32_t niceness = 0;  // among its flow's own the lower goes first
  TimePoint deadline = kNoDeadline;
  double weight = 1;  // of its flow; twice the weight, twice the share
};

// Weighted fair queueing over flows, within priority levels: a higher level goes first, within it
// the flow that was given least so far for its weight, within the flow the least nice, then the
// earliest deadline and then the order of arrival. A flow that comes back after a pause starts
// level with the others: nobody saves up, and nobody who floods moves those behind who ask rarely.
// A level that others passed over 64 times leads once.
//
// What a flow was given is a count of tokens that charge() adds to. Pure bookkeeping, not
// thread-safe. Its bounds are the door's (sequence_door.h); flows that have nothing here are
// forgotten as soon as that gives them no advantage, and beyond 4096 of them in any case.
class FairQueue {
 public:
  static constexpr std::size_t kPassedOverMax = 64;
  static constexpr std::size_t kIdleFlowsMax = 4096;

  explicit FairQueue(std::size_t levels = kPriorityClasses) : levels_(levels) {}

  void push(FairEntry entry);
  // The first of every flow, in the order in which they are to be served.
  [[nodiscard]] std::vector<std::uint64_t> heads() const;
  // Takes one out to be served; its flow counts as running until leave(). REQUIRES: it waits here.
  void take(std::uint64_t ticket);
  // A taken entry of this flow has ended.
  void leave(const std::string& flow);
  // Takes one out that will not be served. REQUIRES: it waits here.
  void drop(std::uint64_t ticket);
  // The flow was given `tokens`.
  void charge(const std::string& flow, double tokens);

  // What the flow was given, in tokens by weight: only comparisons mean something.
  [[nodiscard]] double given(const std::string& flow) const;
  [[nodiscard]] std::size_t size() const { return places_.size(); }
  // How often others went before this level since somebody of it was served.
  [[nodiscard]] std::size_t passed_over(std::size_t level) const {
    return levels_[level].passed_over;
  }

 private:
  // Niceness, then deadline, then arrival.
  using Order = std::tuple<std::int32_t, TimePoint, std::uint64_t>;
  struct Flow {
    double given = 0;
    double weight = 1;
    std::size_t waiting = 0;
    std::size_t running = 0;
  };
  struct Level {
    std::map<std::string, std::map<Order, std::uint64_t>> flows;  // to tickets
    std::size_t passed_over = 0;
  };
  struct Place {
    std::string flow;
    std::size_t level = 0;
    Order order;
  };

  void erase(std::uint64_t ticket);
  void level_with_others(Flow& flow) const;
  void forget_if_idle(const std::string& flow);
  [[nodiscard]] std::vector<std::size_t> levels_in_order() const;
  void count_passed_over(std::size_t served);

  std::vector<Level> levels_;
  std::map<std::string, Flow> flows_;
  std::map<std::uint64_t, Place> places_;
  double floor_ = 0;  // what the last flow that was served had been given
  std::size_t idle_ = 0;
  std::uint64_t arrivals_ = 0;
};

}  // namespace cortex::scheduler
