// SPDX-License-Identifier: Apache-2.0
#include "tracking/identity.h"

#include <array>
#include <cstdint>
#include <random>
#include <string_view>

namespace cortex::tracking {
namespace {

constexpr std::array<std::string_view, 32> kQualities = {
    "able",   "agile", "brave", "bright", "calm",   "clear", "crisp",   "deft",
    "eager",  "fair",  "fleet", "frank",  "glad",   "grand", "hardy",   "keen",
    "lively", "loyal", "merry", "mild",   "neat",   "noble", "patient", "plain",
    "proud",  "quick", "quiet", "sober",  "steady", "swift", "warm",    "witty",
};
constexpr std::array<std::string_view, 32> kAnimals = {
    "adder",  "badger", "beetle", "bison",  "crane",  "curlew", "dipper", "eagle",
    "egret",  "falcon", "finch",  "gannet", "hare",   "heron",  "ibis",   "jackdaw",
    "kite",   "lark",   "linnet", "lynx",   "marten", "newt",   "otter",  "owl",
    "plover", "rook",   "seal",   "snipe",  "stoat",  "swift",  "tern",   "wren",
};

std::random_device& source() {
  static thread_local std::random_device device;
  return device;
}

}  // namespace

std::string new_id() {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  out.reserve(32);
  for (int word = 0; word < 4; ++word) {
    std::uint32_t bits = source()();
    for (int digit = 0; digit < 8; ++digit, bits >>= 4) out.push_back(kHex[bits & 15]);
  }
  return out;
}

std::string new_name() {
  const std::uint32_t bits = source()();
  std::string out(kQualities[bits & 31]);
  out.append("-").append(kAnimals[(bits >> 5) & 31]).append("-");
  return out.append(std::to_string((bits >> 10) % 1000));
}

}  // namespace cortex::tracking
