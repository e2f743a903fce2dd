// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "request/generation.h"
#include "request/model_reference.h"
#include "request/parameters.h"
#include "request/principal.h"
#include "request/sequence.h"
#include "request/tensor.h"

namespace cortex {

// Tensors in, tensors out.
struct InferInput {
  std::vector<Tensor> inputs;
  std::vector<std::string> outputs;  // empty: all of the model's
};

// Texts in, vectors out. The texts stay texts until the servable is chosen: tokens are its
// business.
struct EmbeddingInput {
  std::vector<std::string> texts;
  std::vector<std::vector<std::int64_t>> tokens;  // instead of texts
  bool truncate = true;                           // else a text over the context length is refused
};

// How well each of some texts answers another one. As with embeddings they stay texts until the
// servable is chosen.
struct RerankInput {
  std::string query;
  std::vector<std::string> documents;
  bool truncate = true;  // else a pair over the context length is refused
};

// What a client asked. Immutable once submitted and shared by everything that serves it; an attempt
// (a retry, a fallback, a shadow) reads it and never changes it.
struct Request {
  std::string id;  // the client's or ours; in every log line
  ModelReference model;
  Principal principal;
  TimePoint arrival{};
  TimePoint deadline = kNoDeadline;
  // Of tensor models with levels. 0: the model's default; 1 is served first.
  std::uint64_t priority = 0;
  // Of language models, as Unix has it: above 0 the request steps behind its principal's class, and
  // among its principal's own the lower goes first.
  std::int32_t niceness = 0;
  std::chrono::microseconds queue_timeout{0};  // 0: the model's
  Parameters parameters;                       // of the API, what is not a field above
  std::variant<
      InferInput,
      EmbeddingInput,
      RerankInput,
      GenerationInput,
      SequenceInput,
      TokenizeInput,
      DetokenizeInput>
      input;
};

}  // namespace cortex
