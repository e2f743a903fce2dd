// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "registry/catalog/audit_log.h"
#include "registry/catalog/registered_model.h"
#include "store/transaction.h"

namespace cortex::registry {

struct ModelRow {
  std::int64_t id = 0;
  RegisteredModel model;
};

// What read_model_row reads, of registered_model m.
inline constexpr std::string_view kModelColumns =
    "m.id, m.name, m.author, m.description, m.created_at, m.updated_at, m.revision";
[[nodiscard]] ModelRow read_model_row(const store::Rows& rows, std::size_t row);

// Tags and aliases of all of them.
[[nodiscard]] Status complete_models(
    store::Transaction& transaction, const std::string& workspace, std::span<ModelRow> models
);

[[nodiscard]] Status model_not_found(const std::string& name);
// The id; kNotFound.
[[nodiscard]] Result<std::int64_t> find_model_id(
    store::Transaction& transaction, const std::string& workspace, const std::string& name
);

// A model that this transaction is about to change: its change is noted, and its row belongs to the
// transaction, so that whatever is read after is what the change will meet.
struct HeldModel {
  std::int64_t id = 0;
  std::int64_t revision = 0;
  std::int64_t greatest_version = 0;
};
// The first statement of every change. kNotFound.
[[nodiscard]] Result<HeldModel> hold_model(
    store::Transaction& transaction, const Authorship& author, const std::string& name
);
// Sets its updated_at.
[[nodiscard]] Status touch_model(
    store::Transaction& transaction, const Authorship& author, std::int64_t id
);

}  // namespace cortex::registry
