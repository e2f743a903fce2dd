// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "base/json_text.h"
#include "base/log.h"
#include "frontend/codec/mlflow/wire.h"
#include "frontend/status_map.h"

namespace cortex::frontend::mlflow {
namespace {

constexpr std::array<ErrorName, 17> kNames{{
    {"", 200},                         // OK
    {"CANCELLED", 499},                // CANCELLED
    {"INTERNAL_ERROR", 500},           // UNKNOWN
    {"INVALID_PARAMETER_VALUE", 400},  // INVALID_ARGUMENT
    {"DEADLINE_EXCEEDED", 504},        // DEADLINE_EXCEEDED
    {"RESOURCE_DOES_NOT_EXIST", 404},  // NOT_FOUND
    {"RESOURCE_ALREADY_EXISTS", 400},  // ALREADY_EXISTS
    {"PERMISSION_DENIED", 403},        // PERMISSION_DENIED
    {"RESOURCE_EXHAUSTED", 429},       // RESOURCE_EXHAUSTED
    {"INVALID_PARAMETER_VALUE", 400},  // FAILED_PRECONDITION
    {"ABORTED", 409},                  // ABORTED
    {"INVALID_PARAMETER_VALUE", 400},  // OUT_OF_RANGE
    {"NOT_IMPLEMENTED", 501},          // UNIMPLEMENTED
    {"INTERNAL_ERROR", 500},           // INTERNAL
    {"TEMPORARILY_UNAVAILABLE", 503},  // UNAVAILABLE
    {"DATA_LOSS", 500},                // DATA_LOSS
    {"UNAUTHENTICATED", 401},          // UNAUTHENTICATED
}};

}  // namespace

void JsonWriter::begin(std::string_view key) {
  const char last = out_.empty() ? '{' : out_.back();
  if (last != '{' && last != '[' && last != ':') out_.push_back(',');
  if (key.empty()) return;
  out_.append("\"").append(key).append("\":");
}

void JsonWriter::open_object(std::string_view key) {
  begin(key);
  out_.push_back('{');
}

void JsonWriter::open_list(std::string_view key) {
  begin(key);
  out_.push_back('[');
}

void JsonWriter::text(std::string_view key, std::string_view value) {
  begin(key);
  append_json_string(out_, value);
}

void JsonWriter::text_if(std::string_view key, std::string_view value) {
  if (!value.empty()) text(key, value);
}

void JsonWriter::integer(std::string_view key, std::int64_t value) {
  begin(key);
  std::array<char, 24> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  out_.append(digits.data(), end);
}

void JsonWriter::real(std::string_view key, double value) {
  begin(key);
  if (std::isnan(value)) {
    out_.append("\"NaN\"");
  } else if (std::isinf(value)) {
    out_.append(value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    append_json_number(out_, value);
  }
}

void JsonWriter::flag(std::string_view key, bool value) {
  begin(key);
  out_.append(value ? "true" : "false");
}

ErrorName error_name(Code code) { return kNames.at(static_cast<std::size_t>(code)); }

std::string error_text(std::string_view name, std::string_view message) {
  std::string out;
  JsonWriter writer(out);
  writer.open_object();
  writer.text("error_code", name);
  writer.text("message", message);
  writer.close_object();
  return out;
}

HttpReply error_reply(const ErrorName& name, const Status& status) {
  HttpReply reply;
  reply.status = name.http_status;
  reply.body = error_text(name.name, status.text());
  if (const auto seconds = retry_after_seconds(status)) {
    reply.headers.emplace_back("Retry-After", std::to_string(*seconds));
  }
  return reply;
}

HttpReply error_reply(const Status& status) {
  return error_reply(error_name(status.code()), status);
}

std::string refusal_body(int http_status, const Status& status) {
  if (http_status == 404 || http_status == 405) {
    return error_text("ENDPOINT_NOT_FOUND", status.text());
  }
  const ErrorName name = error_name(status.code());
  if (name.http_status == http_status) return error_text(name.name, status.text());
  return error_text(http_status < 500 ? "BAD_REQUEST" : "INTERNAL_ERROR", status.text());
}

void fail(Exchange& exchange, const Status& status) {
  if (is_server_fault(status.code())) {
    log::error(
        "request failed",
        {{"request_id", exchange.request().id},
         {"path", exchange.request().path},
         {"error", status.to_string()}}
    );
  }
  exchange.record().status = status;
  exchange.reply(error_reply(status));
}

void reply_json(Exchange& exchange, std::string body) {
  HttpReply reply;
  reply.body = body.empty() ? std::string("{}") : std::move(body);
  exchange.reply(std::move(reply));
}

}  // namespace cortex::frontend::mlflow
