// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/gguf_head.h"

#include <gguf.h>

#include <algorithm>
#include <array>
#include <exception>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace cortex::backend {
namespace {

// Those of the library that only encode; BERT's kin have it in their names.
constexpr auto kEncoders =
    std::to_array<std::string_view>({"eurobert", "gemma-embedding", "llama-embed", "t5encoder"});

using GgufOwned = std::unique_ptr<gguf_context, decltype(&::gguf_free)>;

std::string text_of(const LlamaFunctions& api, const gguf_context* head, const char* key) {
  const std::int64_t at = api.gguf_find_key(head, key);
  if (at < 0 || api.gguf_get_kv_type(head, at) != GGUF_TYPE_STRING) return {};
  return api.gguf_get_val_str(head, at);
}

// The library ends the process over a value that is asked for as another type.
std::optional<std::int64_t> number_of(
    const LlamaFunctions& api, const gguf_context* head, const std::string& key
) {
  const std::int64_t at = api.gguf_find_key(head, key.c_str());
  if (at < 0) return std::nullopt;
  if (api.gguf_get_kv_type(head, at) == GGUF_TYPE_UINT32) return api.gguf_get_val_u32(head, at);
  if (api.gguf_get_kv_type(head, at) == GGUF_TYPE_INT32) return api.gguf_get_val_i32(head, at);
  return std::nullopt;
}

// Rows of a matrix; 0: it is not there.
std::int64_t rows_of(const LlamaFunctions& api, const gguf_context* head, const char* tensor) {
  const std::int64_t at = api.gguf_find_tensor(head, tensor);
  return at < 0 ? 0 : api.gguf_get_tensor_ne(head, at)[1];
}

Result<GgufOwned> open_head(const LlamaFunctions& api, const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  std::error_code error;
  if (!std::filesystem::is_regular_file(file, error)) {
    return failed_precondition("there is no file " + name);
  }
  const LlamaErrors errors;
  GgufOwned head(nullptr, api.gguf_free);
  std::string why;
  try {
    head.reset(api.gguf_init_from_file(file.c_str(), {.no_alloc = true, .ctx = nullptr}));
    why = errors.first();
  } catch (const std::exception& failure) {
    why = failure.what();
  }
  if (head == nullptr) {
    return invalid_argument(name + ": " + (why.empty() ? "the library gave no reason" : why));
  }
  return head;
}

// Itself, or all parts of the model; the library finds them in the same way.
std::vector<std::filesystem::path> parts_of(const std::filesystem::path& file) {
  const std::string name = file.filename().string();
  const std::size_t split = name.rfind("-00001-of-");
  if (split == name.npos) return {file};
  std::vector<std::filesystem::path> out = {file};
  for (;;) {
    std::string number = std::to_string(100001 + out.size());  // of five digits
    number.front() = '-';
    std::filesystem::path part = file.parent_path() / (name.substr(0, split) + number);
    part += name.substr(split + number.size());
    std::error_code error;
    if (!std::filesystem::is_regular_file(part, error)) return out;
    out.push_back(std::move(part));
  }
}

}  // namespace

bool GgufHead::takes_texts_alone() const {
  return pooling.value_or(0) > 0 || architecture.ends_with("bert") ||
         architecture.find("-bert-") != std::string::npos ||
         std::ranges::find(kEncoders, architecture) != kEncoders.end();
}

Result<GgufHead> read_gguf_head(const LlamaFunctions& api, const std::filesystem::path& file) {
  CORTEX_ASSIGN_OR_RETURN(const GgufOwned head, open_head(api, file));
  GgufHead out;
  out.architecture = text_of(api, head.get(), "general.architecture");
  out.pooling = number_of(api, head.get(), out.architecture + ".pooling_type");
  out.scores = rows_of(api, head.get(), "cls.output.weight");
  if (out.scores == 0) out.scores = rows_of(api, head.get(), "cls.weight");
  return out;
}

Result<TensorOutlines> read_gguf_tensors(
    const LlamaFunctions& api, const std::filesystem::path& file
) {
  TensorOutlines out;
  for (const std::filesystem::path& part : parts_of(file)) {
    CORTEX_ASSIGN_OR_RETURN(const GgufOwned head, open_head(api, part));
    for (std::int64_t i = 0; i < api.gguf_get_n_tensors(head.get()); ++i) {
      TensorOutline& tensor = out[api.gguf_get_tensor_name(head.get(), i)];
      tensor.type = static_cast<std::uint32_t>(api.gguf_get_tensor_type(head.get(), i));
      const std::int64_t* sides = api.gguf_get_tensor_ne(head.get(), i);
      for (std::uint64_t& side : tensor.sides) side = static_cast<std::uint64_t>(*sides++);
    }
  }
  return out;
}

}  // namespace cortex::backend
