// SPDX-License-Identifier: Apache-2.0
#include "backend/generation/detail/stop_scanner.h"

#include <algorithm>
#include <utility>

namespace cortex::backend {

StopScanner::StopScanner(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

std::string StopScanner::feed(std::string_view text) {
  if (met_) return {};
  if (stops_.empty()) return std::string(text);
  buffer_ += text;
  std::size_t first = std::string::npos;
  for (const std::string& stop : stops_) {
    const std::size_t at = buffer_.find(stop);
    if (at >= first) continue;
    first = at;
    met_ = stop;
  }
  const std::size_t end = met_ ? first : buffer_.size() - held();
  std::string out = buffer_.substr(0, end);
  buffer_.erase(0, met_ ? buffer_.size() : end);
  return out;
}

// Bytes at the end that a stop begins with.
std::size_t StopScanner::held() const {
  std::size_t most = 0;
  for (const std::string& stop : stops_) {
    std::size_t length = std::min(stop.size() - 1, buffer_.size());
    while (length > most && !buffer_.ends_with(std::string_view(stop).substr(0, length))) --length;
    most = std::max(most, length);
  }
  return most;
}

std::string StopScanner::finish() { return std::exchange(buffer_, {}); }

}  // namespace cortex::backend
