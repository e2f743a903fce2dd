// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "backend/synthetic/detail/key_reader.h"
#include "base/clock.h"
#include "request/sampling.h"

namespace cortex::backend {

enum class SyntheticReply : std::uint8_t { kHash, kScript };

// What synthetic_sequences.h lets a language model say.
struct SequenceProgram {
  SyntheticReply reply = SyntheticReply::kHash;
  std::string answer;
  bool any_byte = false;
  std::uint64_t end_every = 0;
  std::uint64_t weights = 0;
  std::size_t context_length = 0;
  std::size_t cells = 0;
  std::size_t sequences_max = 0;
  std::size_t step_rows_max = 0;
  std::size_t part_rows = 0;
  bool can_cut = true;
  std::string chat_template;
  Duration step_time{};
  Duration row_time{};
  Duration cell_time{};
  std::uint64_t fail_at = 0;
  std::uint64_t fail_every = 0;
  Code fail_code = Code::kInternal;
  std::uint64_t fail_rows = 0;
  Duration load_delay{};
  std::string load_fails;
};

[[nodiscard]] Result<SequenceProgram> parse_sequence_program(const SyntheticKeys& keys);

// The logits of what follows `tokens`, whose last cell has this state; one for each token of
// ByteVocabulary. `tokens` is read with a script alone.
void write_logits(
    const SequenceProgram& program,
    std::uint64_t state,
    std::span<const Token> tokens,
    std::span<float> logits
);

}  // namespace cortex::backend
