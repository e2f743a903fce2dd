// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/adapters/schemas.h"

namespace cortex::frontend::adapters {
namespace {

constexpr Schema adapter_schema(std::string_view name, std::string_view text) {
  return {name, "application/json", false, text};
}

constexpr Schema kLoraSchemas[] = {
    adapter_schema(
        "LoraRegistration",
        R"({"type":"object","required":["name","base_model","path"],"additionalProperties":false,"properties":{
      "name":{"type":"string"},"base_model":{"type":"string"},
      "path":{"type":"string","maxLength":500,"description":"Of a file below adapters.folder."},
      "rank":{"type":"integer","default":64},"alpha":{"type":"number","default":16},
      "scale":{"type":"number","default":1,"minimum":-100,"maximum":100},
      "pinned":{"type":"boolean","default":false},"training_method":{"type":"string"},
      "tags":{"type":"object","additionalProperties":{"type":"string"}},"description":{"type":"string"}}})"
    ),
    adapter_schema(
        "LoraAdapter",
        R"({"type":"object","required":["name","base_model","path","loaded","status"],"properties":{
      "name":{"type":"string"},"base_model":{"type":"string"},"path":{"type":"string"},
      "rank":{"type":"integer","description":"As registered."},"alpha":{"type":"number","description":"As registered."},
      "loaded":{"type":"boolean"},"loaded_at":{"type":["string","null"],"format":"date-time"},
      "memory_mb":{"type":"number"},"memory_bytes":{"type":"integer"},
      "status":{"enum":["registered","loading","loaded","failed"]},"reason":{"type":"string"},
      "digest":{"type":"string"},"file_bytes":{"type":"integer"},"scale":{"type":"number"},
      "pinned":{"type":"boolean"},"training_method":{"type":"string"},
      "tags":{"type":"object","additionalProperties":{"type":"string"}},"description":{"type":"string"},
      "uses":{"type":"integer"},"last_used_at":{"type":["string","null"],"format":"date-time"},
      "in_use":{"type":"integer"},"waiting":{"type":"integer"},
      "created_at":{"type":["string","null"]},"updated_at":{"type":["string","null"]}}})"
    ),
    adapter_schema(
        "LoraAdapters",
        R"({"type":"object","required":["adapters"],"properties":{
      "adapters":{"type":"array","items":{"$ref":"#/components/schemas/LoraAdapter"}}}})"
    ),
    adapter_schema(
        "LoraSwap",
        R"({"type":"object","required":["old_name","new_name"],"additionalProperties":false,"properties":{
      "old_name":{"type":"string"},"new_name":{"type":"string"}}})"
    ),
    adapter_schema(
        "LoraUnregistered",
        R"({"type":"object","required":["unregistered"],"properties":{"unregistered":{"const":true}}})"
    ),
    adapter_schema(
        "LoraMemory",
        R"({"type":"object","properties":{"total_memory_mb":{"type":"number"},
      "total_memory_bytes":{"type":"integer"},"loaded_adapters":{"type":"integer"},
      "max_adapters":{"type":"integer","description":"Of one model."},
      "available_slots":{"type":"integer","description":"Of the model with the fewest."}}})"
    ),
    adapter_schema(
        "LoraError",
        R"({"type":"object","required":["error"],"properties":{"error":{"type":"object","properties":{
      "code":{"type":"string"},"message":{"type":"string"},"details":{"type":"object"},
      "timestamp":{"type":"string","format":"date-time"},"request_id":{"type":"string"}}}}})"
    ),
};

constexpr Schema kVllmSchemas[] = {
    adapter_schema(
        "VllmLoadLora",
        R"({"type":"object","required":["lora_name","lora_path"],"properties":{
      "lora_name":{"type":"string"},"lora_path":{"type":"string"},
      "load_inplace":{"type":"boolean","default":false},
      "base_model":{"type":"string","description":"Where there are several language models."}}})"
    ),
    adapter_schema(
        "VllmUnloadLora",
        R"({"type":"object","required":["lora_name"],"properties":{"lora_name":{"type":"string"}}})"
    ),
    {"VllmLoraDone", "text/plain", false, R"({"type":"string"})"},
    adapter_schema(
        "VllmError",
        R"({"type":"object","required":["error"],"properties":{"error":{"type":"object","properties":{
      "message":{"type":"string"},"type":{"type":"string"},"param":{"type":["string","null"]},
      "code":{"type":"integer"}}}}})"
    ),
};

}  // namespace

std::span<const Schema> lora_schemas() { return kLoraSchemas; }

std::span<const Schema> vllm_schemas() { return kVllmSchemas; }

}  // namespace cortex::frontend::adapters
