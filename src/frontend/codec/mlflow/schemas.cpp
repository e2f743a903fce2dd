// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/schemas.h"

#include <algorithm>
#include <cstddef>
#include <deque>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>

#include "base/check.h"
#include "frontend/http/route_table.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;

// Fields as words: NAME, "!" where it must be there, ":TYPE" where it is no text, "*" where it is
// repeated. A type is integer, real, boolean, texts (an object of them), A|B|C or another message.
// The names are those of MLflow's protocol; of its fields these are what we read and write.
struct Message {
  std::string_view name;
  std::string_view fields;
};

constexpr Message kMessages[] = {
    {"Error", "error_code! message!"},
    {"Empty", ""},
    {"Tag", "key! value"},

    {"Experiment",
     "experiment_id! name! artifact_location! lifecycle_stage!:active|deleted "
     "last_update_time!:integer creation_time!:integer tags:Tag*"},
    {"ExperimentReply", "experiment!:Experiment"},
    {"ExperimentPage", "experiments!:Experiment* next_page_token"},
    {"NewExperiment", "name! artifact_location tags:Tag*"},
    {"ExperimentId", "experiment_id!"},
    {"ExperimentRename", "experiment_id! new_name!"},
    {"ExperimentTag", "experiment_id! key! value"},
    {"ExperimentTagKey", "experiment_id! key!"},
    {"ExperimentQuery",
     "filter order_by* view_type:ACTIVE_ONLY|DELETED_ONLY|ALL max_results:integer page_token"},

    {"Metric",
     "key! value!:real timestamp!:integer step:integer model_id dataset_name dataset_digest"
     " run_id"},
    {"MetricList", "metrics!:Metric*"},
    {"MetricPage", "metrics!:Metric* next_page_token"},

    {"Dataset", "name! digest! source_type source schema profile"},
    {"DatasetInput", "dataset!:Dataset tags:Tag*"},
    {"ModelInput", "model_id!"},
    {"ModelOutput", "model_id! step:integer"},
    {"RunInfo",
     "run_id! run_uuid! run_name! experiment_id! user_id! "
     "status!:RUNNING|SCHEDULED|FINISHED|FAILED|KILLED start_time!:integer end_time:integer "
     "artifact_uri! lifecycle_stage!:active|deleted"},
    {"RunData", "metrics:Metric* params:Tag* tags:Tag*"},
    {"RunInputs", "dataset_inputs:DatasetInput* model_inputs:ModelInput*"},
    {"RunOutputs", "model_outputs:ModelOutput*"},
    {"Run", "info!:RunInfo data!:RunData inputs!:RunInputs outputs!:RunOutputs"},
    {"RunReply", "run!:Run"},
    {"RunInfoReply", "run_info!:RunInfo"},
    {"RunPage", "runs!:Run* next_page_token"},
    {"NewRun", "experiment_id run_name user_id start_time:integer tags:Tag*"},
    {"RunId", "run_id!"},
    {"RunChange",
     "run_id! status:RUNNING|SCHEDULED|FINISHED|FAILED|KILLED end_time:integer run_name"},
    {"RunQuery",
     "experiment_ids* filter run_view_type:ACTIVE_ONLY|DELETED_ONLY|ALL order_by* "
     "max_results:integer page_token"},
    {"RunMetric",
     "run_id! key! value!:real timestamp!:integer step:integer model_id dataset_name "
     "dataset_digest"},
    {"RunTag", "run_id! key! value"},
    {"RunTagKey", "run_id! key!"},
    {"RunBatch", "run_id! metrics:Metric* params:Tag* tags:Tag*"},
    {"NewRunInputs", "run_id! datasets:DatasetInput* models:ModelInput*"},
    {"NewRunOutputs", "run_id! models!:ModelOutput*"},
    {"RunModel", "run_id! model_json!"},

    {"LoggedModelInfo",
     "model_id! experiment_id! name! creation_timestamp_ms!:integer "
     "last_updated_timestamp_ms!:integer artifact_uri! "
     "status!:LOGGED_MODEL_PENDING|LOGGED_MODEL_READY|LOGGED_MODEL_UPLOAD_FAILED creator_id "
     "model_type source_run_id status_message tags:Tag*"},
    {"LoggedModelData", "params:Tag* metrics:Metric*"},
    {"LoggedModel", "info!:LoggedModelInfo data!:LoggedModelData"},
    {"LoggedModelReply", "model!:LoggedModel"},
    {"LoggedModelPage", "models!:LoggedModel* next_page_token"},
    {"NewLoggedModel", "experiment_id! name model_type source_run_id params:Tag* tags:Tag*"},
    {"LoggedModelEnd", "status!:LOGGED_MODEL_PENDING|LOGGED_MODEL_READY|LOGGED_MODEL_UPLOAD_FAILED"
    },
    {"LoggedModelTags", "tags:Tag*"},
    {"LoggedModelParams", "params:Tag*"},
    {"DatasetName", "dataset_name dataset_digest"},
    {"LoggedModelOrder", "field_name! ascending:boolean dataset_name dataset_digest"},
    {"LoggedModelQuery",
     "experiment_ids!* filter datasets:DatasetName* order_by:LoggedModelOrder* "
     "max_results:integer page_token"},

    {"Alias", "alias! version!"},
    {"ModelVersion",
     "name! version! creation_timestamp!:integer last_updated_timestamp!:integer user_id "
     "current_stage!:None|Staging|Production|Archived description source! run_id "
     "status!:PENDING_REGISTRATION|FAILED_REGISTRATION|READY status_message tags:Tag* run_link "
     "aliases* model_id"},
    {"RegisteredModel",
     "name! creation_timestamp!:integer last_updated_timestamp!:integer user_id description "
     "latest_versions:ModelVersion* tags:Tag* aliases:Alias*"},
    {"RegisteredModelReply", "registered_model!:RegisteredModel"},
    {"RegisteredModelPage", "registered_models!:RegisteredModel* next_page_token"},
    {"NewRegisteredModel", "name! description tags:Tag*"},
    {"ModelName", "name!"},
    {"ModelDescription", "name! description"},
    {"ModelRename", "name! new_name!"},
    {"ModelTag", "name! key! value"},
    {"ModelTagKey", "name! key!"},
    {"ModelStages", "name! stages*"},
    {"ModelAlias", "name! alias!"},
    {"ModelAliasTarget", "name! alias! version!"},
    {"ModelVersionReply", "model_version!:ModelVersion"},
    {"ModelVersionPage", "model_versions!:ModelVersion* next_page_token"},
    {"NewModelVersion", "name! source! run_id run_link model_id description tags:Tag*"},
    {"VersionId", "name! version!"},
    {"VersionDescription", "name! version! description"},
    {"VersionStage",
     "name! version! stage!:None|Staging|Production|Archived archive_existing_versions:boolean"},
    {"VersionTag", "name! version! key! value"},
    {"VersionTagKey", "name! version! key!"},
    {"ArtifactUri", "artifact_uri!"},

    {"WebhookEvent",
     "entity!:REGISTERED_MODEL|MODEL_VERSION|MODEL_VERSION_TAG|MODEL_VERSION_ALIAS|PROMPT|"
     "PROMPT_VERSION|PROMPT_TAG|PROMPT_VERSION_TAG|PROMPT_ALIAS|BUDGET_POLICY "
     "action!:CREATED|UPDATED|DELETED|SET|EXCEEDED"},
    {"Webhook",
     "webhook_id! name! description url! events!:WebhookEvent* status!:ACTIVE|DISABLED "
     "status_message creation_timestamp!:integer last_updated_timestamp!:integer"},
    {"WebhookReply", "webhook!:Webhook"},
    {"WebhookPage", "webhooks!:Webhook* next_page_token"},
    {"NewWebhook", "name! url! description events!:WebhookEvent* secret status:ACTIVE|DISABLED"},
    {"WebhookChange", "name url description events:WebhookEvent* secret status:ACTIVE|DISABLED"},
    {"WebhookTest", "event:WebhookEvent"},
    {"WebhookTestResult", "success!:boolean response_status:integer response_body error_message"},
    {"WebhookTestReply", "result!:WebhookTestResult"},
    {"Delivery",
     "delivery_id! sequence!:integer event! status!:pending|delivered|failed attempts!:integer "
     "response_status:integer response_body error_message duration_ms!:integer "
     "creation_timestamp!:integer last_attempt_timestamp!:integer "
     "next_attempt_timestamp:integer"},
    {"DeliveryPage", "deliveries!:Delivery* next_page_token"},

    {"File", "path! is_dir!:boolean file_size:integer"},
    {"FileList", "files!:File*"},
    {"FilePage", "root_uri! files!:File* next_page_token"},
    {"PresignedUrl", "url! headers!:texts file_size!:integer"},
    {"NewUpload", "path! num_parts:integer"},
    {"UploadCredential", "url! part_number!:integer headers!:texts"},
    {"Upload", "upload_id! credentials!:UploadCredential*"},
    {"UploadId", "path! upload_id!"},
    {"UploadPart", "part_number!:integer etag!"},
    {"UploadParts", "path! upload_id! parts!:UploadPart*"},

    {"ServerInfo",
     "store_type! workspaces_enabled!:boolean trace_archival_enabled!:boolean "
     "multipart_uploads_enabled!:boolean multipart_downloads_enabled!:boolean "
     "artifact_serving_enabled!:boolean"},
    {"Workspace", "name!"},
    {"WorkspaceReply", "workspace!:Workspace"},
    {"WorkspaceList", "workspaces!:Workspace*"},
};

// What is no JSON.
constexpr Schema kBareSchemas[] = {
    {"MlflowOctets", "application/octet-stream", false, R"({"type":"string","format":"binary"})"},
    {"MlflowVersion", "text/plain", false, R"({"type":"string"})"},
};

// What names do not say.
struct Meaning {
  std::string_view field;
  std::string_view sentence;
};

constexpr Meaning kMeanings[] = {
    {"end_step", "Comes with start_step."},
    {"etag", "As the upload of the part was answered."},
    {"filter", "Comparisons in MLflow's language, joined by AND."},
    {"max_results", "Entries of the answer at most."},
    {"model_json", "The model's description, as JSON."},
    {"next_page_token", "Missing on the last page."},
    {"order_by", "Columns; the first one counts most."},
    {"page_token", "next_page_token of the page before."},
    {"secret", "Signs what is sent; never given out."},
    {"source", "Where it comes from, as a URI."},
    {"start_step", "Comes with end_step."},
    {"start_time", "Milliseconds since the epoch."},
    {"end_time", "Milliseconds since the epoch."},
    {"timestamp", "Milliseconds since the epoch."},
};

// One route: the messages that its body and its answer are, "" for none, and the fields of its
// query.
struct Row {
  std::string_view route;
  std::string_view takes;
  std::string_view gives;
  std::string_view query = {};
};

constexpr Row kRows[] = {
    {"POST /experiments/create", "NewExperiment", "ExperimentId"},
    {"GET /experiments/get", "", "ExperimentReply", "experiment_id!"},
    {"GET /experiments/get-by-name", "", "ExperimentReply", "experiment_name!"},
    {"GET /experiments/search",
     "",
     "ExperimentPage",
     "filter order_by* view_type:ACTIVE_ONLY|DELETED_ONLY|ALL max_results:integer page_token"},
    {"POST /experiments/search", "ExperimentQuery", "ExperimentPage"},
    {"POST /experiments/update", "ExperimentRename", "Empty"},
    {"POST /experiments/delete", "ExperimentId", "Empty"},
    {"POST /experiments/restore", "ExperimentId", "Empty"},
    {"POST /experiments/set-experiment-tag", "ExperimentTag", "Empty"},
    {"POST /experiments/delete-experiment-tag", "ExperimentTagKey", "Empty"},

    {"POST /runs/create", "NewRun", "RunReply"},
    {"GET /runs/get", "", "RunReply", "run_id!"},
    {"POST /runs/update", "RunChange", "RunInfoReply"},
    {"POST /runs/delete", "RunId", "Empty"},
    {"POST /runs/restore", "RunId", "Empty"},
    {"POST /runs/log-metric", "RunMetric", "Empty"},
    {"POST /runs/log-parameter", "RunTag", "Empty"},
    {"POST /runs/set-tag", "RunTag", "Empty"},
    {"POST /runs/delete-tag", "RunTagKey", "Empty"},
    {"POST /runs/log-batch", "RunBatch", "Empty"},
    {"POST /runs/outputs", "NewRunOutputs", "Empty"},
    {"POST /runs/search", "RunQuery", "RunPage"},
    {"POST /runs/log-inputs", "NewRunInputs", "Empty"},
    {"POST /runs/log-model", "RunModel", "Empty"},

    {"GET /metrics/get-history",
     "",
     "MetricPage",
     "run_id! metric_key! max_results:integer page_token"},
    {"GET /metrics/get-history-bulk-interval",
     "",
     "MetricList",
     "run_ids!* metric_key! start_step:integer end_step:integer max_results:integer"},
    {"GET /metrics/get-history-bulk", "", "MetricList", "run_id!* metric_key! max_results:integer"},

    {"POST /logged-models", "NewLoggedModel", "LoggedModelReply"},
    {"POST /logged-models/search", "LoggedModelQuery", "LoggedModelPage"},
    {"GET /logged-models/{model_id}", "", "LoggedModelReply", "allow_deleted:boolean"},
    {"PATCH /logged-models/{model_id}", "LoggedModelEnd", "LoggedModelReply"},
    {"DELETE /logged-models/{model_id}", "", "Empty"},
    {"PATCH /logged-models/{model_id}/tags", "LoggedModelTags", "Empty"},
    {"DELETE /logged-models/{model_id}/tags/{tag_key}", "", "Empty"},
    {"POST /logged-models/{model_id}/params", "LoggedModelParams", "Empty"},

    {"POST /registered-models/create", "NewRegisteredModel", "RegisteredModelReply"},
    {"GET /registered-models/get", "", "RegisteredModelReply", "name!"},
    {"PATCH /registered-models/update", "ModelDescription", "RegisteredModelReply"},
    {"POST /registered-models/rename", "ModelRename", "RegisteredModelReply"},
    {"DELETE /registered-models/delete", "ModelName", "Empty"},
    {"GET /registered-models/search",
     "",
     "RegisteredModelPage",
     "filter order_by* max_results:integer page_token"},
    {"POST /registered-models/get-latest-versions", "ModelStages", "ModelVersionPage"},
    {"GET /registered-models/get-latest-versions", "", "ModelVersionPage", "name! stages*"},
    {"POST /registered-models/set-tag", "ModelTag", "Empty"},
    {"DELETE /registered-models/delete-tag", "ModelTagKey", "Empty"},
    {"POST /registered-models/alias", "ModelAliasTarget", "Empty"},
    {"GET /registered-models/alias", "", "ModelVersionReply", "name! alias!"},
    {"DELETE /registered-models/alias", "ModelAlias", "Empty"},

    {"POST /model-versions/create", "NewModelVersion", "ModelVersionReply"},
    {"GET /model-versions/get", "", "ModelVersionReply", "name! version!"},
    {"PATCH /model-versions/update", "VersionDescription", "ModelVersionReply"},
    {"DELETE /model-versions/delete", "VersionId", "Empty"},
    {"GET /model-versions/search",
     "",
     "ModelVersionPage",
     "filter order_by* max_results:integer page_token"},
    {"GET /model-versions/get-download-uri", "", "ArtifactUri", "name! version!"},
    {"POST /model-versions/transition-stage", "VersionStage", "ModelVersionReply"},
    {"POST /model-versions/set-tag", "VersionTag", "Empty"},
    {"DELETE /model-versions/delete-tag", "VersionTagKey", "Empty"},

    {"POST /webhooks", "NewWebhook", "WebhookReply"},
    {"GET /webhooks", "", "WebhookPage", "max_results:integer page_token"},
    {"GET /webhooks/{webhook_id}", "", "WebhookReply"},
    {"PATCH /webhooks/{webhook_id}", "WebhookChange", "WebhookReply"},
    {"DELETE /webhooks/{webhook_id}", "", "Empty"},
    {"GET /webhooks/{webhook_id}/deliveries", "", "DeliveryPage", "max_results:integer page_token"},
    {"POST /webhooks/{webhook_id}/test", "WebhookTest", "WebhookTestReply"},

    {"GET /artifacts", "", "FileList", "path"},
    {"GET /artifacts/{path*}", "", "Octets"},
    {"PUT /artifacts/{path*}", "Octets", "Empty"},
    {"DELETE /artifacts/{path*}", "", "Empty"},
    {"GET /presigned/{path*}", "", "PresignedUrl"},
    {"GET /artifacts/list", "", "FilePage", "run_id! path page_token"},
    {"POST /artifacts/presigned-upload-url", "", ""},
    {"POST /artifacts/presigned-download-url", "", ""},
    {"GET /logged-models/{model_id}/artifacts/directories",
     "",
     "FilePage",
     "artifact_directory_path page_token"},
    {"GET /logged-models/{model_id}/artifacts/files", "", "Octets", "artifact_file_path!"},
    {"POST /upload-artifact", "Octets", "Empty", "run_uuid! path!"},
    {"GET /get-artifact", "", "Octets", "run_id! path!"},
    {"GET /model-versions/get-artifact", "", "Octets", "name! version!:integer path!"},
    {"POST /mpu/create", "NewUpload", "Upload"},
    {"POST /mpu/create/{folder*}", "NewUpload", "Upload"},
    {"POST /mpu/complete", "UploadParts", "Empty"},
    {"POST /mpu/complete/{folder*}", "UploadParts", "Empty"},
    {"POST /mpu/abort", "UploadId", "Empty"},
    {"POST /mpu/abort/{folder*}", "UploadId", "Empty"},
    {"PUT /mpu/parts/{upload}/{number}", "Octets", "Empty"},

    {"GET /server-info", "", "ServerInfo"},
    {"GET /version", "", "Version"},
    {"GET /workspaces", "", "WorkspaceList"},
    {"GET /workspaces/{workspace}", "", "WorkspaceReply"},
    {"POST /workspaces", "", ""},
    {"PATCH /workspaces/{workspace}", "", ""},
    {"DELETE /workspaces/{workspace}", "", ""},
};

struct FieldWord {
  std::string_view name;
  std::string_view type;
  bool required = false;
  bool repeated = false;
};

FieldWord read_word(std::string_view word) {
  FieldWord out;
  out.repeated = word.ends_with('*');
  if (out.repeated) word.remove_suffix(1);
  const std::size_t colon = std::min(word.find(':'), word.size());
  if (colon < word.size()) out.type = word.substr(colon + 1);
  out.name = word.substr(0, colon);
  out.required = out.name.ends_with('!');
  if (out.required) out.name.remove_suffix(1);
  return out;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(separator), text.size());
    out.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

std::string schema_name(std::string_view message) { return "Mlflow" + std::string(message); }

json::object one_of_type(std::string_view type) {
  if (type.empty()) return {{"type", "string"}};
  if (type == "integer") return {{"type", "integer"}, {"format", "int64"}};
  if (type == "boolean") return {{"type", "boolean"}};
  if (type == "texts") return {{"type", "object"}, {"additionalProperties", {{"type", "string"}}}};
  if (type == "real") {
    const json::array names{"NaN", "Infinity", "-Infinity"};
    return {{"oneOf", json::array{{{"type", "number"}}, {{"enum", names}}}}};
  }
  if (type.find('|') == std::string_view::npos) {
    return {{"$ref", "#/components/schemas/" + schema_name(type)}};
  }
  json::array names;
  for (const std::string_view name : split(type, '|')) names.emplace_back(name);
  return {{"type", "string"}, {"enum", std::move(names)}};
}

json::object schema_of(const FieldWord& field) {
  json::object one = one_of_type(field.type);
  if (!field.repeated) return one;
  return {{"type", "array"}, {"items", std::move(one)}};
}

std::string_view meaning_of(std::string_view field) {
  const auto* const found = std::ranges::find(kMeanings, field, &Meaning::field);
  return found == std::end(kMeanings) ? std::string_view() : found->sentence;
}

std::string schema_text(const Message& message) {
  json::object properties;
  json::array required;
  for (const std::string_view word : split(message.fields, ' ')) {
    const FieldWord field = read_word(word);
    json::object schema = schema_of(field);
    const std::string_view meaning = meaning_of(field.name);
    if (!meaning.empty()) schema.emplace("description", meaning);
    properties.emplace(field.name, std::move(schema));
    if (field.required) required.emplace_back(field.name);
  }
  json::object out{{"type", "object"}};
  if (!required.empty()) out.emplace("required", std::move(required));
  out.emplace("properties", std::move(properties));
  return json::serialize(out);
}

// The tables above as texts of JSON.
class Written {
 public:
  Written() {
    for (const Message& message : kMessages) {
      schemas_.push_back(
          {keep(schema_name(message.name)), "application/json", false, keep(schema_text(message))}
      );
    }
    schemas_.insert(schemas_.end(), std::begin(kBareSchemas), std::end(kBareSchemas));
    for (const Row& row : kRows) queries_.push_back(parameters_of(row.query));
  }

  [[nodiscard]] std::span<const Schema> schemas() const { return schemas_; }

  // The name of a message's schema.
  [[nodiscard]] std::string_view name_of(std::string_view message) const {
    if (message.empty()) return {};
    const auto found = std::ranges::find(schemas_, schema_name(message), &Schema::name);
    CHECK(found != schemas_.end(), "a route names a message of the table");
    return found->name;
  }

  [[nodiscard]] std::span<const RouteParameter> query_of(const Row& row) const {
    return queries_[static_cast<std::size_t>(&row - std::begin(kRows))];
  }

 private:
  std::string_view keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  std::vector<RouteParameter> parameters_of(std::string_view fields) {
    std::vector<RouteParameter> out;
    for (const std::string_view word : split(fields, ' ')) {
      const FieldWord field = read_word(word);
      const std::string_view schema = keep(json::serialize(schema_of(field)));
      out.push_back({field.name, "query", meaning_of(field.name), schema, field.required});
    }
    return out;
  }

  std::deque<std::string> texts_;  // what the others point to
  std::vector<Schema> schemas_;
  std::vector<std::vector<RouteParameter>> queries_;  // of the rows, in their order
};

// Made once and never changed, as the tables: Api and Route point to static text.
const Written& written() {
  static const Written made;
  return made;
}

}  // namespace

RouteWords words_of(const MlflowRoute& route) {
  const std::string name = std::string(method_name(route.method)).append(" ").append(route.pattern);
  const auto* const row = std::ranges::find(kRows, name, &Row::route);
  CHECK(row != std::end(kRows), "every route says what it takes and gives");
  const Written& all = written();
  return {all.name_of(row->takes), all.name_of(row->gives), all.query_of(*row)};
}

std::span<const Schema> mlflow_schemas() { return written().schemas(); }

}  // namespace cortex::frontend::mlflow
