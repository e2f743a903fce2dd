// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "text/detail/json_scan.h"

namespace cortex::text {

// Reads one call of a tool, character by character, from where it begins:
//   kObject    {"name": "f", "arguments": {…}}   in any order, with other members between
//   kNamed     f SEPARATOR {…}
//   kDeepSeek  f<｜tool▁sep｜>{…}  or  function<｜tool▁sep｜>f, a line break, a code block of {…}
class CallReader {
 public:
  enum class Form : std::uint8_t { kObject, kNamed, kDeepSeek };
  struct Options {
    Form form = Form::kObject;
    std::string_view separator{};   // of kNamed; static text
    bool without_arguments = true;  // an object that has a name alone is a call
  };
  enum class Step : std::uint8_t {
    kMore,
    kLast,    // the call ends with this character
    kBehind,  // the call ended before it
    kFailed,  // this is no call; never once it is certain
  };

  explicit CallReader(Options options);

  Step feed(char c);
  // Name and beginning of the arguments were there: it is a call, whatever follows.
  [[nodiscard]] bool certain() const { return certain_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  // What came of the arguments since it was last asked.
  [[nodiscard]] std::string take_arguments();

 private:
  enum class State : std::uint8_t {
    kOpen,
    kKeyOrEnd,
    kKey,
    kColon,
    kValue,
    kScalar,
    kAfterValue,
    kHeader,
    kBeforeArguments,
    kArguments,
  };
  Step feed_header(char c);
  Step feed_object(char c);
  Step feed_key(char c);
  Step feed_value(char c);
  Step feed_scalar(char c);
  Step feed_after_value(char c);
  Step feed_arguments(char c);
  Step before_arguments(char c);
  Step close_object();
  bool keep_scalar();
  bool read_deepseek_header();
  void settle();
  Step broken() const { return certain_ ? Step::kBehind : Step::kFailed; }
  [[nodiscard]] bool is_arguments_key() const;

  Options options_;
  State state_;
  JsonScan scan_;
  std::string token_;  // the key, scalar or header that is being read
  std::string key_;
  std::string name_;
  std::string arguments_;
  bool has_arguments_ = false;
  bool certain_ = false;
};

}  // namespace cortex::text
