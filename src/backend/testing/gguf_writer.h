// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace cortex::backend::testing {

// Writes GGUF files (version 3) for tests.
class GgufWriter {
 public:
  void add(std::string_view key, std::uint32_t value);
  void add(std::string_view key, float value);
  void add(std::string_view key, bool value);
  void add(std::string_view key, std::string_view value);
  // A literal would be a bool otherwise.
  void add(std::string_view key, const char* value) { add(key, std::string_view(value)); }
  void add(std::string_view key, const std::vector<std::string>& values);
  void add(std::string_view key, const std::vector<float>& values);
  void add(std::string_view key, const std::vector<std::int32_t>& values);
  void add(std::string_view key, const std::vector<std::uint32_t>& values);
  // `shape` as the format has it: the fastest dimension first. FP32.
  void add_tensor(
      std::string_view name,
      const std::vector<std::uint64_t>& shape,
      const std::vector<float>& values
  );
  // Of any type, by the format's number; `data` need not be what the shape says.
  void add_tensor(
      std::string_view name,
      const std::vector<std::uint64_t>& shape,
      std::uint32_t type,
      std::string_view data
  );

  [[nodiscard]] std::string bytes() const;

 private:
  std::uint64_t facts_ = 0;
  std::uint64_t tensors_ = 0;
  std::string fact_bytes_;
  std::string tensor_infos_;
  std::string data_;
};

struct TinyGgufOptions {
  std::uint32_t layers = 2;
  std::uint32_t width = 32;
  std::uint32_t context_length = 512;
  std::uint32_t seed = 1;
  std::string chat_template;  // empty: none
  bool own_output = false;    // its last matrix is not that of its first
};

// A language model of a few kilobytes with random weights: a token for every byte, for a space, and
// for the ends of a text. What it says is nonsense, and always the same.
[[nodiscard]] std::string tiny_gguf(const TinyGgufOptions& options = {});

// A language model as that one whose layers see the last 16 tokens alone (Cohere 2; every fourth
// sees all).
[[nodiscard]] std::string tiny_window_gguf(const TinyGgufOptions& options = {});

// A language model as that one whose memory is one state for each sequence (Mamba): a part of a
// text cannot be taken out of it.
[[nodiscard]] std::string tiny_mamba_gguf(const TinyGgufOptions& options = {});

// An adapter for the first of them: rank 2, random.
[[nodiscard]] std::string tiny_adapter_gguf(
    const TinyGgufOptions& options = {}, std::uint32_t seed = 2
);

struct TinyBertOptions {
  std::uint32_t width = 16;
  std::uint32_t context_length = 64;
  std::uint32_t pooling = 1;  // as the library counts: 0 none, 1 mean, 2 cls, 3 last, 4 rank
  std::uint32_t classes = 0;  // of its classification head; 0: it has none
  bool still = false;         // a token's state is the same wherever it stands
  std::uint32_t seed = 1;
};

// An encoder of one layer (BERT) with random weights. Its words are warm, up, hello and world,
// every other one is spelled in small letters. The head's first class is tanh of the first number
// of the first token's state, and a quarter.
[[nodiscard]] std::string tiny_bert_gguf(const TinyBertOptions& options = {});
// Of its tokens.
inline constexpr std::int32_t kTinyBertUnknown = 1;
inline constexpr std::int32_t kTinyBertBegin = 2;
inline constexpr std::int32_t kTinyBertEnd = 3;
inline constexpr std::int32_t kTinyBertLetters = 5;  // "a" at a word's begin, within it, "b", …
inline constexpr std::int32_t kTinyBertWords = kTinyBertLetters + 52;
inline constexpr std::int32_t kTinyBertTokens = kTinyBertWords + 4;

}  // namespace cortex::backend::testing
