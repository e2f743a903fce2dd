// SPDX-License-Identifier: Apache-2.0
#include "store/testing/temporary_store.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <system_error>
#include <utility>

#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_connection.h"

namespace cortex::store {
namespace {

std::filesystem::path make_folder() {
  std::string name = (std::filesystem::temp_directory_path() / "cortex-store-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr, "a test needs a folder");
  return name;
}

std::string server_address() {
  const char* address = std::getenv("CORTEX_TEST_POSTGRESQL");
  return address == nullptr ? std::string() : std::string(address);
}

void run_on_server(const std::string& sql) {
  const Result<PostgresqlAddress> address = PostgresqlAddress::parse(server_address());
  CHECK(address.ok(), "CORTEX_TEST_POSTGRESQL holds an address");
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(30);
  const auto connection = PostgresqlConnection::connect(*address, deadline);
  CHECK(connection.ok(), connection.status().to_string().c_str());
  const Status status = connection.value()->run_script(sql);
  CHECK(status.ok(), status.to_string().c_str());
}

// The name of the folder is as good for a schema: no two are alike.
std::string schema_of(const std::filesystem::path& folder) {
  std::string name = folder.filename().string();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

std::string make_schema(const std::string& name) {
  run_on_server("CREATE SCHEMA \"" + name + "\"");
  const std::string address = server_address();
  const char* joint = address.find('?') == std::string::npos ? "?" : "&";
  // search_path keeps the case of a quoted name alone: %22 is a quote.
  return address + joint + "options=-csearch_path%3D%22" + name + "%22";
}

std::unique_ptr<Store> open(const StoreOptions& options, std::span<const Schema> schemas) {
  Result<std::unique_ptr<Store>> store = open_store(options, schemas);
  CHECK(store.ok(), store.status().to_string().c_str());
  return std::move(store).value();
}

}  // namespace

std::vector<std::string> TemporaryStore::kinds() { return {"sqlite", "postgresql"}; }

bool TemporaryStore::available(const std::string& kind) {
  return kind == "sqlite" || !server_address().empty();
}

TemporaryStore::TemporaryStore(
    const std::string& kind, std::vector<Schema> schemas, StoreOptions options
)
    : schemas_(std::move(schemas)), options_(std::move(options)), folder_(make_folder()) {
  CHECK(available(kind), "no such store here");
  options_.address =
      kind == "sqlite" ? (folder_ / "cortex.db").string() : make_schema(schema_of(folder_));
  store_ = open(options_, schemas_);
}

TemporaryStore::~TemporaryStore() {
  store_.reset();
  if (options_.address.starts_with("postgres")) {
    run_on_server("DROP SCHEMA \"" + schema_of(folder_) + "\" CASCADE");
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TemporaryStore::reopen() {
  store_.reset();
  store_ = open(options_, schemas_);
}

Result<std::unique_ptr<Store>> TemporaryStore::open_another(std::span<const Schema> schemas) const {
  return open_store(options_, schemas);
}

}  // namespace cortex::store
