// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_backend.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <exception>
#include <limits>
#include <system_error>
#include <utility>

#include "backend/llama/detail/adapter_check.h"
#include "backend/llama/detail/gguf_head.h"
#include "backend/llama/detail/weight_facts.h"
#include "backend/model_digest.h"
#include "base/check.h"
#include "base/large_pages.h"
#include "base/log.h"

namespace cortex::backend {

// In memory beside the weights. Numbered: an address may come again, a number does not.
class LlamaAdapter final : public SequenceAdapter {
 public:
  LlamaAdapter(
      std::shared_ptr<LlamaWeights> weights,
      llama_adapter_lora* adapter,
      std::size_t bytes,
      std::string digest
  )
      : weights_(std::move(weights)),
        adapter_(adapter),
        bytes_(bytes),
        digest_(std::move(digest)),
        number_(++numbers) {}
  ~LlamaAdapter() override {
    MutexLock lock(weights_->adapters());
    weights_->api().llama_adapter_lora_free(adapter_);
  }
  [[nodiscard]] std::size_t memory_bytes() const override { return bytes_; }
  [[nodiscard]] const std::string& digest() const override { return digest_; }
  [[nodiscard]] llama_adapter_lora* adapter() const { return adapter_; }
  [[nodiscard]] std::uint64_t number() const { return number_; }

 private:
  static inline std::atomic<std::uint64_t> numbers{0};
  const std::shared_ptr<LlamaWeights> weights_;
  llama_adapter_lora* const adapter_;
  const std::size_t bytes_;
  const std::string digest_;
  const std::uint64_t number_;
};

namespace {

constexpr std::size_t kCellsStep = 256;  // the library rounds up to it
constexpr std::size_t kMemoryBytesWanted = 512u << 20;
constexpr std::size_t kCellsMin = 4096;
constexpr std::size_t kCellsMax = 1u << 20;
// As many as a lane runs at once that is told no number.
constexpr std::size_t kStatesMax = 32;
constexpr std::size_t kStatesMin = 8;
constexpr std::uint32_t kTrialRows = 32;
constexpr std::string_view kStateMark = "CXLS1";
// Where DRY takes a repetition to begin anew, as other servers do.
constexpr std::string_view kBreakers = "\n:\"*";

std::size_t rounded_up(std::size_t cells) {
  return (cells + kCellsStep - 1) / kCellsStep * kCellsStep;
}

}  // namespace

std::size_t states_of_memory(std::size_t wanted, std::size_t bytes_of_one) {
  if (wanted > 0) return wanted;
  const std::size_t held = kMemoryBytesWanted / std::max<std::size_t>(bytes_of_one, 1);
  return std::clamp(held, kStatesMin, kStatesMax);
}

Result<std::unique_ptr<SequenceBackend>> LlamaBackend::load(
    std::shared_ptr<const LlamaLibrary> library, const SequenceBackendOptions& options
) {
  auto settings = llama_settings(options.parameters);
  if (!settings.ok()) {
    return settings.status().with_prefix("model '" + options.model_name + "': ");
  }
  CORTEX_ASSIGN_OR_RETURN(
      auto weights,
      LlamaWeights::load(std::move(library), options.model_file, options.model_name, *settings)
  );
  std::unique_ptr<LlamaBackend> out(new LlamaBackend(std::move(weights)));
  Status status = out->check_kind();
  if (status.ok()) status = out->make_context(options, *settings);
  if (status.ok()) status = out->learn(options);
  if (!status.ok()) return status.with_prefix("model '" + options.model_name + "': ");
  return std::unique_ptr<SequenceBackend>(std::move(out));
}

LlamaBackend::LlamaBackend(std::shared_ptr<LlamaWeights> weights)
    : weights_(std::move(weights)), api_(weights_->api()), vocabulary_(api_, weights_->model()) {}

Status LlamaBackend::check_kind() const {
  const llama_model* model = weights_->model();
  if (api_.llama_model_has_encoder(model) || !api_.llama_model_has_decoder(model) ||
      api_.llama_model_is_diffusion(model)) {
    return invalid_argument("it does not go on with a text token by token");
  }
  if (vocabulary_.size() == 0) return invalid_argument("it has no vocabulary");
  return {};
}

std::size_t LlamaBackend::estimated_cell_bytes(const LlamaSettings& settings) const {
  const llama_model* model = weights_->model();
  const std::string architecture = weights_->fact("general.architecture");
  const auto width = [&](const char* key) {
    const std::string text = weights_->fact(architecture + ".attention." + key);
    double out = 0;
    std::from_chars(text.data(), text.data() + text.size(), out);
    const auto heads = std::max(api_.llama_model_n_head(model), 1);
    return out > 0 ? out : static_cast<double>(api_.llama_model_n_embd(model)) / heads;
  };
  const double numbers = static_cast<double>(api_.llama_model_n_layer(model)) *
                         std::max(api_.llama_model_n_head_kv(model), 1);
  const double bytes = numbers * (width("key_length") * bytes_of(settings.cache_type_k) +
                                  width("value_length") * bytes_of(settings.cache_type_v));
  return std::max<std::size_t>(1, static_cast<std::size_t>(bytes));
}

Status LlamaBackend::make_context(
    const SequenceBackendOptions& options, const LlamaSettings& settings
) {
  const auto trained =
      static_cast<std::size_t>(std::max(api_.llama_model_n_ctx_train(weights_->model()), 1));
  std::size_t cells = options.cells;
  if (cells == 0) {
    const std::size_t wanted = kMemoryBytesWanted / estimated_cell_bytes(settings);
    cells = std::max({wanted, kCellsMin, options.context_length});
  }
  cells = rounded_up(std::min(cells, kCellsMax));
  const std::size_t length = options.context_length != 0 ? options.context_length : trained;
  facts_.context_length = std::min(length, cells);

  llama_context_params parameters = api_.llama_context_default_params();
  parameters.n_ctx = static_cast<std::uint32_t>(cells);
  parameters.n_batch = settings.step_rows;
  parameters.n_ubatch = settings.step_rows;  // a step that is ended has stored nothing then
  // All ids that there are: a state can only be saved of one below this number.
  parameters.n_seq_max = static_cast<std::uint32_t>(api_.llama_max_parallel_sequences());
  parameters.kv_unified = true;
  parameters.swa_full = true;  // the small memory of windows holds but few sequences
  parameters.flash_attn_type = settings.flash_attention;
  parameters.type_k = settings.cache_type_k;
  parameters.type_v = settings.cache_type_v;
  parameters.abort_callback = asked_to_abort;
  parameters.abort_callback_data = this;
  CORTEX_RETURN_IF_ERROR(make_states(options, parameters));
  CORTEX_ASSIGN_OR_RETURN(
      context_, LlamaContext::make(weights_, parameters, options.threads, settings.cell_attention)
  );
  memory_ = context_->memory();
  if (memory_ == nullptr) return invalid_argument("it keeps no memory of a text");
  return {};
}

// The library makes the states of all ids at once, in use or not. What one weighs only a context
// tells, so a small one is made before.
Status LlamaBackend::make_states(
    const SequenceBackendOptions& options, llama_context_params& parameters
) {
  const llama_model* model = weights_->model();
  if (!api_.llama_model_is_recurrent(model) && !api_.llama_model_is_hybrid(model)) return {};
  llama_context_params trial = parameters;
  trial.n_ctx = kCellsStep;
  trial.n_batch = kTrialRows;
  trial.n_ubatch = kTrialRows;
  trial.n_seq_max = 1;
  CORTEX_ASSIGN_OR_RETURN(context_, LlamaContext::make(weights_, trial, options.threads, false));
  memory_ = context_->memory();
  if (memory_ == nullptr) return invalid_argument("it keeps no memory of a text");
  CORTEX_RETURN_IF_ERROR(try_step(0, 1));
  const std::size_t one = api_.llama_state_seq_get_size(context_->get(), 0);
  CORTEX_RETURN_IF_ERROR(try_step(1, 2));
  const std::size_t three = api_.llama_state_seq_get_size(context_->get(), 0);
  facts_.bytes_per_sequence = one - std::min(one, (three - one) / 2);
  context_.reset();
  const std::size_t states = states_of_memory(options.sequences_max, facts_.bytes_per_sequence);
  parameters.n_seq_max = std::min(parameters.n_seq_max, static_cast<std::uint32_t>(states));
  return {};
}

Status LlamaBackend::learn(const SequenceBackendOptions& options) {
  const llama_model* model = weights_->model();
  std::array<char, 256> text{};
  api_.llama_model_desc(model, text.data(), text.size());
  facts_.description = text.data();
  facts_.architecture = weights_->fact("general.architecture");
  facts_.weights = weight_facts(*weights_);
  facts_.vocabulary_size = vocabulary_.size();
  facts_.cells = api_.llama_n_ctx(context_->get());
  facts_.sequences_max = api_.llama_n_seq_max(context_->get());
  facts_.step_rows_max = api_.llama_n_batch(context_->get());
  const char* jinja = api_.llama_model_chat_template(model, nullptr);
  if (jinja != nullptr) facts_.chat_template = jinja;
  facts_.begin = vocabulary_.begin();
  facts_.ends = vocabulary_.ends();
  CORTEX_ASSIGN_OR_RETURN(facts_.digest, model_digest(options.model_file));
  base_.architecture = facts_.architecture;
  CORTEX_ASSIGN_OR_RETURN(base_.tensors, read_gguf_tensors(api_, options.model_file));
  CORTEX_RETURN_IF_ERROR(try_memory());
  facts_.memory_bytes = api_.llama_model_size(model) + facts_.cells * facts_.bytes_per_cell +
                        facts_.sequences_max * facts_.bytes_per_sequence;

  auto sampling = std::make_shared<SamplerContext>(
      SamplerContext{api_, facts_.vocabulary_size, facts_.context_length, {}}
  );
  for (const Token token : vocabulary_.suppressed()) {
    sampling->bias.emplace_back(token, -std::numeric_limits<float>::infinity());
  }
  sampling_ = std::move(sampling);
  return {};
}

Status LlamaBackend::try_step(std::int32_t first, std::int32_t count) {
  const Token token = std::max(facts_.begin, 0);
  batch_.clear();
  for (std::int32_t i = first; i < first + count; ++i) {
    batch_.add(token, i, 0, i + 1 == first + count);
  }
  const Status status = context_->decode(batch_);
  if (status.ok()) return {};
  return failed_precondition("its first step failed: " + status.to_string());
}

// What the library does not tell is tried: the first steps of the model, whether it can forget a
// part, and what a cell weighs. Of sliding windows it lets parts go, but takes cells that no window
// of their last owner sees for other sequences: who shares those later would not find them.
Status LlamaBackend::try_memory() {
  CORTEX_RETURN_IF_ERROR(try_step(0, 1));
  const std::size_t one = api_.llama_state_seq_get_size(context_->get(), 0);
  CORTEX_RETURN_IF_ERROR(try_step(1, 2));
  const std::size_t three = api_.llama_state_seq_get_size(context_->get(), 0);
  facts_.bytes_per_cell = three > one + 1 ? (three - one) / 2 : 1;
  const bool slides = api_.llama_model_n_swa(weights_->model()) > 0;
  facts_.can_cut = api_.llama_memory_seq_rm(memory_, 0, 1, -1) && !slides;
  api_.llama_memory_clear(memory_, false);
  return {};
}

bool LlamaBackend::asked_to_abort(void* backend) {
  const auto* abort = static_cast<LlamaBackend*>(backend)->abort_;
  return abort != nullptr && *abort && (*abort)();
}

bool LlamaBackend::use_adapter(const LlamaAdapter* adapter, float scale) {
  if (adapter == nullptr || scale == 0) {
    if (std::exchange(adapter_, 0) == 0) return false;
    api_.llama_set_adapters_lora(context_->get(), nullptr, 0, nullptr);
    return true;
  }
  if (adapter_ == adapter->number() && adapter_scale_ == scale) return false;
  // The library compares addresses, and the last adapter's may have come again.
  if (adapter_ != 0) api_.llama_set_adapters_lora(context_->get(), nullptr, 0, nullptr);
  llama_adapter_lora* one = adapter->adapter();
  api_.llama_set_adapters_lora(context_->get(), &one, 1, &scale);
  adapter_ = adapter->number();
  adapter_scale_ = scale;
  return true;
}

// Behind a change the library makes its graph anew, for which it walks all adapters of the model.
Status LlamaBackend::run_batch(bool adapter_changed) {
  if (!adapter_changed) return context_->decode(batch_);
  MutexLock lock(weights_->adapters());
  return context_->decode(batch_);
}

Status LlamaBackend::decode(const SequenceStep& step) {
  if (step.rows.empty()) return {};
  CHECK(step.rows.size() <= facts_.step_rows_max, "a step has too many rows");
  const bool changed =
      use_adapter(static_cast<const LlamaAdapter*>(step.adapter), step.adapter_scale);
  batch_.clear();
  for (const StepRow& row : step.rows) {
    batch_.add(row.token, row.position, row.sequence, row.output);
  }
  abort_ = &step.abort;
  Status status = run_batch(changed);
  abort_ = nullptr;
  return status;
}

std::span<const float> LlamaBackend::logits(std::size_t row) const {
  const float* out = api_.llama_get_logits_ith(context_->get(), static_cast<std::int32_t>(row));
  CHECK(out != nullptr, "the row was none whose logits were wanted");
  return {out, facts_.vocabulary_size};
}

void LlamaBackend::share(SequenceId from, SequenceId to, std::int32_t begin, std::int32_t end) {
  api_.llama_memory_seq_cp(memory_, from, to, begin, end);
}

void LlamaBackend::remove(SequenceId sequence, std::int32_t begin, std::int32_t end) {
  const bool done = api_.llama_memory_seq_rm(memory_, sequence, begin, end);
  CHECK(done, "a part of a sequence was removed that cannot be cut");
}

// What a state must begin with to be one of ours and of this model.
std::string LlamaBackend::state_mark() const {
  return std::string(kStateMark) + facts_.digest.substr(0, 32);
}

Result<std::vector<std::byte>> LlamaBackend::save(SequenceId sequence) {
  const std::string mark = state_mark();
  const std::size_t size = api_.llama_state_seq_get_size(context_->get(), sequence);
  std::vector<std::byte> out;
  out.reserve(mark.size() + size);
  prefer_large_pages(out.data(), out.capacity());
  out.resize(mark.size() + size);
  std::ranges::transform(mark, out.begin(), [](char c) { return static_cast<std::byte>(c); });
  auto* to = reinterpret_cast<std::uint8_t*>(out.data() + mark.size());
  std::size_t written = 0;
  const LlamaErrors errors;
  try {
    written = api_.llama_state_seq_get_data(context_->get(), to, size, sequence);
  } catch (const std::exception& error) {
    return internal(std::string("saving a sequence threw: ") + error.what());
  }
  if (written == 0) return internal("a sequence could not be saved: " + errors.first());
  out.resize(mark.size() + written);
  return out;
}

Status LlamaBackend::restore(SequenceId sequence, std::span<const std::byte> state) {
  const std::string mark = state_mark();
  const bool ours = state.size() > mark.size() &&
                    std::ranges::equal(state.first(mark.size()), mark, {}, {}, [](char c) {
                      return static_cast<std::byte>(c);
                    });
  if (!ours) return invalid_argument("the state is another model's, or none");
  const auto inner = state.subspan(mark.size());
  const auto* from = reinterpret_cast<const std::uint8_t*>(inner.data());
  std::size_t read = 0;
  const LlamaErrors errors;
  try {
    read = api_.llama_state_seq_set_data(context_->get(), from, inner.size(), sequence);
  } catch (const std::exception&) {
    read = 0;
  }
  if (read == inner.size()) return {};
  api_.llama_memory_seq_rm(memory_, sequence, -1, -1);
  // The library tells the two apart in its log alone.
  if (errors.first().find("cells in kv cache") != std::string::npos) {
    return resource_exhausted("the model's memory has no room for the sequence");
  }
  return invalid_argument("the state cannot be read: " + errors.first());
}

std::shared_ptr<const std::vector<bool>> LlamaBackend::breakers() const {
  MutexLock lock(breakers_mutex_);
  if (breakers_) return breakers_;
  auto out = std::make_shared<std::vector<bool>>(vocabulary_.size());
  for (std::size_t i = 0; i < out->size(); ++i) {
    const std::string piece = vocabulary_.piece(static_cast<Token>(i), true);
    (*out)[i] = piece.find_first_of(kBreakers) != std::string::npos;
  }
  breakers_ = out;
  return breakers_;
}

std::unique_ptr<TokenSampler> LlamaBackend::make_sampler(
    const SamplingSettings& settings, std::uint64_t sequence_seed
) const {
  const bool dry = settings.dry_multiplier > 0;
  const bool own = dry && !settings.dry_breakers.empty();
  Repetition::Piece piece;
  if (own) piece = [this](Token token) { return vocabulary_.piece(token, true); };
  return std::make_unique<LlamaSampler>(
      sampling_, settings, sequence_seed, dry && !own ? breakers() : nullptr, std::move(piece)
  );
}

Result<std::shared_ptr<const SequenceAdapter>> LlamaBackend::load_adapter(
    const std::filesystem::path& file
) {
  std::error_code error;
  const std::size_t bytes = std::filesystem::file_size(file, error);
  if (error) return invalid_argument(file.filename().string() + " cannot be read");
  const Status fits = check_adapter_file(file, base_);
  if (!fits.ok()) return fits.with_prefix(file.filename().string() + ": ");
  CORTEX_ASSIGN_OR_RETURN(std::string digest, model_digest(file));
  const LlamaErrors errors;
  llama_adapter_lora* adapter = nullptr;
  std::string thrown;
  {
    MutexLock lock(weights_->adapters());
    try {
      adapter = api_.llama_adapter_lora_init(weights_->model(), file.c_str());
    } catch (const std::exception& failure) {
      thrown = failure.what();
    }
  }
  if (adapter == nullptr) {
    const std::string& why = thrown.empty() ? errors.first() : thrown;
    return invalid_argument(file.filename().string() + ": " + (why.empty() ? "no adapter" : why));
  }
  return std::shared_ptr<const SequenceAdapter>(
      std::make_shared<LlamaAdapter>(weights_, adapter, bytes, std::move(digest))
  );
}

}  // namespace cortex::backend
