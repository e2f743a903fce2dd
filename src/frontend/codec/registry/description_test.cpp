// SPDX-License-Identifier: Apache-2.0
// What /openapi.json says of this API.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <set>
#include <sstream>
#include <string>

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "connectors/webhook_sender.h"
#include "frontend/codec/admin/openapi.h"
#include "frontend/codec/mlflow/webhook_events.h"
#include "frontend/codec/registry/registry_codec.h"
#include "registry/catalog/catalog_schema.h"
#include "store/artifact_store.h"
#include "store/testing/temporary_store.h"

namespace cortex::frontend::registry_api {
namespace {

namespace json = boost::json;

json::object description() {
  store::TemporaryStore store("sqlite", {registry::catalog_schema()});
  const auto artifacts = store::open_artifact_folder(store.folder() / "artifacts");
  CHECK(artifacts.ok(), "a folder for artifacts");
  connectors::WebhookSender sender({}, *store, connectors::SecretBox({}), mlflow::webhook_feed());
  RegistryCodec codec(*store, **artifacts, {store.folder() / "backups", {}, &sender});
  return json::parse(admin::openapi_document({codec.make_api()}, "1.2.3")).as_object();
}

void collect_references(const json::value& value, std::set<std::string>& out) {
  if (value.is_array()) {
    for (const auto& item : value.as_array()) collect_references(item, out);
  }
  if (!value.is_object()) return;
  for (const auto& field : value.as_object()) {
    if (field.key() == "$ref") {
      out.insert(std::string(field.value().as_string()));
    } else {
      collect_references(field.value(), out);
    }
  }
}

// The route with its method, and the schema, each on a line; the common schemas are not ours.
std::string as_text(const json::object& document) {
  std::string out;
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      out += std::string(operation.key()) + " " + std::string(path.key()) + " " +
             json::serialize(operation.value()) + "\n";
    }
  }
  for (const auto& schema : document.at("components").as_object().at("schemas").as_object()) {
    const std::string name(schema.key());
    const bool ours = name.starts_with("Registry") || name.starts_with("Audit") ||
                      name.starts_with("Backup") || name.starts_with("Blob");
    if (ours) out += name + " " + json::serialize(schema.value()) + "\n";
  }
  return out;
}

TEST(RegistryDescription, is_as_the_outside_knows_it) {
  const std::string path = std::string(CORTEX_ROOT) + "/tests/golden/registry_api.txt";
  const std::string actual = as_text(description());
  if (std::getenv("GOLDEN_UPDATE") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  EXPECT_EQ(expected.str(), actual) << "if the change is meant: tests/golden/README.md";
}

TEST(RegistryDescription, every_reference_leads_somewhere) {
  const json::object document = description();
  std::set<std::string> references;
  collect_references(document, references);
  for (const std::string& reference : references) {
    boost::system::error_code error;
    EXPECT_NE(json::value(document).find_pointer(reference.substr(1), error), nullptr) << reference;
  }
}

TEST(RegistryDescription, every_route_names_its_scope_and_its_own_error) {
  const json::object document = description();
  for (const auto& path : document.at("paths").as_object()) {
    for (const auto& operation : path.value().as_object()) {
      const json::object& route = operation.value().as_object();
      const bool guarded = path.key().starts_with("/api/v2/backups") ||
                           path.key().starts_with("/api/v2/blobs") ||
                           path.key().starts_with("/api/v2/webhooks");
      const std::string scope = operation.key() == "get" && !guarded ? "read" : "admin";
      EXPECT_EQ(route.at("x-scope").as_string(), scope) << path.key();
      EXPECT_TRUE(route.at("responses").as_object().contains("default")) << path.key();
    }
  }
}

}  // namespace
}  // namespace cortex::frontend::registry_api
