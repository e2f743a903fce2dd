// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/codec/registry/backup_copies.h"
#include "frontend/codec/registry/fields.h"
#include "frontend/codec/registry/precondition.h"
#include "frontend/http/exchange.h"
#include "registry/catalog/authorship.h"
#include "store/artifact_store.h"
#include "store/replay_log.h"
#include "store/store.h"

namespace cortex::connectors {
class WebhookSender;
}

namespace cortex::frontend::registry_api {

// What a request comes to. An error leaves with the HTTP status of its code, unless `status` names
// another one (4xx); `tag` goes with it.
struct Answer {
  int status = 200;
  std::string body;      // JSON; none with 204 and 304
  std::string tag;       // the entity tag, without quotes; empty: none
  std::string location;  // of what was made; empty: none
  bool binary = false;   // the body is no JSON but bytes
};

// What every route works with; outlives the routes.
struct Context {
  store::Store& store;
  store::ArtifactStore& artifacts;
  store::ReplayLimits replays;
  BackupCopies& copies;  // for the thread of files alone
  // Runs a call on a thread that may wait for a disk; false: too many wait already, or the end
  // came.
  std::function<bool(std::function<void()>)> read_files;
  std::atomic<std::uint64_t>& replays_evicted;
};

// One request, on the connection's thread.
struct Call {
  const HttpRequest& http;
  const Fields& fields;
  Query& query;
  registry::Authorship author;  // who, where, when, why
  Precondition precondition;

  // What stood for {model} in the pattern, by its place.
  [[nodiscard]] const std::string& path_value(std::size_t index) const {
    return http.path_values.at(index);
  }
};

// What a parsed request comes to: work in the database that writes the answer. The answer is empty
// when the work begins, also when it begins again. It runs on a thread of the store's and owns all
// it captured. Behind a read that went well, one of two may make the answer: `finish`, on a thread
// that may wait for a disk, or `later`, which must not block.
struct Plan {
  using Work = std::function<Status(store::Transaction& transaction, Answer& answer)>;
  using Finish = std::function<Status(const Context& context, Answer& answer)>;
  // Called once, on any thread.
  using Done = std::function<void(const Status& status, Answer answer)>;
  using Later = std::function<void(Done done)>;

  bool changes = false;
  Work work = {};
  Finish finish = {};
  Later later = {};

  [[nodiscard]] static Plan read(Work work) { return {false, std::move(work)}; }
  // Nothing of it needs the database.
  [[nodiscard]] static Plan files(Finish finish) { return {false, nullptr, std::move(finish)}; }
  [[nodiscard]] static Plan write(Work work) { return {true, std::move(work)}; }
};

// Parses a request and plans its answer; faults of fields and query that it does not look at are
// answered all the same. Pure.
using Planner = std::function<Result<Plan>(const Call& call)>;

// One route, below /api/v2. Text is static.
struct RegistryRoute {
  Method method = Method::kGet;
  std::string_view pattern;
  std::string_view summary;
  std::string_view request_schema;
  std::string_view response_schema;
  int success_status = 200;
  std::span<const RouteParameter> parameters;
  Planner planner;
  Scope scope = Scope::kNone;  // kNone: by the method, kRead of a GET and kAdmin of the others
};

[[nodiscard]] std::vector<RegistryRoute> model_routes();
[[nodiscard]] std::vector<RegistryRoute> version_routes();
[[nodiscard]] std::vector<RegistryRoute> version_change_routes();
[[nodiscard]] std::vector<RegistryRoute> alias_routes();
[[nodiscard]] std::vector<RegistryRoute> policy_routes();
[[nodiscard]] std::vector<RegistryRoute> compare_routes();
[[nodiscard]] std::vector<RegistryRoute> audit_routes();
[[nodiscard]] std::vector<RegistryRoute> backup_routes();
// The sender outlives the routes.
[[nodiscard]] std::vector<RegistryRoute> webhook_routes(connectors::WebhookSender& sender);

// What the routes above name.
[[nodiscard]] std::span<const Schema> registry_schemas();
[[nodiscard]] std::span<const RouteParameter> page_parameters(
);  // filter, order_by, limit, page_token
[[nodiscard]] std::span<const RouteParameter> token_parameters();  // limit, page_token
[[nodiscard]] std::span<const RouteParameter> known_parameters();  // If-None-Match of a read
[[nodiscard]] std::span<const RouteParameter> match_parameters();  // If-Match, If-None-Match
[[nodiscard]] std::span<const RouteParameter> once_parameters();   // Idempotency-Key
[[nodiscard]] std::span<const RouteParameter> change_parameters(
);  // If-Match, If-None-Match, the reason
[[nodiscard]] std::span<const RouteParameter> replay_parameters(
);  // Idempotency-Key, If-Match, the reason
[[nodiscard]] std::span<const RouteParameter> tagless_parameters();  // Idempotency-Key, the reason
[[nodiscard]] std::span<const RouteParameter> reason_parameters();   // the reason
[[nodiscard]] std::span<const RouteParameter> history_parameters();  // before, limit
[[nodiscard]] std::span<const RouteParameter> compare_parameters();  // left, right, right_model
[[nodiscard]] std::span<const RouteParameter> audit_parameters();    // after, limit
[[nodiscard]] std::span<const RouteParameter> verify_parameters();   // seq, hash

[[nodiscard]] std::span<const RouteParameter> piece_parameters();  // offset, limit
[[nodiscard]] std::span<const RouteParameter> blob_parameters();   // after, limit

}  // namespace cortex::frontend::registry_api
