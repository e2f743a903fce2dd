// SPDX-License-Identifier: Apache-2.0
#include "backend/embedding/detail/embedding_run.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <utility>

#include "backend/embedding/pooling.h"
#include "base/clock.h"

namespace cortex::backend {
namespace {

// The output's elements as floats; `copy` holds them where they are not floats in place.
std::span<const float> floats_of(const Tensor& tensor, std::vector<float>& copy) {
  if (tensor.datatype == DataType::kFp32 && tensor.aligned_to(alignof(float))) {
    return tensor.as<float>();
  }
  copy.resize(tensor.bytes.size() / element_size(tensor.datatype));
  if (tensor.datatype == DataType::kFp32) {
    std::memcpy(copy.data(), tensor.bytes.data(), copy.size() * sizeof(float));
    return copy;
  }
  for (std::size_t i = 0; i < copy.size(); ++i) {
    _Float16 half{};
    std::memcpy(&half, tensor.bytes.data() + i * sizeof(half), sizeof(half));
    copy[i] = static_cast<float>(half);
  }
  return copy;
}

Status wrong_output(const Tensor& output) {
  return internal(
      "a row's output '" + output.name + "' is " + std::string(datatype_name(output.datatype)) +
      shape_text(output.shape)
  );
}

// A pair's logit, between 0 and 1.
float score_of(float logit) { return 1 / (1 + std::exp(-logit)); }

// How alike two directions are, -1 to 1; 0 where one of them is none or has no end.
float cosine(std::span<const float> a, std::span<const float> b) {
  const auto product = [](std::span<const float> x, std::span<const float> y) {
    return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
  };
  const double lengths = std::sqrt(product(a, a)) * std::sqrt(product(b, b));
  return lengths > 0 && std::isfinite(lengths) ? static_cast<float>(product(a, b) / lengths) : 0.0F;
}

bool is_float(DataType type) { return type == DataType::kFp32 || type == DataType::kFp16; }

}  // namespace

EmbeddingRun::EmbeddingRun(
    const EmbeddingContext& context,
    std::shared_ptr<const Request> request,
    std::shared_ptr<ResponseStream> stream
)
    : context_(context),
      request_(std::move(request)),
      input_(std::get_if<EmbeddingInput>(&request_->input)),
      rerank_(std::get_if<RerankInput>(&request_->input)),
      stream_(std::move(stream)),
      group_(std::make_shared<ResponseStream>()) {
  group_->follow(stream_);
}

void EmbeddingRun::start() {
  const TimePoint begin = steady_clock().now();
  if (Status status = encode(); !status.ok()) return refuse(status);
  encoding_time_ = steady_clock().now() - begin;
  pump();
}

void EmbeddingRun::refuse(const Status& status) {
  LaneGate& gate = context_.gate;
  stream_->finish(status);
  gate.leave();
}

Status EmbeddingRun::encode() {
  CORTEX_RETURN_IF_ERROR(check_count());
  rows_.resize(row_count());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    // A client that left while its texts are long.
    if (stream_->cancelled()) return cancelled("the client left");
    auto encoding = encode_row(i);
    if (!encoding.ok()) return encoding.status().with_prefix(row_name(i) + ": ");
    rows_[i].encoding = std::move(*encoding);
  }
  return {};
}

bool EmbeddingRun::compares_pairs() const { return context_.plan.pooling == Pooling::kRank; }

Status EmbeddingRun::check_count() const {
  const std::size_t count =
      rerank_ != nullptr ? rerank_->documents.size() : input_->texts.size() + input_->tokens.size();
  if (count == 0) return invalid_argument("there is no text");
  if (count > context_.options.texts_max) {
    return invalid_argument(
        std::to_string(count) + " texts in one request; the limit is " +
        std::to_string(context_.options.texts_max)
    );
  }
  if (rerank_ != nullptr || !compares_pairs()) return {};
  return invalid_argument(
      "model '" + request_->model.name + "' embeds nothing: it scores documents for a query"
  );
}

std::size_t EmbeddingRun::row_count() const {
  if (rerank_ == nullptr) return input_->texts.size() + input_->tokens.size();
  return rerank_->documents.size() + (compares_pairs() ? 0 : 1);
}

// As the client knows it.
std::string EmbeddingRun::row_name(std::size_t index) const {
  if (rerank_ == nullptr) return "input[" + std::to_string(index) + "]";
  if (!compares_pairs() && index == 0) return "query";
  return "documents[" + std::to_string(compares_pairs() ? index : index - 1) + "]";
}

Result<text::Encoding> EmbeddingRun::encode_row(std::size_t index) const {
  if (rerank_ != nullptr) {
    if (compares_pairs()) return encode_pair(rerank_->documents[index]);
    const std::string& text = index == 0 ? rerank_->query : rerank_->documents[index - 1];
    return encode_text(text, rerank_->truncate);
  }
  const std::size_t texts = input_->texts.size();
  if (index < texts) return encode_text(input_->texts[index], input_->truncate);
  return take_tokens(input_->tokens[index - texts]);
}

Result<text::Encoding> EmbeddingRun::encode_pair(const std::string& document) const {
  text::EncodeOptions options;
  options.length_max = context_.plan.context_length;
  CORTEX_ASSIGN_OR_RETURN(
      text::Encoding encoding, context_.tokenizer.encode_pair(rerank_->query, document, options)
  );
  if (!encoding.truncated || rerank_->truncate) return encoding;
  const auto whole = context_.tokenizer.encode_pair(rerank_->query, document, {});
  return too_long(whole.ok() ? whole->ids.size() : encoding.ids.size() + 1);
}

Result<text::Encoding> EmbeddingRun::encode_text(const std::string& text, bool truncate) const {
  text::EncodeOptions options;
  options.length_max = context_.plan.context_length;
  CORTEX_ASSIGN_OR_RETURN(text::Encoding encoding, context_.tokenizer.encode(text, options));
  if (encoding.ids.empty()) return invalid_argument("the text has no tokens");
  if (encoding.truncated && !truncate) {
    const auto tokens = context_.tokenizer.count(text);
    return too_long(tokens.ok() ? *tokens : encoding.ids.size() + 1);
  }
  return encoding;
}

Result<text::Encoding> EmbeddingRun::take_tokens(const std::vector<std::int64_t>& ids) const {
  const auto vocabulary = static_cast<std::int64_t>(context_.tokenizer.vocabulary_size());
  if (ids.empty()) return invalid_argument("there are no tokens");
  for (const std::int64_t id : ids) {
    if (id >= 0 && id < vocabulary) continue;
    return invalid_argument(
        "token " + std::to_string(id) + " is outside the vocabulary of " +
        std::to_string(vocabulary)
    );
  }
  const std::size_t length = std::min(ids.size(), context_.plan.context_length);
  if (length < ids.size() && !input_->truncate) return too_long(ids.size());
  text::Encoding out;
  out.ids.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(length));
  out.type_ids.assign(length, 0);
  return out;
}

Status EmbeddingRun::too_long(std::size_t tokens) const {
  return invalid_argument(
      std::to_string(tokens) + " tokens; the model's context length is " +
      std::to_string(context_.plan.context_length)
  );
}

void EmbeddingRun::pump() {
  turns_.take([this] { advance(); });
}

void EmbeddingRun::advance() {
  while (!submitted_all_ && outstanding_.load() <= context_.options.rows_in_flight_max) {
    if (next_ == rows_.size() || failed_.load() || stream_->cancelled()) {
      submitted_all_ = true;
      return release();
    }
    submit_row(next_++);
  }
}

void EmbeddingRun::submit_row(std::size_t index) {
  auto stream = std::make_shared<ResponseStream>();
  stream->follow(group_);
  // The stream is alive while it calls; it does not keep itself.
  stream->on_ready([self = shared_from_this(), index, raw = stream.get()] {
    self->on_row(index, *raw);
  });
  ++outstanding_;
  if (context_.gate.submit(row_request(index), stream)) return;
  fail(unavailable("the model is ending"));
  release();
}

std::shared_ptr<const Request> EmbeddingRun::row_request(std::size_t index) const {
  auto out = std::make_shared<Request>();
  out->id = request_->id;
  out->model = request_->model;
  out->principal = request_->principal;
  out->arrival = request_->arrival;
  out->deadline = request_->deadline;
  out->priority = request_->priority;
  out->queue_timeout = request_->queue_timeout;
  out->parameters = request_->parameters;
  out->input =
      InferInput{token_tensors(context_.plan, rows_[index].encoding), {context_.plan.output}};
  return out;
}

// Called for every part and for the end; with a part written before the end that is twice.
void EmbeddingRun::on_row(std::size_t index, ResponseStream& stream) {
  Row& row = rows_[index];
  if (auto part = stream.read()) row.part = std::move(part);
  if (!stream.finished()) return;
  row.timings = stream.timings();
  Status status = stream.status();
  if (status.ok()) status = take_vector(row);
  row.part.reset();
  if (!status.ok()) {
    // What is not of the row's own content, as a deadline, is of the whole request.
    const bool own = rows_.size() > 1 && status.code() == Code::kInvalidArgument;
    fail(own ? status.with_prefix(row_name(index) + ": ") : status);
  }
  release();
  pump();
}

Status EmbeddingRun::take_vector(Row& row) const {
  const auto* output = row.part ? std::get_if<InferOutput>(&*row.part) : nullptr;
  if (output == nullptr || output->outputs.size() != 1) {
    return internal("a row came back without its output");
  }
  CORTEX_ASSIGN_OR_RETURN(row.vector, vector_of(output->outputs[0], row.encoding.ids.size()));
  if (context_.plan.normalize && !compares_pairs()) normalize(row.vector);
  return {};
}

Result<std::vector<float>> EmbeddingRun::vector_of(const Tensor& output, std::size_t tokens) const {
  const std::size_t rank = context_.plan.pooled ? 2 : 3;
  if (!is_float(output.datatype) || output.shape.size() != rank || output.shape[0] != 1 ||
      !validate(output).ok()) {
    return wrong_output(output);
  }
  const auto width = static_cast<std::size_t>(output.shape.back());
  std::vector<float> copy;
  const std::span<const float> states = floats_of(output, copy);
  if (width == 0 || states.size() < width) return wrong_output(output);
  std::vector<float> out(states.begin(), states.begin() + static_cast<std::ptrdiff_t>(width));
  if (compares_pairs() && width != 1) return wrong_output(output);
  if (context_.plan.pooled || context_.plan.pooling == Pooling::kCls) return out;
  if (states.size() < tokens * width) return wrong_output(output);
  if (context_.plan.pooling == Pooling::kLast) {
    const auto last = states.subspan((tokens - 1) * width, width);
    std::copy(last.begin(), last.end(), out.begin());
    return out;
  }
  pool_mean(states.first(tokens * width), out);
  return out;
}

void EmbeddingRun::fail(const Status& status) {
  if (failed_.exchange(true)) return;
  error_ = status;
  group_->cancel();
}

void EmbeddingRun::release() {
  if (outstanding_.fetch_sub(1) == 1) end();
}

void EmbeddingRun::end() {
  LaneGate& gate = context_.gate;
  if (Status result = status(); !result.ok()) {
    stream_->finish(std::move(result), timings());
  } else {
    stream_->finish(output(), timings());
  }
  gate.leave();
}

Status EmbeddingRun::status() {
  if (stream_->cancelled()) return cancelled("the client left");
  if (failed_.load()) return error_;
  const bool same = std::all_of(rows_.begin(), rows_.end(), [&](const Row& row) {
    return row.vector.size() == rows_[0].vector.size();
  });
  return same ? Status() : internal("the rows' vectors differ in width");
}

Timings EmbeddingRun::timings() const {
  Timings out;
  out.compute_input = encoding_time_;
  for (const Row& row : rows_) {
    out.queue = std::max(out.queue, row.timings.queue);
    out.compute_input += row.timings.compute_input;
    out.compute += row.timings.compute;
    out.compute_output += row.timings.compute_output;
    out.batch_size = std::max(out.batch_size, row.timings.batch_size);
    out.input_tokens += row.encoding.ids.size();
  }
  return out;
}

ResponsePart EmbeddingRun::output() {
  if (rerank_ != nullptr) return scores();
  return vectors();
}

RerankOutput EmbeddingRun::scores() const {
  RerankOutput out;
  const bool pairs = compares_pairs();
  for (std::size_t i = pairs ? 0 : 1; i < rows_.size(); ++i) {
    const std::vector<float>& vector = rows_[i].vector;
    out.scores.push_back(pairs ? score_of(vector[0]) : cosine(rows_[0].vector, vector));
  }
  return out;
}

EmbeddingOutput EmbeddingRun::vectors() {
  EmbeddingOutput out;
  out.dimensions = rows_[0].vector.size();
  if (rows_.size() == 1) {
    out.values = std::move(rows_[0].vector);
    return out;
  }
  out.values.reserve(rows_.size() * out.dimensions);
  for (const Row& row : rows_) {
    out.values.insert(out.values.end(), row.vector.begin(), row.vector.end());
  }
  return out;
}

}  // namespace cortex::backend
