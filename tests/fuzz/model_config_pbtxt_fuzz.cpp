// SPDX-License-Identifier: Apache-2.0
// The input is config.pbtxt: whatever it says, it is read or refused with a reason, and completing
// it ends the same way.
#include <string_view>

#include "model_config_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  cortex::fuzz::check_config(cortex::registry::parse_config_pbtxt(text));
  return 0;
}
