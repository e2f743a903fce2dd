// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "proto/model_config.pb.h"
#include "registry/faults.h"
#include "registry/model_config_reader.h"

namespace cortex::registry {

// Turns the message into our configuration. Fields are judged by config_fields() first, values
// then; what cannot be done is added to `faults`. Private to this room: nobody else sees protobuf.
[[nodiscard]] ConfigText convert_config(const proto::ModelConfig& message, Faults& faults);

}  // namespace cortex::registry
