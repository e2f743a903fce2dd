// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/line_reader.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace cortex::cli::detail {
namespace {

// Bytes that were added to `out`; 0 at the end. Waits.
Result<std::size_t> read_more(int input, std::string& out) {
  std::array<char, 4096> bytes;
  for (;;) {
    const ssize_t got = ::read(input, bytes.data(), bytes.size());
    if (got >= 0) {
      out.append(bytes.data(), static_cast<std::size_t>(got));
      return static_cast<std::size_t>(got);
    }
    // A terminal whose other side is gone.
    if (errno == EIO) return std::size_t{0};
    if (errno != EINTR)
      return unavailable(
          std::string("cannot read the input: ") + std::generic_category().message(errno)
      );
  }
}

}  // namespace

Result<LineReader::Line> LineReader::next() {
  for (;;) {
    const std::size_t end = read_.find('\n');
    if (end != std::string::npos || (at_end_ && !read_.empty())) {
      Line out{Kind::kLine, read_.substr(0, end)};
      read_.erase(0, end == std::string::npos ? end : end + 1);
      return out;
    }
    if (at_end_) return Line{Kind::kEnd, {}};
    if (read_.size() > line_bytes_max_) {
      return resource_exhausted(
          "a line is longer than " + std::to_string(line_bytes_max_) + " bytes"
      );
    }
    pollfd entries[] = {{input_, POLLIN, 0}, {interrupt_, POLLIN, 0}};
    if (::poll(entries, 2, -1) < 0) {
      if (errno == EINTR) continue;
      return unavailable(std::string("poll: ") + std::generic_category().message(errno));
    }
    if (entries[1].revents != 0) {
      read_.clear();
      return Line{Kind::kInterrupted, {}};
    }
    CORTEX_ASSIGN_OR_RETURN(const std::size_t got, read_more(input_, read_));
    at_end_ = got == 0;
  }
}

Result<std::string> read_to_end(int input, std::size_t bytes_max) {
  std::string out;
  for (;;) {
    CORTEX_ASSIGN_OR_RETURN(const std::size_t got, read_more(input, out));
    if (got == 0) return out;
    if (out.size() > bytes_max) {
      return resource_exhausted("the input is longer than " + std::to_string(bytes_max) + " bytes");
    }
  }
}

}  // namespace cortex::cli::detail
