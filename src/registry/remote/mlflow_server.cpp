// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/mlflow_server.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <boost/json/value.hpp>

#include "base/json_value.h"
#include "net/url.h"
#include "registry/model_config_reader.h"
#include "registry/stored/source.h"

namespace cortex::registry {
namespace {

namespace json = boost::json;

constexpr std::string_view kApi = "/api/2.0/mlflow/";
constexpr std::string_view kProxy = "/api/2.0/mlflow-artifacts/artifacts";
constexpr std::string_view kScheme = "mlflow-artifacts:";
constexpr int kDepthMax = 16;
constexpr std::size_t kAnswerBytesMax = 16 << 20;
// Of one file, however it trickles.
constexpr std::chrono::hours kDownloadMax{24};
constexpr std::size_t kFoldersMax = 1'000;

std::string shown(const std::string& name, std::int64_t version) {
  return "'" + name + "' version " + std::to_string(version);
}

const json::object* object_in(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  return value == nullptr ? nullptr : value->if_object();
}

// The members of a list that are objects.
std::vector<const json::object*> objects_in(const json::object& object, const char* name) {
  std::vector<const json::object*> out;
  const auto* value = object.if_contains(name);
  const auto* list = value == nullptr ? nullptr : value->if_array();
  if (list == nullptr) return out;
  for (const json::value& entry : *list) {
    if (const auto* member = entry.if_object()) out.push_back(member);
  }
  return out;
}

// Protobuf's JSON writes 64-bit numbers as texts, and MLflow's not always.
std::string text_in(const json::object& object, const char* name) {
  const auto* value = object.if_contains(name);
  if (value == nullptr) return {};
  if (const auto* text = value->if_string()) return {text->data(), text->size()};
  if (const auto* number = value->if_int64()) return std::to_string(*number);
  return {};
}

std::int64_t number_in(const json::object& object, const char* name) {
  const std::string text = text_in(object, name);
  std::int64_t out = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() ? out : 0;
}

RemoteVersion version_of(const json::object& object) {
  RemoteVersion out;
  out.number = number_in(object, "version");
  out.stage = text_in(object, "current_stage");
  out.created_at = text_in(object, "creation_timestamp");
  const std::string status = text_in(object, "status");
  out.ready = status.empty() || status == "READY";
  return out;
}

// What the server says of itself in an error, for a person: short, and one line.
std::string server_text(const net::HttpResponse& answer) {
  const auto parsed = parse_json_value(answer.body);
  std::string text = "status " + std::to_string(answer.status);
  if (parsed.ok() && parsed->is_object()) {
    const std::string message = text_in(parsed->get_object(), "message");
    if (!message.empty()) text += ": " + message.substr(0, 200);
  }
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ') c = ' ';
  }
  return text;
}

// MLflow's own word: a proxy in between, or an address that is none of MLflow's, answers 404 too.
bool says_there_is_none(const net::HttpResponse& answer) {
  if (answer.status != 404) return false;
  const auto parsed = parse_json_value(answer.body);
  return parsed.ok() && parsed->is_object() &&
         text_in(parsed->get_object(), "error_code") == "RESOURCE_DOES_NOT_EXIST";
}

Status status_of(const net::HttpResponse& answer) {
  const std::string text = "the server answers with " + server_text(answer);
  if (says_there_is_none(answer)) return not_found(text);
  if (answer.status == 401 || answer.status == 403) return unavailable(text + " (remote.token)");
  return unavailable(text);
}

// One server, and how it is called.
class Calls {
 public:
  Calls(const MlflowServerOptions& options, net::HttpPool& pool) : options_(options), pool_(pool) {}

  Result<json::object> get(const std::string& target) const {
    net::HttpRequest request = request_for(target);
    request.deadline = steady_clock().now() + options_.timeout;
    CORTEX_ASSIGN_OR_RETURN(const net::HttpResponse answer, pool_.send(request));
    if (answer.status != 200) return status_of(answer);
    auto parsed = parse_json_value(answer.body);
    if (!parsed.ok() || !parsed->is_object())
      return unavailable("the server's answer is no JSON object");
    return std::move(parsed->get_object());
  }

  Status stream(const std::string& target, const RemoteRegistry::Sink& sink) const {
    net::HttpStreams streams;
    streams.sink = [&](const net::HttpResponse&, std::string_view bytes) {
      return sink(std::as_bytes(std::span<const char>(bytes)));
    };
    CORTEX_ASSIGN_OR_RETURN(
        const net::HttpResponse answer, pool_.send(request_for(target), streams)
    );
    return answer.status == 200 ? Status() : status_of(answer);
  }

 private:
  net::HttpRequest request_for(const std::string& target) const {
    net::HttpRequest out;
    out.url = options_.url + target;
    if (!options_.token.empty())
      out.headers.emplace_back("Authorization", "Bearer " + options_.token);
    return out;
  }

  const MlflowServerOptions& options_;
  net::HttpPool& pool_;
};

// "a/b c" -> "a/b%20c".
std::string path_text(std::string_view path) {
  std::string out;
  while (true) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    out += net::path_segment(path.substr(0, slash));
    if (slash == path.size()) return out;
    out += '/';
    path.remove_prefix(slash + 1);
  }
}

// The path behind the proxy; nothing for another place, and for one that leads out.
std::optional<std::string> proxy_path(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return std::nullopt;
  uri.remove_prefix(kScheme.size());
  // A host would be another server's.
  if (uri.starts_with("//") && !uri.starts_with("///")) return std::nullopt;
  while (uri.starts_with('/')) uri.remove_prefix(1);
  while (uri.ends_with('/')) uri.remove_suffix(1);
  if (!is_inner_path(uri)) return std::nullopt;
  return std::string(uri);
}

// Walks the folders of a location, bounded in depth and number.
class Listing {
 public:
  Listing(Calls calls, std::string root) : calls_(calls), root_(std::move(root)) {}

  Result<std::vector<RemoteFile>> run() {
    CORTEX_RETURN_IF_ERROR(walk("", 0));
    return std::move(files_);
  }

 private:
  Status walk(const std::string& folder, int depth) {
    if (depth > kDepthMax || ++folders_ > kFoldersMax)
      return resource_exhausted("too many folders, or too deep");
    const std::string path = folder.empty() ? root_ : root_ + "/" + folder;
    CORTEX_ASSIGN_OR_RETURN(
        const json::object answer,
        calls_.get(std::string(kProxy) + "?path=" + net::path_segment(path))
    );
    for (const json::object* entry : objects_in(answer, "files")) {
      const std::string name = text_in(*entry, "path");
      if (name.empty() || name.find('/') != std::string::npos || !is_inner_path(name))
        return failed_precondition("a file is called '" + name.substr(0, 100) + "'");
      const std::string inner = folder.empty() ? name : folder + "/" + name;
      const auto* is_folder = entry->if_contains("is_dir");
      if (is_folder != nullptr && is_folder->is_bool() && is_folder->get_bool()) {
        CORTEX_RETURN_IF_ERROR(walk(inner, depth + 1));
        continue;
      }
      if (files_.size() >= kVersionFilesMax)
        return resource_exhausted("more than " + std::to_string(kVersionFilesMax) + " files");
      files_.push_back({inner, static_cast<std::uint64_t>(number_in(*entry, "file_size"))});
    }
    return {};
  }

  const Calls calls_;
  const std::string root_;
  std::size_t folders_ = 0;
  std::vector<RemoteFile> files_;
};

}  // namespace

Result<std::unique_ptr<MlflowServer>> MlflowServer::make(const MlflowServerOptions& options) {
  CORTEX_ASSIGN_OR_RETURN(const net::Url url, net::parse_url(options.url));
  if (url.target.find('?') != std::string::npos)
    return invalid_argument("'" + options.url + "' has a query");
  MlflowServerOptions kept = options;
  while (kept.url.ends_with('/')) kept.url.pop_back();
  net::HttpPoolOptions pool;
  pool.connections = 1;
  pool.idle = 1;
  pool.connect_timeout = options.timeout;
  pool.stall_timeout = options.timeout;
  pool.timeout = kDownloadMax;
  pool.body_bytes_max = kAnswerBytesMax;
  pool.tls.ca_file = options.ca_file;
  CORTEX_ASSIGN_OR_RETURN(auto made, net::HttpPool::make(pool));
  return std::unique_ptr<MlflowServer>(new MlflowServer(std::move(kept), std::move(made)));
}

Result<RemoteModel> MlflowServer::find_model(const std::string& name) {
  CORTEX_ASSIGN_OR_RETURN(
      const json::object answer,
      Calls(options_, *pool_)
          .get(std::string(kApi) + "registered-models/get?name=" + net::path_segment(name))
  );
  const json::object* model = object_in(answer, "registered_model");
  if (model == nullptr) return unavailable("the server's answer names no model");
  RemoteModel out;
  out.name = name;
  for (const json::object* alias : objects_in(*model, "aliases")) {
    const std::string text = text_in(*alias, "alias");
    const std::int64_t version = number_in(*alias, "version");
    if (!text.empty() && version > 0) out.aliases[text] = version;
  }
  for (const json::object* version : objects_in(*model, "latest_versions")) {
    out.latest.push_back(version_of(*version));
  }
  return out;
}

Result<RemoteVersion> MlflowServer::find_version(const std::string& name, std::int64_t version) {
  CORTEX_ASSIGN_OR_RETURN(
      const json::object answer,
      Calls(options_, *pool_)
          .get(
              std::string(kApi) + "model-versions/get?name=" + net::path_segment(name) +
              "&version=" + std::to_string(version)
          )
  );
  const json::object* found = object_in(answer, "model_version");
  if (found == nullptr) return unavailable("the server's answer names no version");
  return version_of(*found);
}

Result<std::string> MlflowServer::location(const std::string& name, std::int64_t version) {
  CORTEX_ASSIGN_OR_RETURN(
      const json::object answer,
      Calls(options_, *pool_)
          .get(
              std::string(kApi) + "model-versions/get-download-uri?name=" +
              net::path_segment(name) + "&version=" + std::to_string(version)
          )
  );
  const std::string uri = text_in(answer, "artifact_uri");
  if (proxy_path(uri)) return uri;
  return failed_precondition(
      shown(name, version) + " lies at '" + uri.substr(0, 200) +
      "', which is not behind the server's artifact proxy"
  );
}

Result<std::vector<RemoteFile>> MlflowServer::files(const std::string& location) {
  const auto path = proxy_path(location);
  if (!path) return failed_precondition("'" + location + "' is not behind the artifact proxy");
  return Listing(Calls(options_, *pool_), *path).run();
}

Status MlflowServer::download(
    const std::string& location, const RemoteFile& file, const Sink& sink
) {
  const auto path = proxy_path(location);
  if (!path || !is_inner_path(file.path))
    return failed_precondition("'" + location + "' is not behind the artifact proxy");
  const std::string target = std::string(kProxy) + "/" + path_text(*path + "/" + file.path);
  return Calls(options_, *pool_).stream(target, sink);
}

}  // namespace cortex::registry
