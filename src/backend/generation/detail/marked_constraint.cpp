// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/marked_constraint.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace cortex::backend {
namespace {

constexpr std::size_t kBits = 32;

void set(std::span<std::uint32_t> mask, Token token) {
  const auto bit = static_cast<std::size_t>(token);
  mask[bit / kBits] |= 1U << (bit % kBits);
}

void clear(std::span<std::uint32_t> mask, Token token) {
  const auto bit = static_cast<std::size_t>(token);
  mask[bit / kBits] &= ~(1U << (bit % kBits));
}

void set_first(std::span<std::uint32_t> mask, std::size_t count) {
  std::fill(mask.begin(), mask.end(), 0U);
  std::fill_n(mask.begin(), count / kBits, ~0U);
  if (count % kBits != 0) mask[count / kBits] = (1U << (count % kBits)) - 1;
}

}  // namespace

Mark::Mark(const Vocabulary& vocabulary, const SequenceModel& model, std::string text)
    : vocabulary_(vocabulary),
      vocabulary_size_(model.vocabulary_size),
      ends_(model.ends),
      text_(std::move(text)) {
  for (std::size_t i = 0; i < vocabulary_size_; ++i) {
    const auto token = static_cast<Token>(i);
    const std::string piece = vocabulary.piece(token, true);
    if (piece == text_) token_ = token;
    const std::size_t whole = piece.find(text_);
    if (whole != std::string::npos && whole + text_.size() < piece.size()) {
      crossings_.push_back({token, 0});
    }
    for (std::size_t used = 1; used < std::min(text_.size(), piece.size()); ++used) {
      if (text_.ends_with(std::string_view(piece).substr(0, used))) {
        crossings_.push_back({token, used});
      }
    }
  }
}

void Mark::allow(std::string_view tail, bool end, std::span<std::uint32_t> mask) const {
  set_first(mask, vocabulary_size_);
  for (const auto& [token, used] : crossings_) {
    const std::string_view before = std::string_view(text_).substr(0, text_.size() - used);
    if (used == 0 || tail.ends_with(before)) clear(mask, token);
  }
  if (end) return;
  for (const Token token : ends_) clear(mask, token);
}

std::string Mark::grown(std::string tail, Token token) const {
  tail += vocabulary_.piece(token, true);
  if (tail.size() > text_.size()) tail.erase(0, tail.size() - text_.size());
  return tail;
}

MarkedConstraint::MarkedConstraint(MarkedPlan plan, std::shared_ptr<const TokenConstraint> grammar)
    : plan_(std::move(plan)), grammar_(std::move(grammar)) {
  if (!plan_.free_at_first) held_ = grammar_->fork();
}

void MarkedConstraint::go_free() {
  held_.reset();
  tail_.clear();
}

Status MarkedConstraint::allow(std::span<std::uint32_t> mask) {
  if (!held_) {
    plan_.mark->allow(tail_, plan_.may_end, mask);
    return {};
  }
  CORTEX_RETURN_IF_ERROR(held_->allow(mask));
  if (!begun_ && plan_.opening && plan_.opening->token() >= 0) set(mask, plan_.opening->token());
  return {};
}

Status MarkedConstraint::accept(Token token) {
  const bool first = !std::exchange(begun_, true);
  if (held_ && first && plan_.opening && token == plan_.opening->token()) {
    go_free();
    return {};
  }
  if (held_) {
    CORTEX_RETURN_IF_ERROR(held_->accept(token));
    if (plan_.repeats && held_->finished()) go_free();
    return {};
  }
  tail_ = plan_.mark->grown(std::move(tail_), token);
  if (tail_ == plan_.mark->text()) held_ = grammar_->fork();
  return {};
}

bool MarkedConstraint::finished() const { return held_ && held_->finished(); }

std::unique_ptr<TokenConstraint> MarkedConstraint::fork() const {
  auto out = std::make_unique<MarkedConstraint>(plan_, grammar_);
  out->held_ = held_ ? held_->fork() : nullptr;
  out->begun_ = begun_;
  out->tail_ = tail_;
  return out;
}

}  // namespace cortex::backend
