// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "registry/catalog/authorship.h"
#include "registry/catalog/lifecycle_stage.h"
#include "registry/catalog/registered_model.h"
#include "registry/catalog/semantic_version.h"
#include "store/transaction.h"

namespace cortex::registry {

enum class VersionStatus : std::uint8_t { kPending, kFailed, kReady };

// A version is named by model and number. Number, source, location and links never change.
struct VersionId {
  std::string model;
  std::int64_t version = 0;

  bool operator==(const VersionId&) const = default;
};

struct Deprecation {
  std::int64_t at = 0;  // milliseconds since the epoch
  std::string user;
  std::string reason;
};

struct ModelVersion {
  VersionId id;
  std::optional<SemanticVersion> semantic;
  std::int64_t created_at = 0;  // milliseconds since the epoch
  std::int64_t updated_at = 0;
  std::string user;
  std::string description;
  std::string source;    // as the client gave it
  std::string location;  // artifact path of the folder that the source means: "1/<run>/artifacts/m"
  std::string run;       // id of the run that made it; may be empty
  std::string run_link;  // an address to show; never followed
  std::string logged_model;  // "m-…"; may be empty
  VersionStatus status = VersionStatus::kReady;
  std::string status_message;
  LifecycleStage stage = LifecycleStage::kNone;
  std::optional<Deprecation> deprecation;
  std::optional<VersionId> baseline;  // what it improves on
  Tags tags;
  std::vector<std::string> aliases;  // in the order of their names
};

struct NewVersion {
  std::string model;
  std::string source;
  std::string location;  // from resolve_source
  std::string run;
  std::string run_link;
  std::string logged_model;
  std::string description;
  Tags tags;
  VersionStatus status = VersionStatus::kReady;
  // Either exactly this one, or the one behind the greatest of the model.
  std::variant<std::monostate, SemanticVersion, Increment> semantic;
  std::optional<VersionId> baseline;  // kFailedPrecondition when the chain would close on itself
};

// The greatest number that the model ever had, and one. kAlreadyExists: the semantic version is
// taken.
[[nodiscard]] Result<ModelVersion> create_version(
    store::Transaction& transaction, const Authorship& author, const NewVersion& version
);
// kNotFound for deleted ones too.
[[nodiscard]] Result<ModelVersion> find_version(
    store::Transaction& transaction, const std::string& workspace, const VersionId& id
);
[[nodiscard]] Result<ModelVersion> find_semantic_version(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    const SemanticVersion& version
);
// The ready version with the greatest number in each of the stages; no stages: in all of them. In
// the order of the stages.
[[nodiscard]] Result<std::vector<ModelVersion>> find_latest_versions(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& model,
    std::span<const LifecycleStage> stages
);
// The same in all stages of several models, in the order of their names.
[[nodiscard]] Result<std::vector<ModelVersion>> find_latest_versions(
    store::Transaction& transaction,
    const std::string& workspace,
    std::span<const RegisteredModel> models
);

[[nodiscard]] Result<ModelVersion> describe_version(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::string& description
);
// From kPending only; kFailedPrecondition names the status.
[[nodiscard]] Result<ModelVersion> finish_version(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    VersionStatus status,
    const std::string& message
);
// Leaves a tombstone: number and semantic version stay taken, the rest is cleared, and the aliases
// that pointed to it go, with an entry in their history.
[[nodiscard]] Status delete_version(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
);

// archive_existing (toward Staging or Production alone, else kInvalidArgument) moves the others of
// that stage to Archived.
[[nodiscard]] Result<ModelVersion> transition_stage(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    LifecycleStage stage,
    bool archive_existing
);
// The reason is the author's. Again: takes the new reason.
[[nodiscard]] Result<ModelVersion> deprecate_version(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
);
[[nodiscard]] Result<ModelVersion> undo_deprecation(
    store::Transaction& transaction, const Authorship& author, const VersionId& id
);

[[nodiscard]] Status set_version_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::string& key,
    const std::string& value
);
[[nodiscard]] Status delete_version_tag(
    store::Transaction& transaction,
    const Authorship& author,
    const VersionId& id,
    const std::string& key
);

}  // namespace cortex::registry
