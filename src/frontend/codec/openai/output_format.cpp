// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/output_format.h"

#include <string>
#include <utility>

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;
using Kind = OutputFormat::Kind;

OutputFormat& format_of(GenerationDraft& draft) { return draft.call.inputs.front().format; }

// One field says what the answer looks like; two might contradict each other.
Status claim_format(std::string_view name, GenerationDraft& draft) {
  std::string& first = format_of(draft).field;
  if (first.empty()) {
    first = name;
    return {};
  }
  return invalid_argument(
             "'" + first + "' and '" + std::string(name) +
             "' both say what the answer must look like"
  )
      .with_field(std::string(name));
}

// A schema, or a string that holds one.
Status read_schema(ondemand::value value, std::string_view name, OutputFormat& format) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  format.kind = Kind::kJsonSchema;
  if (type == ondemand::json_type::string) return read_text(value, name, format.text);
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  const bool schema = type == ondemand::json_type::object || text == "true";
  if (!schema) return field_error(name, "a JSON Schema");
  format.text = text;
  return {};
}

Status read_regex(ondemand::value value, std::string_view name, OutputFormat& format) {
  format.kind = Kind::kRegex;
  return read_text(value, name, format.text);
}

Status read_grammar(ondemand::value value, std::string_view name, OutputFormat& format) {
  format.kind = Kind::kLark;
  return read_text(value, name, format.text);
}

Status read_choices(ondemand::value value, std::string_view name, OutputFormat& format) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of strings");
  format.kind = Kind::kChoice;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value choice) -> Status {
    if (format.choices.size() >= kGuidedChoicesMax) {
      return field_error(
          name, "a list of at most " + std::to_string(kGuidedChoicesMax) + " strings"
      );
    }
    return read_text(choice, name, format.choices.emplace_back());
  }));
  if (format.choices.empty()) return field_error(name, "a list of at least one string");
  return {};
}

Status read_json_object(ondemand::value value, std::string_view name, OutputFormat& format) {
  bool flag = false;
  CORTEX_RETURN_IF_ERROR(read_bool(value, name, flag));
  if (flag) format.kind = Kind::kJsonObject;
  return {};
}

// Fields of `response_format`; what they mean is known when `type` is.
struct ResponseFormat {
  std::string type;
  OutputFormat schema;
  bool has_schema = false;
};

Status read_named_schema(ondemand::value value, ResponseFormat& out) {
  constexpr std::string_view kName = "response_format.json_schema";
  return for_each_given(value, kName, [&](std::string_view key, ondemand::value field) -> Status {
    if (key != "schema") return skip_value(field);  // name, description, strict
    out.has_schema = true;
    return read_schema(field, "response_format.json_schema.schema", out.schema);
  });
}

Status read_response_field(std::string_view key, ondemand::value value, ResponseFormat& out) {
  if (key == "type") return read_text(value, "response_format.type", out.type);
  if (key == "json_schema") return read_named_schema(value, out);
  if (key != "schema") return skip_value(value);
  out.has_schema = true;
  return read_schema(value, "response_format.schema", out.schema);
}

}  // namespace

Status read_response_format(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  ResponseFormat read;
  CORTEX_RETURN_IF_ERROR(for_each_given(value, name, [&](std::string_view key, auto field) {
    return read_response_field(key, field, read);
  }));
  if (read.type == "text") return {};
  CORTEX_RETURN_IF_ERROR(claim_format(name, draft));
  const bool wants_schema = read.type == "json_schema";
  if (!wants_schema && read.type != "json_object") {
    return field_error("response_format.type", "'text', 'json_object' or 'json_schema'");
  }
  if (wants_schema && !read.has_schema) {
    return invalid_argument("missing required parameter: 'response_format.json_schema.schema'")
        .with_field("response_format.json_schema.schema");
  }
  read.schema.field = name;
  format_of(draft) = std::move(read.schema);
  if (!read.has_schema) format_of(draft).kind = Kind::kJsonObject;
  return {};
}

Status read_structured_outputs(
    ondemand::value value, std::string_view name, GenerationDraft& draft
) {
  return for_each_given(value, name, [&](std::string_view key, ondemand::value field) -> Status {
    const std::string inner = std::string(name) + "." + std::string(key);
    OutputFormat& format = format_of(draft);
    if (key == "disable_any_whitespace" || key == "disable_fallback") return skip_value(field);
    CORTEX_RETURN_IF_ERROR(claim_format(inner, draft));
    if (key == "json_object") return read_json_object(field, inner, format);
    if (key == "json") return read_schema(field, inner, format);
    if (key == "regex") return read_regex(field, inner, format);
    if (key == "choice") return read_choices(field, inner, format);
    if (key == "grammar") return read_grammar(field, inner, format);
    return unsupported_field(inner, "choose json, regex, choice, grammar or json_object");
  });
}

Status read_guided_json(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  CORTEX_RETURN_IF_ERROR(claim_format(name, draft));
  return read_schema(value, name, format_of(draft));
}

Status read_guided_regex(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  CORTEX_RETURN_IF_ERROR(claim_format(name, draft));
  return read_regex(value, name, format_of(draft));
}

Status read_guided_choice(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  CORTEX_RETURN_IF_ERROR(claim_format(name, draft));
  return read_choices(value, name, format_of(draft));
}

Status read_guided_grammar(ondemand::value value, std::string_view name, GenerationDraft& draft) {
  CORTEX_RETURN_IF_ERROR(claim_format(name, draft));
  return read_grammar(value, name, format_of(draft));
}

}  // namespace cortex::frontend::openai
