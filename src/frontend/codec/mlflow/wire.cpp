// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/wire.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include <boost/json.hpp>

#include "base/json_text.h"
#include "base/json_value.h"
#include "frontend/codec/json_depth.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;

constexpr int kJsonDepthMax = 32;
constexpr std::string_view kSeeDocs =
    " See the API docs for more information about request parameters.";

json::string_view as_json(std::string_view text) { return {text.data(), text.size()}; }
std::string_view as_std(json::string_view text) { return {text.data(), text.size()}; }

const json::value& as_value(const void* value) { return *static_cast<const json::value*>(value); }

// A single value where the query has one for a repeated field.
const json::value& first_of(const json::value& value) {
  return value.is_array() && !value.get_array().empty() ? value.get_array().front() : value;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<double> parse_real(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  const auto number = parse_number<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

std::optional<std::int64_t> whole(double value) {
  constexpr double kLimit = 9223372036854775808.0;  // 2^63
  if (!(value >= -kLimit && value < kLimit) || std::trunc(value) != value) return std::nullopt;
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> integer_of(const json::value& value) {
  if (value.is_int64()) return value.get_int64();
  if (value.is_double()) return whole(value.get_double());
  if (!value.is_string()) return std::nullopt;
  return parse_number<std::int64_t>(as_std(value.get_string()));
}

std::optional<double> real_of(const json::value& value) {
  if (value.is_double()) return value.get_double();
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (!value.is_string()) return std::nullopt;
  return parse_real(as_std(value.get_string()));
}

std::optional<bool> flag_of(const json::value& value, bool query) {
  if (value.is_bool()) return value.get_bool();
  if (!query || !value.is_string()) return std::nullopt;
  const std::string text = lower_case(as_std(value.get_string()));
  if (text != "true" && text != "false") return std::nullopt;
  return text == "true";
}

// As the servers that clients know name the kinds.
std::string_view kind_name(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "NoneType";
    case json::kind::bool_:
      return "bool";
    case json::kind::int64:
    case json::kind::uint64:
      return "int";
    case json::kind::double_:
      return "float";
    case json::kind::string:
      return "str";
    case json::kind::array:
      return "list";
    case json::kind::object:
      break;
  }
  return "dict";
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// Decodes one part of a query; an escape that is none stands for itself.
std::string decode_query(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    if (escape) {
      out.push_back(static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2])));
      i += 2;
    } else {
      out.push_back(text[i] == '+' ? ' ' : text[i]);
    }
  }
  return out;
}

void add_parameter(json::object& object, std::string_view name, std::string_view value) {
  json::value& values = object[as_json(name)];
  if (!values.is_array()) values.emplace_array();
  values.get_array().emplace_back(as_json(value));
}

Status parse_query(std::string_view query, json::object& object) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    const std::string name = decode_query(pair.substr(0, equals));
    const std::string value = decode_query(pair.substr(std::min(equals + 1, pair.size())));
    if (!is_utf8(name) || !is_utf8(value)) return invalid_argument("the query is not UTF-8");
    add_parameter(object, name, value);
  }
  return {};
}

Status check_declared_json(const HttpRequest& request) {
  if (request.method != Method::kPost && request.method != Method::kPut) return {};
  const std::string_view type = request.header("content-type");
  if (type.empty()) return invalid_argument("Bad Request. Content-Type header is missing.");
  std::string_view media = type.substr(0, type.find(';'));
  while (!media.empty() && media.back() == ' ') media.remove_suffix(1);
  if (lower_case(media) == "application/json") return {};
  return invalid_argument("Bad Request. Content-Type must be one of ['application/json'].");
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

struct Fields::State {
  json::monotonic_resource memory;
  json::value root = json::value(json::object_kind, &memory);
  bool query = false;
  Status fault;
};

const void* Fields::find(std::string_view name) const {
  if (object_ == nullptr) return nullptr;
  const auto& object = *static_cast<const json::object*>(object_);
  const json::value* value = object.if_contains(as_json(name));
  return value == nullptr || value->is_null() ? nullptr : value;
}

bool Fields::has(std::string_view name) const { return find(name) != nullptr; }

std::string Fields::path(std::string_view name) const {
  if (parent_ == nullptr) return std::string(name);
  std::string out = parent_->path(name_);
  if (index_ != static_cast<std::size_t>(-1)) {
    out.append("[").append(std::to_string(index_)).append("]");
  }
  return name.empty() ? out : out.append(".").append(name);
}

void Fields::refuse(const Status& fault) const {
  if (state_->fault.ok()) state_->fault = fault;
}

const Status& Fields::status() const { return state_->fault; }

void Fields::wrong_type(std::string_view name, const void* value) const {
  constexpr std::size_t kShownMax = 200;
  std::string shown = json::serialize(as_value(value));
  if (shown.size() > kShownMax) shown.resize(kShownMax);
  refuse(invalid_argument(
      "Invalid value " + shown + " for parameter '" + path(name) +
      "' supplied:  Hint: Value was of type '" + std::string(kind_name(as_value(value))) + "'." +
      std::string(kSeeDocs)
  ));
}

std::optional<std::string> Fields::text_if(std::string_view name) const {
  const void* found = find(name);
  if (found == nullptr) return std::nullopt;
  const json::value& value = state_->query ? first_of(as_value(found)) : as_value(found);
  if (!value.is_string()) {
    wrong_type(name, found);
    return std::nullopt;
  }
  const std::string_view text = as_std(value.get_string());
  if (text.find('\0') != std::string_view::npos) {
    refuse(invalid_argument("'" + path(name) + "' cannot contain NUL (0x00) characters"));
  }
  return std::string(text);
}

std::string Fields::text(std::string_view name) const { return text_if(name).value_or(""); }

std::optional<std::int64_t> Fields::integer(std::string_view name) const {
  const void* found = find(name);
  if (found == nullptr) return std::nullopt;
  const auto number = integer_of(state_->query ? first_of(as_value(found)) : as_value(found));
  if (!number) wrong_type(name, found);
  return number;
}

std::optional<double> Fields::real(std::string_view name) const {
  const void* found = find(name);
  if (found == nullptr) return std::nullopt;
  const auto number = real_of(state_->query ? first_of(as_value(found)) : as_value(found));
  if (!number) wrong_type(name, found);
  return number;
}

std::optional<bool> Fields::flag(std::string_view name) const {
  const void* found = find(name);
  if (found == nullptr) return std::nullopt;
  const json::value& value = state_->query ? first_of(as_value(found)) : as_value(found);
  const auto flag = flag_of(value, state_->query);
  if (!flag && state_->query) {
    refuse(invalid_argument(
        "Invalid boolean value: " + std::string(as_std(value.get_string())) +
        ", must be 'true' or 'false'."
    ));
  } else if (!flag) {
    wrong_type(name, found);
  }
  return flag;
}

std::vector<std::string> Fields::texts(std::string_view name) const {
  std::vector<std::string> out;
  const void* found = find(name);
  if (found == nullptr) return out;
  if (!as_value(found).is_array()) {
    wrong_type(name, found);
    return out;
  }
  const json::array& array = as_value(found).get_array();
  out.reserve(array.size());
  for (const json::value& value : array) {
    if (!value.is_string() || value.get_string().find('\0') != json::string::npos) {
      wrong_type(name, found);
      return {};
    }
    out.emplace_back(as_std(value.get_string()));
  }
  return out;
}

std::optional<std::size_t> Fields::choice(
    std::string_view name, std::span<const std::string_view> names
) const {
  const void* found = find(name);
  if (found == nullptr) return std::nullopt;
  const json::value& value = state_->query ? first_of(as_value(found)) : as_value(found);
  const auto number = integer_of(value);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool named = value.is_string() && as_std(value.get_string()) == names[i];
    if (named || number == static_cast<std::int64_t>(i + 1)) return i + 1;
  }
  wrong_type(name, found);
  return std::nullopt;
}

std::string Fields::required_text(std::string_view name) const {
  auto value = text_if(name);
  if (!value || value->empty()) refuse(missing_parameter(path(name)));
  return std::move(value).value_or("");
}

std::int64_t Fields::required_integer(std::string_view name) const {
  const auto value = integer(name);
  if (!value) refuse(missing_parameter(path(name)));
  return value.value_or(0);
}

double Fields::required_real(std::string_view name) const {
  const auto value = real(name);
  if (!value) refuse(missing_parameter(path(name)));
  return value.value_or(0);
}

Fields Fields::message(std::string_view name) const& {
  const void* found = find(name);
  if (found != nullptr && !as_value(found).is_object()) {
    wrong_type(name, found);
    found = nullptr;
  }
  Fields inner(found == nullptr ? nullptr : &as_value(found).get_object(), state_);
  inner.parent_ = this;
  inner.name_ = name;
  return inner;
}

std::size_t Fields::count(std::string_view name) const {
  const void* found = find(name);
  if (found == nullptr) return 0;
  if (!as_value(found).is_array()) {
    wrong_type(name, found);
    return 0;
  }
  return as_value(found).get_array().size();
}

Fields Fields::item(std::string_view name, std::size_t index) const& {
  const json::value& value = as_value(find(name)).get_array().at(index);
  if (!value.is_object()) wrong_type(name, &value);
  Fields inner(value.is_object() ? &value.get_object() : nullptr, state_);
  inner.parent_ = this;
  inner.name_ = name;
  inner.index_ = index;
  return inner;
}

Document::Document(std::unique_ptr<Fields::State> state) : state_(std::move(state)) {}
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
Document::~Document() = default;

Fields Document::fields() const { return {&state_->root.get_object(), state_.get()}; }

Result<Document> Document::read_json(std::string_view text) {
  auto state = std::make_unique<Fields::State>();
  if (text.empty()) return Document(std::move(state));
  const auto depth_max = static_cast<std::size_t>(std::min(kJsonDepthMax, json_depth_max()));
  auto root = parse_json_value(text, depth_max, &state->memory);
  if (!root.ok()) return root.status().with_prefix("Malformed JSON in the request: ");
  state->root = std::move(*root);
  if (state->root.is_null()) state->root.emplace_object();
  if (!state->root.is_object()) return invalid_argument("The request is not a JSON object.");
  return Document(std::move(state));
}

Result<Document> Document::read(const HttpRequest& request) {
  const bool reads = request.method == Method::kGet || request.method == Method::kHead;
  if (!reads || request.query.empty()) {
    CORTEX_RETURN_IF_ERROR(check_declared_json(request));
    return read_json(request.body->text());
  }
  auto state = std::make_unique<Fields::State>();
  state->query = true;
  CORTEX_RETURN_IF_ERROR(parse_query(request.query, state->root.get_object()));
  return Document(std::move(state));
}

Status missing_parameter(std::string_view name) {
  return invalid_argument(
      "Missing value for required parameter '" + std::string(name) + "'." + std::string(kSeeDocs)
  );
}

}  // namespace cortex::frontend::mlflow
