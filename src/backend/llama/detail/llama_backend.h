// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/llama/detail/llama_library.h"
#include "backend/llama/detail/llama_sampler.h"
#include "backend/llama/detail/llama_settings.h"
#include "backend/llama/detail/llama_vocabulary.h"
#include "backend/sequence_backend.h"
#include "base/mutex.h"

namespace cortex::backend {

// The weights; adapters hold them, too.
class LlamaWeights {
 public:
  // The error carries what the library said of the file.
  [[nodiscard]] static Result<std::shared_ptr<LlamaWeights>> load(
      std::shared_ptr<const LlamaLibrary> library,
      const SequenceBackendOptions& options,
      const LlamaSettings& settings
  );
  LlamaWeights(std::shared_ptr<const LlamaLibrary> library, llama_model* model)
      : library_(std::move(library)), model_(model) {}
  LlamaWeights(const LlamaWeights&) = delete;
  LlamaWeights& operator=(const LlamaWeights&) = delete;
  ~LlamaWeights() { api().llama_model_free(model_); }

  [[nodiscard]] const LlamaFunctions& api() const { return library_->api(); }
  [[nodiscard]] llama_model* model() const { return model_; }
  // One value of the file's facts; empty: not there.
  [[nodiscard]] std::string fact(const std::string& key) const;
  // The library keeps a list of a model's adapters, which it changes without a lock.
  [[nodiscard]] Mutex& adapters() { return adapters_; }

 private:
  const std::shared_ptr<const LlamaLibrary> library_;
  llama_model* const model_;
  Mutex adapters_;
};

class LlamaAdapter;

// One loaded model with its context. All calls but those that the contract opens to anybody are on
// the lane's thread.
class LlamaBackend final : public SequenceBackend {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SequenceBackend>> load(
      std::shared_ptr<const LlamaLibrary> library, const SequenceBackendOptions& options
  );
  ~LlamaBackend() override;

  [[nodiscard]] const SequenceModel& model() const override { return facts_; }
  [[nodiscard]] const Vocabulary& vocabulary() const override { return vocabulary_; }
  [[nodiscard]] Status decode(const SequenceStep& step) override;
  [[nodiscard]] std::span<const float> logits(std::size_t row) const override;
  void share(SequenceId from, SequenceId to, std::int32_t begin, std::int32_t end) override;
  void remove(SequenceId sequence, std::int32_t begin, std::int32_t end) override;
  [[nodiscard]] Result<std::vector<std::byte>> save(SequenceId sequence) override;
  [[nodiscard]] Status restore(SequenceId sequence, std::span<const std::byte> state) override;
  [[nodiscard]] std::unique_ptr<TokenSampler> make_sampler(
      const SamplingSettings& settings, std::uint64_t sequence_seed
  ) const override;
  [[nodiscard]] Result<std::shared_ptr<const SequenceAdapter>> load_adapter(
      const std::filesystem::path& file
  ) override;

 private:
  explicit LlamaBackend(std::shared_ptr<LlamaWeights> weights);

  [[nodiscard]] Status check_kind() const;
  [[nodiscard]] Status make_context(
      const SequenceBackendOptions& options, const LlamaSettings& settings
  );
  void attach_threads(std::size_t threads);
  [[nodiscard]] Status learn(const SequenceBackendOptions& options);
  [[nodiscard]] Status try_memory();
  [[nodiscard]] std::size_t estimated_cell_bytes(const LlamaSettings& settings) const;
  void use_adapter(const LlamaAdapter* adapter, float scale);
  [[nodiscard]] llama_batch batch_of(std::span<const StepRow> rows);
  [[nodiscard]] std::shared_ptr<const std::vector<bool>> breakers() const;
  [[nodiscard]] std::string state_mark() const;
  static bool asked_to_abort(void* backend);

  const std::shared_ptr<LlamaWeights> weights_;
  const LlamaFunctions& api_;
  const LlamaVocabulary vocabulary_;
  SequenceModel facts_;
  std::shared_ptr<const SamplerContext> sampling_;
  llama_context* context_ = nullptr;
  llama_memory_t memory_ = nullptr;
  ggml_threadpool* threads_ = nullptr;
  const std::function<bool()>* abort_ = nullptr;  // of the step that runs
  std::uint64_t adapter_ = 0;                     // number of the one in the context; 0: none
  float adapter_scale_ = 1;
  // Of the last step, kept so that a step allocates nothing.
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<llama_seq_id> sequences_;
  std::vector<llama_seq_id*> sequence_places_;
  std::vector<std::int32_t> sequence_counts_;
  std::vector<std::int8_t> outputs_;
  mutable Mutex breakers_mutex_;  // the first sampler that wants them makes them
  mutable std::shared_ptr<const std::vector<bool>> breakers_ GUARDED_BY(breakers_mutex_);
};

}  // namespace cortex::backend
