// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <llama.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ggml-backend.h>
#include <ggml-cpu.h>

#include "base/status.h"

namespace cortex::backend {

// The functions that are called, by the names and types of the header.
// clang-format off
#define CORTEX_LLAMA_FUNCTIONS(X)                                                                  \
  X(ggml_backend_dev_backend_reg) X(ggml_backend_dev_by_type) X(ggml_backend_dev_count)            \
  X(ggml_backend_dev_description) X(ggml_backend_dev_get) X(ggml_backend_dev_memory)               \
  X(ggml_backend_dev_name) X(ggml_backend_dev_type)                                                \
  X(ggml_backend_load_all_from_path) X(ggml_backend_reg_get_proc_address) X(ggml_graph_n_nodes)    \
  X(ggml_graph_node)                                                                               \
  X(ggml_threadpool_params_init) X(gguf_find_key) X(gguf_find_tensor) X(gguf_free)                 \
  X(gguf_get_kv_type) X(gguf_get_n_tensors) X(gguf_get_tensor_name) X(gguf_get_tensor_ne)          \
  X(gguf_get_tensor_type) X(gguf_get_val_i32) X(gguf_get_val_str)                                  \
  X(gguf_get_val_u32) X(gguf_init_from_file) X(llama_adapter_lora_free)                            \
  X(llama_adapter_lora_init) X(llama_attach_threadpool) X(llama_backend_init)                      \
  X(llama_context_default_params) X(llama_decode) X(llama_detach_threadpool) X(llama_detokenize)   \
  X(llama_encode) X(llama_free) X(llama_ftype_name) X(llama_get_embeddings_seq)                    \
  X(llama_get_logits_ith)                                                                          \
  X(llama_get_memory) X(llama_init_from_model) X(llama_log_set) X(llama_max_parallel_sequences)    \
  X(llama_memory_clear) X(llama_memory_seq_cp) X(llama_memory_seq_pos_max)                         \
  X(llama_memory_seq_rm) X(llama_model_chat_template) X(llama_model_default_params)                \
  X(llama_model_desc) X(llama_model_free) X(llama_model_ftype) X(llama_model_get_vocab)            \
  X(llama_model_has_decoder)                                                                       \
  X(llama_model_has_encoder) X(llama_model_is_diffusion) X(llama_model_is_hybrid)                  \
  X(llama_model_is_recurrent) X(llama_model_load_from_file)                                        \
  X(llama_model_meta_val_str) X(llama_model_n_cls_out) X(llama_model_n_ctx_train)                  \
  X(llama_model_n_embd) X(llama_model_n_embd_out) X(llama_model_n_head) X(llama_model_n_head_kv)   \
  X(llama_model_n_layer) X(llama_model_n_params) X(llama_model_n_swa) X(llama_model_size)           \
  X(llama_n_batch)                                                                                 \
  X(llama_n_ctx) X(llama_n_seq_max)                                                                 \
  X(llama_sampler_apply) X(llama_sampler_chain_add) X(llama_sampler_chain_default_params)          \
  X(llama_sampler_chain_init) X(llama_sampler_free) X(llama_sampler_init_dist)                     \
  X(llama_sampler_init_greedy) X(llama_sampler_init_min_p) X(llama_sampler_init_mirostat)          \
  X(llama_sampler_init_mirostat_v2) X(llama_sampler_init_temp) X(llama_sampler_init_top_k)         \
  X(llama_sampler_init_top_p) X(llama_sampler_init_typical) X(llama_sampler_init_xtc)              \
  X(llama_set_adapters_lora) X(llama_state_seq_get_data) X(llama_state_seq_get_size)               \
  X(llama_state_seq_set_data) X(llama_token_to_piece) X(llama_tokenize) X(llama_version)           \
  X(llama_vocab_bos) X(llama_vocab_eos) X(llama_vocab_get_add_bos) X(llama_vocab_get_add_eos)      \
  X(llama_vocab_get_add_sep) X(llama_vocab_get_suppress_tokens) X(llama_vocab_get_text)            \
  X(llama_vocab_is_eog) X(llama_vocab_n_tokens) X(llama_vocab_sep) X(llama_vocab_type)
// clang-format on

// Addresses of an opened library.
struct LlamaFunctions {
#define CORTEX_LLAMA_MEMBER(name) decltype(&::name) name = nullptr;
  CORTEX_LLAMA_FUNCTIONS(CORTEX_LLAMA_MEMBER)
#undef CORTEX_LLAMA_MEMBER
  // Of ggml's CPU library, which is chosen when it is opened; null where it has none.
  decltype(&::ggml_threadpool_new) threadpool_new = nullptr;
  decltype(&::ggml_threadpool_free) threadpool_free = nullptr;
};

// The opened library with ggml's libraries for this machine. It stays open until the process ends.
// Immutable, thread-safe.
class LlamaLibrary {
 public:
  // `configured` empty: the places named in llama_engine.h. kFailedPrecondition with all that was
  // tried, or with the release where it is another one than the headers'.
  [[nodiscard]] static Result<std::shared_ptr<const LlamaLibrary>> open(
      const std::filesystem::path& configured
  );
  LlamaLibrary(const LlamaLibrary&) = delete;
  LlamaLibrary& operator=(const LlamaLibrary&) = delete;

  [[nodiscard]] const LlamaFunctions& api() const { return api_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& version() const { return version_; }
  // Libraries of devices that lie in the folder and are not used: the file's name and why.
  [[nodiscard]] const std::vector<std::string>& unused() const { return unused_; }

 private:
  LlamaLibrary() = default;
  [[nodiscard]] Status prepare(void* handle);

  LlamaFunctions api_;
  std::string path_;
  std::string version_;
  std::vector<std::string> unused_;
};

// What the library logged as an error on this thread while one of these lives: the reason of a
// failure that its functions do not give. The first line, without the function's name; in the log
// all of them are debug lines. They do not nest.
class LlamaErrors {
 public:
  LlamaErrors();
  ~LlamaErrors();
  LlamaErrors(const LlamaErrors&) = delete;
  LlamaErrors& operator=(const LlamaErrors&) = delete;
  [[nodiscard]] const std::string& first() const { return first_; }

 private:
  friend void write_llama_log(ggml_log_level level, const char* text, void* unused);
  std::string first_;
};

// Sends lines to our log: errors that nobody listens for as warnings, all others as debug.
void write_llama_log(ggml_log_level level, const char* text, void* unused);

}  // namespace cortex::backend
