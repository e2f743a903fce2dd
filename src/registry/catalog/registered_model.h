// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "store/transaction.h"

namespace cortex::registry {

using Tags = std::map<std::string, std::string>;
// One canonical JSON object of texts: what the audit log keeps of tags.
[[nodiscard]] std::string tags_text(const Tags& tags);

struct RegisteredModel {
  // Tells a model from an earlier one of the same name; it never comes back.
  std::int64_t identity = 0;
  std::string name;
  std::string user;  // who made it
  std::string description;
  std::int64_t created_at = 0;  // milliseconds since the epoch
  std::int64_t updated_at = 0;
  std::int64_t revision = 0;  // the store's, of the last change of the model or what belongs to it
  Tags tags;
  std::map<std::string, std::int64_t> aliases;  // to the version
};

struct NewModel {
  std::string name;  // 1 to 256 bytes without '/', ':' and control characters
  std::string description;
  Tags tags;
};

// The functions of this folder change and read through a transaction of the store's and belong to
// no thread. Every change notes the model in the change feed and adds its event to the audit log,
// in the same transaction. kNotFound: no such model. kInvalidArgument: a bad name, key or value.

// kAlreadyExists: the name is taken.
[[nodiscard]] Result<RegisteredModel> create_model(
    store::Transaction& transaction, const Authorship& author, const NewModel& model
);
[[nodiscard]] Result<RegisteredModel> find_model(
    store::Transaction& transaction, const std::string& workspace, const std::string& name
);
[[nodiscard]] Result<RegisteredModel> describe_model(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& description
);
// Versions, aliases and their history go with it; the change feed names both keys. kAlreadyExists:
// the new name is taken.
[[nodiscard]] Result<RegisteredModel> rename_model(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& new_name
);
// Its aliases and versions go too. A model made later under the same name is another one and counts
// from 1 again; history and audit log keep both.
[[nodiscard]] Status delete_model(
    store::Transaction& transaction, const Authorship& author, const std::string& name
);
// Tags: a key of 1 to 250 bytes, a value of up to 100 000.
[[nodiscard]] Status set_model_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& key,
    const std::string& value
);
// No error when there is no such tag.
[[nodiscard]] Status delete_model_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const std::string& name,
    const std::string& key
);

}  // namespace cortex::registry
