// SPDX-License-Identifier: Apache-2.0
// Whatever Boost.JSON reads or refuses is read or refused here in the same words, and the value is
// the same but for the last digits of doubles, which are those of the C library.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include <boost/json/parse.hpp>

#include "base/check.h"
#include "base/json_value.h"

namespace {

namespace json = boost::json;

bool is_same(const json::value& ours, const json::value& theirs);

bool is_same(const json::object& ours, const json::object& theirs) {
  if (ours.size() != theirs.size()) return false;
  for (const auto& [name, value] : theirs) {
    const json::value* found = ours.if_contains(name);
    if (found == nullptr || !is_same(*found, value)) return false;
  }
  return true;
}

bool is_same(const json::array& ours, const json::array& theirs) {
  if (ours.size() != theirs.size()) return false;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    if (!is_same(ours[i], theirs[i])) return false;
  }
  return true;
}

// Boost's double is a few units in the last place off, and more near to the smallest and largest
// ones; of a zero with a large exponent it makes no number.
bool is_near(double ours, double theirs) {
  if (ours == theirs || std::isnan(theirs)) return true;
  if (std::isinf(ours) || std::isinf(theirs))
    return std::abs(ours) > 1e306 && std::abs(theirs) > 1e306;
  return std::abs(ours - theirs) <= std::abs(ours) * 1e-14 + 1e-305;
}

bool is_same(const json::value& ours, const json::value& theirs) {
  if (ours.kind() != theirs.kind()) return false;
  if (ours.is_object()) return is_same(ours.get_object(), theirs.get_object());
  if (ours.is_array()) return is_same(ours.get_array(), theirs.get_array());
  if (ours.is_double()) return is_near(ours.get_double(), theirs.get_double());
  return ours == theirs;
}

// A text that is one number is what the C library reads.
void check_number(std::string_view text, const json::value& value) {
  if (!value.is_double()) return;
  const double expected = std::strtod(std::string(text).c_str(), nullptr);
  CHECK(value.get_double() == expected, "the nearest double");
  CHECK(std::signbit(value.get_double()) == std::signbit(expected), "with its sign");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  boost::system::error_code error;
  const json::value theirs = json::parse(json::string_view(text.data(), text.size()), error);
  const auto ours = cortex::parse_json_value(text);
  CHECK(ours.ok() == !error, "the same texts are JSON");
  if (error) {
    CHECK(ours.status().text() == error.message(), "a refusal has the same words");
    return 0;
  }
  CHECK(is_same(*ours, theirs), "the values are the same");
  check_number(text, *ours);
  return 0;
}
