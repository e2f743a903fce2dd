// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace cortex {

// What a model's file says of its weights; empty or 0: it does not say it.
struct WeightFacts {
  std::string architecture;      // "llama", "bert"
  std::string quantization;      // "Q4_K_M", "F16"
  std::uint64_t parameters = 0;  // numbers that it learned
  std::size_t width = 0;         // of the state of a token
};

// A loaded version as its owner would describe it: for who lists models. What nobody knows is empty
// or 0.
struct ModelFacts {
  WeightFacts weights;
  std::uint64_t file_bytes = 0;    // of all files of its folder
  std::int64_t changed_ms = 0;     // last change of the model file, since the epoch
  std::string digest;              // as backend/model_digest.h makes it: no hash of every byte
  std::size_t context_length = 0;  // tokens that one request may have
  std::string chat_template;       // Jinja, of its conversations; empty: it has none
  bool thinking = false;           // it may think before it answers
};

}  // namespace cortex
