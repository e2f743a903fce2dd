// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "frontend/codec/streamed_call.h"

namespace cortex::frontend::ollama {

// What stays the same over an answer.
struct OllamaPlan {
  std::string model;                  // as the client named it
  bool chat = true;                   // else a generation
  TimePoint arrival{};                // durations count from it
  std::function<std::int64_t()> now;  // wall time, in milliseconds
  const Clock* clock = &steady_clock();
};

// The answer as lines of JSON, streamed and whole. A part of another kind, or of another sequence
// than the first, is kInternal. Calls of tools come whole, at the end; one that was cut before its
// end does not come.
[[nodiscard]] std::unique_ptr<StreamWriter> answer_lines(OllamaPlan plan);
[[nodiscard]] std::unique_ptr<PartCollector> answer_collector(OllamaPlan plan);

// The answer to who asked for nothing: the model is there.
[[nodiscard]] std::string loaded_text(const OllamaPlan& plan);

// {"error":…}: the body of an error, and the line that ends a stream.
[[nodiscard]] std::string error_text(const Status& status);

// "2026-01-31T12:00:00.123Z".
[[nodiscard]] std::string time_text(std::int64_t unix_ms);

}  // namespace cortex::frontend::ollama
