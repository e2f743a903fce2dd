// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_address.h"

#include <algorithm>
#include <memory>

#include <libpq-fe.h>

namespace cortex::store {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

// Why libpq refused is not used: it may quote a part of the address.
std::unique_ptr<PQconninfoOption, FreeOptions> parse_options(const std::string& address) {
  char* why = nullptr;
  std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(address.c_str(), &why));
  PQfreemem(why);
  return options;
}

}  // namespace

Result<PostgresqlAddress> PostgresqlAddress::parse(const std::string& address) {
  const auto options = parse_options(address);
  if (!options) return invalid_argument("the address of the PostgreSQL database cannot be read");
  PostgresqlAddress read;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val != nullptr) read.settings_.emplace_back(option->keyword, option->val);
  }
  // A path that cannot exist: no password file of whoever started us is looked for.
  read.set_default("passfile", "/dev/null/none");
  read.set_default("application_name", "cortex");
  read.set_default("target_session_attrs", "read-write");
  read.set_default("keepalives_idle", "10");
  read.set_default("keepalives_interval", "5");
  read.set_default("keepalives_count", "3");
  read.set_default("client_encoding", "UTF8");
  return read;
}

void PostgresqlAddress::set_default(const std::string& keyword, const std::string& value) {
  if (setting(keyword).empty()) settings_.emplace_back(keyword, value);
}

std::string PostgresqlAddress::setting(const std::string& keyword) const {
  const auto found = std::find_if(settings_.begin(), settings_.end(), [&](const auto& entry) {
    return entry.first == keyword;
  });
  return found == settings_.end() ? std::string() : found->second;
}

std::string PostgresqlAddress::name() const {
  const std::string port = setting("port");
  return setting("host") + (port.empty() ? "" : ":" + port) + "/" + setting("dbname");
}

}  // namespace cortex::store
