// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/ollama/ollama_models.h"

#include <array>
#include <cmath>
#include <cstdio>
#include <string_view>

#include "base/json_text.h"
#include "frontend/codec/ollama/ollama_reply.h"

namespace cortex::frontend::ollama {
namespace {

// "gguf" of the platform "llama_gguf".
std::string_view format_of(const registry::ServingVersion& version) {
  const std::string_view platform = version.platform;
  return platform.substr(platform.rfind('_') + 1);
}

void append_details(std::string& out, const registry::ServingVersion& version) {
  const WeightFacts& weights = version.facts.weights;
  out.append(R"("details":{"parent_model":"","format":)");
  append_json_string(out, format_of(version));
  out.append(R"(,"family":)");
  append_json_string(out, weights.architecture);
  out.append(R"(,"families":[)");
  if (!weights.architecture.empty()) append_json_string(out, weights.architecture);
  out.append(R"(],"parameter_size":)");
  append_json_string(out, weights.parameters > 0 ? parameter_size(weights.parameters) : "");
  out.append(R"(,"quantization_level":)");
  append_json_string(out, weights.quantization);
  out.push_back('}');
}

void append_number(std::string& out, const std::string& name, std::uint64_t value) {
  if (value == 0) return;
  if (out.back() != '{') out.push_back(',');
  append_json_string(out, name);
  out.append(":").append(std::to_string(value));
}

// Clients look for names that end so; what has no architecture is named by its format.
void append_model_info(std::string& out, const registry::ServingVersion& version) {
  const ModelFacts& facts = version.facts;
  std::string family = facts.weights.architecture;
  out.append(R"("model_info":{)");
  if (!family.empty()) {
    out.append(R"("general.architecture":)");
    append_json_string(out, family);
  } else {
    family = format_of(version);
  }
  append_number(out, "general.parameter_count", facts.weights.parameters);
  append_number(out, family + ".context_length", facts.context_length);
  append_number(out, family + ".embedding_length", facts.weights.width);
  out.push_back('}');
}

std::string_view capabilities(const registry::ServingVersion& version) {
  if (!version.signature.generates) return R"(["embedding"])";
  if (version.facts.chat_template.empty()) return R"(["completion"])";
  return version.facts.thinking ? R"(["completion","tools","thinking"])"
                                : R"(["completion","tools"])";
}

// A line of a modelfile's parameters.
std::string parameters_text(const ModelFacts& facts) {
  if (facts.context_length == 0) return {};
  return "num_ctx                        " + std::to_string(facts.context_length);
}

std::string changed_text(const ModelFacts& facts, std::int64_t otherwise) {
  return time_text(facts.changed_ms > 0 ? facts.changed_ms : otherwise);
}

}  // namespace

bool is_listed(const registry::ServingVersion& version) {
  return version.signature.generates || registry::embeds(version);
}

std::string listed_text(const registry::ServingVersion& version, const Listing& listing) {
  const ModelFacts& facts = version.facts;
  std::string out = R"({"name":)";
  append_json_string(out, listing.name);
  out.append(R"(,"model":)");
  append_json_string(out, listing.name);
  out.append(R"(,"modified_at":")").append(changed_text(facts, listing.changed_ms));
  const std::uint64_t memory = listing.memory_bytes.value_or(0);
  out.append(R"(","size":)").append(std::to_string(memory > 0 ? memory : facts.file_bytes));
  out.append(R"(,"digest":)");
  append_json_string(out, facts.digest);
  out.push_back(',');
  append_details(out, version);
  if (listing.memory_bytes) {
    out.append(R"(,"size_vram":0,"expires_at":"9999-12-31T23:59:59.000Z","context_length":)");
    out.append(std::to_string(facts.context_length));
  }
  return out.append("}");
}

std::string shown_text(const registry::ServingVersion& version, std::int64_t changed_ms) {
  const ModelFacts& facts = version.facts;
  std::string out = R"({"modelfile":"","parameters":)";
  append_json_string(out, parameters_text(facts));
  out.append(R"(,"template":)");
  append_json_string(out, facts.chat_template);
  out.append(R"(,"modified_at":")").append(changed_text(facts, changed_ms)).append("\",");
  append_details(out, version);
  out.push_back(',');
  append_model_info(out, version);
  return out.append(R"(,"capabilities":)").append(capabilities(version)).append("}");
}

std::string parameter_size(std::uint64_t parameters) {
  struct Unit {
    double size;
    const char* rounded;
    const char* exact;
  };
  constexpr Unit kUnits[] = {
      {1e9, "%.1fB", "%.0fB"}, {1e6, "%.2fM", "%.0fM"}, {1e3, "%.0fK", "%.0fK"}
  };
  for (const Unit& unit : kUnits) {
    const double number = static_cast<double>(parameters) / unit.size;
    if (number < 1) continue;
    std::array<char, 32> text{};
    const char* form = number == std::floor(number) ? unit.exact : unit.rounded;
    std::snprintf(text.data(), text.size(), form, number);
    return text.data();
  }
  return std::to_string(parameters);
}

}  // namespace cortex::frontend::ollama
