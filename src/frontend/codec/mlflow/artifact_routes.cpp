// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_routes.h"

#include <charconv>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "frontend/codec/mlflow/artifact_locations.h"
#include "frontend/codec/mlflow/artifact_multipart.h"
#include "frontend/codec/mlflow/artifact_receive.h"
#include "frontend/codec/mlflow/artifact_send.h"
#include "store/artifact_index.h"

namespace cortex::frontend::mlflow {
namespace {

using ExchangePtr = std::shared_ptr<Exchange>;
using store::ArtifactEntry;
using store::Transaction;

// Of one answer. Those routes that have no pages refuse what is larger: half a folder is a broken
// model.
constexpr std::size_t kListMax = 50'000;
// MLflow's own limit for what its web page uploads.
constexpr std::uint64_t kPageUploadBytesMax = 10 * 1024 * 1024;

const std::string& workspace_of(const ExchangePtr& exchange) {
  return exchange->request().principal.workspace;
}

// The query of a request of any method.
Result<Document> read_query(const HttpRequest& http) {
  HttpRequest query;
  query.method = Method::kGet;
  query.query = http.query.empty() ? "_" : http.query;
  return Document::read(query);
}

// "path" as clients give it for a folder: empty is the root of what they look at.
Result<std::string> read_folder(const Fields& fields, std::string_view name) {
  const std::string text = fields.text(name);
  if (text.empty()) return std::string();
  return read_artifact_path(text);
}

void write_file(JsonWriter& writer, const ArtifactEntry& entry, std::string_view folder) {
  writer.open_object();
  const auto name = store::split_artifact_path(entry.path).second;
  writer.text("path", join_artifact_path(folder, name));
  writer.flag("is_dir", entry.is_folder);
  if (!entry.is_folder) writer.integer("file_size", static_cast<std::int64_t>(entry.size));
  writer.close_object();
}

void write_files(
    JsonWriter& writer, const std::vector<ArtifactEntry>& entries, std::string_view folder
) {
  writer.open_list("files");
  for (const ArtifactEntry& entry : entries) write_file(writer, entry, folder);
  writer.close_list();
}

// GET artifacts?path=P: names alone.
Result<Plan> list_proxied(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(std::string folder, read_folder(call.fields, "path"));
  return Plan::read(
      [workspace = call.workspace,
       folder = std::move(folder)](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const auto entries,
            store::list_artifacts(transaction, workspace, folder, {}, kListMax + 1)
        );
        if (entries.size() > kListMax) {
          return failed_precondition(
              "the folder holds more than " + std::to_string(kListMax) + " names"
          );
        }
        JsonWriter writer(body);
        writer.open_object();
        write_files(writer, entries, {});
        writer.close_object();
        return {};
      }
  );
}

// Names below a root, as paths from the root on.
Result<Plan> list_below(const Call& call, FindRoot find_root, std::string_view folder_field) {
  CORTEX_ASSIGN_OR_RETURN(std::string folder, read_folder(call.fields, folder_field));
  return Plan::read(
      [workspace = call.workspace,
       find_root = std::move(find_root),
       folder = std::move(folder),
       after =
           call.fields.text("page_token")](Transaction& transaction, std::string& body) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const ArtifactRoot root, find_root(transaction));
        CORTEX_ASSIGN_OR_RETURN(
            auto entries,
            store::list_artifacts(
                transaction, workspace, join_artifact_path(root.path, folder), after, kListMax + 1
            )
        );
        const bool more = entries.size() > kListMax;
        if (more) entries.pop_back();
        JsonWriter writer(body);
        writer.open_object();
        writer.text("root_uri", root.uri);
        write_files(writer, entries, folder);
        if (more) {
          writer.text("next_page_token", store::split_artifact_path(entries.back().path).second);
        }
        writer.close_object();
        return {};
      }
  );
}

Result<Plan> list_of_run(const Context&, const Call& call) {
  std::string run = call.fields.text("run_id");
  if (run.empty()) run = call.fields.text("run_uuid");
  if (run.empty()) return missing_parameter("run_id");
  return list_below(call, root_of_run(call.workspace, std::move(run)), "path");
}

Result<Plan> list_of_logged_model(const Context&, const Call& call) {
  return list_below(
      call, root_of_logged_model(call.workspace, call.path_value(0)), "artifact_directory_path"
  );
}

Result<Plan> remove_proxied(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(std::string path, read_artifact_path(call.path_value(0)));
  return Plan::write(
      [workspace = call.workspace,
       path = std::move(path)](Transaction& transaction, std::string&) -> Status {
        return store::remove_artifacts(transaction, workspace, path).status();
      }
  );
}

using FindPath = std::function<Result<std::string>(Transaction& transaction)>;

FindPath below(FindRoot find_root, std::string path) {
  return [find_root = std::move(find_root),
          path = std::move(path)](Transaction& transaction) -> Result<std::string> {
    CORTEX_ASSIGN_OR_RETURN(const ArtifactRoot root, find_root(transaction));
    std::string whole = join_artifact_path(root.path, path);
    CORTEX_RETURN_IF_ERROR(store::check_artifact_path(whole));
    return whole;
  };
}

Result<ArtifactEntry> find_file(
    Transaction& transaction, const std::string& workspace, const std::string& path
) {
  CORTEX_ASSIGN_OR_RETURN(auto entry, store::find_artifact(transaction, workspace, path));
  if (!entry) return not_found("No such artifact: '" + path + "'");
  if (entry->is_folder) {
    return invalid_argument("Artifact path refers to a directory, not a file: '" + path + "'");
  }
  return std::move(*entry);
}

// What a read found, for who waits for it. Callbacks may be kept by their callers: what holds a
// place is moved out of here when they are called.
struct Found {
  ArtifactEntry entry;
  TransferPool::PlacePtr place;
};

// Answers with the bytes of the file that `find_path` names.
void send(const Context& context, const ExchangePtr& exchange, FindPath find_path) {
  auto place = context.transfers->enter(*exchange);
  if (!place) return;
  auto found = std::make_shared<Found>(Found{{}, std::move(place)});
  context.store.read(
      [found,
       find_path = std::move(find_path),
       workspace = workspace_of(exchange)](Transaction& transaction) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const std::string path, find_path(transaction));
        CORTEX_ASSIGN_OR_RETURN(found->entry, find_file(transaction, workspace, path));
        return {};
      },
      [&context, exchange, found](const Status& status) {
        const auto held = std::move(found->place);
        if (!status.ok()) return fail(*exchange, status);
        const ArtifactEntry& entry = found->entry;
        send_artifact(held, exchange, context.artifacts, {entry.digest, entry.size}, entry.path);
      }
  );
}

// Puts what was received under the path that `find_path` names.
void put(
    const Context& context, const ExchangePtr& exchange, const store::Blob& blob, FindPath find_path
) {
  context.store.write(
      [blob,
       find_path = std::move(find_path),
       workspace = workspace_of(exchange)](Transaction& transaction) -> Status {
        CORTEX_ASSIGN_OR_RETURN(const std::string path, find_path(transaction));
        return store::put_artifact(transaction, workspace, path, blob);
      },
      [exchange](const Status& status) {
        if (!status.ok()) return fail(*exchange, status);
        reply_json(*exchange, {});
      }
  );
}

FindPath exactly(std::string path) {
  return [path = std::move(path)](Transaction&) -> Result<std::string> { return path; };
}

void download_proxied(const Context& context, const ExchangePtr& exchange) {
  auto path = read_artifact_path(exchange->request().path_values.at(0));
  if (!path.ok()) return fail(*exchange, path.status());
  send(context, exchange, exactly(std::move(*path)));
}

void upload_proxied(const Context& context, const ExchangePtr& exchange) {
  auto path = read_artifact_path(exchange->request().path_values.at(0));
  if (!path.ok()) return fail(*exchange, path.status());
  auto place = context.transfers->enter(*exchange);
  if (!place) return;
  receive_artifact(
      std::move(place),
      exchange,
      context.artifacts,
      [&context, path = std::move(*path)](const ExchangePtr& done, const store::Blob& blob) {
        put(context, done, blob, exactly(path));
      }
  );
}

// What a request says in its query about a file below a root.
Result<FindPath> file_of_run(const ExchangePtr& exchange, std::string_view id_field) {
  CORTEX_ASSIGN_OR_RETURN(const Document document, read_query(exchange->request()));
  const Fields fields = document.fields();
  std::string run = fields.text(id_field);
  if (run.empty()) run = fields.text("run_uuid");
  if (run.empty()) return invalid_argument("Request must specify " + std::string(id_field) + ".");
  const std::string text = fields.text("path");
  if (text.empty()) return invalid_argument("Request must specify path.");
  CORTEX_RETURN_IF_ERROR(fields.status());
  CORTEX_ASSIGN_OR_RETURN(std::string path, read_artifact_path(text));
  return below(root_of_run(workspace_of(exchange), std::move(run)), std::move(path));
}

Result<FindPath> file_of_version(const ExchangePtr& exchange) {
  CORTEX_ASSIGN_OR_RETURN(const Document document, read_query(exchange->request()));
  const Fields fields = document.fields();
  std::string name = fields.required_text("name");
  const std::int64_t version = fields.required_integer("version");
  const std::string text = fields.required_text("path");
  CORTEX_RETURN_IF_ERROR(fields.status());
  CORTEX_ASSIGN_OR_RETURN(std::string path, read_artifact_path(text));
  return below(
      root_of_model_version(workspace_of(exchange), std::move(name), version), std::move(path)
  );
}

Result<FindPath> file_of_logged_model(const ExchangePtr& exchange) {
  CORTEX_ASSIGN_OR_RETURN(const Document document, read_query(exchange->request()));
  const std::string text = document.fields().required_text("artifact_file_path");
  CORTEX_RETURN_IF_ERROR(document.fields().status());
  CORTEX_ASSIGN_OR_RETURN(std::string path, read_artifact_path(text));
  return below(
      root_of_logged_model(workspace_of(exchange), exchange->request().path_values.at(0)),
      std::move(path)
  );
}

void send_file(const Context& context, const ExchangePtr& exchange, Result<FindPath> file) {
  if (!file.ok()) return fail(*exchange, file.status());
  send(context, exchange, std::move(*file));
}

void download_of_run(const Context& context, const ExchangePtr& exchange) {
  send_file(context, exchange, file_of_run(exchange, "run_id"));
}
void download_of_version(const Context& context, const ExchangePtr& exchange) {
  send_file(context, exchange, file_of_version(exchange));
}
void download_of_logged_model(const Context& context, const ExchangePtr& exchange) {
  send_file(context, exchange, file_of_logged_model(exchange));
}

Status check_page_upload(std::uint64_t bytes) {
  if (bytes == 0) return invalid_argument("Request must specify data.");
  if (bytes <= kPageUploadBytesMax) return {};
  return invalid_argument("Artifact size is too large. Max size is 10MB.");
}

Status check_announced_bytes(const HttpRequest& request) {
  const std::string_view text = request.header("content-length");
  if (text.empty()) return {};
  std::uint64_t bytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return check_page_upload(bytes);
}

void upload_of_run(const Context& context, const ExchangePtr& exchange) {
  auto file = file_of_run(exchange, "run_uuid");
  if (!file.ok()) return fail(*exchange, file.status());
  if (const Status status = check_announced_bytes(exchange->request()); !status.ok()) {
    return fail(*exchange, status);
  }
  auto place = context.transfers->enter(*exchange);
  if (!place) return;
  receive_artifact(
      std::move(place),
      exchange,
      context.artifacts,
      [&context, file = std::move(*file)](const ExchangePtr& done, const store::Blob& blob) {
        const Status status = check_page_upload(blob.size);
        if (!status.ok()) return fail(*done, status);
        put(context, done, blob, file);
      }
  );
}

// Clients then go through the proxy, by these very texts.
constexpr const char* kNoPresigned =
    "Multipart download is not supported for the current artifact repository";

// On a thread of the pool's.
void reply_presigned(const Context& context, const ExchangePtr& exchange, const store::Blob& blob) {
  const auto url = context.artifacts.presign(blob, context.options.presigned_lifetime);
  if (!url.ok() && url.status().code() == Code::kUnimplemented) {
    return fail(*exchange, unimplemented(kNoPresigned));
  }
  if (!url.ok()) return fail(*exchange, url.status());
  std::string body;
  JsonWriter writer(body);
  writer.open_object();
  writer.text("url", *url);
  writer.open_object("headers");
  writer.close_object();
  writer.integer("file_size", static_cast<std::int64_t>(blob.size));
  writer.close_object();
  reply_json(*exchange, std::move(body));
}

// An address from which the client reads the file without us.
void presign_proxied(const Context& context, const ExchangePtr& exchange) {
  if (!context.options.presigned) return fail(*exchange, unimplemented(kNoPresigned));
  auto path = read_artifact_path(exchange->request().path_values.at(0));
  if (!path.ok()) return fail(*exchange, path.status());
  auto place = context.transfers->enter(*exchange);
  if (!place) return;
  auto found = std::make_shared<Found>(Found{{}, std::move(place)});
  context.store.read(
      [found, path = std::move(*path), workspace = workspace_of(exchange)](Transaction& transaction
      ) -> Status {
        CORTEX_ASSIGN_OR_RETURN(found->entry, find_file(transaction, workspace, path));
        return {};
      },
      [&context, exchange, found](const Status& status) {
        auto held = std::move(found->place);
        if (!status.ok()) return fail(*exchange, status);
        TransferPool& pool = held->pool();
        const store::Blob blob{found->entry.digest, found->entry.size};
        pool.submit([&context, exchange, blob, held = std::move(held)] {
          reply_presigned(context, exchange, blob);
        });
      }
  );
}

Result<Plan> no_presigned_url(const Context&, const Call&) {
  return invalid_argument(
      "Presigned URLs are not supported for proxied artifact storage (artifact URI scheme: "
      "mlflow-artifacts). This endpoint requires a direct cloud storage artifact URI."
  );
}

struct RouteEntry {
  Mount mount;
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
};

MlflowRoute planned(
    const RouteEntry& entry, Result<Plan> (*planner)(const Context& context, const Call& call)
) {
  MlflowRoute route;
  route.mount = entry.mount;
  route.method = entry.method;
  route.pattern = entry.pattern;
  route.scope = entry.scope;
  route.summary = entry.summary;
  route.planner = planner;
  return route;
}

MlflowRoute handled(
    const RouteEntry& entry, void (*handler)(const Context& context, const ExchangePtr& exchange)
) {
  MlflowRoute route = planned(entry, nullptr);
  route.handler = handler;
  return route;
}

MlflowRoute streamed(
    const RouteEntry& entry,
    std::size_t limit,
    void (*handler)(const Context& context, const ExchangePtr& exchange)
) {
  MlflowRoute route = handled(entry, handler);
  route.body = BodyMode::kStreamed;
  route.body_bytes_limit = limit;
  return route;
}

std::vector<MlflowRoute> proxy_routes() {
  constexpr Mount kMount = Mount::kArtifacts;
  constexpr std::string_view kFile = "/artifacts/{path*}";
  return {
      planned(
          {kMount, Method::kGet, "/artifacts", Scope::kRead, "List artifacts below a path"},
          list_proxied
      ),
      handled(
          {kMount, Method::kGet, kFile, Scope::kRead, "Download an artifact"}, download_proxied
      ),
      streamed(
          {kMount, Method::kPut, kFile, Scope::kAdmin, "Upload an artifact"},
          kArtifactBytesLimit,
          upload_proxied
      ),
      planned(
          {kMount, Method::kDelete, kFile, Scope::kAdmin, "Delete artifacts below a path"},
          remove_proxied
      ),
      handled(
          {kMount,
           Method::kGet,
           "/presigned/{path*}",
           Scope::kRead,
           "Address of an artifact in the bucket; 501 where there is none"},
          presign_proxied
      ),
  };
}

std::vector<MlflowRoute> owner_routes() {
  return {
      planned(
          {Mount::kApi2, Method::kGet, "/artifacts/list", Scope::kRead, "List artifacts of a run"},
          list_of_run
      ),
      planned(
          {Mount::kApi2,
           Method::kPost,
           "/artifacts/presigned-upload-url",
           Scope::kAdmin,
           "Not supported"},
          no_presigned_url
      ),
      planned(
          {Mount::kApi2,
           Method::kPost,
           "/artifacts/presigned-download-url",
           Scope::kRead,
           "Not supported"},
          no_presigned_url
      ),
      planned(
          {Mount::kApi2,
           Method::kGet,
           "/logged-models/{model_id}/artifacts/directories",
           Scope::kRead,
           "List artifacts of a logged model"},
          list_of_logged_model
      ),
      handled(
          {Mount::kAjax2,
           Method::kGet,
           "/logged-models/{model_id}/artifacts/files",
           Scope::kRead,
           "Download an artifact of a logged model"},
          download_of_logged_model
      ),
      streamed(
          {Mount::kAjax2,
           Method::kPost,
           "/upload-artifact",
           Scope::kAdmin,
           "Upload a small artifact of a run"},
          kArtifactBytesLimit,
          upload_of_run
      ),
      handled(
          {Mount::kRoot,
           Method::kGet,
           "/get-artifact",
           Scope::kRead,
           "Download an artifact of a run"},
          download_of_run
      ),
      handled(
          {Mount::kRoot,
           Method::kGet,
           "/model-versions/get-artifact",
           Scope::kRead,
           "Download an artifact of a model version"},
          download_of_version
      ),
  };
}

}  // namespace

std::vector<MlflowRoute> artifact_routes() {
  std::vector<MlflowRoute> all;
  for (auto routes : {proxy_routes(), owner_routes(), multipart_routes()}) {
    all.insert(
        all.end(), std::make_move_iterator(routes.begin()), std::make_move_iterator(routes.end())
    );
  }
  return all;
}

}  // namespace cortex::frontend::mlflow
