// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "request/model_config.h"
#include "request/response_stream.h"
#include "request/servable.h"
#include "request/signature.h"

namespace cortex::registry {

// A version that serves, as its lessees see it.
struct ServingVersion {
  ModelIdentity identity;
  ModelConfig config;
  ModelSignature signature;
  std::string platform;
  std::vector<std::string>
      ready_versions;  // of the same model, ascending, when the lease was taken
  Servable* servable = nullptr;
  std::int64_t number = 0;  // identity.version as a number
  bool stored = false;      // comes from the store: aliases may mean it
};

// A lease: the version stays loaded until the last copy of its handle is gone. Cheap to copy. A
// handle never blocks a reload: the old version drains beside the new one.
using Handle = std::shared_ptr<const ServingVersion>;

}  // namespace cortex::registry
