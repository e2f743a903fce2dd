// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace cortex::frontend {

// Bounds of one generation's request, whatever API it comes by. Its bytes are bounded by the
// server's limit of bodies.
inline constexpr std::size_t kMessagesMax = 4096;
inline constexpr std::size_t kToolsMax = 128;
inline constexpr std::size_t kStopsMax = 16;
inline constexpr std::size_t kStopBytesMax = 256;
inline constexpr std::size_t kBreakersMax = 64;  // of DRY
inline constexpr std::size_t kBreakerBytesMax = 64;

}  // namespace cortex::frontend
