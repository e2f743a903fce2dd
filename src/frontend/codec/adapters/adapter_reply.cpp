// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/adapters/adapter_reply.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "base/clock.h"
#include "base/json_text.h"

namespace cortex::frontend::adapters {
namespace {

using registry::AdapterPhase;
using registry::AdapterState;

constexpr std::array<std::string_view, 4> kPhases = {"registered", "loading", "loaded", "failed"};

std::string time_text(std::int64_t milliseconds) {
  const std::time_t seconds = milliseconds / 1000;
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  std::array<char, 32> out{};
  const std::size_t size = std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return {out.data(), size};
}

// One object, field by field.
class Fields {
 public:
  explicit Fields(std::string& out) : out_(out) { out_.push_back('{'); }
  ~Fields() { out_.push_back('}'); }
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  void text(std::string_view name, std::string_view value) {
    append_json_string(begin(name), value);
  }
  void number(std::string_view name, double value) { append_json_number(begin(name), value); }
  void count(std::string_view name, std::uint64_t value) { begin(name) += std::to_string(value); }
  void flag(std::string_view name, bool value) { begin(name) += value ? "true" : "false"; }
  // Milliseconds since the epoch; 0 is null.
  void time(std::string_view name, std::int64_t value) {
    if (value == 0) {
      begin(name) += "null";
    } else {
      text(name, time_text(value));
    }
  }
  std::string& begin(std::string_view name) {
    if (out_.back() != '{') out_.push_back(',');
    append_json_string(out_, name);
    out_.push_back(':');
    return out_;
  }

 private:
  std::string& out_;
};

double megabytes(std::size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

bool is_loaded(const AdapterState& state) { return state.phase == AdapterPhase::kLoaded; }

void append_adapter(std::string& out, const AdapterState& state) {
  const registry::AdapterRecord& record = state.record;
  Fields fields(out);
  fields.text("name", record.name);
  fields.text("base_model", record.base_model);
  fields.text("path", record.path);
  fields.count("rank", static_cast<std::uint64_t>(record.rank));
  fields.number("alpha", record.alpha);
  fields.flag("loaded", is_loaded(state));
  fields.time("loaded_at", is_loaded(state) ? state.loaded_at : 0);
  fields.number("memory_mb", megabytes(state.memory_bytes));
  fields.text("status", kPhases[static_cast<std::size_t>(state.phase)]);
  if (!state.failure.ok()) fields.text("reason", state.failure.text());
  fields.count("memory_bytes", state.memory_bytes);
  fields.text("digest", "sha256:" + record.digest);
  fields.count("file_bytes", static_cast<std::uint64_t>(record.bytes));
  fields.number("scale", record.scale);
  fields.flag("pinned", record.pinned);
  fields.text("training_method", record.training_method);
  {
    Fields tags(fields.begin("tags"));
    for (const auto& [key, value] : record.tags) tags.text(key, value);
  }
  fields.text("description", record.description);
  fields.count("uses", state.uses);
  fields.time("last_used_at", state.last_used_at);
  fields.count("in_use", state.in_use);
  fields.count("waiting", state.waiting);
  fields.time("created_at", record.created_at);
  fields.time("updated_at", record.updated_at);
}

std::string_view vllm_type(int http_status) {
  if (http_status == 404) return "NotFoundError";
  if (http_status == 400 || http_status == 409) return "InvalidUserInput";
  if (http_status == 401 || http_status == 403) return "Unauthorized";
  return http_status >= 500 ? "InternalServerError" : "BadRequestError";
}

}  // namespace

std::string adapter_text(const AdapterState& state) {
  std::string out;
  append_adapter(out, state);
  return out;
}

std::string adapter_list_text(const std::vector<AdapterState>& states, bool loaded_only) {
  std::string out = R"({"adapters":[)";
  for (const AdapterState& state : states) {
    if (loaded_only && !is_loaded(state)) continue;
    if (out.back() != '[') out.push_back(',');
    append_adapter(out, state);
  }
  return out.append("]}");
}

std::string memory_text(const std::vector<AdapterState>& states, std::size_t adapters_max) {
  std::size_t bytes = 0;
  std::size_t loaded = 0;
  std::map<std::string, std::size_t> by_model;
  for (const AdapterState& state : states) {
    bytes += state.memory_bytes;
    loaded += is_loaded(state) ? 1 : 0;
    by_model[state.record.base_model] += is_loaded(state) ? 1 : 0;
  }
  std::size_t fullest = 0;
  for (const auto& [model, count] : by_model) fullest = std::max(fullest, count);
  std::string out;
  {
    Fields fields(out);
    fields.number("total_memory_mb", megabytes(bytes));
    fields.count("total_memory_bytes", bytes);
    fields.count("loaded_adapters", loaded);
    fields.count("max_adapters", adapters_max);
    fields.count("available_slots", adapters_max - std::min(adapters_max, fullest));
  }
  return out;
}

std::string lora_error_text(const Status& status, std::string_view request_id) {
  std::string out;
  {
    Fields whole(out);
    Fields error(whole.begin("error"));
    const bool limited = status.code() == Code::kResourceExhausted;
    error.text("code", limited ? "RATE_LIMIT_EXCEEDED" : code_name(status.code()));
    error.text("message", status.text());
    {
      Fields details(error.begin("details"));
      if (!status.field().empty()) details.text("field", status.field());
    }
    error.time("timestamp", unix_milliseconds());
    error.text("request_id", request_id);
  }
  return out;
}

std::string vllm_error_text(int http_status, const Status& status) {
  std::string out;
  {
    Fields whole(out);
    Fields error(whole.begin("error"));
    error.text("message", status.text());
    error.text("type", vllm_type(http_status));
    if (status.field().empty()) {
      error.begin("param") += "null";
    } else {
      error.text("param", status.field());
    }
    error.count("code", static_cast<std::uint64_t>(http_status));
  }
  return out;
}

}  // namespace cortex::frontend::adapters
