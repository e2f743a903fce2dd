// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/body_stream.h"

#include <algorithm>
#include <span>
#include <string>
#include <utility>

namespace cortex::frontend {
namespace {

constexpr std::size_t kBlockBytes = 64 * 1024;
// What the connection's buffer and the block hold at most.
constexpr std::size_t kHeldBytesMax = 2 * kBlockBytes;

}  // namespace

BodyStream::BodyStream(std::shared_ptr<BodyBudget> budget, std::size_t limit, ContentCoding coding)
    : limit_(limit), share_(std::move(budget)) {
  if (coding == ContentCoding::kIdentity) return;
  inflater_ = std::make_unique<Inflater>(coding);
  block_.resize(kBlockBytes);
}

std::optional<HttpFault> BodyStream::open(std::optional<std::uint64_t> bytes) {
  const bool known = bytes && !inflater_;
  const std::size_t held =
      known ? std::min<std::size_t>(static_cast<std::size_t>(*bytes), kHeldBytesMax)
            : kHeldBytesMax;
  if (share_.cover(held)) return std::nullopt;
  return over_budget();
}

std::optional<HttpFault> BodyStream::next(std::string_view& input, std::string_view& part) {
  part = {};
  if (inflater_) return unpack(input, part);
  used_ += input.size();
  if (used_ > limit_) return body_too_large(limit_);
  part = std::exchange(input, {});
  return std::nullopt;
}

std::optional<HttpFault> BodyStream::unpack(std::string_view& input, std::string_view& part) {
  const std::size_t before = input.size();
  // One byte over the limit is room to see whether more would come.
  std::span<std::byte> space(block_.data(), std::min(block_.size(), limit_ - used_ + 1));
  const std::size_t room = space.size();
  const Inflater::Outcome outcome = inflater_->unpack(input, space);
  const std::size_t made = room - space.size();
  used_ += made;
  packed_ += before - input.size();
  if (used_ > limit_ || packed_ > limit_) return body_too_large(limit_);
  if (outcome == Inflater::Outcome::kMalformed) {
    return bad_request("the body is not what its Content-Encoding says");
  }
  holds_back_ = outcome == Inflater::Outcome::kNeedSpace;
  part = {reinterpret_cast<const char*>(block_.data()), made};
  return std::nullopt;
}

std::optional<HttpFault> BodyStream::finish() const {
  if (!inflater_ || inflater_->complete()) return std::nullopt;
  return bad_request("the body ends before its Content-Encoding does");
}

}  // namespace cortex::frontend
