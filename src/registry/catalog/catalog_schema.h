// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "store/store.h"

namespace cortex::registry {

// The tables of the catalog: registered_model, model_version, model_alias, alias_history, their
// tags, version_dataset, audit_event.
[[nodiscard]] const store::Schema& catalog_schema();

}  // namespace cortex::registry
