// SPDX-License-Identifier: Apache-2.0
#include "scheduler/prompt_lookup.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace cortex::scheduler {
namespace {

constexpr std::size_t kPlacesMin = 64;
constexpr std::size_t kPlacesMax = std::size_t{1} << 14;

std::size_t hash_of(std::span<const Token> tokens) {
  std::uint64_t sum = tokens.size();
  for (const Token token : tokens) {
    sum = (sum ^ static_cast<std::uint32_t>(token)) * 0x9E3779B97F4A7C15U;
    sum ^= sum >> 29U;
  }
  return static_cast<std::size_t>(sum);
}

// How many tokens before `place` are those at the end.
std::size_t matched_before(std::span<const Token> tokens, std::size_t place) {
  const std::size_t most = std::min(place, PromptLookup::kMatchedMax);
  std::size_t length = 0;
  while (length < most && tokens[place - 1 - length] == tokens[tokens.size() - 1 - length]) {
    ++length;
  }
  return length;
}

}  // namespace

PromptLookup::Places& PromptLookup::places_of(std::span<const Token> last) {
  auto& table = places_[last.size() - kShortest];
  return table[hash_of(last) & (table.size() - 1)];
}

void PromptLookup::grow(std::size_t tokens) {
  const std::size_t wanted =
      std::clamp(std::bit_ceil(std::max<std::size_t>(tokens, 1)), kPlacesMin, kPlacesMax);
  if (places_[0].size() >= wanted) return;
  for (auto& table : places_) table.assign(wanted, Places{});
  known_ = 0;
}

void PromptLookup::take_in(std::span<const Token> tokens) {
  grow(tokens.size());
  for (std::size_t place = std::max(known_, kShortest); place < tokens.size(); ++place) {
    for (std::size_t length = kShortest; length <= std::min(kLongest, place); ++length) {
      Places& places = places_of(tokens.subspan(place - length, length));
      std::shift_right(places.begin(), places.end(), 1);
      places.front() = static_cast<std::uint32_t>(place);
    }
  }
  known_ = tokens.size();
}

PromptLookup::Match PromptLookup::find(std::span<const Token> tokens) {
  CHECK(tokens.size() >= known_, "a sequence only grows");
  take_in(tokens);
  Match best;
  for (std::size_t length = kLongest; length >= kShortest && best.length == 0; --length) {
    if (tokens.size() < length) continue;
    for (const std::uint32_t place : places_of(tokens.last(length))) {
      if (place == 0) break;
      const std::size_t matched = matched_before(tokens, place);
      if (matched >= length && matched > best.length) best = {place, matched};
    }
  }
  return best;
}

std::vector<Token> PromptLookup::follow(
    std::span<const Token> tokens, const Match& match, std::size_t count
) {
  std::vector<Token> out;
  if (match.length == 0) return out;
  out.reserve(count);
  for (std::size_t at = match.position; out.size() < count; ++at) {
    // Behind the end comes what was just foretold: a text that goes round in circles.
    out.push_back(at < tokens.size() ? tokens[at] : out[at - tokens.size()]);
  }
  return out;
}

}  // namespace cortex::scheduler
