// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "registry/registry.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex::frontend {

// The models as the codecs see them; app binds it to the registry, tests to whatever they need.
// Every function is thread-safe, never blocks, and means what its namesake in registry/registry.h
// means.
struct ModelCatalog {
  std::function<Result<registry::Handle>(const ModelReference&)> find;
  std::function<std::vector<registry::IndexEntry>()> index;
  std::function<std::vector<std::string>()> ready_models;
  std::function<bool()> settled;
  std::function<void(const std::string&, registry::LoadOverride, std::function<void(Status)>)> load;
  std::function<void(const std::string&, std::function<void(Status)>)> unload;
};

// Takes a request on its way; app binds it to the router. Exactly one finish() on the stream
// follows. Thread-safe.
using Submit = std::function<void(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream>)>;

}  // namespace cortex::frontend
