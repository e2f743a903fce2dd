// SPDX-License-Identifier: Apache-2.0
#include "text/detail/call_reader.h"

#include <utility>

#include <boost/json.hpp>

namespace cortex::text {
namespace {

constexpr std::size_t kNameBytesMax = 256;
constexpr std::size_t kHeaderBytesMax = 1024;
constexpr std::string_view kDeepSeekBegin = "<｜tool▁call▁begin｜>";
constexpr std::string_view kDeepSeekSeparator = "<｜tool▁sep｜>";

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > kNameBytesMax) return false;
  return text.find_first_of(std::string_view(" \n\r\t\"'{}[]<>()`,\0", 17)) == text.npos;
}

// The text of a JSON string with its quotation marks; empty if it is none.
std::string string_of(std::string_view json) {
  boost::system::error_code error;
  const auto value = boost::json::parse(json, error);
  if (error || !value.is_string()) return "";
  return std::string(value.get_string());
}

}  // namespace

CallReader::CallReader(Options options)
    : options_(options), state_(options.form == Form::kObject ? State::kOpen : State::kHeader) {}

std::string CallReader::take_arguments() { return certain_ ? std::exchange(arguments_, "") : ""; }

CallReader::Step CallReader::feed(char c) {
  switch (state_) {
    case State::kHeader:
      return feed_header(c);
    case State::kBeforeArguments:
      return before_arguments(c);
    case State::kArguments:
      return feed_arguments(c);
    default:
      return feed_object(c);
  }
}

CallReader::Step CallReader::feed_object(char c) {
  switch (state_) {
    case State::kKey:
      return feed_key(c);
    case State::kValue:
      return feed_value(c);
    case State::kScalar:
      return feed_scalar(c);
    case State::kAfterValue:
      return feed_after_value(c);
    default:
      break;
  }
  if (is_space(c)) return Step::kMore;
  if (state_ == State::kOpen && c == '{') {
    state_ = State::kKeyOrEnd;
    return Step::kMore;
  }
  if (state_ == State::kColon && c == ':') {
    state_ = State::kValue;
    return Step::kMore;
  }
  if (state_ != State::kKeyOrEnd) return broken();
  if (c == '}') return close_object();
  if (c != '"') return broken();
  state_ = State::kKey;
  scan_ = JsonScan();
  token_.clear();
  return feed_key(c);
}

CallReader::Step CallReader::feed_key(char c) {
  token_ += c;
  if (scan_.feed(c) != JsonScan::Step::kLast) return Step::kMore;
  key_ = string_of(token_);
  state_ = State::kColon;
  return Step::kMore;
}

bool CallReader::is_arguments_key() const {
  return !has_arguments_ && (key_ == "arguments" || key_ == "parameters");
}

CallReader::Step CallReader::feed_value(char c) {
  if (is_space(c)) return Step::kMore;
  scan_ = JsonScan();
  token_.clear();
  if (is_arguments_key() && (c == '{' || c == '[')) {
    has_arguments_ = true;
    state_ = State::kArguments;
    settle();
    return feed_arguments(c);
  }
  state_ = State::kScalar;
  return feed_scalar(c);
}

// Every value but streamed arguments.
CallReader::Step CallReader::feed_scalar(char c) {
  const auto step = scan_.feed(c);
  if (step == JsonScan::Step::kBroken) return broken();
  if (step != JsonScan::Step::kBehind) token_ += c;
  if (step == JsonScan::Step::kInside) return Step::kMore;
  if (!keep_scalar()) return broken();
  state_ = State::kAfterValue;
  return step == JsonScan::Step::kBehind ? feed_after_value(c) : Step::kMore;
}

bool CallReader::keep_scalar() {
  if (key_ == "name" && name_.empty()) {
    name_ = string_of(token_);
    if (!is_name(name_)) return false;
  } else if (is_arguments_key()) {
    has_arguments_ = true;
    // Some models write the arguments as the text of JSON, and none as null.
    arguments_ = token_.front() == '"' ? string_of(token_) : token_;
    if (token_ == "null" || arguments_.empty()) arguments_ = "{}";
  }
  settle();
  return true;
}

CallReader::Step CallReader::feed_after_value(char c) {
  if (is_space(c)) return Step::kMore;
  if (c == '}') return close_object();
  if (c != ',') return broken();
  state_ = State::kKeyOrEnd;
  return Step::kMore;
}

CallReader::Step CallReader::close_object() {
  if (!has_arguments_ && options_.without_arguments && !name_.empty()) {
    has_arguments_ = true;
    arguments_ = "{}";
  }
  settle();
  return certain_ ? Step::kLast : Step::kFailed;
}

CallReader::Step CallReader::feed_arguments(char c) {
  const auto step = scan_.feed(c);
  if (step == JsonScan::Step::kBroken || step == JsonScan::Step::kBehind) return broken();
  arguments_ += c;
  if (step == JsonScan::Step::kInside) return Step::kMore;
  if (options_.form != Form::kObject) return Step::kLast;
  state_ = State::kAfterValue;
  return Step::kMore;
}

CallReader::Step CallReader::feed_header(char c) {
  token_ += c;
  if (token_.size() > kHeaderBytesMax) return Step::kFailed;
  if (options_.form == Form::kDeepSeek) {
    if (c == '>' || c == '\n') return read_deepseek_header() ? Step::kMore : Step::kFailed;
    return Step::kMore;
  }
  if (!token_.ends_with(options_.separator)) return Step::kMore;
  std::string_view name =
      trimmed(std::string_view(token_).substr(0, token_.size() - options_.separator.size()));
  // Mistral's calls may carry an id.
  name = name.substr(0, name.find("[CALL_ID]"));
  if (!is_name(name)) return Step::kFailed;
  name_ = name;
  token_.clear();
  state_ = State::kBeforeArguments;
  return Step::kMore;
}

// False where this is no header; `token_` may be the beginning of one.
bool CallReader::read_deepseek_header() {
  std::string_view text = trimmed(token_);
  if (text.starts_with(kDeepSeekBegin)) text = trimmed(text.substr(kDeepSeekBegin.size()));
  const auto separator = text.find(kDeepSeekSeparator);
  if (separator == text.npos) return true;
  auto name = trimmed(text.substr(0, separator));
  if (name == "function") {
    if (token_.back() != '\n') return true;
    name = trimmed(text.substr(separator + kDeepSeekSeparator.size()));
  }
  if (!is_name(name)) return false;
  name_ = name;
  token_.clear();
  state_ = State::kBeforeArguments;
  return true;
}

CallReader::Step CallReader::before_arguments(char c) {
  if (c == '{') {
    scan_ = JsonScan();
    has_arguments_ = true;
    state_ = State::kArguments;
    settle();
    return feed_arguments(c);
  }
  if (is_space(c)) return Step::kMore;
  // DeepSeek's code block.
  constexpr std::string_view kFence = "```json";
  token_ += c;
  const bool fence = options_.form == Form::kDeepSeek && kFence.starts_with(token_);
  return fence ? Step::kMore : Step::kFailed;
}

void CallReader::settle() { certain_ = certain_ || (has_arguments_ && !name_.empty()); }

}  // namespace cortex::text
