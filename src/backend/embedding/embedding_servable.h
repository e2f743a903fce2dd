// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

#include "base/thread_pool.h"
#include "request/model_config.h"
#include "request/servable.h"
#include "request/signature.h"
#include "text/tokenizer.h"

namespace cortex::backend {

struct EmbeddingParts {
  std::unique_ptr<Servable> lane;  // of the model that takes the tokens
  std::shared_ptr<const text::Tokenizer> tokenizer;
  ModelConfig config;
  ModelSignature signature;   // of that model
  ThreadPool* cpu = nullptr;  // tokenises long texts; outlives the servable
};

struct EmbeddingOptions {
  // Texts of a request up to this many bytes together are tokenised where it is submitted, longer
  // ones on the pool.
  std::size_t inline_bytes_max = 4096;
  // Rows of one request that are in the lane at once, so that a long list leaves room for others.
  std::size_t rows_in_flight_max = 64;
  // Texts of one request.
  std::size_t texts_max = 2048;
};

// How a text model pools: as its configuration says, or as its outputs do: states of tokens are
// averaged, a lone `logits` of one number ranks, a lone `sentence_embedding` is one already. Pure.
[[nodiscard]] Pooling pooling_of(const ModelConfig& config, const ModelSignature& signature);

// A text model: tokeniser in front of a tensor lane, pooling behind it. Each text of a request
// becomes one row, an InferInput [1, length] of its own, so that the lane may batch it with rows of
// any other request; how long the rows of a batch are padded is the lane's business. Tensors pass
// through to the lane unchanged.
//
// Fed from the tokens by name: input_ids, attention_mask, token_type_ids, position_ids (INT64 or
// INT32). A model of a fixed length gets padded rows. Pooled is last_hidden_state, token_embeddings
// or the first output of rank 3; with pooling `none`, sentence_embedding or the first output of
// rank 2 is taken as it is; with `rank`, logits or the first output of rank 2 is the score of a
// pair.
//
// Documents are ranked for a query by such a model's scores, made numbers from 0 to 1 by the
// logistic function, or by the cosine of their embeddings with the query's, -1 to 1. A model with
// `rank` embeds nothing (kInvalidArgument).
//
// What tokens a text becomes, and what text tokens are, is told without the lane; a conversation
// has no tokens here (kInvalidArgument).
//
// The first row that fails fails its request and cancels the others. Leaving cancels all rows.
// Timings are summed over the rows, the longest queue and the largest batch excepted.
//
// Threads: submit on any; pooling on the lane's thread that ran the row (a few microseconds).
class EmbeddingServable final : public Servable {
 public:
  // kFailedPrecondition when the model's inputs and outputs are not those of a text model.
  [[nodiscard]] static Result<std::unique_ptr<EmbeddingServable>> make(
      EmbeddingParts parts, const EmbeddingOptions& options = {}
  );
  ~EmbeddingServable() override;

  // kInvalidArgument for no text, too many, a text over the context length that may not be cut, an
  // id outside the vocabulary; kResourceExhausted when the pool's queue is full; else what the lane
  // says.
  void submit(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
      override;

 private:
  struct Inner;
  explicit EmbeddingServable(std::unique_ptr<Inner> inner);
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::backend
