// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/embeddings_request.h"

#include <utility>
#include <vector>

#include "frontend/codec/detail/hot_json.h"

namespace cortex::frontend::openai {
namespace {

namespace ondemand = simdjson::ondemand;
using Tokens = std::vector<std::int64_t>;

Status bad_input() {
  return invalid_argument(
      "'input' must be a string, an array of strings, an array of token ids, or an array of such "
      "arrays"
  );
}

Status empty_input() { return invalid_argument("'input' cannot be an empty string or array"); }

Status type_of(ondemand::value value, ondemand::json_type& out) {
  const auto error = value.type().get(out);
  return error ? malformed_json(error) : Status();
}

Status check_room(std::size_t count) {
  if (count < kEmbeddingInputsMax) return {};
  return invalid_argument(
      "'input' holds more than " + std::to_string(kEmbeddingInputsMax) + " inputs"
  );
}

Status read_input_text(ondemand::value value, EmbeddingInput& input) {
  CORTEX_RETURN_IF_ERROR(check_room(input.texts.size()));
  std::string_view text;
  const auto error = value.get_string().get(text);
  if (error == simdjson::INCORRECT_TYPE) return bad_input();
  if (error) return malformed_json(error);
  if (text.empty()) return empty_input();
  input.texts.emplace_back(text);
  return {};
}

Status read_token(ondemand::value value, Tokens& tokens) {
  std::int64_t token = 0;
  if (value.get_int64().get(token) || token < 0) return bad_input();
  tokens.push_back(token);
  return {};
}

Status read_token_list(ondemand::value value, EmbeddingInput& input) {
  CORTEX_RETURN_IF_ERROR(check_room(input.tokens.size()));
  ondemand::array array;
  if (value.get_array().get(array)) return bad_input();
  Tokens tokens;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value token) {
    return read_token(token, tokens);
  }));
  if (tokens.empty()) return empty_input();
  input.tokens.push_back(std::move(tokens));
  return {};
}

// The first element of a list says what the others must be.
struct List {
  std::optional<ondemand::json_type> kind;
  Tokens flat;  // where the elements are token ids
};

Status read_element(ondemand::value value, List& list, EmbeddingInput& input) {
  ondemand::json_type type{};
  CORTEX_RETURN_IF_ERROR(type_of(value, type));
  if (list.kind.value_or(type) != type) return bad_input();
  list.kind = type;
  if (type == ondemand::json_type::string) return read_input_text(value, input);
  if (type == ondemand::json_type::array) return read_token_list(value, input);
  return read_token(value, list.flat);
}

Status read_list(ondemand::array array, EmbeddingInput& input) {
  List list;
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value value) {
    return read_element(value, list, input);
  }));
  if (!list.kind) return empty_input();
  if (!list.flat.empty()) input.tokens.push_back(std::move(list.flat));
  return {};
}

Status read_input(ondemand::value value, EmbeddingInput& input) {
  ondemand::json_type type{};
  CORTEX_RETURN_IF_ERROR(type_of(value, type));
  if (type == ondemand::json_type::string) return read_input_text(value, input);
  ondemand::array array;
  if (value.get_array().get(array)) return bad_input();
  return read_list(array, input);
}

Status read_encoding(ondemand::value value, bool& base64) {
  std::string_view format;
  CORTEX_RETURN_IF_ERROR(read_string(value, "encoding_format", format));
  base64 = format == "base64";
  if (base64 || format == "float") return {};
  return invalid_argument("'encoding_format' must be 'float' or 'base64'");
}

Status read_dimensions(ondemand::value value, std::optional<std::uint64_t>& dimensions) {
  std::uint64_t number = 0;
  CORTEX_RETURN_IF_ERROR(read_size(value, "dimensions", number));
  if (number == 0) return invalid_argument("'dimensions' must be at least 1");
  dimensions = number;
  return {};
}

Status read_model(ondemand::value value, std::string& model) {
  std::string_view name;
  CORTEX_RETURN_IF_ERROR(read_string(value, "model", name));
  model = name;
  return {};
}

enum Field : unsigned { kNone = 0, kModel = 1, kInput = 2, kEncoding = 4, kDimensions = 8 };

Field field_of(std::string_view key) {
  if (key == "model") return kModel;
  if (key == "input") return kInput;
  if (key == "encoding_format") return kEncoding;
  return key == "dimensions" ? kDimensions : kNone;
}

// Reads the fields of one body. A field that is null is a field that is not there.
class EmbeddingsReader {
 public:
  Status read(std::string_view key, ondemand::value value) {
    const Field field = field_of(key);
    if (field == kNone) return skip_value(value);
    if ((seen_ & field) != 0) return invalid_argument("'" + std::string(key) + "' is given twice");
    bool null = false;
    if (const auto error = value.is_null().get(null)) return malformed_json(error);
    if (null) return {};
    seen_ |= field;
    switch (field) {
      case kModel:
        return read_model(value, call_.model);
      case kInput:
        return read_input(value, call_.input);
      case kEncoding:
        return read_encoding(value, call_.base64);
      default:
        return read_dimensions(value, call_.dimensions);
    }
  }

  Result<EmbeddingsCall> take() {
    if ((seen_ & kModel) == 0) return invalid_argument("you must provide a 'model' parameter");
    if ((seen_ & kInput) == 0) return invalid_argument("you must provide an 'input' parameter");
    return std::move(call_);
  }

 private:
  unsigned seen_ = 0;
  EmbeddingsCall call_;
};

}  // namespace

Result<EmbeddingsCall> read_embeddings(std::string_view padded_body) {
  HotJson json(padded_body);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  EmbeddingsReader reader;
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value value) {
    return reader.read(key, value);
  }));
  CORTEX_RETURN_IF_ERROR(json.at_end());
  return reader.take();
}

}  // namespace cortex::frontend::openai
