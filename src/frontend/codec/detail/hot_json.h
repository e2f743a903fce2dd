// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <simdjson.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"

namespace cortex::frontend {

// Reads JSON in place with simdjson's on-demand parser. The text must be followed by
// Buffer::kPadding readable bytes. Small documents share a parser of the thread; a big one gets its
// own, so that its memory goes when it goes. Thread: one. At most one HotJson of a thread is read
// at a time, but for `nested` ones.
class HotJson {
 public:
  enum class Parser { kShared, kOwn };

  explicit HotJson(std::string_view padded_text, Parser parser = Parser::kShared);

  // The document's object. A text that is not one is kInvalidArgument.
  [[nodiscard]] Status object(simdjson::ondemand::object& out);
  // The document's array; for pieces that were set aside by raw_json().
  [[nodiscard]] Status array(simdjson::ondemand::array& out);
  // Nothing but white space may follow what was read.
  [[nodiscard]] Status at_end();

 private:
  [[nodiscard]] Status open();

  std::string_view text_;
  std::unique_ptr<simdjson::ondemand::parser> own_;
  simdjson::ondemand::parser* parser_;
  simdjson::ondemand::document document_;
};

// "failed to parse the request JSON buffer: …".
[[nodiscard]] Status malformed_json(std::string_view why);
[[nodiscard]] Status malformed_json(simdjson::error_code error);

// Reads over a value that nobody asked for and checks that it is JSON and not deeper than
// json_depth_max().
[[nodiscard]] Status skip_value(simdjson::ondemand::value value, int depth = 1);

// The text of a value as it stands in the body, read over and checked as skip_value() does.
[[nodiscard]] Status read_json(simdjson::ondemand::value value, std::string_view& text);

// Typed reads; the error names `where` ("inputs[0].name") and what it should be.
[[nodiscard]] Status read_string(
    simdjson::ondemand::value value, std::string_view where, std::string_view& out
);
[[nodiscard]] Status read_bool(simdjson::ondemand::value value, std::string_view where, bool& out);
[[nodiscard]] Status read_size(
    simdjson::ondemand::value value, std::string_view where, std::uint64_t& out
);
// A finite number; also one that is written as a whole one.
[[nodiscard]] Status read_number(
    simdjson::ondemand::value value, std::string_view where, double& out
);

// Calls `read(key, value)` for each field of the object and stops at the first error.
template <typename Read>
[[nodiscard]] Status for_each_field(simdjson::ondemand::object object, Read&& read) {
  for (auto item : object) {
    simdjson::ondemand::field field;
    if (const auto error = std::move(item).get(field)) return malformed_json(error);
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return malformed_json(error);
    CORTEX_RETURN_IF_ERROR(read(key, field.value()));
  }
  return {};
}

// Calls `read(value)` for each element of the array and stops at the first error.
template <typename Read>
[[nodiscard]] Status for_each_element(simdjson::ondemand::array array, Read&& read) {
  for (auto item : array) {
    simdjson::ondemand::value value;
    if (const auto error = std::move(item).get(value)) return malformed_json(error);
    CORTEX_RETURN_IF_ERROR(read(value));
  }
  return {};
}

}  // namespace cortex::frontend
