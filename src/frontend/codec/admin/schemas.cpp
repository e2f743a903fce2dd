// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/admin/schemas.h"

#include <array>

namespace cortex::frontend::admin {
namespace {

constexpr std::string_view kJson = "application/json";

constexpr Schema json_schema(std::string_view name, std::string_view text) {
  return {name, kJson, false, text};
}

constexpr std::array kSchemas = {
    json_schema(
        "Error",
        R"({"type":"object","required":["error"],"properties":{"error":{"type":"string"}}})"
    ),
    json_schema(
        "Alive", R"({"type":"object","required":["status"],"properties":{"status":{"const":"ok"}}})"
    ),
    json_schema(
        "Health",
        R"({"type":"object","required":["status","ready_models","failed_versions"],"properties":{
      "status":{"enum":["ok","starting","draining"]},
      "ready_models":{"type":"integer","minimum":0},
      "failed_versions":{"type":"integer","minimum":0},
      "degraded":{"type":"array","items":{"type":"string"}},
      "store":{"type":"object","description":"The database; a lost one does not make the server unready.",
        "required":["available","waiting"],"properties":{"available":{"type":"boolean"},
        "lost_since":{"type":"integer","description":"Milliseconds since the epoch."},
        "waiting":{"type":"integer","minimum":0}}}}})"
    ),
    Schema{"Metrics", "text/plain", false, R"({"type":"string"})"},
    json_schema("OpenApi", R"({"type":"object","required":["openapi","info","paths"]})"),

    json_schema(
        "Live", R"({"type":"object","required":["live"],"properties":{"live":{"type":"boolean"}}})"
    ),
    json_schema(
        "Ready",
        R"({"type":"object","required":["ready"],"properties":{"ready":{"type":"boolean"}}})"
    ),
    json_schema(
        "ServerMetadata",
        R"({"type":"object","required":["name","version","extensions"],"properties":{
      "name":{"type":"string"},"version":{"type":"string"},
      "extensions":{"type":"array","items":{"type":"string"}}}})"
    ),
    json_schema("ModelNames", R"({"type":"object","required":["models"],"properties":{
      "models":{"type":"array","items":{"type":"string"}}}})"),
    json_schema("ModelReady", R"({"type":"object","required":["name","ready"],"properties":{
      "name":{"type":"string"},"ready":{"type":"boolean"}}})"),
    json_schema("Tally", R"({"type":"object","required":["count","ns"],"properties":{
      "count":{"type":"integer"},"ns":{"type":"integer"}}})"),
    json_schema("ModelStatistics", R"({"type":"object","required":["model_stats"],"properties":{
      "model_stats":{"type":"array","items":{"type":"object",
      "required":["name","version","last_inference","inference_count","execution_count",
      "inference_stats","batch_stats"],"properties":{
      "name":{"type":"string"},"version":{"type":"string"},"last_inference":{"type":"integer"},
      "inference_count":{"type":"integer"},"execution_count":{"type":"integer"},
      "inference_stats":{"type":"object",
      "additionalProperties":{"$ref":"#/components/schemas/Tally"}},
      "batch_stats":{"type":"array","items":{"type":"object"}}}}}}})"),
    json_schema(
        "Datatype",
        R"({"enum":["BOOL","UINT8","UINT16","UINT32","UINT64","INT8","INT16","INT32","INT64",
      "FP16","BF16","FP32","FP64","BYTES"]})"
    ),
    json_schema("Shape", R"({"type":"array","items":{"type":"integer"}})"),
    json_schema(
        "TensorMetadata", R"({"type":"object","required":["name","datatype","shape"],"properties":{
      "name":{"type":"string"},"datatype":{"$ref":"#/components/schemas/Datatype"},
      "shape":{"$ref":"#/components/schemas/Shape"}}})"
    ),
    json_schema(
        "ModelMetadata",
        R"({"type":"object","required":["name","versions","platform","inputs","outputs"],
      "properties":{"name":{"type":"string"},"versions":{"type":"array","items":{"type":"string"}},
      "platform":{"type":"string"},
      "inputs":{"type":"array","items":{"$ref":"#/components/schemas/TensorMetadata"}},
      "outputs":{"type":"array","items":{"$ref":"#/components/schemas/TensorMetadata"}}}})"
    ),
    json_schema(
        "ModelConfig",
        R"({"type":"object","required":["name","platform","backend","max_batch_size","input",
      "output"],"properties":{"name":{"type":"string"},"platform":{"type":"string"},"backend":{"type":"string"},
      "version_policy":{"type":"object"},"max_batch_size":{"type":"integer"},
      "input":{"type":"array","items":{"$ref":"#/components/schemas/ModelConfigTensor"}},
      "output":{"type":"array","items":{"$ref":"#/components/schemas/ModelConfigTensor"}},
      "instance_group":{"type":"array","items":{"type":"object"}},"default_model_filename":{"type":"string"},
      "dynamic_batching":{"type":"object"},"parameters":{"type":"object"},
      "model_warmup":{"type":"array","items":{"type":"object"}},
      "model_transaction_policy":{"type":"object","properties":{"decoupled":{"type":"boolean"}}}}})"
    ),
    json_schema(
        "ModelConfigTensor",
        R"({"type":"object","required":["name","data_type","dims"],"properties":{
      "name":{"type":"string"},"data_type":{"type":"string"},"dims":{"$ref":"#/components/schemas/Shape"},
      "optional":{"type":"boolean"}}})"
    ),
    json_schema(
        "Parameters",
        R"({"type":"object","additionalProperties":{"type":["boolean","number","string"]}})"
    ),
    json_schema(
        "InferInput", R"({"type":"object","required":["name","shape","datatype"],"properties":{
      "name":{"type":"string"},"shape":{"$ref":"#/components/schemas/Shape"},
      "datatype":{"$ref":"#/components/schemas/Datatype"},
      "parameters":{"type":"object","properties":{"binary_data_size":{"type":"integer","minimum":0}}},
      "data":{"type":"array","description":"The elements in row-major order, flat or nested."}}})"
    ),
    json_schema("InferRequestedOutput", R"({"type":"object","required":["name"],"properties":{
      "name":{"type":"string"},"parameters":{"type":"object","properties":{
        "binary_data":{"type":"boolean"},"classification":{"type":"integer","minimum":0}}}}})"),
    Schema{"InferRequest", kJson, true, R"({"type":"object","required":["inputs"],"properties":{
      "id":{"type":"string"},
      "parameters":{"allOf":[{"$ref":"#/components/schemas/Parameters"},{"type":"object","properties":{
        "binary_data_output":{"type":"boolean"},"priority":{"type":"integer","minimum":0},
        "timeout":{"type":"integer","minimum":0,"description":"Microseconds in the queue."}}}]},
      "inputs":{"type":"array","items":{"$ref":"#/components/schemas/InferInput"}},
      "outputs":{"type":"array","items":{"$ref":"#/components/schemas/InferRequestedOutput"}}}})"},
    json_schema(
        "InferOutput", R"({"type":"object","required":["name","shape","datatype"],"properties":{
      "name":{"type":"string"},"shape":{"$ref":"#/components/schemas/Shape"},
      "datatype":{"$ref":"#/components/schemas/Datatype"},
      "parameters":{"type":"object","properties":{"binary_data_size":{"type":"integer"}}},
      "data":{"type":"array"}}})"
    ),
    Schema{
        "InferResponse",
        kJson,
        true,
        R"({"type":"object","required":["model_name","outputs"],"properties":{
      "id":{"type":"string"},"model_name":{"type":"string"},"model_version":{"type":"string"},
      "parameters":{"$ref":"#/components/schemas/Parameters"},
      "outputs":{"type":"array","items":{"$ref":"#/components/schemas/InferOutput"}}}})"
    },
    json_schema(
        "RepositoryIndexRequest", R"({"type":"object","properties":{"ready":{"type":"boolean"}}})"
    ),
    json_schema(
        "RepositoryIndex", R"({"type":"array","items":{"type":"object","required":["name","state"],
      "properties":{"name":{"type":"string"},"version":{"type":"string"},
      "state":{"enum":["READY","LOADING","UNLOADING","UNAVAILABLE","UNKNOWN"]},"reason":{"type":"string"},
      "memory_bytes":{"type":"integer","minimum":1}}}})"
    ),
    json_schema(
        "RepositoryLoadRequest", R"({"type":"object","properties":{"parameters":{"type":"object",
      "properties":{"config":{"type":"string","description":"A model configuration as JSON."}}}}})"
    ),
    json_schema(
        "RepositoryUnloadRequest", R"({"type":"object","properties":{"parameters":{"type":"object",
      "properties":{"unload_dependents":{"type":"boolean"}}}}})"
    ),

    json_schema(
        "OpenAiError",
        R"({"type":"object","required":["error"],"properties":{"error":{"type":"object",
      "required":["message","type","param","code"],"properties":{"message":{"type":"string"},
      "type":{"type":"string"},"param":{"type":["string","null"]},"code":{"type":["string","null"]}}}}})"
    ),
    json_schema(
        "OpenAiModel",
        R"({"type":"object","required":["id","object","created","owned_by"],"properties":{
      "id":{"type":"string"},"object":{"const":"model"},"created":{"type":"integer"},
      "owned_by":{"type":"string"},"root":{"type":"string","description":"Of an adapter, its file."},
      "parent":{"type":["string","null"],"description":"Of an adapter, its model."},
      "capabilities":{"type":"array","items":{"enum":["completion","embedding","rerank"]},
        "description":"Of a model; empty: it takes tensors alone."}}})"
    ),
    json_schema(
        "OpenAiModelList", R"({"type":"object","required":["object","data"],"properties":{
      "object":{"const":"list"},"data":{"type":"array","items":{"$ref":"#/components/schemas/OpenAiModel"}}}})"
    ),
    json_schema("EmbeddingsRequest", R"({"type":"object","required":["model","input"],"properties":{
      "model":{"type":"string"},
      "input":{"oneOf":[{"type":"string","minLength":1},
        {"type":"array","minItems":1,"maxItems":2048,"items":{"type":"string","minLength":1}},
        {"type":"array","minItems":1,"items":{"type":"integer","minimum":0}},
        {"type":"array","minItems":1,"maxItems":2048,"items":{"type":"array","minItems":1,
          "items":{"type":"integer","minimum":0}}}]},
      "encoding_format":{"enum":["float","base64"]},
      "dimensions":{"type":"integer","minimum":1,"description":"Must be the model's own."},
      "user":{"type":"string"}}})"),
    json_schema(
        "EmbeddingsResponse",
        R"({"type":"object","required":["object","data","model","usage"],"properties":{
      "object":{"const":"list"},
      "data":{"type":"array","items":{"type":"object","required":["object","index","embedding"],"properties":{
        "object":{"const":"embedding"},"index":{"type":"integer"},
        "embedding":{"oneOf":[{"type":"array","items":{"type":"number"}},{"type":"string"}]}}}},
      "model":{"type":"string"},
      "usage":{"type":"object","properties":{"prompt_tokens":{"type":"integer"},
        "total_tokens":{"type":"integer"}}}}})"
    ),
};

}  // namespace

std::span<const Schema> schemas() { return kSchemas; }

}  // namespace cortex::frontend::admin
