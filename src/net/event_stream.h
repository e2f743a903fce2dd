// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::net {

// Takes server-sent events (text/event-stream) out of the bytes of an answer, cut wherever they
// were cut on the way. Comments, ids and retry times are read over. Thread: one at a time.
class EventStream {
 public:
  // One event, whole: its name ("message" where it has none) and its lines of data. Both last for
  // the call. An error ends the reading with it.
  using Take = std::function<Status(std::string_view name, std::string_view data)>;

  explicit EventStream(Take take, std::size_t event_bytes_max = 16u << 20)
      : take_(std::move(take)), event_bytes_max_(event_bytes_max) {}

  // kResourceExhausted for an event, or a line, that is longer than it may be; else the taker's.
  // What comes behind an error is not looked at: the stream is over.
  [[nodiscard]] Status feed(std::string_view bytes);

 private:
  Status end_line();
  Status end_event();

  const Take take_;
  const std::size_t event_bytes_max_;
  std::string line_;
  std::string name_;
  std::string data_;
  bool has_data_ = false;
  bool first_line_ = true;
  bool after_return_ = false;  // a line feed that comes next belongs to the line's end before it
};

}  // namespace cortex::net
