// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/conversation.h"

#include "base/json_text.h"

namespace cortex::cli::detail {
namespace {

void append_message(std::string& out, const char* role, const std::string& content) {
  if (out.back() != '[') out += ',';
  out.append("{\"role\":\"").append(role).append("\",\"content\":");
  append_json_string(out, content);
  out += '}';
}

void append_field(std::string& out, const char* name, const std::optional<double>& value) {
  if (!value) return;
  out.append(",\"").append(name).append("\":");
  append_json_number(out, *value);
}

void append_field(std::string& out, const char* name, const std::optional<std::size_t>& value) {
  if (value) out.append(",\"").append(name).append("\":").append(std::to_string(*value));
}

void append_sampling(std::string& out, const ChatSampling& sampling) {
  append_field(out, "max_completion_tokens", sampling.max_tokens);
  append_field(out, "temperature", sampling.temperature);
  append_field(out, "top_p", sampling.top_p);
  append_field(out, "top_k", sampling.top_k);
  append_field(out, "min_p", sampling.min_p);
  append_field(out, "repeat_penalty", sampling.repeat_penalty);
  append_field(out, "seed", sampling.seed);
  if (sampling.stop.empty()) return;
  out += ",\"stop\":[";
  for (const std::string& stop : sampling.stop) {
    if (out.back() != '[') out += ',';
    append_json_string(out, stop);
  }
  out += ']';
}

}  // namespace

Conversation::Conversation(std::string model, std::string system, ChatSampling sampling)
    : model_(std::move(model)), system_(std::move(system)), sampling_(std::move(sampling)) {}

std::string Conversation::request(const std::string& said) const {
  std::string out = "{\"model\":";
  append_json_string(out, model_);
  out += ",\"stream\":true,\"stream_options\":{\"include_usage\":true},\"messages\":[";
  if (!system_.empty()) append_message(out, "system", system_);
  for (const auto& [user, assistant] : turns_) {
    append_message(out, "user", user);
    append_message(out, "assistant", assistant);
  }
  append_message(out, "user", said);
  out += ']';
  append_sampling(out, sampling_);
  return out + '}';
}

void Conversation::add(std::string said, std::string answered) {
  turns_.emplace_back(std::move(said), std::move(answered));
}

}  // namespace cortex::cli::detail
