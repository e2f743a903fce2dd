// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/adapters/adapter_codec.h"

#include <string>
#include <utility>

#include "base/log.h"
#include "frontend/codec/adapters/adapter_reply.h"
#include "frontend/codec/adapters/adapter_request.h"
#include "frontend/codec/adapters/schemas.h"
#include "frontend/status_map.h"

namespace cortex::frontend::adapters {
namespace {

using registry::AdapterState;
using ExchangePtr = std::shared_ptr<Exchange>;

// `write` makes the body for the HTTP status.
template <typename Write>
void fail_with(Exchange& exchange, const Status& status, Write&& write) {
  if (is_server_fault(status.code())) {
    log::error(
        "request failed",
        {{"request_id", exchange.request().id},
         {"path", exchange.request().path},
         {"error", status.to_string()}}
    );
  }
  exchange.record().status = status;
  HttpReply reply;
  reply.status = status_row(status.code()).http;
  reply.body = write(reply.status);
  if (const auto seconds = retry_after_seconds(status)) {
    reply.headers.emplace_back("Retry-After", std::to_string(*seconds));
  }
  exchange.reply(std::move(reply));
}

void fail_lora(Exchange& exchange, const Status& status) {
  fail_with(exchange, status, [&](int) { return lora_error_text(status, exchange.request().id); });
}

void fail_vllm(Exchange& exchange, const Status& status) {
  fail_with(exchange, status, [&](int http) { return vllm_error_text(http, status); });
}

void reply_json(Exchange& exchange, std::string body) {
  HttpReply reply;
  reply.body = std::move(body);
  exchange.reply(std::move(reply));
}

registry::AdapterShelf::Done answer_lora(const ExchangePtr& exchange) {
  return [exchange](Result<AdapterState> state) {
    if (!state.ok()) return fail_lora(*exchange, state.status());
    reply_json(*exchange, adapter_text(*state));
  };
}

void reply_success(Exchange& exchange, const std::string& name, std::string_view what) {
  HttpReply reply;
  reply.content_type = "text/plain; charset=utf-8";
  reply.body = "Success: LoRA adapter '" + name + "' " + std::string(what) + " successfully.";
  exchange.reply(std::move(reply));
}

bool wants_loaded_only(std::string_view query) {
  return query == "loaded_only" || query == "loaded_only=true" || query == "loaded_only=1" ||
         query == "loaded_only=True";
}

const std::string& named(const ExchangePtr& exchange) {
  return exchange->request().path_values.at(0);
}

constexpr RouteParameter kListParameters[] = {
    {"loaded_only", "query", "Only adapters that are loaded.", R"({"type":"boolean"})"},
};

}  // namespace

struct AdapterCodec::Entry {
  Method method;
  std::string_view pattern;
  Scope scope;
  std::string_view summary;
  void (AdapterCodec::*handler)(const ExchangePtr&) const;
  std::string_view request_schema;
  std::string_view response_schema;
  std::span<const RouteParameter> parameters = {};
};

const AdapterCodec::Entry AdapterCodec::kLoraEntries[] = {
    {Method::kPost,
     "/api/v1/lora/register",
     Scope::kAdmin,
     "Register an adapter, or another file for one",
     &AdapterCodec::enroll,
     "LoraRegistration",
     "LoraAdapter"},
    {Method::kDelete,
     "/api/v1/lora/unregister/{name}",
     Scope::kAdmin,
     "Unload an adapter and forget it",
     &AdapterCodec::remove,
     {},
     "LoraUnregistered"},
    {Method::kPost,
     "/api/v1/lora/load/{name}",
     Scope::kAdmin,
     "Load an adapter",
     &AdapterCodec::load,
     {},
     "LoraAdapter"},
    {Method::kDelete,
     "/api/v1/lora/unload/{name}",
     Scope::kAdmin,
     "Unload an adapter",
     &AdapterCodec::unload,
     {},
     "LoraAdapter"},
    {Method::kPost,
     "/api/v1/lora/hot-swap",
     Scope::kAdmin,
     "Load one adapter in the place of another",
     &AdapterCodec::swap,
     "LoraSwap",
     "LoraAdapter"},
    {Method::kGet,
     "/api/v1/lora/list",
     Scope::kRead,
     "Adapters",
     &AdapterCodec::list,
     {},
     "LoraAdapters",
     kListParameters},
    {Method::kGet,
     "/api/v1/lora/status/{name}",
     Scope::kRead,
     "One adapter",
     &AdapterCodec::status,
     {},
     "LoraAdapter"},
    {Method::kGet,
     "/api/v1/lora/memory",
     Scope::kRead,
     "Memory of loaded adapters",
     &AdapterCodec::memory,
     {},
     "LoraMemory"},
};

const AdapterCodec::Entry AdapterCodec::kVllmEntries[] = {
    {Method::kPost,
     "/v1/load_lora_adapter",
     Scope::kAdmin,
     "Register and load an adapter",
     &AdapterCodec::vllm_load,
     "VllmLoadLora",
     "VllmLoraDone"},
    {Method::kPost,
     "/v1/unload_lora_adapter",
     Scope::kAdmin,
     "Unload an adapter and forget it",
     &AdapterCodec::vllm_unload,
     "VllmUnloadLora",
     "VllmLoraDone"},
};

AdapterCodec::AdapterCodec(ModelCatalog catalog, registry::AdapterShelf& shelf)
    : catalog_(std::move(catalog)), shelf_(shelf) {}

std::vector<Api> AdapterCodec::make_apis() {
  const auto add = [this](Api& api, std::span<const Entry> entries) {
    for (const Entry& entry : entries) {
      Route& route = api.routes.emplace_back();
      route.method = entry.method;
      route.pattern = entry.pattern;
      route.scope = entry.scope;
      route.api = api.name;
      route.summary = entry.summary;
      route.handler = [this, handler = entry.handler](const ExchangePtr& exchange) {
        (this->*handler)(exchange);
      };
      route.request_schema = entry.request_schema;
      route.response_schema = entry.response_schema;
      route.parameters = entry.parameters;
    }
  };
  std::vector<Api> out(2);
  out[0].name = "lora";
  out[0].error_body = [](int, const Status& status, std::string_view request_id) {
    return lora_error_text(status, request_id);
  };
  out[0].error_schema = "LoraError";
  out[0].schemas = lora_schemas();
  add(out[0], kLoraEntries);
  out[1].name = "vllm";
  out[1].error_body = [](int http, const Status& status, std::string_view) {
    return vllm_error_text(http, status);
  };
  out[1].error_schema = "VllmError";
  out[1].schemas = vllm_schemas();
  add(out[1], kVllmEntries);
  return out;
}

void AdapterCodec::enroll(const ExchangePtr& exchange) const {
  auto record = read_registration(exchange->request().body->text());
  if (!record.ok()) return fail_lora(*exchange, record.status());
  shelf_.enroll(*std::move(record), false, answer_lora(exchange));
}

void AdapterCodec::remove(const ExchangePtr& exchange) const {
  shelf_.remove(named(exchange), [exchange](const Status& status) {
    if (!status.ok()) return fail_lora(*exchange, status);
    reply_json(*exchange, R"({"unregistered":true})");
  });
}

void AdapterCodec::load(const ExchangePtr& exchange) const {
  shelf_.load(named(exchange), answer_lora(exchange));
}

void AdapterCodec::unload(const ExchangePtr& exchange) const {
  shelf_.unload(named(exchange), answer_lora(exchange));
}

void AdapterCodec::swap(const ExchangePtr& exchange) const {
  const auto names = read_swap(exchange->request().body->text());
  if (!names.ok()) return fail_lora(*exchange, names.status());
  shelf_.swap(names->old_name, names->new_name, answer_lora(exchange));
}

void AdapterCodec::list(const ExchangePtr& exchange) const {
  const bool loaded_only = wants_loaded_only(exchange->request().query);
  reply_json(*exchange, adapter_list_text(shelf_.list(), loaded_only));
}

void AdapterCodec::status(const ExchangePtr& exchange) const {
  const auto state = shelf_.find(named(exchange));
  if (!state) {
    return fail_lora(*exchange, not_found("there is no adapter '" + named(exchange) + "'"));
  }
  reply_json(*exchange, adapter_text(*state));
}

void AdapterCodec::memory(const ExchangePtr& exchange) const {
  reply_json(*exchange, memory_text(shelf_.list(), shelf_.limits().adapters_max));
}

Result<std::string> AdapterCodec::only_language_model() const {
  std::string out;
  for (const std::string& name : catalog_.ready_models()) {
    const auto handle = catalog_.find({name, "", "", ""});
    if (!handle.ok() || (*handle)->servable->language() == nullptr) continue;
    if (!out.empty()) {
      return invalid_argument("this server has several language models: name one in 'base_model'")
          .with_field("base_model");
    }
    out = name;
  }
  if (out.empty()) return unavailable("no language model is ready");
  return out;
}

void AdapterCodec::vllm_load(const ExchangePtr& exchange) const {
  auto call = read_vllm_load(exchange->request().body->text());
  if (!call.ok()) return fail_vllm(*exchange, call.status());
  registry::AdapterRecord record;
  record.name = call->name;
  record.path = call->path;
  record.base_model = call->base_model;
  if (record.base_model.empty()) {
    auto model = only_language_model();
    if (!model.ok()) return fail_vllm(*exchange, model.status());
    record.base_model = *std::move(model);
  }
  const auto done = [exchange, name = record.name](const Result<AdapterState>& state) {
    if (state.ok()) return reply_success(*exchange, name, "added");
    if (state.status().code() != Code::kAlreadyExists) return fail_vllm(*exchange, state.status());
    // vLLM says 400.
    fail_vllm(
        *exchange,
        invalid_argument(
            "The lora adapter '" + name +
            "' has already been loaded. If you want to load the adapter in place, set "
            "'load_inplace' to True."
        )
    );
  };
  if (call->in_place) {
    shelf_.enroll(std::move(record), true, done);
  } else {
    shelf_.enroll_new(std::move(record), done);
  }
}

void AdapterCodec::vllm_unload(const ExchangePtr& exchange) const {
  const auto name = read_vllm_unload(exchange->request().body->text());
  if (!name.ok()) return fail_vllm(*exchange, name.status());
  shelf_.remove(*name, [exchange, name = *name](const Status& status) {
    if (status.ok()) return reply_success(*exchange, name, "removed");
    if (status.code() != Code::kNotFound) return fail_vllm(*exchange, status);
    fail_vllm(*exchange, not_found("The lora adapter '" + name + "' cannot be found."));
  });
}

}  // namespace cortex::frontend::adapters
