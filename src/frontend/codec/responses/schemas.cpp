// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/schemas.h"

#include <string_view>

namespace cortex::frontend::responses {
namespace {

constexpr Schema response_schema_of(std::string_view name, std::string_view text) {
  return {name, "application/json", false, text};
}

constexpr Schema kResponsesSchemas[] = {
    response_schema_of("ResponseItem", R"({"type":"object","properties":{
      "id":{"type":"string"},
      "type":{"enum":["message","reasoning","function_call","function_call_output"]},
      "status":{"enum":["in_progress","completed","incomplete"]},
      "role":{"enum":["user","assistant","system","developer"]},
      "content":{"oneOf":[{"type":"string"},{"type":"array","items":{"type":"object",
        "required":["type","text"],"properties":{
          "type":{"enum":["input_text","output_text","refusal","reasoning_text"]},
          "text":{"type":"string"},"annotations":{"type":"array"},"logprobs":{"type":"array"}}}}]},
      "summary":{"type":"array"},"call_id":{"type":"string"},"name":{"type":"string"},
      "arguments":{"type":"string","description":"JSON, as the model wrote it."},
      "output":{"type":["string","array"]}}})"),
    response_schema_of(
        "ResponsesRequest", R"({"type":"object","required":["model","input"],"properties":{
      "model":{"type":"string"},
      "input":{"oneOf":[{"type":"string"},{"type":"array","minItems":1,"maxItems":4096,
        "items":{"$ref":"#/components/schemas/ResponseItem"}}]},
      "instructions":{"type":"string"},"previous_response_id":{"type":"string"},
      "store":{"type":"boolean","default":true},"stream":{"type":"boolean","default":false},
      "max_output_tokens":{"type":"integer","minimum":1},
      "temperature":{"type":"number","minimum":0,"maximum":2},"top_p":{"type":"number","minimum":0,"maximum":1},
      "top_logprobs":{"type":"integer","minimum":0,"maximum":20},
      "include":{"type":"array","items":{"enum":["message.output_text.logprobs","reasoning.encrypted_content"]}},
      "metadata":{"type":"object","maxProperties":16,"additionalProperties":{"type":"string"}},
      "parallel_tool_calls":{"type":"boolean","default":true},
      "max_tool_calls":{"type":"integer","minimum":1},
      "reasoning":{"type":"object","properties":{"effort":{"type":"string"},"summary":{"const":"auto"}}},
      "text":{"type":"object","properties":{"verbosity":{"const":"medium"},"format":{"type":"object","required":["type"],"properties":{
        "type":{"enum":["text","json_object","json_schema"]},"name":{"type":"string"},
        "schema":{"type":"object"},"strict":{"type":"boolean"}}}}},
      "tools":{"type":"array","maxItems":128,"items":{"type":"object","required":["type","name"],"properties":{
        "type":{"const":"function"},"name":{"type":"string"},"description":{"type":"string"},
        "parameters":{"type":"object"},"strict":{"type":"boolean"}}}},
      "tool_choice":{"oneOf":[{"enum":["auto","none","required"]},{"type":"object",
        "required":["type","name"],"properties":{"type":{"const":"function"},"name":{"type":"string"}}}]},
      "truncation":{"const":"disabled"},"background":{"const":false}}})"
    ),
    response_schema_of("OpenAiResponse", R"({"type":"object",
      "required":["id","object","created_at","status","model","output"],"properties":{
      "id":{"type":"string"},"object":{"const":"response"},"created_at":{"type":"integer"},
      "status":{"enum":["in_progress","completed","incomplete","failed"]},"model":{"type":"string"},
      "output":{"type":"array","items":{"$ref":"#/components/schemas/ResponseItem"}},
      "error":{"type":["object","null"],"properties":{"code":{"type":"string"},"message":{"type":"string"}}},
      "incomplete_details":{"type":["object","null"],"properties":{"reason":{"type":"string"}}},
      "instructions":{"type":["string","null"]},"max_output_tokens":{"type":["integer","null"]},
      "metadata":{"type":"object"},"parallel_tool_calls":{"type":"boolean"},
      "previous_response_id":{"type":["string","null"]},"reasoning":{"type":"object"},
      "store":{"type":"boolean","description":"Whether it can be found again."},
      "temperature":{"type":"number"},"top_p":{"type":"number"},"text":{"type":"object"},
      "tool_choice":{"type":["string","object"]},"tools":{"type":"array"},"truncation":{"type":"string"},
      "usage":{"type":["object","null"],"properties":{"input_tokens":{"type":"integer"},
        "input_tokens_details":{"type":"object","properties":{"cached_tokens":{"type":"integer"},
          "cache_write_tokens":{"type":"integer"}}},
        "output_tokens":{"type":"integer"},"output_tokens_details":{"type":"object"},
        "total_tokens":{"type":"integer"}}}}})"),
    response_schema_of(
        "OpenAiResponseEvent",
        R"({"type":"object","required":["type","sequence_number"],"properties":{
      "type":{"enum":["response.created","response.in_progress","response.output_item.added",
        "response.content_part.added","response.output_text.delta","response.output_text.done",
        "response.reasoning_text.delta","response.reasoning_text.done",
        "response.function_call_arguments.delta","response.function_call_arguments.done",
        "response.content_part.done","response.output_item.done","response.completed",
        "response.incomplete","response.failed"]},
      "sequence_number":{"type":"integer"},"response":{"$ref":"#/components/schemas/OpenAiResponse"},
      "item":{"$ref":"#/components/schemas/ResponseItem"},"part":{"type":"object"},
      "item_id":{"type":"string"},"output_index":{"type":"integer"},"content_index":{"type":"integer"},
      "delta":{"type":"string"},"text":{"type":"string"},"name":{"type":"string"},
      "arguments":{"type":"string"},"logprobs":{"type":"array"}}})"
    ),
    response_schema_of(
        "DeletedResponse",
        R"({"type":"object","required":["id","object","deleted"],"properties":{"id":{"type":"string"},
      "object":{"const":"response"},"deleted":{"const":true}}})"
    ),
    response_schema_of(
        "ResponseInputTokens",
        R"({"type":"object","required":["object","input_tokens"],"properties":{
      "object":{"const":"response.input_tokens"},"input_tokens":{"type":"integer"}}})"
    ),
    response_schema_of(
        "ResponseInputItems",
        R"({"type":"object","required":["object","data"],"properties":{"object":{"const":"list"},
      "data":{"type":"array","items":{"$ref":"#/components/schemas/ResponseItem"}},
      "first_id":{"type":["string","null"]},"last_id":{"type":["string","null"]},
      "has_more":{"type":"boolean"}}})"
    ),
};

}  // namespace

std::span<const Schema> responses_schemas() { return kResponsesSchemas; }

}  // namespace cortex::frontend::responses
