// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/schemas.h"

namespace cortex::frontend::openai {
namespace {

constexpr Schema json_schema(std::string_view name, std::string_view text) {
  return {name, "application/json", false, text};
}

constexpr Schema kGenerationSchemas[] = {
    json_schema(
        "GenerationSettings",
        R"({"type":"object","required":["model"],"properties":{
      "model":{"type":"string"},
      "max_tokens":{"type":"integer","minimum":1},"max_completion_tokens":{"type":"integer","minimum":1},
      "n_predict":{"type":"integer","minimum":-1,"description":"-1: to the end of the context."},
      "n":{"type":"integer","minimum":1,"maximum":128},"best_of":{"type":"integer","minimum":1,"maximum":128},
      "stream":{"type":"boolean"},
      "stream_options":{"type":"object","properties":{"include_usage":{"type":"boolean"},
        "continuous_usage_stats":{"type":"boolean"}}},
      "stop":{"oneOf":[{"type":"string"},{"type":"array","maxItems":16,"items":{"type":"string"}}]},
      "seed":{"type":"integer"},
      "logit_bias":{"type":"object","maxProperties":1024,
        "additionalProperties":{"type":"number","minimum":-100,"maximum":100}},
      "temperature":{"type":"number","minimum":0,"maximum":2},"top_p":{"type":"number","minimum":0,"maximum":1},
      "top_k":{"type":"integer","minimum":-1},"min_p":{"type":"number","minimum":0,"maximum":1},
      "typical_p":{"type":"number","exclusiveMinimum":0,"maximum":1},
      "frequency_penalty":{"type":"number","minimum":-2,"maximum":2},
      "presence_penalty":{"type":"number","minimum":-2,"maximum":2},
      "repeat_penalty":{"type":"number","exclusiveMinimum":0,"maximum":2},
      "repetition_penalty":{"type":"number","exclusiveMinimum":0,"maximum":2},
      "repeat_last_n":{"type":"integer","minimum":-1},
      "dry_multiplier":{"type":"number","minimum":0},"dry_base":{"type":"number","minimum":1},
      "dry_allowed_length":{"type":"integer","minimum":0},"dry_penalty_last_n":{"type":"integer","minimum":-1},
      "dry_sequence_breakers":{"type":"array","minItems":1,"maxItems":64,"items":{"type":"string","minLength":1}},
      "xtc_probability":{"type":"number","minimum":0,"maximum":1},
      "xtc_threshold":{"type":"number","minimum":0,"maximum":1},
      "mirostat":{"enum":[0,1,2]},"mirostat_tau":{"type":"number","minimum":0},
      "mirostat_eta":{"type":"number","minimum":0,"maximum":1},
      "response_format":{"type":"object","required":["type"],"properties":{
        "type":{"enum":["text","json_object","json_schema"]},
        "json_schema":{"type":"object","required":["schema"],"properties":{"name":{"type":"string"},
          "schema":{"type":"object"},"strict":{"type":"boolean"}}}}},
      "structured_outputs":{"type":"object","properties":{"json":{"type":["object","string"]},
        "regex":{"type":"string"},"choice":{"type":"array","items":{"type":"string"}},
        "grammar":{"type":"string"},"json_object":{"type":"boolean"}}},
      "guided_json":{"type":["object","string"]},"guided_regex":{"type":"string"},
      "guided_choice":{"type":"array","minItems":1,"items":{"type":"string"}},
      "guided_grammar":{"type":"string","description":"Lark."},
      "ignore_eos":{"type":"boolean"},"cache_salt":{"type":"string"},
      "speculative.n_max":{"type":"integer","minimum":0,"description":"Tokens foretold in a step at most; 0: none."},
      "priority":{"type":"integer","description":"Lower is sooner, at most what the key's class allows."}}})"
    ),
    json_schema("ToolCall", R"({"type":"object","required":["id","type","function"],"properties":{
      "id":{"type":"string"},"type":{"const":"function"},
      "function":{"type":"object","required":["name","arguments"],"properties":{"name":{"type":"string"},
        "arguments":{"type":"string","description":"JSON, as the model wrote it."}}}}})"),
    json_schema("ChatMessage", R"({"type":"object","required":["role"],"properties":{
      "role":{"enum":["system","developer","user","assistant","tool"]},
      "content":{"oneOf":[{"type":"string"},{"type":"null"},
        {"type":"array","items":{"type":"object","required":["type","text"],"properties":{
          "type":{"const":"text"},"text":{"type":"string"}}}}]},
      "reasoning_content":{"type":"string"},"refusal":{"oneOf":[{"type":"string"},{"type":"null"}]},"name":{"type":"string"},"tool_call_id":{"type":"string"},
      "tool_calls":{"type":"array","items":{"$ref":"#/components/schemas/ToolCall"}}}})"),
    json_schema(
        "ChatCompletionRequest",
        R"({"allOf":[{"$ref":"#/components/schemas/GenerationSettings"},
      {"type":"object","required":["messages"],"properties":{
      "messages":{"type":"array","minItems":1,"items":{"$ref":"#/components/schemas/ChatMessage"}},
      "logprobs":{"type":"boolean"},"top_logprobs":{"type":"integer","minimum":0,"maximum":20},
      "tools":{"type":"array","maxItems":128,"items":{"type":"object","required":["type","function"],"properties":{
        "type":{"const":"function"},"function":{"type":"object","required":["name"],"properties":{
          "name":{"type":"string"},"description":{"type":"string"},"parameters":{"type":"object"},
          "strict":{"type":"boolean"}}}}}},
      "tool_choice":{"oneOf":[{"enum":["none","auto","required"]},{"type":"object","required":["type","function"],
        "properties":{"type":{"const":"function"},"function":{"type":"object","required":["name"],
          "properties":{"name":{"type":"string"}}}}}]},
      "parallel_tool_calls":{"type":"boolean"},"reasoning_effort":{"type":"string"},
      "chat_template_kwargs":{"type":"object"},"continue_final_message":{"type":"boolean"},
      "add_generation_prompt":{"type":"boolean"}}}]})"
    ),
    json_schema(
        "CompletionRequest",
        R"({"allOf":[{"$ref":"#/components/schemas/GenerationSettings"},
      {"type":"object","required":["prompt"],"properties":{
      "prompt":{"oneOf":[{"type":"string"},
        {"type":"array","minItems":1,"maxItems":64,"items":{"type":"string"}},
        {"type":"array","minItems":1,"items":{"type":"integer","minimum":0}},
        {"type":"array","minItems":1,"maxItems":64,"items":{"type":"array","minItems":1,
          "items":{"type":"integer","minimum":0}}}]},
      "echo":{"type":"boolean"},"logprobs":{"type":"integer","minimum":0,"maximum":20}}}]})"
    ),
    json_schema(
        "GenerationUsage",
        R"({"type":"object","required":["prompt_tokens","completion_tokens","total_tokens"],"properties":{
      "prompt_tokens":{"type":"integer"},"completion_tokens":{"type":"integer","description":"Of all choices."},
      "total_tokens":{"type":"integer"},"prompt_tokens_details":{"type":"object","properties":{
        "cached_tokens":{"type":"integer"}}}}})"
    ),
    json_schema(
        "ChatLogprobs",
        R"({"type":["object","null"],"properties":{"refusal":{"type":"null"},"content":{"type":"array",
      "items":{"type":"object","required":["token","logprob","bytes","top_logprobs"],"properties":{
        "token":{"type":"string"},"logprob":{"type":"number"},"bytes":{"type":"array","items":{"type":"integer"}},
        "top_logprobs":{"type":"array","items":{"type":"object","properties":{"token":{"type":"string"},
          "logprob":{"type":"number"},"bytes":{"type":"array","items":{"type":"integer"}}}}}}}}}})"
    ),
    json_schema(
        "ChatCompletion",
        R"({"type":"object","required":["id","object","created","model","choices","usage"],"properties":{
      "id":{"type":"string"},"object":{"const":"chat.completion"},"created":{"type":"integer"},
      "model":{"type":"string"},"system_fingerprint":{"type":"string"},
      "choices":{"type":"array","items":{"type":"object","required":["index","message","finish_reason"],"properties":{
        "index":{"type":"integer"},"message":{"$ref":"#/components/schemas/ChatMessage"},
        "logprobs":{"$ref":"#/components/schemas/ChatLogprobs"},
        "finish_reason":{"enum":["stop","length","tool_calls"]},"stop_reason":{"type":"string"}}}},
      "usage":{"$ref":"#/components/schemas/GenerationUsage"}}})"
    ),
    json_schema(
        "ChatCompletionChunk",
        R"({"type":"object","required":["id","object","created","model","choices"],"properties":{
      "id":{"type":"string"},"object":{"const":"chat.completion.chunk"},"created":{"type":"integer"},
      "model":{"type":"string"},"system_fingerprint":{"type":"string"},
      "choices":{"type":"array","items":{"type":"object","required":["index","delta","finish_reason"],"properties":{
        "index":{"type":"integer"},"delta":{"type":"object","properties":{"role":{"const":"assistant"},
          "content":{"type":"string"},"reasoning_content":{"type":"string"},
          "tool_calls":{"type":"array","items":{"type":"object","required":["index","function"],"properties":{
            "index":{"type":"integer"},"id":{"type":"string"},"type":{"const":"function"},
            "function":{"type":"object","properties":{"name":{"type":"string"},"arguments":{"type":"string"}}}}}}}},
        "logprobs":{"$ref":"#/components/schemas/ChatLogprobs"},
        "finish_reason":{"enum":["stop","length","tool_calls",null]},"stop_reason":{"type":"string"}}}},
      "usage":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/GenerationUsage"}]}}})"
    ),
    json_schema(
        "Completion",
        R"({"type":"object","required":["id","object","created","model","choices"],"properties":{
      "id":{"type":"string"},"object":{"const":"text_completion"},"created":{"type":"integer"},
      "model":{"type":"string"},"system_fingerprint":{"type":"string"},
      "choices":{"type":"array","items":{"type":"object","required":["text","index","finish_reason"],"properties":{
        "text":{"type":"string"},"index":{"type":"integer"},
        "logprobs":{"type":["object","null"],"properties":{
          "tokens":{"type":"array","items":{"type":"string"}},
          "token_logprobs":{"type":"array","items":{"type":["number","null"]}},
          "top_logprobs":{"type":"array","items":{"type":["object","null"]}},
          "text_offset":{"type":"array","items":{"type":"integer"}}}},
        "finish_reason":{"enum":["stop","length",null]},"stop_reason":{"type":"string"}}}},
      "usage":{"oneOf":[{"type":"null"},{"$ref":"#/components/schemas/GenerationUsage"}]}}})"
    ),
};

}  // namespace

std::span<const Schema> generation_schemas() { return kGenerationSchemas; }

}  // namespace cortex::frontend::openai
