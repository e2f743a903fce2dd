// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "registry/adapters/adapter_shelf.h"
#include "registry/registry.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex::frontend {

// An adapter that can be asked for, by its own name too.
struct OfferedAdapter {
  std::string name;
  std::string base_model;       // which is ready
  std::string path;             // of its file, below the folder of adapters
  std::int64_t created_at = 0;  // milliseconds since the epoch
};

// The models as the codecs see them; app binds it to the registry, tests to whatever they need.
// Every function is thread-safe, never blocks, and means what its namesake in registry/registry.h
// means.
struct ModelCatalog {
  std::function<Result<registry::Handle>(const ModelReference&)> find;
  std::function<std::vector<registry::IndexEntry>()> index;
  std::function<std::vector<std::string>()> ready_models;
  std::function<std::vector<OfferedAdapter>()> adapters = {};  // by name; empty: there are none
  // AdapterShelf::lend; empty: there are no adapters.
  std::function<
      void(const ModelReference&, const registry::Handle&, TimePoint, std::function<void(Result<registry::AdapterLease>)>)>
      lend = {};
  std::function<bool()> settled;
  std::function<void(const std::string&, registry::LoadOverride, std::function<void(Status)>)> load;
  std::function<void(const std::string&, std::function<void(Status)>)> unload;
};

// Takes a request on its way; app binds it to the router. Exactly one finish() on the stream
// follows. Thread-safe.
using Submit = std::function<void(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream>)>;

}  // namespace cortex::frontend
