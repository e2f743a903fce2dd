// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_text_backend.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "backend/llama/detail/weight_facts.h"

namespace cortex::backend {
namespace {

// For every token of a call the library keeps a number for each token of the vocabulary, although
// nobody asks for them: where the owner does not say how long a text may be, they decide.
constexpr std::size_t kUnusedBytesWanted = 512u << 20;
constexpr std::size_t kLengthMin = 512;

constexpr const char* kIds = "input_ids";
constexpr const char* kMask = "attention_mask";

bool is_set(const std::atomic<bool>* flag) {
  return flag != nullptr && flag->load(std::memory_order_relaxed);
}

LlamaPooling type_of(Pooling pooling) {
  switch (pooling) {
    case Pooling::kCls:
      return LLAMA_POOLING_TYPE_CLS;
    case Pooling::kLast:
      return LLAMA_POOLING_TYPE_LAST;
    case Pooling::kRank:
      return LLAMA_POOLING_TYPE_RANK;
    default:
      return LLAMA_POOLING_TYPE_MEAN;
  }
}

Result<LlamaPooling> pooling_of(const TextModelOptions& options, const GgufHead& head) {
  if (options.pooling && *options.pooling != Pooling::kNone) return type_of(*options.pooling);
  const std::int64_t own = head.pooling.value_or(0);
  if (own < 0 || own > LLAMA_POOLING_TYPE_RANK) {
    return invalid_argument("its pooling_type " + std::to_string(own) + " is none");
  }
  if (own > 0) return static_cast<LlamaPooling>(own);
  if (!options.pooling) return LLAMA_POOLING_TYPE_MEAN;
  return invalid_argument("pooling none: its file does not say how it pools");
}

// What its head has no numbers for, the library would read behind their end.
Status check_scores(const LlamaWeights& weights, const GgufHead& head) {
  if (head.scores == 0) {
    return invalid_argument("pooling rank: its file has no classification head");
  }
  const auto labels =
      static_cast<std::int64_t>(weights.api().llama_model_n_cls_out(weights.model()));
  const std::int64_t classes = std::max(head.scores, labels);
  if (classes != 1) {
    return invalid_argument(
        "pooling rank: it tells " + std::to_string(classes) +
        " classes apart; a model that compares two texts gives one number"
    );
  }
  if (weights.api().llama_model_chat_template(weights.model(), "rerank") != nullptr) {
    return invalid_argument("pooling rank: it wants its two texts in a template of its own");
  }
  return {};
}

Status check_kind(const LlamaWeights& weights) {
  const LlamaFunctions& api = weights.api();
  if (api.llama_model_has_encoder(weights.model()) &&
      api.llama_model_has_decoder(weights.model())) {
    return invalid_argument("it encodes for its own decoder alone, and makes no vector of a text");
  }
  return {};
}

Result<const Tensor*> find_input(const TensorRun& run, std::string_view name) {
  const auto at =
      std::ranges::find_if(run.inputs, [&](const Tensor& input) { return input.name == name; });
  if (at == run.inputs.end()) {
    return invalid_argument("the input '" + std::string(name) + "' is missing");
  }
  if (at->datatype != DataType::kInt64 || at->shape.size() != 2) {
    return invalid_argument("the input '" + std::string(name) + "' is not INT64 [batch, length]");
  }
  CORTEX_RETURN_IF_ERROR(validate(*at));
  return &*at;
}

// Requests may lie where no INT64 does.
std::vector<std::int64_t> numbers_of(const Tensor& tensor) {
  std::vector<std::int64_t> out(tensor.bytes.size() / sizeof(std::int64_t));
  std::memcpy(out.data(), tensor.bytes.data(), tensor.bytes.size());
  return out;
}

}  // namespace

Result<TextModel> LlamaTextBackend::load(
    std::shared_ptr<const LlamaLibrary> library, const TextModelOptions& options
) {
  const std::string model = "model '" + options.model_name + "': ";
  const auto settings = llama_settings(options.parameters);
  if (!settings.ok()) return settings.status().with_prefix(model);
  const auto head = read_gguf_head(library->api(), options.model_file);
  if (!head.ok()) return head.status().with_prefix(model);
  const auto pooling = pooling_of(options, *head);
  if (!pooling.ok()) return pooling.status().with_prefix(model);
  CORTEX_ASSIGN_OR_RETURN(
      const std::shared_ptr<const LlamaWeights> weights,
      LlamaWeights::load(std::move(library), options.model_file, options.model_name, *settings)
  );
  Status status = check_kind(*weights);
  if (status.ok() && *pooling == LLAMA_POOLING_TYPE_RANK) status = check_scores(*weights, *head);
  if (!status.ok()) return status.with_prefix(model);
  const auto tokenizer = LlamaTokenizer::make(weights);
  if (!tokenizer.ok()) return tokenizer.status().with_prefix(model);
  std::unique_ptr<LlamaTextBackend> backend(new LlamaTextBackend(weights));
  status = backend->open(options, *settings, *pooling, (*tokenizer)->vocabulary_size());
  if (!status.ok()) return status.with_prefix(model);
  TextModel out;
  out.weights = weight_facts(*weights);
  out.context_length = backend->context_length_;
  out.backend = std::move(backend);
  out.tokenizer = *tokenizer;
  return out;
}

LlamaTextBackend::LlamaTextBackend(std::shared_ptr<const LlamaWeights> weights)
    : weights_(std::move(weights)), api_(weights_->api()) {}

std::size_t LlamaTextBackend::length_of(const TextModelOptions& options) const {
  const auto trained =
      static_cast<std::size_t>(std::max(api_.llama_model_n_ctx_train(weights_->model()), 1));
  const std::size_t affordable = kUnusedBytesWanted / (sizeof(float) * vocabulary_size_);
  const std::size_t wanted =
      options.context_length != 0 ? options.context_length : std::max(affordable, kLengthMin);
  return std::min(wanted, trained);
}

Status LlamaTextBackend::open(
    const TextModelOptions& options,
    const LlamaSettings& settings,
    LlamaPooling pooling,
    std::size_t vocabulary_size
) {
  vocabulary_size_ = vocabulary_size;
  context_length_ = length_of(options);
  shared_tokens_max_ = settings.step_rows;
  sequences_max_ =
      std::clamp<std::size_t>(options.batch_size_max, 1, api_.llama_max_parallel_sequences());
  llama_context_params parameters = api_.llama_context_default_params();
  // A row is pooled within one call, however long it is.
  parameters.n_ctx =
      static_cast<std::uint32_t>(std::max<std::size_t>(context_length_, settings.step_rows));
  parameters.n_batch = parameters.n_ctx;
  parameters.n_ubatch = parameters.n_ctx;
  parameters.n_seq_max = static_cast<std::uint32_t>(sequences_max_);
  parameters.kv_unified = true;
  parameters.embeddings = true;
  parameters.pooling_type = pooling;
  parameters.flash_attn_type = settings.flash_attention;
  parameters.type_k = settings.cache_type_k;
  parameters.type_v = settings.cache_type_v;
  parameters.abort_callback = asked_to_abort;
  parameters.abort_callback_data = this;
  CORTEX_ASSIGN_OR_RETURN(
      context_, LlamaContext::make(weights_, parameters, options.threads, false)
  );
  encodes_ = context_->memory() == nullptr || api_.llama_model_has_encoder(weights_->model());
  sign(pooling == LLAMA_POOLING_TYPE_RANK);
  return try_run();
}

void LlamaTextBackend::sign(bool scores) {
  const std::int32_t width = api_.llama_model_n_embd_out(weights_->model());
  width_ = scores ? 1 : static_cast<std::size_t>(std::max(width, 1));
  signature_.inputs = {
      {kIds, DataType::kInt64, {-1, -1}, false}, {kMask, DataType::kInt64, {-1, -1}, false}
  };
  const char* name = scores ? "logits" : "sentence_embedding";
  signature_.outputs = {{name, DataType::kFp32, {-1, static_cast<std::int64_t>(width_)}, false}};
}

// A model that cannot run at all fails its load, not its first request.
Status LlamaTextBackend::try_run() {
  MutexLock lock(mutex_);
  std::vector<float> vector(width_);
  const Status status = compute({Row(1, 0)}, {}, vector.data());
  if (status.ok()) return {};
  return failed_precondition("its first run failed: " + status.to_string());
}

bool LlamaTextBackend::asked_to_abort(void* backend) {
  return is_set(static_cast<LlamaTextBackend*>(backend)->cancel_);
}

Status LlamaTextBackend::run(const TensorRun& run, std::vector<Tensor>& outputs) {
  outputs.clear();
  Status status;
  try {
    status = run_rows(run, outputs);
  } catch (const std::exception& error) {
    // Our own allocations: what the library throws ends beside it.
    status = resource_exhausted(std::string("no memory for the run: ") + error.what());
  }
  if (!status.ok()) outputs.clear();
  return status;
}

Status LlamaTextBackend::run_rows(const TensorRun& run, std::vector<Tensor>& outputs) {
  const std::string& name = signature_.outputs.front().name;
  for (const std::string& wanted : run.outputs) {
    if (wanted != name) return invalid_argument("the model has no output '" + wanted + "'");
  }
  CORTEX_ASSIGN_OR_RETURN(const std::vector<Row> rows, rows_of(run));
  std::span<std::byte> bytes;
  CORTEX_ASSIGN_OR_RETURN(
      const Tensor out,
      make_tensor(
          name,
          DataType::kFp32,
          {static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(width_)},
          bytes
      )
  );
  {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(compute(rows, run, reinterpret_cast<float*>(bytes.data())));
  }
  outputs.assign(std::max<std::size_t>(run.outputs.size(), 1), out);
  return {};
}

Result<std::vector<LlamaTextBackend::Row>> LlamaTextBackend::rows_of(const TensorRun& run) const {
  CORTEX_ASSIGN_OR_RETURN(const Tensor* ids, find_input(run, kIds));
  CORTEX_ASSIGN_OR_RETURN(const Tensor* mask, find_input(run, kMask));
  if (ids->shape != mask->shape) {
    return invalid_argument(
        std::string(kIds) + " is " + shape_text(ids->shape) + ", " + kMask + " is " +
        shape_text(mask->shape)
    );
  }
  const std::vector<std::int64_t> tokens = numbers_of(*ids);
  const std::vector<std::int64_t> taken = numbers_of(*mask);
  const auto length = static_cast<std::size_t>(ids->shape[1]);
  std::vector<Row> out;
  for (std::size_t i = 0; i < static_cast<std::size_t>(ids->shape[0]); ++i) {
    CORTEX_ASSIGN_OR_RETURN(
        Row row, row_of(tokens.data() + i * length, taken.data() + i * length, length)
    );
    out.push_back(std::move(row));
  }
  return out;
}

Result<LlamaTextBackend::Row> LlamaTextBackend::row_of(
    const std::int64_t* ids, const std::int64_t* mask, std::size_t length
) const {
  const std::int64_t* const end = std::find(mask, mask + length, 0);
  if (!std::all_of(end, mask + length, [](std::int64_t value) { return value == 0; })) {
    return invalid_argument(std::string(kMask) + " has zeros that are not at its end");
  }
  const auto count = static_cast<std::size_t>(end - mask);
  if (count == 0) return invalid_argument("a row has no tokens");
  if (count > context_length_) {
    return invalid_argument(
        "a row has " + std::to_string(count) + " tokens; the model's context length is " +
        std::to_string(context_length_)
    );
  }
  Row out(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (ids[i] < 0 || static_cast<std::uint64_t>(ids[i]) >= vocabulary_size_) {
      return invalid_argument(
          "token " + std::to_string(ids[i]) + " is outside the vocabulary of " +
          std::to_string(vocabulary_size_)
      );
    }
    out[i] = static_cast<llama_token>(ids[i]);
  }
  return out;
}

Status LlamaTextBackend::compute(const std::vector<Row>& rows, const TensorRun& run, float* out) {
  Status status;
  cancel_ = run.cancel;
  for (std::size_t first = 0; status.ok() && first < rows.size();) {
    if (is_set(cancel_)) {
      status = cancelled("the run was ended");
      break;
    }
    const std::size_t count = fill(rows, first);
    if (context_->memory() != nullptr) api_.llama_memory_clear(context_->memory(), false);
    status = encodes_ ? context_->encode(batch_) : context_->decode(batch_);
    if (status.ok()) status = take_vectors(count, out + first * width_);
    first += count;
  }
  cancel_ = nullptr;
  return status;
}

// As many rows from `first` on as share a call, one at least; answers how many.
std::size_t LlamaTextBackend::fill(const std::vector<Row>& rows, std::size_t first) {
  batch_.clear();
  std::size_t count = 0;
  while (first + count < rows.size() && count < sequences_max_) {
    const Row& row = rows[first + count];
    if (count > 0 && batch_.size() + row.size() > shared_tokens_max_) break;
    for (std::size_t i = 0; i < row.size(); ++i) {
      batch_.add(row[i], static_cast<llama_pos>(i), static_cast<llama_seq_id>(count), true);
    }
    ++count;
  }
  return count;
}

Status LlamaTextBackend::take_vectors(std::size_t count, float* out) const {
  for (std::size_t i = 0; i < count; ++i) {
    const float* vector =
        api_.llama_get_embeddings_seq(context_->get(), static_cast<llama_seq_id>(i));
    if (vector == nullptr) return internal("the library gave no vector for a row");
    std::copy_n(vector, width_, out + i * width_);
  }
  return {};
}

}  // namespace cortex::backend
