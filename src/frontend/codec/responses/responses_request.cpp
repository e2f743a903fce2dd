// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/responses_request.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/json_text.h"
#include "frontend/codec/detail/field_rows.h"
#include "frontend/codec/openai/chat_tools.h"
#include "frontend/codec/openai/generation_fields.h"
#include "frontend/codec/responses/response_tools.h"

namespace cortex::frontend::responses {
namespace {

namespace ondemand = simdjson::ondemand;

struct Draft {
  ResponsesCall call;
  openai::GenerationDraft& rest;  // of the fields that other APIs have, too
  bool logprobs = false;
  std::optional<std::uint64_t> top_logprobs;
};

using Row = FieldRow<Draft>;

Status read_items(ondemand::value value, std::string_view name, Draft& draft) {
  return read_input(value, name, draft.call.input);
}

Status read_instructions(ondemand::value value, std::string_view name, Draft& draft) {
  return read_text(value, name, draft.call.echo.instructions);
}

Status read_previous(ondemand::value value, std::string_view name, Draft& draft) {
  CORTEX_RETURN_IF_ERROR(read_text(value, name, draft.call.previous));
  const std::size_t size = draft.call.previous.size();
  return size > 0 && size <= kItemIdBytesMax ? Status() : field_error(name, "the id of a response");
}

Status read_store(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bool(value, name, draft.call.store);
}

Status read_bound(ondemand::value value, std::string_view name, std::optional<std::uint64_t>& out) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(
      read_between(value, name, {1, std::numeric_limits<std::int32_t>::max()}, number)
  );
  out = static_cast<std::uint64_t>(number);
  return {};
}

Status read_tokens_max(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bound(value, name, draft.call.echo.tokens_max);
}

Status read_tool_calls_max(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bound(value, name, draft.call.echo.tool_calls_max);
}

Status add_metadata(
    std::string_view key, ondemand::value value, std::size_t& count, std::string& out
) {
  constexpr std::string_view kWhat =
      "an object of at most 16 strings of at most 512 bytes, with names of at most 64";
  std::string_view text;
  const bool fits = count++ < kMetadataMax && key.size() <= kMetadataKeyBytesMax &&
                    !value.get_string().get(text) && text.size() <= kMetadataValueBytesMax;
  if (!fits) return field_error("metadata", kWhat);
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, key);
  out.push_back(':');
  append_json_string(out, text);
  return {};
}

Status read_metadata(ondemand::value value, std::string_view name, Draft& draft) {
  std::string& out = draft.call.echo.metadata;
  out = "{";
  std::size_t count = 0;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      name,
      [&](std::string_view key, ondemand::value field) {
        return add_metadata(key, field, count, out);
      }
  ));
  out.push_back('}');
  return {};
}

Status read_tools(ondemand::value value, std::string_view name, Draft& draft) {
  return read_response_tools(value, name, draft.call.conversation);
}

Status read_choice(ondemand::value value, std::string_view name, Draft& draft) {
  return read_response_tool_choice(value, name, draft.call.conversation);
}

Status read_parallel(ondemand::value value, std::string_view name, Draft& draft) {
  return read_bool(value, name, draft.call.conversation.parallel_tool_calls);
}

struct TextFormat {
  std::string type;
  std::string name;
  std::string schema;
};

Status read_format_fields(ondemand::value value, const std::string& where, TextFormat& out) {
  return for_each_given(value, where, [&](std::string_view key, ondemand::value field) -> Status {
    const std::string name = where + "." + std::string(key);
    if (key == "type") return read_text(field, name, out.type);
    if (key == "name") return read_text(field, name, out.name);
    if (key != "schema") return skip_value(field);  // description, strict
    std::string_view text;
    CORTEX_RETURN_IF_ERROR(read_json(field, text));
    out.schema = text;
    return text.starts_with('{') ? Status() : field_error(name, "a JSON Schema");
  });
}

Status read_format(ondemand::value value, const std::string& where, Draft& draft) {
  TextFormat read;
  CORTEX_RETURN_IF_ERROR(read_format_fields(value, where, read));
  OutputFormat& format = draft.call.generation.format;
  std::string& echo = draft.call.echo.format;
  if (read.type == "text") return {};
  format.field = where;
  if (read.type == "json_object") {
    format.kind = OutputFormat::Kind::kJsonObject;
    echo = R"({"type":"json_object"})";
    return {};
  }
  if (read.type != "json_schema") {
    return field_error(where + ".type", "'text', 'json_object' or 'json_schema'");
  }
  if (read.schema.empty()) return missing_field(where + ".schema");
  echo = R"({"type":"json_schema","name":)";
  append_json_string(echo, read.name);
  echo.append(R"(,"strict":true,"schema":)");
  append_one_line(echo, read.schema);
  echo.push_back('}');
  format.kind = OutputFormat::Kind::kJsonSchema;
  format.text = std::move(read.schema);
  return {};
}

// Of a word that asks for something, the one that says what happens anyway.
Status read_only_word(
    ondemand::value value, std::string_view name, std::string_view only, std::string_view why
) {
  std::string word;
  CORTEX_RETURN_IF_ERROR(read_text(value, name, word));
  return word == only ? Status() : unsupported_field(name, why);
}

Status read_text_field(ondemand::value value, std::string_view name, Draft& draft) {
  return for_each_given(value, name, [&](std::string_view key, ondemand::value field) -> Status {
    const std::string where = std::string(name) + "." + std::string(key);
    if (key == "format") return read_format(field, where, draft);
    if (key != "verbosity") return unknown_field(where);
    return read_only_word(field, where, "medium", "ask for longer or shorter answers in words");
  });
}

Status read_reasoning(ondemand::value value, std::string_view name, Draft& draft) {
  return for_each_given(value, name, [&](std::string_view key, ondemand::value field) -> Status {
    const std::string where = std::string(name) + "." + std::string(key);
    if (key == "effort") return read_text(field, where, draft.call.echo.effort);
    if (key != "summary" && key != "generate_summary") return unknown_field(where);
    return read_only_word(field, where, "auto", "the model's own words are given, not summed up");
  });
}

// What else an answer shall hold. Thoughts are in it anyway, in plain text.
Status read_include(ondemand::value value, std::string_view name, Draft& draft) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of strings");
  return for_each_element(array, [&](ondemand::value element) -> Status {
    std::string_view word;
    CORTEX_RETURN_IF_ERROR(read_string(element, name, word));
    if (word == "reasoning.encrypted_content") return {};
    if (word != "message.output_text.logprobs") {
      return unsupported_field(name, "'" + std::string(word) + "' is of tools that are not here");
    }
    draft.logprobs = true;
    return {};
  });
}

Status read_top_logprobs(ondemand::value value, std::string_view name, Draft& draft) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {0, kTopLogprobsMax}, number));
  draft.top_logprobs = static_cast<std::uint64_t>(number);
  return {};
}

Status read_truncation(ondemand::value value, std::string_view name, Draft&) {
  std::string word;
  CORTEX_RETURN_IF_ERROR(read_text(value, name, word));
  if (word == "disabled") return {};
  return unsupported_field(name, "nothing of a conversation is left out in silence");
}

Status read_background(ondemand::value value, std::string_view name, Draft&) {
  bool flag = false;
  CORTEX_RETURN_IF_ERROR(read_bool(value, name, flag));
  return flag ? unsupported_field(name, "an answer is given while its client waits") : Status();
}

Status read_one(ondemand::value value, std::string_view name, Draft&) {
  std::int64_t number = 0;
  if (!value.get_int64().get(number) && number == 1) return {};
  return unsupported_field(name, "a response is one answer");
}

Status read_over(ondemand::value value, std::string_view, Draft&) { return skip_value(value); }

Status refuse_conversation(ondemand::value, std::string_view name, Draft&) {
  return unsupported_field(name, "conversations go on with 'previous_response_id'");
}

Status refuse_prompt(ondemand::value, std::string_view name, Draft&) {
  return unsupported_field(name, "there are no stored prompts: give 'instructions' and 'input'");
}

Status refuse_chat_field(ondemand::value, std::string_view name, Draft&) {
  return unsupported_field(name, "it is a field of chats: see 'text' and 'max_output_tokens'");
}

constexpr Row kRows[] = {
    {"input", read_items},
    {"instructions", read_instructions},
    {"previous_response_id", read_previous},
    {"store", read_store},
    {"max_output_tokens", read_tokens_max},
    {"metadata", read_metadata},
    {"tools", read_tools},
    {"tool_choice", read_choice},
    {"parallel_tool_calls", read_parallel},
    {"text", read_text_field},
    {"reasoning", read_reasoning},
    {"include", read_include},
    {"top_logprobs", read_top_logprobs},
    {"truncation", read_truncation},
    {"background", read_background},
    {"conversation", refuse_conversation},
    {"prompt", refuse_prompt},
    {"n", read_one},
    {"best_of", read_one},
    {"max_tokens", refuse_chat_field},
    {"max_completion_tokens", refuse_chat_field},
    {"response_format", refuse_chat_field},
    {"stream_options", read_over},  // include_obfuscation: padding against eavesdroppers
    {"max_tool_calls", read_tool_calls_max},
};

Status settle_format(GenerationInput& generation, OutputFormat& wanted) {
  if (wanted.kind == OutputFormat::Kind::kText) return {};
  if (generation.format.kind != OutputFormat::Kind::kText) {
    return invalid_argument(
               "'" + wanted.field + "' and '" + generation.format.field +
               "' both say what the answer must look like"
    )
        .with_field(wanted.field);
  }
  generation.format = std::move(wanted);
  return {};
}

Status settle(Draft& draft) {
  ResponsesCall& call = draft.call;
  const bool begun = !call.previous.empty() || !call.echo.instructions.empty();
  if (call.input.empty() && !(call.counted && begun)) return missing_field("input");
  CORTEX_RETURN_IF_ERROR(openai::check_tool_choice(call.conversation));
  if (draft.top_logprobs.value_or(0) > 0 && !draft.logprobs) {
    return invalid_argument(
               "'top_logprobs' may be given only with 'message.output_text.logprobs' in 'include'"
    )
        .with_field("top_logprobs");
  }
  OutputFormat wanted = std::move(call.generation.format);
  call.generation = std::move(draft.rest.call.inputs.front());
  CORTEX_RETURN_IF_ERROR(settle_format(call.generation, wanted));
  if (call.echo.tokens_max) call.generation.tokens_max = *call.echo.tokens_max;
  if (draft.logprobs) call.generation.top_logprobs = draft.top_logprobs.value_or(0);
  call.model = std::move(draft.rest.call.model);
  call.niceness = draft.rest.call.niceness;
  call.stream = draft.rest.call.stream;
  call.echo.temperature = call.generation.sampling.temperature;
  call.echo.top_p = call.generation.sampling.top_p;
  if (!call.echo.effort.empty()) {
    std::string& arguments = call.conversation.template_arguments;
    arguments = R"({"reasoning_effort":)";
    append_json_string(arguments, call.echo.effort);
    arguments.push_back('}');
  }
  call.echo.tools = tools_text(call.conversation);
  call.echo.tool_choice = tool_choice_text(call.conversation);
  return {};
}

Result<ResponsesCall> read_body(std::string_view padded_body, bool counted) {
  HotJson json(padded_body);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  openai::GenerationReader reader({}, {});
  reader.draft().call.inputs.emplace_back();
  Draft draft{{}, reader.draft(), false, {}};
  draft.call.counted = counted;
  std::vector<std::string_view> seen;
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value value) {
    const Row* const row = find_row(kRows, key);
    return row == nullptr ? reader.take(key, value) : read_field_row(*row, value, seen, draft);
  }));
  CORTEX_RETURN_IF_ERROR(json.at_end());
  CORTEX_RETURN_IF_ERROR(reader.finish());
  CORTEX_RETURN_IF_ERROR(settle(draft));
  return std::move(draft.call);
}

}  // namespace

Result<ResponsesCall> read_responses(std::string_view padded_body) {
  return read_body(padded_body, false);
}

Result<ResponsesCall> read_counted_response(std::string_view padded_body) {
  return read_body(padded_body, true);
}

}  // namespace cortex::frontend::responses
