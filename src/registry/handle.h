// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "request/model_config.h"
#include "request/model_facts.h"
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
  ModelFacts facts;
  std::vector<std::string>
      ready_versions;  // of the same model, ascending, when the lease was taken
  Servable* servable = nullptr;
  std::int64_t number = 0;  // identity.version as a number
  bool stored = false;      // comes from the store: aliases may mean it
};

// Takes texts, and no conversations: it gives a vector for each, or compares two.
[[nodiscard]] inline bool takes_texts(const ServingVersion& version) {
  return !version.signature.generates && !version.config.text.tokenizer.empty();
}
[[nodiscard]] inline bool reranks(const ServingVersion& version) {
  return takes_texts(version) && version.config.text.pooling == Pooling::kRank;
}
[[nodiscard]] inline bool embeds(const ServingVersion& version) {
  return takes_texts(version) && !reranks(version);
}

// A lease: the version stays loaded until the last copy of its handle is gone. Cheap to copy. A
// handle never blocks a reload: the old version drains beside the new one.
using Handle = std::shared_ptr<const ServingVersion>;

}  // namespace cortex::registry
