// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backend/llama/detail/adapter_check.h"
#include "backend/llama/detail/llama_context.h"
#include "backend/llama/detail/llama_library.h"
#include "backend/llama/detail/llama_sampler.h"
#include "backend/llama/detail/llama_settings.h"
#include "backend/llama/detail/llama_vocabulary.h"
#include "backend/llama/detail/llama_weights.h"
#include "backend/sequence_backend.h"
#include "base/mutex.h"

namespace cortex::backend {

class LlamaAdapter;

// How many states the memory of a recurrent model is made of, one for each sequence: as many as are
// wanted at once, or (0) as many as half a gigabyte holds, 8 to 32. Pure.
[[nodiscard]] std::size_t states_of_memory(std::size_t wanted, std::size_t bytes_of_one);

// One loaded model with its context. All calls but those that the contract opens to anybody are on
// the lane's thread.
class LlamaBackend final : public SequenceBackend {
 public:
  [[nodiscard]] static Result<std::unique_ptr<SequenceBackend>> load(
      std::shared_ptr<const LlamaLibrary> library, const SequenceBackendOptions& options
  );

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
  [[nodiscard]] Status learn(const SequenceBackendOptions& options);
  // Runs `count` tokens behind `first` others of sequence 0; why that failed.
  [[nodiscard]] Status try_step(std::int32_t first, std::int32_t count);
  [[nodiscard]] Status try_memory();
  // Of a model with a state for each sequence: how many there are, and what one weighs.
  [[nodiscard]] Status make_states(
      const SequenceBackendOptions& options, llama_context_params& parameters
  );
  [[nodiscard]] std::size_t estimated_cell_bytes(const LlamaSettings& settings) const;
  // Whether it is another one than the last step's, or on another scale.
  [[nodiscard]] bool use_adapter(const LlamaAdapter* adapter, float scale);
  [[nodiscard]] Status run_batch(bool adapter_changed);
  [[nodiscard]] std::shared_ptr<const std::vector<bool>> breakers() const;
  [[nodiscard]] std::string state_mark() const;
  static bool asked_to_abort(void* backend);

  const std::shared_ptr<LlamaWeights> weights_;
  const LlamaFunctions& api_;
  const LlamaVocabulary vocabulary_;
  SequenceModel facts_;
  AdapterBase base_;
  std::shared_ptr<const SamplerContext> sampling_;
  std::unique_ptr<LlamaContext> context_;
  llama_memory_t memory_ = nullptr;
  const std::function<bool()>* abort_ = nullptr;  // of the step that runs
  std::uint64_t adapter_ = 0;                     // number of the one in the context; 0: none
  float adapter_scale_ = 1;
  LlamaBatch batch_;
  mutable Mutex breakers_mutex_;  // the first sampler that wants them makes them
  mutable std::shared_ptr<const std::vector<bool>> breakers_ GUARDED_BY(breakers_mutex_);
};

}  // namespace cortex::backend
