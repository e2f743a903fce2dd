// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/detail/hot_json.h"

#include <cmath>

#include "frontend/codec/json_depth.h"
#include "request/buffer.h"

namespace cortex::frontend {
namespace {

namespace ondemand = simdjson::ondemand;

static_assert(Buffer::kPadding >= simdjson::SIMDJSON_PADDING);

// Above this a document gets a parser of its own: a parser keeps about six bytes for each byte of
// its largest text.
constexpr std::size_t kSharedTextMax = 256 * 1024;

ondemand::parser& shared_parser() {
  static thread_local ondemand::parser parser;
  return parser;
}

Status not_a(std::string_view where, std::string_view what) {
  return invalid_argument("'" + std::string(where) + "' must be " + std::string(what));
}

Status skip_scalar(ondemand::value value, ondemand::json_type type) {
  switch (type) {
    case ondemand::json_type::number: {
      ondemand::number number;
      const auto error = value.get_number().get(number);
      return error ? malformed_json(error) : Status();
    }
    case ondemand::json_type::string: {
      std::string_view text;
      const auto error = value.get_string().get(text);
      return error ? malformed_json(error) : Status();
    }
    case ondemand::json_type::boolean: {
      bool flag = false;
      const auto error = value.get_bool().get(flag);
      return error ? malformed_json(error) : Status();
    }
    default: {
      bool null = false;
      const auto error = value.is_null().get(null);
      return error || !null ? malformed_json("a value that is none") : Status();
    }
  }
}

// Numbers and words end where their token does; what follows them is white space.
std::string_view without_space(std::string_view token) {
  return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

Status check_container(std::string_view text, bool is_array) {
  HotJson json(text, HotJson::Parser::kOwn);
  if (is_array) {
    ondemand::array array;
    CORTEX_RETURN_IF_ERROR(json.array(array));
    return for_each_element(array, [](ondemand::value inner) { return skip_value(inner, 2); });
  }
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  return for_each_field(object, [](std::string_view, ondemand::value inner) {
    return skip_value(inner, 2);
  });
}

}  // namespace

Status malformed_json(std::string_view why) {
  return invalid_argument("failed to parse the request JSON buffer: " + std::string(why));
}

Status malformed_json(simdjson::error_code error) {
  return malformed_json(std::string_view(simdjson::error_message(error)));
}

HotJson::HotJson(std::string_view padded_text, Parser parser) : text_(padded_text) {
  if (parser == Parser::kOwn || padded_text.size() > kSharedTextMax) {
    own_ = std::make_unique<ondemand::parser>();
  }
  parser_ = own_ ? own_.get() : &shared_parser();
}

Status HotJson::open() {
  const auto padded = text_.size() + simdjson::SIMDJSON_PADDING;
  const auto error = parser_->iterate(text_.data(), text_.size(), padded).get(document_);
  return error ? malformed_json(error) : Status();
}

Status HotJson::object(ondemand::object& out) {
  CORTEX_RETURN_IF_ERROR(open());
  const auto error = document_.get_object().get(out);
  if (error == simdjson::INCORRECT_TYPE) return malformed_json("the request is not an object");
  return error ? malformed_json(error) : Status();
}

Status HotJson::array(ondemand::array& out) {
  CORTEX_RETURN_IF_ERROR(open());
  const auto error = document_.get_array().get(out);
  return error ? malformed_json(error) : Status();
}

Status HotJson::at_end() {
  const char* location = nullptr;
  const bool ended = document_.current_location().get(location) == simdjson::OUT_OF_BOUNDS;
  return ended ? Status() : malformed_json("there is text behind the request's end");
}

Status skip_value(ondemand::value value, int depth) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  const bool container = type == ondemand::json_type::array || type == ondemand::json_type::object;
  if (!container) return skip_scalar(value, type);
  if (depth >= json_depth_max()) {
    const std::string most = std::to_string(json_depth_max());
    return malformed_json("nested deeper than " + most + " levels (limits.json_depth)");
  }
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return malformed_json(error);
    return for_each_element(array, [&](ondemand::value inner) {
      return skip_value(inner, depth + 1);
    });
  }
  ondemand::object object;
  if (const auto error = value.get_object().get(object)) return malformed_json(error);
  return for_each_field(object, [&](std::string_view, ondemand::value inner) {
    return skip_value(inner, depth + 1);
  });
}

Status read_json(ondemand::value value, std::string_view& text) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::array) {
    ondemand::array array;
    if (const auto error = value.get_array().get(array)) return malformed_json(error);
    if (const auto error = array.raw_json().get(text)) return malformed_json(error);
    return check_container(text, true);
  }
  if (type == ondemand::json_type::object) {
    ondemand::object object;
    if (const auto error = value.get_object().get(object)) return malformed_json(error);
    if (const auto error = object.raw_json().get(text)) return malformed_json(error);
    return check_container(text, false);
  }
  text = without_space(value.raw_json_token());
  return skip_scalar(value, type);
}

Status read_string(ondemand::value value, std::string_view where, std::string_view& out) {
  const auto error = value.get_string().get(out);
  if (error == simdjson::INCORRECT_TYPE) return not_a(where, "a string");
  return error ? malformed_json(error) : Status();
}

Status read_bool(ondemand::value value, std::string_view where, bool& out) {
  return value.get_bool().get(out) ? not_a(where, "true or false") : Status();
}

Status read_size(ondemand::value value, std::string_view where, std::uint64_t& out) {
  return value.get_uint64().get(out) ? not_a(where, "a whole number that is not negative")
                                     : Status();
}

Status read_number(ondemand::value value, std::string_view where, double& out) {
  const bool read = !value.get_double().get(out) && std::isfinite(out);
  return read ? Status() : not_a(where, "a number");
}

}  // namespace cortex::frontend
