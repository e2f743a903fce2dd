// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "frontend/codec/streamed_call.h"
#include "request/generation.h"

namespace cortex::frontend::openai {

// What stays the same over an answer.
struct GenerationPlan {
  std::string id;              // "chatcmpl-…"
  std::int64_t created = 0;    // seconds since the epoch
  std::string model;           // as the client named it
  std::string fingerprint;     // of the server
  std::size_t sequences = 1;   // of each request
  std::size_t requests = 1;    // prompts
  bool logprobs = false;       // were asked for
  bool include_usage = false;  // of a stream
  bool continuous_usage = false;
};

// The answers to a chat and to completions, streamed and whole. A part of another kind, or of a
// sequence that was not asked for, is kInternal.
[[nodiscard]] std::unique_ptr<StreamWriter> chat_stream(GenerationPlan plan);
[[nodiscard]] std::unique_ptr<PartCollector> chat_collector(GenerationPlan plan);
[[nodiscard]] std::unique_ptr<StreamWriter> completion_stream(GenerationPlan plan);
[[nodiscard]] std::unique_ptr<PartCollector> completion_collector(GenerationPlan plan);

}  // namespace cortex::frontend::openai
