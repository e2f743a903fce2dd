// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "request/parameters.h"
#include "request/signature.h"

namespace cortex {

// What one priority level does with requests that wait.
struct QueuePolicy {
  std::size_t queue_size_max = 0;        // 0: the server's bound
  std::chrono::microseconds timeout{0};  // 0: none
  bool delay_on_timeout = false;         // else a request that waited too long is refused
  bool allow_timeout_override = false;   // a request's own `timeout` may shorten it
};

struct BatchingConfig {
  bool enabled = false;
  std::vector<std::size_t> preferred_sizes;  // ascending
  std::chrono::microseconds queue_delay_max{0};
  bool preserve_ordering = false;
  std::uint32_t priority_levels = 0;  // 0: all requests are alike
  std::uint32_t default_priority = 0;
  QueuePolicy default_policy;
  std::map<std::uint32_t, QueuePolicy> policies;  // by level, 1 first
  // Rows of a batch may differ in the length dimension: they are sorted into length buckets and
  // padded.
  bool pad_lengths = false;
  // The owner accepts that neighbours change an answer slightly (dynamic quantisation).
  bool allow_variance = false;
};

// How the states of a text's tokens become one vector. kNone: the model does it. kRank: the model
// compares two texts and gives one number.
enum class Pooling : std::uint8_t { kNone, kMean, kCls, kLast, kRank };

inline constexpr std::array<std::pair<std::string_view, Pooling>, 5> kPoolingNames = {{
    {"none", Pooling::kNone},
    {"mean", Pooling::kMean},
    {"cls", Pooling::kCls},
    {"last", Pooling::kLast},
    {"rank", Pooling::kRank},
}};

// How text becomes the model's tensors and its tensors an embedding. Only for models that take
// token ids.
struct TextConfig {
  std::string tokenizer;           // file in the model folder; empty: the model takes no text
  std::optional<Pooling> pooling;  // nothing: the file's own where it says one, else kMean
  bool normalize = true;
  std::size_t context_length = 0;  // tokens; 0: the model's own
};

// What foretells tokens: what prompt and answer said before, and the draft model where there is
// one.
enum class Speculation : std::uint8_t { kOff, kPromptLookup, kOn };

// Most tokens that may be foretold of a sequence in a step. With the one that is drawn anyway that
// is as many as a slow reader may leave before its sequence pauses: one step never overfills it.
inline constexpr std::size_t kSpeculationTokensMax = 15;

// How a language model is served.
struct GenerationConfig {
  std::size_t context_length = 0;      // tokens of one sequence; 0: the model's own
  std::size_t cells = 0;               // tokens that its memory holds; 0: the backend's choice
  std::size_t sequences_max = 0;       // at once; 0: as many as the memory has ids for
  std::size_t queue_requests_max = 0;  // 0: the server's bound
  std::size_t queue_tokens_max = 0;    // of prompts that wait; 0: the lane's choice
  std::chrono::microseconds token_interval{0};  // wanted between tokens; 0: by measurement
  // Refused is who would probably wait longer for a first token; 0: no bound.
  std::chrono::microseconds first_token_max{0};
  bool prefix_cache = true;
  Speculation speculation = Speculation::kOn;
  std::size_t speculation_tokens = 8;  // foretold for each sequence of a step at most
  std::string draft_model;  // file in the model folder of a small model that foretells; empty: none
  // For states of prefixes that have no place in the model's memory: beside it, and in the data
  // folder, where they outlive the process. 0: none.
  std::size_t prefix_memory_bytes = std::size_t{256} << 20;
  std::size_t prefix_disk_bytes = std::size_t{2} << 30;
  std::string chat_template;  // file in the model folder (Jinja); empty: the model's own
};

struct WarmupSample {
  std::string name;
  std::size_t batch_size = 1;
  std::size_t count = 1;
  bool random = false;             // else zeros
  std::vector<TensorSpec> inputs;  // concrete shapes, without the batch dimension
};

// What no file said: registry/complete_config.h decides it from the loaded model.
struct OpenChoices {
  bool batch_size = false;   // max_batch_size, and with it whether requests are batched
  bool pad_lengths = false;  // batching.pad_lengths
};

enum class VersionPolicy : std::uint8_t { kLatest, kAll, kSpecific };

// How a model is served, whatever file said so (config.pbtxt, model.yaml, or the model itself).
struct ModelConfig {
  std::string name;
  std::string backend;             // "onnx", "llama", "synthetic", "synthetic_sequences"
  std::string default_filename;    // file in the version folder
  std::size_t max_batch_size = 0;  // 0: the model has no batch dimension
  std::vector<TensorSpec> inputs;  // empty: taken from the model; without the batch dimension
  std::vector<TensorSpec> outputs;
  VersionPolicy version_policy = VersionPolicy::kLatest;
  std::size_t latest_versions = 1;
  std::vector<std::int64_t> specific_versions;
  std::size_t instances = 0;  // 0: by the core budget
  std::size_t threads = 0;    // of one instance; 0: by the core budget
  BatchingConfig batching;
  TextConfig text;
  GenerationConfig generation;
  std::vector<WarmupSample> warmup;
  std::map<std::string, std::string> parameters;  // for the backend
  OpenChoices open;  // nothing is open any more once the model is loaded
};

}  // namespace cortex
