// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_multipart.h"

#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "frontend/codec/mlflow/artifact_locations.h"
#include "frontend/codec/mlflow/artifact_receive.h"
#include "store/artifact_upload.h"

namespace cortex::frontend::mlflow {
namespace {

using ExchangePtr = std::shared_ptr<Exchange>;
using store::ArtifactUpload;
using store::Blob;
using store::Transaction;
using store::UploadPart;

// Of one part: what clients of S3 may send in one.
constexpr std::size_t kPartBytesLimit = std::size_t{5} << 30;

// The folder is what the path ends with, if anything; "path" is the file's name where it lies on
// the client's machine, whatever that is.
Result<std::string> read_target(const HttpRequest& http, const Fields& fields) {
  const std::string file = fields.required_text("path");
  const std::string_view name = std::string_view(file).substr(file.find_last_of("/\\") + 1);
  const std::string folder = http.path_values.empty() ? std::string() : http.path_values[0];
  CORTEX_RETURN_IF_ERROR(fields.status());
  return read_artifact_path(join_artifact_path(folder, name));
}

// What the client reached us by, so that it reaches us again.
std::string own_address(const HttpRequest& http) {
  const bool secure = http.header("x-forwarded-proto") == "https";
  return std::string(secure ? "https://" : "http://") + std::string(http.header("host"));
}

void write_upload(std::string& body, const std::string& address, const ArtifactUpload& upload) {
  JsonWriter writer(body);
  writer.open_object();
  writer.text("upload_id", upload.id);
  writer.open_list("credentials");
  for (std::int64_t number = 1; number <= upload.parts; ++number) {
    writer.open_object();
    writer.text(
        "url",
        address + "/api/2.0/mlflow-artifacts/mpu/parts/" + upload.id + "/" + std::to_string(number)
    );
    writer.integer("part_number", number);
    writer.open_object("headers");
    writer.close_object();
    writer.close_object();
  }
  writer.close_list();
  writer.close_object();
}

Result<Plan> create(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(std::string path, read_target(call.http, call.fields));
  const std::int64_t parts = call.fields.integer("num_parts").value_or(1);
  return Plan::write(
      [workspace = call.workspace, path = std::move(path), parts, address = own_address(call.http)](
          Transaction& transaction, std::string& body
      ) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            const ArtifactUpload upload, store::begin_upload(transaction, workspace, path, parts)
        );
        write_upload(body, address, upload);
        return {};
      }
  );
}

// An upload as `workspace` sees it: those of others are not there.
Result<ArtifactUpload> find_own(
    Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const std::string& path
) {
  CORTEX_ASSIGN_OR_RETURN(ArtifactUpload upload, store::find_upload(transaction, id));
  if (upload.workspace == workspace && upload.path == path) return upload;
  return not_found("there is no such upload");
}

Result<Plan> abort(const Context&, const Call& call) {
  CORTEX_ASSIGN_OR_RETURN(std::string path, read_target(call.http, call.fields));
  std::string id = call.fields.required_text("upload_id");
  return Plan::write(
      [workspace = call.workspace,
       path = std::move(path),
       id = std::move(id)](Transaction& transaction, std::string&) -> Status {
        const auto upload = find_own(transaction, workspace, id, path);
        if (!upload.ok() && upload.status().code() != Code::kNotFound) return upload.status();
        // Finished ones keep their artifact, and there is nothing to let go of.
        if (!upload.ok() || upload->finished) return {};
        return store::abort_upload(transaction, id);
      }
  );
}

struct PartName {
  std::string upload;
  std::int64_t number = 0;
};

Result<PartName> read_part_name(const HttpRequest& http) {
  PartName name{http.path_values.at(0), 0};
  const std::string& text = http.path_values.at(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), name.number);
  if (error == std::errc() && end == text.data() + text.size()) return name;
  return invalid_argument("the number of the part is none");
}

void answer_part(const ExchangePtr& exchange, const Blob& blob) {
  HttpReply reply;
  reply.body = "{}";
  reply.headers.emplace_back("ETag", '"' + blob.digest + '"');
  exchange->reply(std::move(reply));
}

void put_part(
    const Context& context, const ExchangePtr& exchange, const PartName& name, const Blob& blob
) {
  context.store.write(
      [name, blob](Transaction& transaction) {
        return store::put_upload_part(transaction, name.upload, {name.number, blob});
      },
      [exchange, blob](const Status& status) {
        if (!status.ok()) return fail(*exchange, status);
        answer_part(exchange, blob);
      }
  );
}

// Nothing is received for an upload that does not wait for it: who knows no id can send nothing.
Status expect_part(Transaction& transaction, const PartName& name) {
  CORTEX_ASSIGN_OR_RETURN(
      const ArtifactUpload upload, store::find_upload(transaction, name.upload)
  );
  if (upload.finished) return failed_precondition("the upload is finished");
  if (name.number >= 1 && name.number <= upload.parts) return {};
  return invalid_argument("the upload has no part of that number");
}

void upload_part(const Context& context, const ExchangePtr& exchange) {
  auto name = read_part_name(exchange->request());
  if (!name.ok()) return fail(*exchange, name.status());
  auto place = context.transfers->enter(*exchange);
  if (!place) return;
  auto waiting = std::make_shared<TransferPool::PlacePtr>(std::move(place));
  context.store.read(
      [name = *name](Transaction& transaction) { return expect_part(transaction, name); },
      [&context, exchange, name = *name, waiting](const Status& status) {
        auto held = std::move(*waiting);
        if (!status.ok()) return fail(*exchange, status);
        receive_artifact(
            std::move(held),
            exchange,
            context.artifacts,
            [&context, name](const ExchangePtr& done, const Blob& blob) {
              put_part(context, done, name, blob);
            }
        );
      }
  );
}

// One request to make an upload whole.
struct Completion {
  std::string workspace;
  std::string path;
  std::string id;
  std::vector<std::pair<std::int64_t, std::string>>
      named;                     // number and tag, as the client has them
  TransferPool::PlacePtr place;  // until the database answered
  // What the database says:
  bool finished = false;
  std::vector<Blob> parts;
};

Result<Completion> read_completion(const HttpRequest& http) {
  CORTEX_ASSIGN_OR_RETURN(const Document document, Document::read(http));
  const Fields fields = document.fields();
  Completion out;
  CORTEX_ASSIGN_OR_RETURN(out.path, read_target(http, fields));
  out.workspace = http.principal.workspace;
  out.id = fields.required_text("upload_id");
  for_each_message(fields, "parts", [&](const Fields& part) {
    out.named.emplace_back(part.required_integer("part_number"), part.text("etag"));
  });
  CORTEX_RETURN_IF_ERROR(fields.status());
  return out;
}

// True when the client means the very bytes that are here.
bool names_part(const std::pair<std::int64_t, std::string>& named, const UploadPart& part) {
  return named.first == part.number && named.second == '"' + part.blob.digest + '"';
}

Status find_parts(Transaction& transaction, Completion& completion) {
  CORTEX_ASSIGN_OR_RETURN(
      const ArtifactUpload upload,
      find_own(transaction, completion.workspace, completion.id, completion.path)
  );
  completion.finished = upload.finished;
  completion.parts.clear();
  if (upload.finished) return {};
  CORTEX_ASSIGN_OR_RETURN(const auto parts, store::list_upload_parts(transaction, completion.id));
  const auto whole = static_cast<std::size_t>(upload.parts);
  if (parts.size() != whole || completion.named.size() != whole) {
    return invalid_argument("not every part of the upload is there");
  }
  for (std::size_t i = 0; i < whole; ++i) {
    if (!names_part(completion.named[i], parts[i])) {
      return invalid_argument("part " + std::to_string(i + 1) + " is not what was uploaded");
    }
    completion.parts.push_back(parts[i].blob);
  }
  return {};
}

void finish(const Context& context, const ExchangePtr& exchange, std::string id, const Blob& blob) {
  context.store.write(
      [id = std::move(id), blob](Transaction& transaction) {
        return store::finish_upload(transaction, id, blob);
      },
      [exchange](const Status& status) {
        if (!status.ok()) return fail(*exchange, status);
        reply_json(*exchange, {});
      }
  );
}

void join(
    const Context& context,
    const ExchangePtr& exchange,
    const std::shared_ptr<Completion>& completion,
    const TransferPool::PlacePtr& place
) {
  context.transfers->submit([&context, exchange, completion, place] {
    const auto blob = context.artifacts.join(completion->parts);
    if (!blob.ok()) return fail(*exchange, blob.status());
    finish(context, exchange, completion->id, *blob);
  });
}

void complete(const Context& context, const ExchangePtr& exchange) {
  auto read = read_completion(exchange->request());
  if (!read.ok()) return fail(*exchange, read.status());
  auto completion = std::make_shared<Completion>(std::move(*read));
  completion->place = context.transfers->enter(*exchange);
  if (!completion->place) return;
  context.store.read(
      [completion](Transaction& transaction) { return find_parts(transaction, *completion); },
      [&context, exchange, completion](const Status& status) {
        const auto held = std::move(completion->place);
        if (!status.ok()) return fail(*exchange, status);
        // A client that heard nothing asks again.
        if (completion->finished) return reply_json(*exchange, {});
        join(context, exchange, completion, held);
      }
  );
}

MlflowRoute route(Method method, std::string_view pattern, std::string_view summary) {
  MlflowRoute out;
  out.mount = Mount::kArtifacts;
  out.method = method;
  out.pattern = pattern;
  out.scope = Scope::kAdmin;
  out.summary = summary;
  return out;
}

}  // namespace

std::vector<MlflowRoute> multipart_routes() {
  std::vector<MlflowRoute> all;
  for (const std::string_view pattern : {"/mpu/create", "/mpu/create/{folder*}"}) {
    all.push_back(route(Method::kPost, pattern, "Begin an upload in parts"));
    all.back().planner = create;
  }
  for (const std::string_view pattern : {"/mpu/complete", "/mpu/complete/{folder*}"}) {
    all.push_back(route(Method::kPost, pattern, "Make one artifact of the parts of an upload"));
    all.back().handler = complete;
    all.back().body_bytes_limit = 4 * kJsonBytesLimit;
  }
  for (const std::string_view pattern : {"/mpu/abort", "/mpu/abort/{folder*}"}) {
    all.push_back(route(Method::kPost, pattern, "Forget an upload and its parts"));
    all.back().planner = abort;
  }
  all.push_back(route(Method::kPut, "/mpu/parts/{upload}/{number}", "Upload a part"));
  all.back().scope = Scope::kNone;
  all.back().handler = upload_part;
  all.back().body = BodyMode::kStreamed;
  all.back().body_bytes_limit = kPartBytesLimit;
  return all;
}

}  // namespace cortex::frontend::mlflow
