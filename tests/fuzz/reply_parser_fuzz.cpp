// SPDX-License-Identifier: Apache-2.0
// First byte: format and options. Second byte: where the rest, a reply, is cut.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "text/reply_parser.h"

namespace {

using cortex::text::ReplyFormat;
using cortex::text::ReplyParser;
using cortex::text::ReplyParserOptions;
using cortex::text::ReplyPiece;

// Joined by kind and call, so that two ways to cut can be compared.
void append(std::string& joined, std::uint32_t& last, const std::vector<ReplyPiece>& pieces) {
  for (const auto& piece : pieces) {
    CHECK(!piece.text.empty(), "no piece is empty");
    const auto key = static_cast<std::uint32_t>(piece.kind) + 4 * piece.call + 1;
    if (key != last) joined += '\0' + std::to_string(key) + ':';
    last = key;
    joined += piece.text;
  }
}

std::string read(const ReplyParserOptions& options, std::string_view reply, std::size_t cut) {
  ReplyParser parser(options);
  std::string joined;
  std::uint32_t last = 0;
  while (!reply.empty()) {
    const auto part = reply.substr(0, cut);
    append(joined, last, parser.feed(part));
    reply.remove_prefix(part.size());
  }
  append(joined, last, parser.finish());
  return joined;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const ReplyParserOptions options = {
      .format = static_cast<ReplyFormat>(data[0] % 8),
      .tools = (data[0] & 8U) == 0,
      .reasoning = (data[0] & 16U) == 0,
      .starts_in_reasoning = (data[0] & 32U) != 0,
  };
  const std::string_view reply(reinterpret_cast<const char*>(data) + 2, size - 2);
  const auto whole = read(options, reply, reply.size());
  CHECK(whole == read(options, reply, 1 + data[1] % 16U), "cuts change nothing");
  CHECK(whole == read(options, reply, 1), "nor does reading byte by byte");
  return 0;
}
