// SPDX-License-Identifier: Apache-2.0
// Events are the same however the bytes of the stream were cut, and none is longer than it may be.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "net/event_stream.h"

namespace {

constexpr std::size_t kEventBytesMax = 256;

struct Reading {
  std::vector<std::string> events;
  cortex::Code end = cortex::Code::kOk;
  bool operator==(const Reading&) const = default;
};

Reading read_in_pieces(std::string_view text, std::size_t piece) {
  Reading out;
  cortex::net::EventStream stream(
      [&](std::string_view name, std::string_view data) {
        CHECK(data.size() <= kEventBytesMax, "an event is bounded");
        out.events.emplace_back(name).append(":").append(data);
        return cortex::Status();
      },
      kEventBytesMax
  );
  while (!text.empty() && out.end == cortex::Code::kOk) {
    out.end = stream.feed(text.substr(0, piece)).code();
    text.remove_prefix(std::min(piece, text.size()));
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Reading bytewise = read_in_pieces(text, 1);
  // A line that is too long is noticed with the piece that makes it so: the end is the same.
  CHECK(bytewise == read_in_pieces(text, 7), "cuts change nothing");
  CHECK(bytewise == read_in_pieces(text, std::max<std::size_t>(size, 1)), "cuts change nothing");
  return 0;
}
