// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "store/transaction.h"
#include "tracking/entities.h"

namespace cortex::tracking {

// Experiments: the folders of runs. Every function works in one workspace, inside the transaction
// of its caller; `now` is the time in milliseconds. Errors: kNotFound, kAlreadyExists,
// kInvalidArgument in MLflow's words, and those of the database.

inline constexpr std::int64_t kDefaultExperiment = 0;

struct NewExperiment {
  std::string name;
  std::string artifact_location;  // empty: `artifact_root`, "/" and the id
  std::vector<Tag> tags;
  std::string artifact_root;
};

// Makes experiment 0, "Default", where it is missing: every workspace has one.
[[nodiscard]] Status ensure_default_experiment(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& artifact_root,
    std::int64_t now
);

// The id of the new experiment. kAlreadyExists: the name is taken, be it by a deleted one.
[[nodiscard]] Result<std::int64_t> create_experiment(
    store::Transaction& transaction,
    const std::string& workspace,
    const NewExperiment& experiment,
    std::int64_t now
);

// With its tags, deleted or not.
[[nodiscard]] Result<Experiment> find_experiment(
    store::Transaction& transaction, const std::string& workspace, std::int64_t id
);
[[nodiscard]] Result<Experiment> find_experiment_by_name(
    store::Transaction& transaction, const std::string& workspace, const std::string& name
);
// The same without tags; kInvalidArgument when it is deleted.
[[nodiscard]] Result<Experiment> find_active_experiment(
    store::Transaction& transaction, const std::string& workspace, std::int64_t id
);

[[nodiscard]] Status rename_experiment(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t id,
    const std::string& name,
    std::int64_t now
);
// Deletes or restores it with all its runs. kNotFound when it is there already.
[[nodiscard]] Status set_experiment_active(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t id,
    bool active,
    std::int64_t now
);
[[nodiscard]] Status set_experiment_tag(
    store::Transaction& transaction, const std::string& workspace, std::int64_t id, const Tag& tag
);
[[nodiscard]] Status delete_experiment_tag(
    store::Transaction& transaction,
    const std::string& workspace,
    std::int64_t id,
    const std::string& key
);

// The number that a client's text stands for; kInvalidArgument for anything else.
[[nodiscard]] Result<std::int64_t> parse_experiment_id(std::string_view text);

}  // namespace cortex::tracking
