// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/admin/openapi.h"

#include <cctype>
#include <map>
#include <span>
#include <utility>

#include <boost/json.hpp>

#include "base/check.h"
#include "frontend/codec/admin/schemas.h"

namespace cortex::frontend::admin {
namespace {

namespace json = boost::json;

constexpr std::string_view kBinary = "application/octet-stream";
constexpr std::string_view kEvents = "text/event-stream";

std::string_view method_name(Method method) {
  switch (method) {
    case Method::kGet:
      return "get";
    case Method::kHead:
      return "head";
    case Method::kPost:
      return "post";
    case Method::kPut:
      return "put";
    case Method::kPatch:
      return "patch";
    case Method::kDelete:
      return "delete";
    case Method::kOptions:
      return "options";
  }
  return "get";
}

std::string_view scope_name(Scope scope) {
  switch (scope) {
    case Scope::kNone:
      return "none";
    case Scope::kRead:
      return "read";
    case Scope::kInfer:
      return "infer";
    case Scope::kAdmin:
      return "admin";
  }
  return "none";
}

json::object reference_to(std::string_view schema) {
  return {{"$ref", "#/components/schemas/" + std::string(schema)}};
}

// What can be named: the common schemas and those of the mounted APIs.
class Names {
 public:
  explicit Names(const std::vector<Api>& apis) {
    add(schemas());
    for (const Api& api : apis) add(api.schemas);
  }
  [[nodiscard]] const Schema* find(std::string_view name) const {
    const auto found = all_.find(name);
    return found == all_.end() ? nullptr : found->second;
  }
  [[nodiscard]] const std::map<std::string_view, const Schema*>& all() const { return all_; }

 private:
  void add(std::span<const Schema> more) {
    for (const Schema& schema : more) {
      const auto [at, fresh] = all_.emplace(schema.name, &schema);
      CHECK(fresh || at->second == &schema, "no two schemas have one name");
    }
  }
  std::map<std::string_view, const Schema*> all_;
};

json::value parse_text(std::string_view text) {
  return json::parse(json::string_view(text.data(), text.size()));
}

json::object content_of(const Names& names, std::string_view name) {
  const Schema* schema = names.find(name);
  CHECK(schema != nullptr, "every schema that a route names is in the table");
  json::object out;
  out.emplace(schema->media_type, json::object{{"schema", reference_to(name)}});
  if (schema->binary_form) {
    out.emplace(
        kBinary, json::object{{"schema", json::object{{"type", "string"}, {"format", "binary"}}}}
    );
  }
  return out;
}

// OpenAPI has no sign for "the rest of the path".
std::string path_of(const Api& api, const Route& route) {
  std::string out = api.prefix + std::string(route.pattern);
  std::erase(out, '*');
  return out;
}

// Headers that mean the same on many routes.
constexpr RouteParameter kIdHeader{
    "x-request-id",
    "header",
    "The id of the request in the answer and in the server's log; a new one without it.",
    R"({"type":"string"})"
};
constexpr RouteParameter kWorkspaceHeader{
    "X-MLFLOW-WORKSPACE",
    "header",
    "The workspace whose things are meant; the key's without it.",
    R"({"type":"string"})"
};
constexpr RouteParameter kWaitHeader{
    kTimeoutHeader,
    "header",
    "Milliseconds from its arrival for which the answer is wanted; 0: no bound.",
    R"({"type":"integer","minimum":0,"maximum":999999999,"default":0})"
};
constexpr const RouteParameter* kCommonHeaders[] = {&kIdHeader, &kWorkspaceHeader, &kWaitHeader};

// As the gate reads them.
bool reads_header(const Route& route, const RouteParameter& header) {
  if (&header == &kIdHeader) return true;
  return &header == &kWaitHeader ? route.scope == Scope::kInfer : route.scope != Scope::kNone;
}

json::object parameter_of(const RouteParameter& parameter) {
  json::object out{
      {"name", parameter.name},
      {"in", parameter.in},
      {"required", parameter.required},
  };
  if (!parameter.description.empty()) out.emplace("description", parameter.description);
  out.emplace("schema", parse_text(parameter.schema));
  return out;
}

void append_path_parameters(json::array& out, std::string_view pattern) {
  for (auto open = pattern.find('{'); open != std::string_view::npos;
       open = pattern.find('{', open + 1)) {
    const auto close = pattern.find('}', open);
    out.push_back({
        {"name", pattern.substr(open + 1, close - open - 1)},
        {"in", "path"},
        {"required", true},
        {"schema", {{"type", "string"}}},
    });
  }
}

json::array parameters_of(const Names& names, const Route& route, const std::string& path) {
  json::array out;
  append_path_parameters(out, path);
  const Schema* body = names.find(route.request_schema);
  if (body != nullptr && body->binary_form) {
    out.push_back({
        {"name", "Inference-Header-Content-Length"},
        {"in", "header"},
        {"required", false},
        {"description", "Bytes of JSON before the binary tensors; 0: the body is one raw tensor."},
        {"schema", {{"type", "integer"}, {"minimum", 0}}},
    });
  }
  for (const RouteParameter& parameter : route.parameters) out.push_back(parameter_of(parameter));
  for (const RouteParameter* header : kCommonHeaders) {
    if (!reads_header(route, *header)) continue;
    out.push_back(json::object{{"$ref", "#/components/parameters/" + std::string(header->name)}});
  }
  return out;
}

json::object responses_of(const Names& names, const Api& api, const Route& route) {
  json::object good{{"description", "OK"}};
  if (!route.response_schema.empty()) {
    json::object content = content_of(names, route.response_schema);
    if (!route.event_schema.empty()) {
      CHECK(names.find(route.event_schema) != nullptr, "the schema of the events is in the table");
      content.emplace(kEvents, json::object{{"schema", reference_to(route.event_schema)}});
    }
    good.emplace("content", std::move(content));
  }
  return {
      {std::to_string(route.success_status), std::move(good)},
      {"default", {{"description", "An error"}, {"content", content_of(names, api.error_schema)}}},
  };
}

// "get_v2_models_model".
std::string operation_id(const Route& route, const std::string& path) {
  std::string out(method_name(route.method));
  for (const char c : path) {
    const bool word = std::isalnum(static_cast<unsigned char>(c)) != 0;
    if (word) {
      out.push_back(c);
    } else if (out.back() != '_' && c != '}') {
      out.push_back('_');
    }
  }
  return out;
}

json::object operation_of(
    const Names& names, const Api& api, const Route& route, const std::string& path
) {
  json::object out{
      {"operationId", operation_id(route, path)},
      {"summary", route.summary},
      {"tags", json::array{api.name}},
      {"x-scope", scope_name(route.scope)},
  };
  out.emplace("parameters", parameters_of(names, route, path));
  if (!route.request_schema.empty()) {
    out.emplace("requestBody", json::object{{"content", content_of(names, route.request_schema)}});
  }
  out.emplace("responses", responses_of(names, api, route));
  // An empty list says that no key is needed, whatever the server's default.
  if (route.scope == Scope::kNone) out.emplace("security", json::array());
  return out;
}

json::object paths_of(const Names& names, const std::vector<Api>& apis) {
  json::object paths;
  for (const Api& api : apis) {
    for (const Route& route : api.routes) {
      if (!route.described) continue;
      const std::string path = path_of(api, route);
      json::value& methods = paths[path];
      if (!methods.is_object()) methods.emplace_object();
      methods.as_object().emplace(method_name(route.method), operation_of(names, api, route, path));
    }
  }
  return paths;
}

json::object components(const Names& names) {
  json::object out;
  for (const auto& [name, schema] : names.all()) out.emplace(name, parse_text(schema->text));
  json::object headers;
  for (const RouteParameter* header : kCommonHeaders) {
    headers.emplace(header->name, parameter_of(*header));
  }
  return {
      {"schemas", std::move(out)},
      {"parameters", std::move(headers)},
      {"securitySchemes",
       {
           {"bearer", {{"type", "http"}, {"scheme", "bearer"}}},
           {"header", {{"type", "apiKey"}, {"in", "header"}, {"name", "x-api-key"}}},
       }},
  };
}

}  // namespace

std::string openapi_document(const std::vector<Api>& apis, std::string_view server_version) {
  const Names names(apis);
  return json::serialize(json::object{
      {"openapi", "3.1.0"},
      {"info", {{"title", "Cortex"}, {"version", server_version}}},
      {"security",
       json::array{json::object{{"bearer", json::array()}}, json::object{{"header", json::array()}}}
      },
      {"paths", paths_of(names, apis)},
      {"components", components(names)},
  });
}

}  // namespace cortex::frontend::admin
