// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "backend/synthetic/detail/key_reader.h"
#include "base/clock.h"
#include "request/signature.h"

namespace cortex::backend {

enum class SyntheticResult : std::uint8_t { kIdentity, kSum, kConstant, kShape, kText, kPair };

enum class SyntheticCrash : std::uint8_t { kNone, kAbort, kSegfault, kExit, kHang, kLeak };

// What synthetic_engine.h lets a model say.
struct SyntheticProgram {
  SyntheticResult result = SyntheticResult::kIdentity;
  ModelSignature signature;
  std::string value = "0";
  std::size_t width = 8;
  Duration delay{};
  Duration delay_per_row{};
  std::uint64_t fail_every = 0;
  std::uint64_t fail_at = 0;
  Code fail_code = Code::kInternal;
  std::optional<double> fail_on;
  Duration load_delay{};
  std::string load_fails;
  SyntheticCrash load_crash = SyntheticCrash::kNone;
};

[[nodiscard]] Result<SyntheticProgram> parse_synthetic_program(const SyntheticKeys& keys);

}  // namespace cortex::backend
