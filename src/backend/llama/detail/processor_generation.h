// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace cortex::backend {

// For which generation of processors a kernel of ours is chosen; each is compiled for these two.
enum class ProcessorGeneration { kOther, kAvx2, kAvx512 };

inline ProcessorGeneration processor_generation() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq"))
    return ProcessorGeneration::kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("f16c"))
    return ProcessorGeneration::kAvx2;
#endif
  return ProcessorGeneration::kOther;
}

}  // namespace cortex::backend
