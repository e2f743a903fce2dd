// SPDX-License-Identifier: Apache-2.0
#include "net/event_stream.h"

#include <algorithm>

namespace cortex::net {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

Status EventStream::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_return_ && bytes.front() == '\n') bytes.remove_prefix(1);
    after_return_ = false;
    const std::size_t end = std::min(bytes.find_first_of("\r\n"), bytes.size());
    if (line_.size() + end + data_.size() > event_bytes_max_) {
      return resource_exhausted(
          "an event of the stream is longer than " + std::to_string(event_bytes_max_) + " bytes"
      );
    }
    line_.append(bytes.substr(0, end));
    if (end == bytes.size()) return {};
    after_return_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    CORTEX_RETURN_IF_ERROR(end_line());
  }
  return {};
}

Status EventStream::end_line() {
  std::string_view line = line_;
  if (first_line_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  first_line_ = false;
  if (line.empty()) {
    line_.clear();
    return end_event();
  }
  const std::size_t colon = std::min(line.find(':'), line.size());
  const std::string_view field = line.substr(0, colon);
  std::string_view value = line.substr(std::min(colon + 1, line.size()));
  if (value.starts_with(' ')) value.remove_prefix(1);
  if (field == "event") name_ = value;
  if (field == "data") {
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_ += value;
  }
  line_.clear();
  return {};
}

Status EventStream::end_event() {
  const std::string name = name_.empty() ? "message" : std::move(name_);
  const std::string data = std::move(data_);
  name_.clear();
  data_.clear();
  // A name alone is no event.
  return std::exchange(has_data_, false) ? take_(name, data) : Status();
}

}  // namespace cortex::net
