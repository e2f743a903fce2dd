// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "net/http_client.h"

namespace cortex::cli::detail {

// A piece of a streamed answer; either may be empty.
struct AnswerPart {
  std::string_view content;
  std::string_view reasoning;
};
// An error ends the answer with it.
using TakePart = std::function<Status(const AnswerPart&)>;

// What a streamed answer came to.
struct AnswerEnd {
  int http_status = 0;  // 0: no answer came
  // Not ok: it was refused, an error came within the stream, it broke off, or the taker ended it.
  Status status;
  std::string finish_reason;
  // 0 where the server did not say.
  std::uint64_t prompt_tokens = 0;
  std::uint64_t cached_tokens = 0;  // of the prompt's
  std::uint64_t completion_tokens = 0;
};

// Posts `body`, which asks for a stream, to OpenAI's chat completions or completions and hands on
// what comes, as it comes. Blocks until the end.
[[nodiscard]] AnswerEnd stream_answer(
    net::HttpClient& client, std::string_view target, std::string_view body, const TakePart& take
);

}  // namespace cortex::cli::detail
