// SPDX-License-Identifier: Apache-2.0
#include "text/detail/json_scan.h"

namespace cortex::text {

JsonScan::Step JsonScan::feed(char c) {
  if (in_string_) return feed_in_string(c);
  switch (c) {
    case '"':
      if (started_ && open_.empty()) return Step::kBroken;
      started_ = in_string_ = true;
      return Step::kInside;
    case '{':
    case '[':
      if (started_ && open_.empty()) return Step::kBroken;
      started_ = true;
      open_ += c;
      return Step::kInside;
    case '}':
    case ']':
      return close(c);
    case ',':
    case ' ':
    case '\n':
    case '\r':
    case '\t':
      if (!open_.empty()) return Step::kInside;
      return started_ ? Step::kBehind : Step::kBroken;
    default:
      started_ = true;
      return Step::kInside;
  }
}

JsonScan::Step JsonScan::feed_in_string(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    return open_.empty() ? Step::kLast : Step::kInside;
  }
  return Step::kInside;
}

JsonScan::Step JsonScan::close(char bracket) {
  if (open_.empty()) return started_ ? Step::kBehind : Step::kBroken;
  if (open_.back() != (bracket == '}' ? '{' : '[')) return Step::kBroken;
  open_.pop_back();
  return open_.empty() ? Step::kLast : Step::kInside;
}

}  // namespace cortex::text
