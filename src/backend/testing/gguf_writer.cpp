// SPDX-License-Identifier: Apache-2.0
#include "backend/testing/gguf_writer.h"

#include <cstdio>
#include <cstring>
#include <random>

#include "base/check.h"

namespace cortex::backend::testing {
namespace {

enum ValueType : std::uint32_t {
  kUint32 = 4,
  kInt32 = 5,
  kFloat32 = 6,
  kBool = 7,
  kString = 8,
  kArray = 9,
};
constexpr std::uint32_t kTensorFp32 = 0;
constexpr std::size_t kAlignment = 32;

template <typename Value>
void append_value(std::string& out, Value value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(value));
}

void append_text(std::string& out, std::string_view text) {
  append_value(out, std::uint64_t{text.size()});
  out.append(text);
}

void append_key(std::string& out, std::string_view key, std::uint32_t type) {
  append_text(out, key);
  append_value(out, type);
}

void append_list(std::string& out, std::string_view key, std::uint32_t type, std::size_t count) {
  append_key(out, key, kArray);
  append_value(out, type);
  append_value(out, std::uint64_t{count});
}

void pad(std::string& out) { out.resize((out.size() + kAlignment - 1) / kAlignment * kAlignment); }

std::vector<float> random_values(std::mt19937& random, std::size_t count, float scale) {
  std::vector<float> out(count);
  // Not a distribution of the library's: its numbers are another library's others.
  for (float& value : out) {
    value = (static_cast<float>(random() % 20001) / 10000.0F - 1.0F) * scale;
  }
  return out;
}

enum TokenType : std::int32_t { kNormal = 1, kUnknown = 2, kControl = 3, kByte = 6 };
constexpr std::uint32_t kMambaKernel = 4;
constexpr std::uint32_t kMambaState = 16;
constexpr std::uint32_t kMambaRank = 2;
constexpr std::string_view kWordBegin = "\xE2\x96\x81";  // how vocabularies write a space

void add_bert_vocabulary(GgufWriter& out) {
  std::vector<std::string> tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
  std::vector<std::int32_t> types = {kControl, kUnknown, kControl, kControl, kControl};
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    tokens.push_back(std::string(kWordBegin) + letter);
    tokens.emplace_back(1, letter);
  }
  for (const std::string_view word : {"warm", "up", "hello", "world"}) {
    tokens.push_back(std::string(kWordBegin).append(word));
  }
  types.resize(tokens.size(), kNormal);
  out.add("tokenizer.ggml.model", "bert");
  out.add("tokenizer.ggml.tokens", tokens);
  out.add("tokenizer.ggml.token_type", types);
  out.add("tokenizer.ggml.token_type_count", std::uint32_t{2});
  out.add("tokenizer.ggml.padding_token_id", std::uint32_t{0});
  out.add("tokenizer.ggml.unknown_token_id", std::uint32_t{kTinyBertUnknown});
  out.add("tokenizer.ggml.bos_token_id", std::uint32_t{kTinyBertBegin});
  out.add("tokenizer.ggml.seperator_token_id", std::uint32_t{kTinyBertEnd});
  out.add("tokenizer.ggml.mask_token_id", std::uint32_t{4});
}

// A token for every byte, for a space, and for the ends of a text.
constexpr std::uint64_t kByteTokens = 3 + 256 + 1;

void add_byte_vocabulary(GgufWriter& out, const TinyGgufOptions& options) {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<std::int32_t> types = {kUnknown, kControl, kControl};
  for (unsigned byte = 0; byte < 256; ++byte) {
    char name[8];
    std::snprintf(name, sizeof(name), "<0x%02X>", byte);
    tokens.emplace_back(name);
    types.push_back(kByte);
  }
  tokens.emplace_back(kWordBegin);
  types.push_back(kNormal);
  out.add("tokenizer.ggml.model", "llama");
  out.add("tokenizer.ggml.tokens", tokens);
  out.add("tokenizer.ggml.scores", std::vector<float>(tokens.size(), 0));
  out.add("tokenizer.ggml.token_type", types);
  out.add("tokenizer.ggml.unknown_token_id", std::uint32_t{0});
  out.add("tokenizer.ggml.bos_token_id", std::uint32_t{1});
  out.add("tokenizer.ggml.eos_token_id", std::uint32_t{2});
  out.add("tokenizer.ggml.add_bos_token", true);
  out.add("tokenizer.ggml.add_eos_token", false);
  out.add("tokenizer.ggml.add_space_prefix", false);
  if (!options.chat_template.empty()) out.add("tokenizer.chat_template", options.chat_template);
}

void add_mamba_facts(GgufWriter& out, const TinyGgufOptions& options) {
  out.add("general.architecture", "mamba");
  out.add("general.name", "tiny");
  out.add("mamba.context_length", options.context_length);
  out.add("mamba.embedding_length", options.width);
  out.add("mamba.block_count", options.layers);
  out.add("mamba.feed_forward_length", std::uint32_t{0});
  out.add("mamba.attention.head_count", std::uint32_t{0});
  out.add("mamba.attention.layer_norm_rms_epsilon", 1e-5F);
  out.add("mamba.ssm.conv_kernel", kMambaKernel);
  out.add("mamba.ssm.inner_size", 2 * options.width);
  out.add("mamba.ssm.state_size", kMambaState);
  out.add("mamba.ssm.time_step_rank", kMambaRank);
}

void add_bert_facts(GgufWriter& out, const TinyBertOptions& options) {
  out.add("general.architecture", "bert");
  out.add("general.name", "tiny");
  out.add("bert.context_length", options.context_length);
  out.add("bert.embedding_length", options.width);
  out.add("bert.block_count", std::uint32_t{1});
  out.add("bert.feed_forward_length", 2 * options.width);
  out.add("bert.attention.head_count", std::uint32_t{2});
  out.add("bert.attention.layer_norm_epsilon", 1e-6F);
  out.add("bert.attention.causal", false);
  out.add("bert.pooling_type", options.pooling);
  if (options.classes < 2) return;
  std::vector<std::string> labels;
  for (std::uint32_t i = 0; i < options.classes; ++i) labels.push_back(std::to_string(i));
  out.add("bert.classifier.output_labels", labels);
}

void add_classes(GgufWriter& out, const TinyBertOptions& options) {
  const std::uint64_t width = options.width;
  const std::uint64_t classes = options.classes;
  if (classes == 0) return;
  std::vector<float> same(width * width, 0);
  for (std::size_t i = 0; i < width; ++i) same[i * width + i] = 1;
  std::vector<float> first(width * classes, 0);
  first[0] = 1;
  out.add_tensor("cls.weight", {width, width}, same);
  out.add_tensor("cls.bias", {width}, std::vector<float>(width, 0));
  out.add_tensor("cls.output.weight", {width, classes}, first);
  out.add_tensor("cls.output.bias", {classes}, std::vector<float>(classes, 0.25F));
}

constexpr std::uint32_t kTransformerHeads = 2;

void add_transformer_facts(
    GgufWriter& out, const std::string& architecture, const TinyGgufOptions& options
) {
  const auto add = [&](const std::string& key, std::uint32_t value) {
    out.add(architecture + "." + key, value);
  };
  out.add("general.architecture", architecture);
  out.add("general.name", "tiny");
  add("context_length", options.context_length);
  add("embedding_length", options.width);
  add("block_count", options.layers);
  add("feed_forward_length", 2 * options.width);
  add("attention.head_count", kTransformerHeads);
  add("attention.head_count_kv", 1);
  add("rope.dimension_count", options.width / kTransformerHeads);
}

// Blocks of attention and a gated network, one behind the other, the second with a norm of its own,
// or both beside each other.
void add_transformer(GgufWriter& out, const TinyGgufOptions& options, bool two_norms) {
  const std::uint32_t width = options.width;
  const std::uint32_t inner = 2 * width;
  const std::uint32_t keys = width / kTransformerHeads;  // one head of keys and values
  std::mt19937 random(options.seed);
  const auto matrix = [&](const std::string& name, std::uint64_t in, std::uint64_t rows, float scale
                      ) {
    out.add_tensor(name, {in, rows}, random_values(random, in * rows, scale));
  };
  const auto norm = [&](const std::string& name) {
    out.add_tensor(name, {width}, std::vector<float>(width, 1));
  };
  matrix("token_embd.weight", width, kByteTokens, 1);
  norm("output_norm.weight");
  if (options.own_output) matrix("output.weight", width, kByteTokens, 1);
  for (std::uint32_t layer = 0; layer < options.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    norm(block + "attn_norm.weight");
    matrix(block + "attn_q.weight", width, width, 0.5F);
    matrix(block + "attn_k.weight", width, keys, 0.5F);
    matrix(block + "attn_v.weight", width, keys, 0.5F);
    matrix(block + "attn_output.weight", width, width, 0.5F);
    if (two_norms) norm(block + "ffn_norm.weight");
    matrix(block + "ffn_gate.weight", width, inner, 0.3F);
    matrix(block + "ffn_up.weight", width, inner, 0.3F);
    matrix(block + "ffn_down.weight", inner, width, 0.3F);
  }
}

}  // namespace

void GgufWriter::add(std::string_view key, std::uint32_t value) {
  append_key(fact_bytes_, key, kUint32);
  append_value(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add(std::string_view key, float value) {
  append_key(fact_bytes_, key, kFloat32);
  append_value(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add(std::string_view key, bool value) {
  append_key(fact_bytes_, key, kBool);
  append_value(fact_bytes_, static_cast<std::uint8_t>(value ? 1 : 0));
  ++facts_;
}

void GgufWriter::add(std::string_view key, std::string_view value) {
  append_key(fact_bytes_, key, kString);
  append_text(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add(std::string_view key, const std::vector<std::string>& values) {
  append_list(fact_bytes_, key, kString, values.size());
  for (const std::string& value : values) append_text(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add(std::string_view key, const std::vector<float>& values) {
  append_list(fact_bytes_, key, kFloat32, values.size());
  for (const float value : values) append_value(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add(std::string_view key, const std::vector<std::int32_t>& values) {
  append_list(fact_bytes_, key, kInt32, values.size());
  for (const std::int32_t value : values) append_value(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add(std::string_view key, const std::vector<std::uint32_t>& values) {
  append_list(fact_bytes_, key, kUint32, values.size());
  for (const std::uint32_t value : values) append_value(fact_bytes_, value);
  ++facts_;
}

void GgufWriter::add_tensor(
    std::string_view name, const std::vector<std::uint64_t>& shape, const std::vector<float>& values
) {
  std::uint64_t count = 1;
  for (const std::uint64_t dimension : shape) count *= dimension;
  CHECK(count == values.size(), "a tensor has one value for each place");
  const auto* bytes = reinterpret_cast<const char*>(values.data());
  add_tensor(name, shape, kTensorFp32, {bytes, values.size() * sizeof(float)});
}

void GgufWriter::add_tensor(
    std::string_view name,
    const std::vector<std::uint64_t>& shape,
    std::uint32_t type,
    std::string_view data
) {
  append_text(tensor_infos_, name);
  append_value(tensor_infos_, static_cast<std::uint32_t>(shape.size()));
  for (const std::uint64_t dimension : shape) append_value(tensor_infos_, dimension);
  append_value(tensor_infos_, type);
  pad(data_);
  append_value(tensor_infos_, std::uint64_t{data_.size()});
  data_.append(data);
  ++tensors_;
}

std::string GgufWriter::bytes() const {
  std::string out = "GGUF";
  append_value(out, std::uint32_t{3});
  append_value(out, tensors_);
  append_value(out, facts_);
  out += fact_bytes_ + tensor_infos_;
  pad(out);
  return out + data_;
}

std::string tiny_gguf(const TinyGgufOptions& options) {
  GgufWriter out;
  add_transformer_facts(out, "llama", options);
  out.add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
  add_byte_vocabulary(out, options);
  add_transformer(out, options, true);
  return out.bytes();
}

std::string tiny_window_gguf(const TinyGgufOptions& options) {
  GgufWriter out;
  add_transformer_facts(out, "cohere2", options);
  out.add("cohere2.attention.layer_norm_epsilon", 1e-5F);
  out.add("cohere2.attention.sliding_window", std::uint32_t{16});
  out.add("cohere2.logit_scale", 1.0F);
  add_byte_vocabulary(out, options);
  add_transformer(out, options, false);
  return out.bytes();
}

std::string tiny_mamba_gguf(const TinyGgufOptions& options) {
  const std::uint64_t width = options.width;
  const std::uint64_t inner = 2 * width;
  GgufWriter out;
  add_mamba_facts(out, options);
  add_byte_vocabulary(out, options);
  std::mt19937 random(options.seed);
  const auto matrix = [&](const std::string& name, std::uint64_t in, std::uint64_t rows, float scale
                      ) {
    out.add_tensor(name, {in, rows}, random_values(random, in * rows, scale));
  };
  const auto row = [&](const std::string& name, std::uint64_t count, float value) {
    out.add_tensor(name, {count}, std::vector<float>(count, value));
  };
  matrix("token_embd.weight", width, kByteTokens, 1);
  row("output_norm.weight", width, 1);
  for (std::uint32_t layer = 0; layer < options.layers; ++layer) {
    const std::string block = "blk." + std::to_string(layer) + ".";
    row(block + "attn_norm.weight", width, 1);
    matrix(block + "ssm_in.weight", width, 2 * inner, 0.5F);
    matrix(block + "ssm_conv1d.weight", kMambaKernel, inner, 0.5F);
    row(block + "ssm_conv1d.bias", inner, 0.1F);
    matrix(block + "ssm_x.weight", inner, kMambaRank + 2 * kMambaState, 0.5F);
    matrix(block + "ssm_dt.weight", kMambaRank, inner, 0.5F);
    row(block + "ssm_dt.bias", inner, -1);
    // Negative: a state that grows has no end.
    out.add_tensor(
        block + "ssm_a", {kMambaState, inner}, std::vector<float>(kMambaState * inner, -0.2F)
    );
    row(block + "ssm_d", inner, 1);
    matrix(block + "ssm_out.weight", inner, width, 0.5F);
  }
  return out.bytes();
}

std::string tiny_adapter_gguf(const TinyGgufOptions& options, std::uint32_t seed) {
  constexpr std::uint64_t kRank = 2;
  GgufWriter out;
  out.add("general.architecture", "llama");
  out.add("general.type", "adapter");
  out.add("adapter.type", "lora");
  out.add("adapter.lora.alpha", 2.0F);
  std::mt19937 random(seed);
  const std::uint64_t width = options.width;
  for (std::uint32_t layer = 0; layer < options.layers; ++layer) {
    const std::string name = "blk." + std::to_string(layer) + ".attn_q.weight.lora_";
    out.add_tensor(name + "a", {width, kRank}, random_values(random, width * kRank, 1));
    out.add_tensor(name + "b", {kRank, width}, random_values(random, width * kRank, 1));
  }
  return out.bytes();
}

std::string tiny_bert_gguf(const TinyBertOptions& options) {
  const std::uint64_t width = options.width;
  GgufWriter out;
  add_bert_facts(out, options);
  add_bert_vocabulary(out);
  std::mt19937 random(options.seed);
  const auto matrix = [&](const std::string& name, std::uint64_t in, std::uint64_t rows, float scale
                      ) {
    out.add_tensor(name, {in, rows}, random_values(random, in * rows, scale));
  };
  const auto norm = [&](const std::string& name) {
    out.add_tensor(name + ".weight", {width}, std::vector<float>(width, 1));
    out.add_tensor(name + ".bias", {width}, std::vector<float>(width, 0));
  };
  const float moved = options.still ? 0.0F : 1.0F;
  matrix("token_embd.weight", width, kTinyBertTokens, 1);
  matrix("position_embd.weight", width, options.context_length, 0.2F * moved);
  matrix("token_types.weight", width, 2, 0.1F);
  norm("token_embd_norm");
  matrix("blk.0.attn_q.weight", width, width, 0.5F);
  matrix("blk.0.attn_k.weight", width, width, 0.5F);
  matrix("blk.0.attn_v.weight", width, width, 0.5F);
  matrix("blk.0.attn_output.weight", width, width, 0.5F * moved);
  norm("blk.0.attn_output_norm");
  matrix("blk.0.ffn_up.weight", width, 2 * width, 0.5F);
  matrix("blk.0.ffn_down.weight", 2 * width, width, 0.5F);
  norm("blk.0.layer_output_norm");
  add_classes(out, options);
  return out.bytes();
}

}  // namespace cortex::backend::testing
