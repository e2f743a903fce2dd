// SPDX-License-Identifier: Apache-2.0
#include "base/json_value.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value.hpp>
#include <boost/json/value_stack.hpp>

#include "base/check.h"

namespace cortex {
namespace {

namespace json = boost::json;

// Enough that small documents need no other memory while they are read; the size that Boost takes.
constexpr std::size_t kScratchBytes = 4096;

// The double nearest to `number`, a number of JSON's grammar. `about` is roughly its value: it
// tells what is too large from what is too small.
double nearest_double(std::string_view number, double about) {
  const char* const end = number.data() + number.size();
  double out = 0;
  const auto read = std::from_chars(number.data(), end, out);
  CHECK(read.ptr == end, "every number of JSON is one of from_chars");
  if (read.ec == std::errc()) return out;
  const double size = std::abs(about) > 1 ? std::numeric_limits<double>::infinity() : 0.0;
  return number.starts_with('-') ? -size : size;
}

// Builds the value of what the parser finds. The text comes in one piece: no number is cut.
class ValueBuilder {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  explicit ValueBuilder(json::storage_ptr memory) { stack_.reset(std::move(memory)); }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_object_begin(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) { return true; }
  bool on_object_end(std::size_t members, json::error_code&) {
    stack_.push_object(members);
    return true;
  }
  bool on_array_end(std::size_t elements, json::error_code&) {
    stack_.push_array(elements);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, json::error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view part, std::size_t, json::error_code&) {
    stack_.push_key(part);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, json::error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view part, std::size_t, json::error_code&) {
    stack_.push_string(part);
    return true;
  }
  bool on_number_part(json::string_view, json::error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, json::error_code&) {
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, json::error_code&) {
    stack_.push_uint64(value);
    return true;
  }
  bool on_double(double about, json::string_view text, json::error_code&) {
    stack_.push_double(nearest_double({text.data(), text.size()}, about));
    return true;
  }
  bool on_bool(bool value, json::error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(json::error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

  // Once, after the document's end.
  [[nodiscard]] json::value take() { return stack_.release(); }

 private:
  std::array<unsigned char, kScratchBytes> scratch_;
  json::value_stack stack_{json::storage_ptr(), scratch_.data(), scratch_.size()};
};

}  // namespace

Result<json::value> parse_json_value(std::string_view text, std::size_t depth_max) {
  return parse_json_value(text, depth_max, json::storage_ptr());
}

Result<json::value> parse_json_value(
    std::string_view text, std::size_t depth_max, json::storage_ptr memory
) {
  json::parse_options options;
  options.max_depth = depth_max;
  json::basic_parser<ValueBuilder> parser(options, std::move(memory));
  json::error_code error;
  const std::size_t read = parser.write_some(false, text.data(), text.size(), error);
  if (!error && read < text.size()) error = json::error::extra_data;
  if (error) return invalid_argument(error.message());
  return parser.handler().take();
}

}  // namespace cortex
