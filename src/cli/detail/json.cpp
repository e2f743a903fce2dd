// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/json.h"

#include <algorithm>

#include <boost/json/serialize.hpp>

#include "base/json_text.h"
#include "base/json_value.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

bool is_plain(const json::value& value) { return !value.is_object() && !value.is_array(); }

// Doubles are written as people do: 16.5, not 1.65E1.
void append_plain(std::string& out, const json::value& value) {
  if (const double* number = value.if_double()) {
    append_json_number(out, *number);
  } else {
    out += json::serialize(value);
  }
}

void append_plain_list(std::string& out, const json::array& values) {
  out += '[';
  for (const json::value& value : values) {
    if (out.back() != '[') out += ',';
    append_plain(out, value);
  }
  out += ']';
}

void append_pretty(std::string& out, const json::value& value, const std::string& indent) {
  const std::string inner = indent + "  ";
  if (const auto* object = value.if_object(); object != nullptr && !object->empty()) {
    const char* before = "{\n";
    for (const auto& [name, child] : *object) {
      out += before + inner + json::serialize(name) + ": ";
      append_pretty(out, child, inner);
      before = ",\n";
    }
    out += "\n" + indent + "}";
    return;
  }
  const auto* array = value.if_array();
  if (array == nullptr) return append_plain(out, value);
  if (std::ranges::all_of(*array, is_plain)) return append_plain_list(out, *array);
  const char* before = "[\n";
  for (const json::value& child : *array) {
    out += before + inner;
    append_pretty(out, child, inner);
    before = ",\n";
  }
  out += "\n" + indent + "]";
}

// {"error": "text"} and {"error": {"message": "text"}} are the forms that servers use.
std::string error_text(const std::string& body) {
  const auto value = parse_json_value(body);
  if (!value.ok()) return body.substr(0, 300);
  const json::value* inner = member(*value, "error");
  if (inner == nullptr) return body.substr(0, 300);
  if (inner->is_string()) return std::string(inner->get_string());
  return text_member(*inner, "message");
}

Code code_for(int http_status) {
  if (http_status == 404) return Code::kNotFound;
  if (http_status == 401) return Code::kUnauthenticated;
  if (http_status == 403) return Code::kPermissionDenied;
  if (http_status == 429) return Code::kResourceExhausted;
  return Code::kFailedPrecondition;
}

}  // namespace

Result<json::value> parse_json(std::string_view text, std::string_view what) {
  auto value = parse_json_value(text);
  if (value.ok()) return value;
  return failed_precondition(std::string(what) + " is not JSON: " + value.status().text());
}

Result<net::HttpAnswer> call(net::HttpClient& client, const net::HttpCall& call) {
  CORTEX_ASSIGN_OR_RETURN(net::HttpAnswer answer, client.send(call));
  CORTEX_RETURN_IF_ERROR(check_answer(call, answer));
  return answer;
}

Status check_answer(const net::HttpCall& call, const net::HttpAnswer& answer) {
  if (answer.status / 100 == 2) return {};
  return Status(
      code_for(answer.status),
      std::string(call.target) + ": " + std::to_string(answer.status) + ": " +
          error_text(answer.body)
  );
}

Result<json::value> call_json(net::HttpClient& client, const net::HttpCall& http_call) {
  CORTEX_ASSIGN_OR_RETURN(const net::HttpAnswer answer, call(client, http_call));
  return parse_json(answer.body, "the answer");
}

const json::value* member(const json::value& value, std::string_view name) {
  const json::object* object = value.if_object();
  return object == nullptr ? nullptr
                           : object->if_contains(json::string_view(name.data(), name.size()));
}

std::string text_member(const json::value& value, std::string_view name) {
  const json::value* found = member(value, name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : std::string();
}

std::vector<std::int64_t> numbers_member(const json::value& value, std::string_view name) {
  std::vector<std::int64_t> out;
  const json::value* found = member(value, name);
  if (found == nullptr || !found->is_array()) return out;
  for (const json::value& item : found->get_array()) {
    boost::system::error_code error;
    out.push_back(item.to_number<std::int64_t>(error));
  }
  return out;
}

std::string pretty(const json::value& value) {
  std::string out;
  append_pretty(out, value, "");
  return out + "\n";
}

}  // namespace cortex::cli::detail
