// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "frontend/codec/registry/registry_route.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/audit_log.h"
#include "registry/catalog/lineage.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "registry/catalog/version_difference.h"

namespace cortex::frontend::registry_api {

// The entities as JSON. What they do not have is left out; times are milliseconds since the epoch.
[[nodiscard]] boost::json::object to_json(const registry::RegisteredModel& model);
[[nodiscard]] boost::json::object to_json(const registry::ModelVersion& version);
[[nodiscard]] boost::json::object to_json(const registry::VersionId& id);
[[nodiscard]] boost::json::object to_json(const registry::AliasEntry& entry);
[[nodiscard]] boost::json::object to_json(const registry::AuditRow& row);
[[nodiscard]] boost::json::object to_json(const registry::LineageLink& link);
[[nodiscard]] boost::json::object to_json(const registry::VersionDifference& difference);
[[nodiscard]] boost::json::array to_json(const std::vector<registry::TextDifference>& differences);

// The entity tag of a document: a digest of its bytes.
[[nodiscard]] std::string tag_of(std::string_view body);

// Makes the document the answer; of an entity also its tag.
void say(Answer& answer, const boost::json::object& document);
void say_entity(Answer& answer, const boost::json::object& document);

// 412 with the tag that there is, unless the request's headers allow a thing with this tag.
[[nodiscard]] Status check_tag(
    const Precondition& precondition, const std::optional<std::string>& tag, Answer& answer
);
// The same of the document that a read would answer.
[[nodiscard]] Status check_entity(
    const Precondition& precondition, const boost::json::object& document, Answer& answer
);

[[nodiscard]] std::string model_path(std::string_view model);
[[nodiscard]] std::string version_path(const registry::VersionId& id);

}  // namespace cortex::frontend::registry_api
