// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/alias_book.h"
#include "registry/handle.h"
#include "registry/registry.h"
#include "request/model_reference.h"

namespace cortex::registry {

// An alias as readers see it.
struct ServingAlias {
  AliasState state;  // target 0: it stands, and may serve nothing
  Handle handle;     // of state.serving; null: nothing that it pointed to is ready
};

// One model as readers see it.
struct ServingModel {
  std::vector<Handle> ready;        // ascending by version
  std::vector<IndexEntry> entries;  // of the index
  Status fault = {};                // why its folders cannot be used as they are now
  std::map<std::string, ServingAlias, std::less<>> aliases;
  std::string
      default_alias;  // what the plain name means, where the model has it; empty: the newest

  // Null: no alias of that name.
  [[nodiscard]] const ServingAlias* find_alias(const std::string& alias) const;
};

// Everything readers see, immutable once published.
struct ServingTable {
  std::map<std::string, std::shared_ptr<const ServingModel>, std::less<>> models;
  bool closed = false;  // no more leases

  // Registry::acquire and Registry::acquire_previous on this table. What succeeds takes no memory.
  // An alias, also the default one, gives what it serves or served before and nothing else: another
  // version may be one that it must not serve.
  [[nodiscard]] Result<Handle> acquire(const ModelReference& reference) const;
  [[nodiscard]] Result<Handle> acquire_previous(
      const ModelReference& reference, const std::string& failed
  ) const;
};

}  // namespace cortex::registry
