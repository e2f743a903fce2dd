// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/prefixes/prefix_codec.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json_text.h"
#include "frontend/codec/prefixes/prefix_request.h"
#include "request/language_controls.h"
#include "request/model_reference.h"

namespace cortex::frontend::prefixes {
namespace {

constexpr std::chrono::milliseconds kTryAgainAfter{1000};

constexpr Schema json_schema(std::string_view name, std::string_view text) {
  return {name, "application/json", false, text};
}

constexpr Schema kPrefixSchemas[] = {
    json_schema("PrefixRequest", R"({"type":"object","required":["name"],"properties":{
      "name":{"type":"string","pattern":"^[A-Za-z0-9._-]{1,64}$"},
      "messages":{"type":"array","items":{"$ref":"#/components/schemas/PrefixMessage"},
        "description":"Rendered by the model's chat template to the end of the last message."},
      "tools":{"type":"array","items":{"type":"object"}},
      "prompt":{"type":"string","description":"Instead of messages: the text as it is."},
      "adapter":{"type":"string"},"adapter_scale":{"type":"number","default":1},
      "cache_salt":{"type":"string","maxLength":256,
        "description":"Of the requests that shall find it, too."}}})"),
    json_schema("PrefixMessage", R"({"type":"object","required":["role"],"properties":{
      "role":{"enum":["system","developer","user","assistant","tool"]},
      "content":{"type":["string","array","null"]}}})"),
    json_schema(
        "Prefix", R"({"type":"object","required":["name","tokens","held","stored"],"properties":{
      "name":{"type":"string"},"adapter":{"type":"string"},
      "tokens":{"type":"integer"},
      "held":{"type":"integer","description":"Tokens that lie in the model's memory now, and stay there."},
      "stored":{"type":"boolean","description":"Its state lies on the disk, too: a restart finds it."}}})"
    ),
    json_schema("Prefixes", R"({"type":"object","required":["prefixes"],"properties":{
      "prefixes":{"type":"array","items":{"$ref":"#/components/schemas/Prefix"}}}})"),
};

std::string error_body(int, const Status& status, std::string_view) {
  std::string out = R"({"error":)";
  append_json_string(out, status.text());
  return out.append("}");
}

// What the models call the names of this principal's tenant: no other's can be the same, as a name
// has no '@'.
std::string suffix_of(const Principal& principal) {
  return "@" + std::to_string(principal.tenant.size()) + ":" + principal.tenant + "@" +
         principal.workspace;
}

// Empty where it is another's.
std::string_view own_name(std::string_view name, std::string_view suffix) {
  if (!name.ends_with(suffix)) return {};
  name.remove_suffix(suffix.size());
  return name.find('@') == std::string_view::npos ? name : std::string_view();
}

void append_prefix(std::string& out, const PrefixState& prefix, std::string_view name) {
  out.append(R"({"name":)");
  append_json_string(out, name);
  if (!prefix.adapter.empty()) {
    out.append(R"(,"adapter":)");
    // The model calls it by its file's digest, too.
    append_json_string(out, std::string_view(prefix.adapter).substr(0, prefix.adapter.find('@')));
  }
  out.append(R"(,"tokens":)").append(std::to_string(prefix.tokens));
  out.append(R"(,"held":)").append(std::to_string(prefix.held));
  out.append(R"(,"stored":)").append(prefix.stored ? "true}" : "false}");
}

std::optional<PrefixState> find_prefix(
    const std::vector<PrefixState>& prefixes, std::string_view name
) {
  const auto at = std::ranges::find(prefixes, name, &PrefixState::name);
  if (at == prefixes.end()) return std::nullopt;
  return *at;
}

Status no_prefix(const std::string& name) {
  return not_found("the model has no prefix '" + name + "'");
}

// On the pool: rendering and tokenising take as long as the text is. The handle keeps the version.
void create_here(
    const std::shared_ptr<Exchange>& exchange, const registry::Handle& handle, PrefixRequest prefix
) {
  const std::string own = prefix.name;
  const Principal& principal = exchange->request().principal;
  prefix.workspace = principal.workspace;
  prefix.tenant = principal.tenant;
  prefix.name += suffix_of(principal);
  LanguageControls& language = *handle->servable->language();
  const Status status = language.create_prefix(prefix);
  if (status.code() == Code::kAlreadyExists) {
    return exchange->fail(already_exists("the model has a prefix '" + own + "' already"));
  }
  if (!status.ok()) return exchange->fail(status);
  const auto made = find_prefix(language.prefixes(), prefix.name);
  if (!made) return exchange->fail(no_prefix(own));
  HttpReply reply;
  reply.status = 201;
  append_prefix(reply.body, *made, own);
  exchange->reply(std::move(reply));
}

}  // namespace

PrefixCodec::PrefixCodec(ModelCatalog catalog, ThreadPool& cpu)
    : catalog_(std::move(catalog)), cpu_(cpu) {}

struct PrefixCodec::Entry {
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (PrefixCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
  int success_status;
};

const PrefixCodec::Entry PrefixCodec::kEntries[] = {
    {Method::kGet,
     "/api/v1/prefixes/{model}",
     Scope::kRead,
     "Named prefixes of a language model",
     &PrefixCodec::list,
     {},
     "Prefixes",
     200},
    {Method::kPost,
     "/api/v1/prefixes/{model}",
     Scope::kAdmin,
     "Name a prefix, which then stays in the model's memory",
     &PrefixCodec::create,
     "PrefixRequest",
     "Prefix",
     201},
    {Method::kGet,
     "/api/v1/prefixes/{model}/{prefix}",
     Scope::kRead,
     "How a named prefix is",
     &PrefixCodec::get,
     {},
     "Prefix",
     200},
    {Method::kDelete,
     "/api/v1/prefixes/{model}/{prefix}",
     Scope::kAdmin,
     "Take the name from a prefix: it may be evicted",
     &PrefixCodec::remove,
     {},
     {},
     204},
};

Api PrefixCodec::make_api() {
  Api api;
  api.name = "prefixes";
  api.error_body = error_body;
  api.schemas = kPrefixSchemas;
  for (const Entry& entry : kEntries) {
    Route route{entry.method, entry.pattern, entry.scope, api.name, entry.summary, {}, 0, {}, {}};
    route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
      (this->*handler)(exchange);
    };
    route.request_schema = entry.request_schema;
    route.response_schema = entry.response_schema;
    route.success_status = entry.success_status;
    api.routes.push_back(std::move(route));
  }
  return api;
}

Result<registry::Handle> PrefixCodec::find(const HttpRequest& http) const {
  CORTEX_ASSIGN_OR_RETURN(
      const ModelReference reference, ModelReference::parse(http.path_values.at(0))
  );
  CORTEX_ASSIGN_OR_RETURN(registry::Handle handle, catalog_.find(reference));
  if (handle->servable == nullptr || handle->servable->language() == nullptr) {
    return invalid_argument("model '" + reference.name + "' is no language model");
  }
  return handle;
}

void PrefixCodec::list(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const auto handle = find(http);
  if (!handle.ok()) return exchange->fail(handle.status());
  const std::string suffix = suffix_of(http.principal);
  HttpReply reply;
  std::string_view between = R"({"prefixes":[)";
  const std::vector<PrefixState> prefixes = (*handle)->servable->language()->prefixes();
  for (const PrefixState& prefix : prefixes) {
    const auto name = own_name(prefix.name, suffix);
    if (name.empty()) continue;
    reply.body.append(std::exchange(between, ","));
    append_prefix(reply.body, prefix, name);
  }
  if (between != ",") reply.body.append(between);
  reply.body.append("]}");
  exchange->reply(std::move(reply));
}

void PrefixCodec::create(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const auto handle = find(http);
  if (!handle.ok()) return exchange->fail(handle.status());
  Result<PrefixRequest> prefix = read_prefix(http.body->text());
  if (!prefix.ok()) return exchange->fail(prefix.status());
  if (prefix->adapter.empty() || !catalog_.lend) {
    return prepare(exchange, *handle, *std::move(prefix), nullptr);
  }
  const ModelReference reference{(*handle)->identity.name, "", "", prefix->adapter};
  const auto lent = [this, exchange, handle = *handle, prefix = *std::move(prefix)](
                        Result<registry::AdapterLease> lease
                    ) mutable {
    if (!lease.ok()) return exchange->fail(lease.status());
    prefix.adapter = lease->identity;
    // Requests that name no strength have the adapter's own.
    if (prefix.adapter_scale == 1) prefix.adapter_scale = lease->scale;
    prepare(exchange, handle, std::move(prefix), std::move(lease->hold));
  };
  catalog_.lend(reference, *handle, kNoDeadline, lent);
}

void PrefixCodec::prepare(
    const ExchangePtr& exchange,
    const registry::Handle& handle,
    PrefixRequest prefix,
    std::shared_ptr<const void> hold
) const {
  const bool taken = cpu_.submit([exchange, handle, prefix = std::move(prefix), hold] {
    create_here(exchange, handle, prefix);
  });
  if (taken) return;
  exchange->fail(resource_exhausted("too many long texts are waiting to be prepared")
                     .with_retry_after(kTryAgainAfter));
}

void PrefixCodec::get(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const auto handle = find(http);
  if (!handle.ok()) return exchange->fail(handle.status());
  const std::string& name = http.path_values.at(1);
  const auto found =
      find_prefix((*handle)->servable->language()->prefixes(), name + suffix_of(http.principal));
  if (!found) return exchange->fail(no_prefix(name));
  HttpReply reply;
  append_prefix(reply.body, *found, name);
  exchange->reply(std::move(reply));
}

void PrefixCodec::remove(const ExchangePtr& exchange) const {
  const HttpRequest& http = exchange->request();
  const auto handle = find(http);
  if (!handle.ok()) return exchange->fail(handle.status());
  const std::string& name = http.path_values.at(1);
  const bool removed =
      (*handle)->servable->language()->remove_prefix(name + suffix_of(http.principal));
  if (!removed) return exchange->fail(no_prefix(name));
  HttpReply reply;
  reply.status = 204;
  exchange->reply(std::move(reply));
}

}  // namespace cortex::frontend::prefixes
