// SPDX-License-Identifier: Apache-2.0
#include "scheduler/fair_queue.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace cortex::scheduler {

void FairQueue::push(FairEntry entry) {
  CHECK(!places_.contains(entry.ticket), "a ticket waits once");
  const std::size_t level = std::min(entry.level, levels_.size() - 1);
  const auto [found, fresh] = flows_.try_emplace(entry.flow);
  Flow& flow = found->second;
  flow.weight = std::max(entry.weight, 1e-3);
  if (flow.waiting == 0 && flow.running == 0) {
    if (!fresh) --idle_;
    level_with_others(flow);
  }
  ++flow.waiting;
  const Order order{entry.niceness, entry.deadline, arrivals_++};
  levels_[level].flows[entry.flow].emplace(order, entry.ticket);
  places_.emplace(entry.ticket, Place{std::move(entry.flow), level, order});
}

// A flow that had nothing to do must not be owed the time it was away.
void FairQueue::level_with_others(Flow& flow) const {
  double least = floor_;
  bool any = false;
  for (const auto& [name, other] : flows_) {
    if (&other == &flow || (other.waiting == 0 && other.running == 0)) continue;
    least = any ? std::min(least, other.given) : other.given;
    any = true;
  }
  flow.given = std::max(flow.given, least);
}

std::vector<std::size_t> FairQueue::levels_in_order() const {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (!levels_[i].flows.empty()) order.push_back(i);
  }
  const auto starved = std::find_if(order.begin(), order.end(), [this](std::size_t i) {
    return levels_[i].passed_over >= kPassedOverMax;
  });
  if (starved != order.end()) std::rotate(order.begin(), starved, starved + 1);
  return order;
}

std::vector<std::uint64_t> FairQueue::heads() const {
  std::vector<std::uint64_t> tickets;
  for (const std::size_t level : levels_in_order()) {
    using Head = std::tuple<double, std::size_t, Order, std::uint64_t>;
    std::vector<Head> heads;
    for (const auto& [name, waiting] : levels_[level].flows) {
      const Flow& flow = flows_.at(name);
      const auto& [order, ticket] = *waiting.begin();
      heads.emplace_back(flow.given, flow.running, order, ticket);
    }
    std::sort(heads.begin(), heads.end());
    for (const Head& head : heads) tickets.push_back(std::get<3>(head));
  }
  return tickets;
}

void FairQueue::take(std::uint64_t ticket) {
  const Place place = places_.at(ticket);
  Flow& flow = flows_.at(place.flow);
  floor_ = std::max(floor_, flow.given);
  ++flow.running;
  count_passed_over(place.level);
  erase(ticket);
}

void FairQueue::count_passed_over(std::size_t served) {
  levels_[served].passed_over = 0;
  for (std::size_t i = served + 1; i < levels_.size(); ++i) {
    if (!levels_[i].flows.empty()) ++levels_[i].passed_over;
  }
}

void FairQueue::drop(std::uint64_t ticket) {
  const std::string flow = places_.at(ticket).flow;
  erase(ticket);
  forget_if_idle(flow);
}

void FairQueue::erase(std::uint64_t ticket) {
  const auto found = places_.find(ticket);
  CHECK(found != places_.end(), "the ticket waits");
  const Place& place = found->second;
  Level& level = levels_[place.level];
  auto& waiting = level.flows.at(place.flow);
  waiting.erase(place.order);
  if (waiting.empty()) level.flows.erase(place.flow);
  if (level.flows.empty()) level.passed_over = 0;
  --flows_.at(place.flow).waiting;
  places_.erase(found);
}

void FairQueue::leave(const std::string& flow) {
  const auto found = flows_.find(flow);
  CHECK(found != flows_.end() && found->second.running > 0, "a flow leaves what it runs");
  --found->second.running;
  forget_if_idle(flow);
}

void FairQueue::forget_if_idle(const std::string& name) {
  const Flow& flow = flows_.at(name);
  if (flow.waiting > 0 || flow.running > 0) return;
  ++idle_;
  if (flow.given > floor_ && idle_ <= kIdleFlowsMax) return;
  // Those that were given no more than the others would be levelled when they come back anyway.
  const bool too_many = idle_ > kIdleFlowsMax;
  std::erase_if(flows_, [&](const auto& entry) {
    const Flow& other = entry.second;
    return other.waiting == 0 && other.running == 0 && (too_many || other.given <= floor_);
  });
  idle_ =
      static_cast<std::size_t>(std::count_if(flows_.begin(), flows_.end(), [](const auto& entry) {
        return entry.second.waiting == 0 && entry.second.running == 0;
      }));
}

void FairQueue::charge(const std::string& flow, double tokens) {
  const auto found = flows_.find(flow);
  if (found != flows_.end()) found->second.given += tokens / found->second.weight;
}

double FairQueue::given(const std::string& flow) const {
  const auto found = flows_.find(flow);
  return found == flows_.end() ? 0 : found->second.given;
}

}  // namespace cortex::scheduler
