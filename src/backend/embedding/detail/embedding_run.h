// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "backend/detail/lane_gate.h"
#include "backend/embedding/detail/embedding_plan.h"
#include "backend/embedding/embedding_servable.h"
#include "base/turns.h"

namespace cortex::backend {

// What all runs of a servable share. Immutable but for the gate.
struct EmbeddingContext {
  const text::Tokenizer& tokenizer;
  EmbeddingPlan plan;
  const EmbeddingOptions& options;
  LaneGate& gate;
};

// One request on its way: tokens, rows in the lane, vectors. Kept alive by its rows' streams.
//
// Each text to embed is a row. Of a question which documents answer it, each pair with the query is
// one where the model compares pairs; else query and documents are embedded, the query first.
//
// Threads: start() or refuse() once, on any; then the lanes' threads, one at a time for each row.
// `outstanding_` counts the rows in the lane, plus one for as long as rows are still to be
// submitted; who brings it to 0 ends the request. `turns_` lets one thread at a time submit.
class EmbeddingRun final : public std::enable_shared_from_this<EmbeddingRun> {
 public:
  // REQUIRES: an EmbeddingInput or a RerankInput, and the gate entered; the run leaves it behind
  // the end of the stream.
  EmbeddingRun(
      const EmbeddingContext& context,
      std::shared_ptr<const Request> request,
      std::shared_ptr<ResponseStream> stream
  );

  void start();
  void refuse(const Status& status);

 private:
  struct Row {
    text::Encoding encoding;
    std::optional<ResponsePart> part;
    std::vector<float> vector;
    Timings timings;
  };

  Status encode();
  [[nodiscard]] bool compares_pairs() const;
  [[nodiscard]] Status check_count() const;
  [[nodiscard]] std::size_t row_count() const;
  [[nodiscard]] std::string row_name(std::size_t index) const;
  Result<text::Encoding> encode_row(std::size_t index) const;
  Result<text::Encoding> encode_text(const std::string& text, bool truncate) const;
  Result<text::Encoding> encode_pair(const std::string& document) const;
  Result<text::Encoding> take_tokens(const std::vector<std::int64_t>& ids) const;
  Status too_long(std::size_t tokens) const;

  void pump();
  void advance();
  void submit_row(std::size_t index);
  std::shared_ptr<const Request> row_request(std::size_t index) const;
  void on_row(std::size_t index, ResponseStream& stream);
  Status take_vector(Row& row) const;
  Result<std::vector<float>> vector_of(const Tensor& output, std::size_t tokens) const;

  void fail(const Status& status);
  void release();
  void end();
  Status status();
  Timings timings() const;
  ResponsePart output();
  EmbeddingOutput vectors();
  RerankOutput scores() const;

  const EmbeddingContext& context_;
  const std::shared_ptr<const Request> request_;
  const EmbeddingInput* const input_;  // one of the two is null
  const RerankInput* const rerank_;
  const std::shared_ptr<ResponseStream> stream_;
  const std::shared_ptr<ResponseStream>
      group_;  // what all rows follow: the client's leaving, the first failure

  std::vector<Row> rows_;
  std::size_t next_ = 0;        // whose turn it is alone
  bool submitted_all_ = false;  // the same
  Duration encoding_time_{};
  Turns turns_;
  std::atomic<std::size_t> outstanding_{1};
  std::atomic<bool> failed_{false};
  Status error_;  // written by the first to set failed_
};

}  // namespace cortex::backend
