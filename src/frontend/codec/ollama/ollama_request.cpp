// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/ollama/ollama_request.h"

#include <algorithm>
#include <cfloat>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

#include "frontend/codec/detail/field_rows.h"
#include "frontend/codec/detail/sampling_fields.h"

namespace cortex::frontend::ollama {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kToolNameMax = 64;
constexpr std::int64_t kAlternativesMax = 20;
constexpr std::int32_t kIntMax = std::numeric_limits<std::int32_t>::max();

constexpr FloatField kFloats[] = {
    {"temperature", &SamplingSettings::temperature, 0, 2},
    {"top_p", &SamplingSettings::top_p, 0, 1},
    {"min_p", &SamplingSettings::min_p, 0, 1},
    {"typical_p", &SamplingSettings::typical_p, 0, 1},
    {"repeat_penalty", &SamplingSettings::repeat_penalty, 0, 2},
    {"frequency_penalty", &SamplingSettings::frequency_penalty, -2, 2},
    {"presence_penalty", &SamplingSettings::presence_penalty, -2, 2},
    {"mirostat_tau", &SamplingSettings::mirostat_tau, 0, 100},
    {"mirostat_eta", &SamplingSettings::mirostat_eta, 0, 1},
};

constexpr IntegerField kIntegers[] = {
    {"top_k", &SamplingSettings::top_k, 0, kIntMax},
    {"repeat_last_n", &SamplingSettings::penalty_last, -1, kIntMax},
    {"mirostat", &SamplingSettings::mirostat, 0, 2},
};

// What is read of a body before it is known to make sense together.
struct Draft {
  OllamaCall call;
  Conversation conversation;
  std::string prompt;
  std::string system;
  bool raw = false;
  bool logprobs = false;
  std::size_t alternatives = 0;  // beside each token, where log probabilities are asked for
};

// Ollama's own defaults, which its clients expect.
GenerationInput defaults() {
  GenerationInput input;
  input.sampling.temperature = 0.8F;
  input.sampling.top_k = 40;
  input.sampling.top_p = 0.9F;
  input.sampling.repeat_penalty = 1.1F;
  return input;
}

// -1 and -2 go on to the end of the context.
Status read_num_predict(ondemand::value value, const std::string& name, std::size_t& tokens_max) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {-2, kIntMax}, number));
  if (number == 0) return field_error(name, "-1, or a whole number from 1");
  tokens_max = number < 0 ? 0 : static_cast<std::size_t>(number);
  return {};
}

Status read_seed(
    ondemand::value value, const std::string& name, std::optional<std::uint64_t>& seed
) {
  std::int64_t number = 0;
  if (value.get_int64().get(number)) return field_error(name, "a whole number");
  if (number != -1) seed = static_cast<std::uint64_t>(number);
  return {};
}

Status read_option(std::string_view key, ondemand::value value, GenerationInput& input) {
  const std::string name = "options." + std::string(key);
  SamplingSettings& sampling = input.sampling;
  if (const auto* option = find_row(kFloats, key)) {
    return read_field(value, name, *option, sampling);
  }
  if (const auto* option = find_row(kIntegers, key)) {
    return read_field(value, name, *option, sampling);
  }
  if (key == "stop") return read_stops(value, name, input.stop);
  if (key == "num_predict") return read_num_predict(value, name, input.tokens_max);
  if (key == "seed") return read_seed(value, name, sampling.seed);
  return skip_value(value);  // num_ctx, num_gpu, num_thread, …: the model's configuration has them
}

// "json", or a schema.
Status read_format(ondemand::value value, const std::string& name, OutputFormat& format) {
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  if (text == R"("")") return {};
  format.field = name;
  if (text == R"("json")") {
    format.kind = OutputFormat::Kind::kJsonObject;
    return {};
  }
  if (!text.starts_with('{')) return field_error(name, "'json' or a JSON Schema");
  format.kind = OutputFormat::Kind::kJsonSchema;
  format.text = text;
  return {};
}

// true, false, or how much: what the template makes of it is its business.
Status read_think(ondemand::value value, const std::string& name, Conversation& conversation) {
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  if (text == "true" || text == "false") {
    conversation.template_arguments = R"({"enable_thinking":)" + std::string(text) + "}";
    return {};
  }
  if (!text.starts_with('"')) return field_error(name, "true, false or a word");
  conversation.template_arguments =
      R"({"enable_thinking":true,"reasoning_effort":)" + std::string(text) + "}";
  return {};
}

Status read_alternatives(ondemand::value value, const std::string& name, std::size_t& count) {
  std::int64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_between(value, name, {0, kAlternativesMax}, number));
  count = static_cast<std::size_t>(number);
  return {};
}

Status refuse_images(ondemand::value value, const std::string& name) {
  std::string_view text;
  CORTEX_RETURN_IF_ERROR(read_json(value, text));
  if (text.find_first_not_of("[] \t\r\n") == std::string_view::npos) return {};
  return unsupported_field(name, "this server reads text");
}

// Arguments are an object here.
Status read_call(ondemand::value value, const std::string& where, Message& message) {
  ToolCall& call = message.tool_calls.emplace_back();
  std::string_view arguments = "{}";
  const auto function = [&](std::string_view key, ondemand::value field) {
    const std::string name = where + ".function." + std::string(key);
    if (key == "name") return read_text(field, name, call.name);
    return key == "arguments" ? read_json(field, arguments) : skip_value(field);
  };
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) {
        if (key == "id") return read_text(field, where + ".id", call.id);
        if (key != "function") return skip_value(field);
        return for_each_given(field, where + ".function", function);
      }
  ));
  if (call.name.empty()) return missing_field(where + ".function.name");
  if (!arguments.starts_with('{')) return field_error(where + ".function.arguments", "an object");
  call.arguments = arguments;
  return {};
}

Status read_calls(ondemand::value value, const std::string& where, Message& message) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(where, "a list of calls");
  return for_each_element(array, [&](ondemand::value call) {
    if (message.tool_calls.size() >= kToolsMax) {
      return field_error(where, "a list of at most " + std::to_string(kToolsMax) + " calls");
    }
    return read_call(call, element_name(where, message.tool_calls.size()), message);
  });
}

Status read_role(std::string_view role, const std::string& where, Message& message) {
  constexpr std::pair<std::string_view, Role> kRoles[] = {
      {"system", Role::kSystem},
      {"user", Role::kUser},
      {"assistant", Role::kAssistant},
      {"tool", Role::kTool},
  };
  for (const auto& [name, known] : kRoles) {
    if (name != role) continue;
    message.role = known;
    return {};
  }
  return field_error(where + ".role", "'system', 'user', 'assistant' or 'tool'");
}

Status read_message(ondemand::value value, const std::string& where, std::vector<Message>& out) {
  Message message;
  std::string role;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) {
        const std::string name = where + "." + std::string(key);
        if (key == "role") return read_text(field, name, role);
        if (key == "content") return read_text(field, name, message.content);
        if (key == "thinking") return read_text(field, name, message.reasoning);
        if (key == "tool_calls") return read_calls(field, name, message);
        if (key == "tool_name") return read_text(field, name, message.name);
        if (key == "tool_call_id") return read_text(field, name, message.tool_call_id);
        return key == "images" ? refuse_images(field, name) : skip_value(field);
      }
  ));
  CORTEX_RETURN_IF_ERROR(read_role(role, where, message));
  out.push_back(std::move(message));
  return {};
}

Status read_messages(ondemand::value value, std::vector<Message>& messages) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error("messages", "a list of messages");
  return for_each_element(array, [&](ondemand::value message) {
    if (messages.size() >= kMessagesMax) {
      return field_error(
          "messages", "a list of at most " + std::to_string(kMessagesMax) + " messages"
      );
    }
    return read_message(message, element_name("messages", messages.size()), messages);
  });
}

Status read_tool(ondemand::value value, const std::string& where, std::vector<Tool>& tools) {
  Tool tool;
  std::string_view parameters;
  const auto function = [&](std::string_view key, ondemand::value field) {
    const std::string name = where + ".function." + std::string(key);
    if (key == "name") return read_text(field, name, tool.name);
    if (key == "description") return read_text(field, name, tool.description);
    return key == "parameters" ? read_json(field, parameters) : skip_value(field);
  };
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      where,
      [&](std::string_view key, ondemand::value field) {
        if (key != "function") return skip_value(field);
        return for_each_given(field, where + ".function", function);
      }
  ));
  if (!is_tool_name(tool.name, kToolNameMax)) {
    return field_error(where + ".function.name", "1 to 64 letters, digits, '_', '-' and '.'");
  }
  const bool twice =
      std::ranges::any_of(tools, [&](const Tool& other) { return other.name == tool.name; });
  if (twice) return field_error(where + ".function.name", "a name that no other tool has");
  if (!parameters.empty() && !parameters.starts_with('{')) {
    return field_error(where + ".function.parameters", "a JSON Schema");
  }
  tool.parameters = parameters;
  tools.push_back(std::move(tool));
  return {};
}

Status read_tools(ondemand::value value, std::vector<Tool>& tools) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error("tools", "a list of tools");
  return for_each_element(array, [&](ondemand::value tool) {
    if (tools.size() >= kToolsMax) {
      return field_error("tools", "a list of at most " + std::to_string(kToolsMax) + " tools");
    }
    return read_tool(tool, element_name("tools", tools.size()), tools);
  });
}

// Fields of both bodies.
Status read_common(std::string_view key, ondemand::value value, Draft& draft) {
  const std::string name(key);
  if (key == "model" || key == "name") return read_text(value, name, draft.call.model);
  if (key == "stream") return read_bool(value, name, draft.call.stream);
  if (key == "format") return read_format(value, name, draft.call.input.format);
  if (key == "think") return read_think(value, name, draft.conversation);
  if (key == "logprobs") return read_bool(value, name, draft.logprobs);
  if (key == "top_logprobs") return read_alternatives(value, name, draft.alternatives);
  if (key != "options") return skip_value(value);
  return for_each_given(value, name, [&](std::string_view option, ondemand::value field) {
    return read_option(option, field, draft.call.input);
  });
}

Status read_chat_field(std::string_view key, ondemand::value value, Draft& draft) {
  if (key == "messages") return read_messages(value, draft.conversation.messages);
  if (key == "tools") return read_tools(value, draft.conversation.tools);
  return read_common(key, value, draft);
}

Status read_generate_field(std::string_view key, ondemand::value value, Draft& draft) {
  const std::string name(key);
  if (key == "prompt") return read_text(value, name, draft.prompt);
  if (key == "system") return read_text(value, name, draft.system);
  if (key == "raw") return read_bool(value, name, draft.raw);
  if (key == "images") return refuse_images(value, name);
  if (key == "suffix" || key == "template" || key == "context") {
    std::string_view text;
    CORTEX_RETURN_IF_ERROR(read_json(value, text));
    if (text == R"("")" || text == "[]") return {};
    return unsupported_field(
        name, "send the conversation to /api/chat, or the whole text as 'raw'"
    );
  }
  return read_common(key, value, draft);
}

template <typename Read>
Status read_body(std::string_view padded_body, Read&& read) {
  HotJson json(padded_body);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  CORTEX_RETURN_IF_ERROR(for_each_field(
      object,
      [&](std::string_view key, ondemand::value value) -> Status {
        bool null = false;
        if (const auto error = value.is_null().get(null)) return malformed_json(error);
        return null ? Status() : with_field_name(read(key, value), key);
      }
  ));
  return json.at_end();
}

Status settle(Draft& draft) {
  if (draft.call.model.empty()) return missing_field("model");
  if (draft.logprobs) draft.call.input.top_logprobs = draft.alternatives;
  SamplingSettings& sampling = draft.call.input.sampling;
  sampling.top_p = std::max(sampling.top_p, FLT_MIN);  // 0 leaves the likeliest
  if (sampling.typical_p <= 0) sampling.typical_p = 1;
  if (sampling.repeat_penalty <= 0) sampling.repeat_penalty = 1;
  return {};
}

}  // namespace

std::string_view plain_name(std::string_view name) {
  constexpr std::string_view kLatest = ":latest";
  if (name.ends_with(kLatest)) name.remove_suffix(kLatest.size());
  return name;
}

Result<OllamaCall> read_chat(std::string_view padded_body) {
  Draft draft;
  draft.call.input = defaults();
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, ondemand::value value) {
    return read_chat_field(key, value, draft);
  }));
  CORTEX_RETURN_IF_ERROR(settle(draft));
  draft.call.loads = draft.conversation.messages.empty();
  draft.call.input.prompt = std::move(draft.conversation);
  return std::move(draft.call);
}

Result<OllamaCall> read_generate(std::string_view padded_body) {
  Draft draft;
  draft.call.input = defaults();
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, ondemand::value value) {
    return read_generate_field(key, value, draft);
  }));
  CORTEX_RETURN_IF_ERROR(settle(draft));
  draft.call.loads = draft.prompt.empty();
  if (draft.raw) {
    Prompt prompt;
    prompt.text = std::move(draft.prompt);
    draft.call.input.prompt = std::move(prompt);
    return std::move(draft.call);
  }
  auto& messages = draft.conversation.messages;
  if (!draft.system.empty()) {
    messages.emplace_back().role = Role::kSystem;
    messages.back().content = std::move(draft.system);
  }
  messages.emplace_back().content = std::move(draft.prompt);
  draft.call.input.prompt = std::move(draft.conversation);
  return std::move(draft.call);
}

Result<std::string> read_show(std::string_view padded_body) {
  std::string model;
  CORTEX_RETURN_IF_ERROR(read_body(padded_body, [&](std::string_view key, ondemand::value value) {
    const bool names = key == "model" || key == "name";
    return names ? read_text(value, key, model) : skip_value(value);
  }));
  if (model.empty()) return missing_field("model");
  return model;
}

}  // namespace cortex::frontend::ollama
