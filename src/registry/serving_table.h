// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/handle.h"
#include "registry/registry.h"
#include "request/model_reference.h"

namespace cortex::registry {

// One model as readers see it.
struct ServingModel {
  std::vector<Handle> ready;        // ascending by version
  std::vector<IndexEntry> entries;  // of the index
};

// Everything readers see, immutable once published.
struct ServingTable {
  std::map<std::string, std::shared_ptr<const ServingModel>, std::less<>> models;
  bool closed = false;  // no more leases

  // Registry::acquire on this table.
  [[nodiscard]] Result<Handle> acquire(const ModelReference& reference) const;
};

}  // namespace cortex::registry
