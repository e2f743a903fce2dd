// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/body_collector.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

namespace cortex::frontend {
namespace {

constexpr std::size_t kFirstGrowth = 4096;

// A body that gives its share of the budget back when the last tensor lets go of it.
struct CountedBody {
  std::shared_ptr<Buffer> buffer;
  BudgetShare share;
};

}  // namespace

BodyCollector::BodyCollector(std::shared_ptr<BodyBudget> budget, const Plan& plan)
    : plan_(plan), share_(std::move(budget)) {
  if (plan.exact) buffer_ = Buffer::make(*plan.exact, plan.skew);
  if (plan.coding != ContentCoding::kIdentity) inflater_ = std::make_unique<Inflater>(plan.coding);
}

std::span<char> BodyCollector::space() {
  if (!plan_.exact) return {};
  return {reinterpret_cast<char*>(buffer_->data()) + used_, buffer_->size() - used_};
}

std::optional<HttpFault> BodyCollector::commit(std::size_t bytes) {
  used_ += bytes;
  if (!share_.cover(used_)) return over_budget();
  return std::nullopt;
}

std::optional<HttpFault> BodyCollector::append(std::string_view bytes) {
  if (inflater_) return inflate(bytes);
  if (!plan_.exact) {
    if (auto fault = reserve(used_ + bytes.size())) return fault;
  }
  if (!bytes.empty()) std::memcpy(buffer_->data() + used_, bytes.data(), bytes.size());
  return commit(bytes.size());
}

// Doubling keeps the copying linear in the size of the body.
std::optional<HttpFault> BodyCollector::reserve(std::size_t bytes) {
  if (bytes > plan_.limit) return body_too_large(plan_.limit);
  if (buffer_ && bytes <= buffer_->size()) return std::nullopt;
  const std::size_t doubled = buffer_ ? buffer_->size() * 2 : kFirstGrowth;
  const std::size_t capacity = std::max(bytes, std::min(doubled, plan_.limit));
  if (!share_.cover(capacity)) return over_budget();
  auto grown = Buffer::make(capacity, plan_.skew);
  if (used_ > 0) std::memcpy(grown->data(), buffer_->data(), used_);
  buffer_ = std::move(grown);
  return std::nullopt;
}

std::optional<HttpFault> BodyCollector::inflate(std::string_view bytes) {
  packed_ += bytes.size();
  if (packed_ > plan_.limit) return body_too_large(plan_.limit);
  for (;;) {
    // One byte over the limit is room to see whether more would come.
    std::byte spare{};
    const bool full = used_ == plan_.limit;
    if (!full) {
      if (auto fault = reserve(used_ + 1)) return fault;
    }
    std::span<std::byte> free_space = full ? std::span(&spare, 1) : buffer_->bytes().subspan(used_);
    const std::size_t before = free_space.size();
    const Inflater::Outcome outcome = inflater_->unpack(bytes, free_space);
    if (full && free_space.empty()) return body_too_large(plan_.limit);
    if (!full) used_ += before - free_space.size();
    if (outcome == Inflater::Outcome::kMalformed) {
      return bad_request("the body is not what its Content-Encoding says");
    }
    if (outcome == Inflater::Outcome::kNeedInput) return std::nullopt;
  }
}

std::optional<HttpFault> BodyCollector::finish(std::shared_ptr<const Buffer>& out) {
  if (inflater_ && !inflater_->complete()) {
    return bad_request("the body ends before its Content-Encoding does");
  }
  if (!buffer_) buffer_ = Buffer::make(0);
  if (used_ < buffer_->size()) buffer_->truncate(used_);
  if (share_.taken() == 0) {
    out = std::move(buffer_);
    return std::nullopt;
  }
  auto counted = std::make_shared<CountedBody>(CountedBody{std::move(buffer_), std::move(share_)});
  const Buffer* body = counted->buffer.get();
  out = std::shared_ptr<const Buffer>(std::move(counted), body);
  return std::nullopt;
}

}  // namespace cortex::frontend
