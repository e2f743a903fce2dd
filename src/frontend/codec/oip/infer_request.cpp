// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/infer_request.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <utility>

#include "frontend/codec/detail/hot_json.h"
#include "frontend/codec/oip/json_tensor.h"

namespace cortex::frontend::oip {
namespace {

namespace ondemand = simdjson::ondemand;

// More dimensions than any engine takes.
constexpr std::size_t kRankMax = 64;

// Fields of one object that were seen: a second one would leave open which of them counts.
class Seen {
 public:
  [[nodiscard]] Status mark(unsigned bit, std::string_view key) {
    const unsigned mask = 1U << bit;
    if ((bits_ & mask) != 0) return invalid_argument("'" + std::string(key) + "' is given twice");
    bits_ |= mask;
    return {};
  }
  [[nodiscard]] bool has(unsigned bit) const { return (bits_ & (1U << bit)) != 0; }

 private:
  unsigned bits_ = 0;
};

// The place of `key` in `keys`, or their number.
template <std::size_t N>
unsigned place_of(const std::array<std::string_view, N>& keys, std::string_view key) {
  unsigned i = 0;
  while (i < N && keys[i] != key) ++i;
  return i;
}

Status missing(std::string_view key) {
  return invalid_argument("'" + std::string(key) + "' is missing");
}

Status read_object(ondemand::value value, std::string_view where, ondemand::object& out) {
  const auto error = value.get_object().get(out);
  if (error == simdjson::INCORRECT_TYPE) {
    return invalid_argument("'" + std::string(where) + "' must be an object");
  }
  return error ? malformed_json(error) : Status();
}

Status read_array(ondemand::value value, std::string_view where, ondemand::array& out) {
  const auto error = value.get_array().get(out);
  if (error == simdjson::INCORRECT_TYPE) {
    return invalid_argument("'" + std::string(where) + "' must be an array");
  }
  return error ? malformed_json(error) : Status();
}

Status read_dimension(ondemand::value value, Shape& shape) {
  std::int64_t dimension = 0;
  if (value.get_int64().get(dimension) || dimension < 0) {
    return invalid_argument("'shape' must hold whole numbers that are not negative");
  }
  if (shape.size() == kRankMax) {
    return invalid_argument("'shape' has more than " + std::to_string(kRankMax) + " dimensions");
  }
  shape.push_back(dimension);
  return {};
}

Status read_shape(ondemand::value value, Shape& shape) {
  ondemand::array array;
  CORTEX_RETURN_IF_ERROR(read_array(value, "shape", array));
  shape.reserve(4);
  return for_each_element(array, [&](ondemand::value item) { return read_dimension(item, shape); });
}

Status read_datatype(ondemand::value value, DataType& out) {
  std::string_view name;
  CORTEX_RETURN_IF_ERROR(read_string(value, "datatype", name));
  const auto type = parse_datatype(name);
  if (!type) return invalid_argument("'" + std::string(name) + "' is not a datatype");
  out = *type;
  return {};
}

Status read_parameter(ondemand::value value, std::string_view key, Parameter& out) {
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  if (type == ondemand::json_type::boolean) {
    bool flag = false;
    CORTEX_RETURN_IF_ERROR(read_bool(value, key, flag));
    out = flag;
    return {};
  }
  if (type == ondemand::json_type::string) {
    std::string_view text;
    CORTEX_RETURN_IF_ERROR(read_string(value, key, text));
    out = std::string(text);
    return {};
  }
  ondemand::number number;
  if (type != ondemand::json_type::number || value.get_number().get(number)) {
    return invalid_argument(
        "parameter '" + std::string(key) + "' must be a boolean, a number or a string"
    );
  }
  if (number.is_int64()) {
    out = number.get_int64();
  } else {
    out = number.as_double();
  }
  return {};
}

Status refuse_shared_memory(std::string_view key) {
  return invalid_argument(
      "parameter '" + std::string(key) + "': shared memory is not supported by this server"
  );
}

bool is_shared_memory(std::string_view key) { return key.substr(0, 14) == "shared_memory_"; }

// Copies a tensor that lies unaligned for its type; engines read in place.
Status align(Tensor& tensor) {
  const std::size_t alignment = element_size(tensor.datatype);
  if (alignment <= 1 || tensor.aligned_to(alignment)) return {};
  const auto from = tensor.bytes;
  auto copy = Buffer::make(from.size());
  if (!from.empty()) std::memcpy(copy->data(), from.data(), from.size());
  tensor.bytes = copy->bytes();
  tensor.owner = std::move(copy);
  return {};
}

// Reads the envelope in one pass. Members are the state of that pass.
class InferReader {
 public:
  InferReader(const std::shared_ptr<const Buffer>& body, std::size_t json_length)
      : body_(body),
        json_(body->text().substr(0, json_length)),
        binary_(body->bytes().subspan(json_length)) {}

  Status read();
  InferCall take() { return std::move(call_); }

 private:
  // One input while its fields come in; they may come in any order.
  struct Input {
    Tensor tensor;
    Seen seen;
    std::optional<std::uint64_t> binary_size;
    bool data_read = false;
    std::string_view late_data;  // came before the type and shape that say what it is
  };

  Status read_field(std::string_view key, ondemand::value value);
  Status read_inputs(ondemand::value value);
  Status read_input(ondemand::value value);
  Status read_input_field(std::string_view key, ondemand::value value, Input& input);
  Status read_input_parameter(std::string_view key, ondemand::value value, Input& input);
  Status read_data(ondemand::value value, Input& input);
  Status read_late_data(Input& input);
  Status finish_input(Input& input);
  Status take_binary(std::uint64_t size, Tensor& tensor);

  Status read_outputs(ondemand::value value);
  Status read_output(ondemand::value value);
  Status read_output_field(std::string_view key, ondemand::value value, RequestedOutput& output);
  Status read_output_parameter(
      std::string_view key, ondemand::value value, RequestedOutput& output
  );

  Status read_request_parameter(std::string_view key, ondemand::value value);
  Status read_queue_timeout(ondemand::value value);

  const std::shared_ptr<const Buffer>& body_;
  std::string_view json_;
  std::span<const std::byte> binary_;  // what no input has taken yet
  Seen seen_;
  InferCall call_;
};

enum Field : unsigned { kId, kParameters, kInputs, kOutputs, kFields };
constexpr std::array<std::string_view, kFields> kFieldKeys = {
    "id", "parameters", "inputs", "outputs"
};

enum InputField : unsigned { kName, kDatatype, kShape, kInputParameters, kData, kInputFields };
constexpr std::array<std::string_view, kInputFields> kInputKeys = {
    "name", "datatype", "shape", "parameters", "data"
};

template <typename Read>
Status each_parameter(ondemand::value value, Read&& read) {
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(read_object(value, "parameters", object));
  return for_each_field(object, read);
}

Status InferReader::read() {
  HotJson json(json_);
  ondemand::object object;
  CORTEX_RETURN_IF_ERROR(json.object(object));
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value value) {
    return read_field(key, value);
  }));
  CORTEX_RETURN_IF_ERROR(json.at_end());
  if (!seen_.has(kInputs)) return missing("inputs");
  if (binary_.empty()) return {};
  return invalid_argument(
      "unexpected additional input data: " + std::to_string(binary_.size()) +
      " bytes behind the last input"
  );
}

Status InferReader::read_field(std::string_view key, ondemand::value value) {
  const unsigned field = place_of(kFieldKeys, key);
  if (field == kFields) return skip_value(value);
  CORTEX_RETURN_IF_ERROR(seen_.mark(field, key));
  switch (field) {
    case kId: {
      std::string_view id;
      CORTEX_RETURN_IF_ERROR(read_string(value, "id", id));
      call_.plan.id = id;
      return {};
    }
    case kParameters:
      return each_parameter(value, [&](std::string_view name, ondemand::value parameter) {
        return read_request_parameter(name, parameter);
      });
    case kInputs:
      return read_inputs(value);
    default:
      return read_outputs(value);
  }
}

Status InferReader::read_inputs(ondemand::value value) {
  ondemand::array array;
  CORTEX_RETURN_IF_ERROR(read_array(value, "inputs", array));
  return for_each_element(array, [&](ondemand::value item) {
    const Status status = read_input(item);
    if (status.ok()) return status;
    return status.with_prefix("inputs[" + std::to_string(call_.input.inputs.size()) + "]: ");
  });
}

Status InferReader::read_input(ondemand::value value) {
  ondemand::object object;
  if (value.get_object().get(object)) return invalid_argument("an input must be an object");
  Input input;
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value field) {
    return read_input_field(key, field, input);
  }));
  CORTEX_RETURN_IF_ERROR(finish_input(input));
  call_.input.inputs.push_back(std::move(input.tensor));
  return {};
}

Status InferReader::read_input_field(std::string_view key, ondemand::value value, Input& input) {
  const unsigned field = place_of(kInputKeys, key);
  if (field == kInputFields) return skip_value(value);
  CORTEX_RETURN_IF_ERROR(input.seen.mark(field, key));
  switch (field) {
    case kName: {
      std::string_view name;
      CORTEX_RETURN_IF_ERROR(read_string(value, "name", name));
      input.tensor.name = name;
      return {};
    }
    case kDatatype:
      return read_datatype(value, input.tensor.datatype);
    case kShape:
      return read_shape(value, input.tensor.shape);
    case kInputParameters:
      return each_parameter(value, [&](std::string_view name, ondemand::value parameter) {
        return read_input_parameter(name, parameter, input);
      });
    default:
      return read_data(value, input);
  }
}

Status InferReader::read_input_parameter(
    std::string_view key, ondemand::value value, Input& input
) {
  if (is_shared_memory(key)) return refuse_shared_memory(key);
  if (key != "binary_data_size") return skip_value(value);
  std::uint64_t size = 0;
  CORTEX_RETURN_IF_ERROR(read_size(value, "binary_data_size", size));
  input.binary_size = size;
  return {};
}

Status InferReader::read_data(ondemand::value value, Input& input) {
  ondemand::array array;
  CORTEX_RETURN_IF_ERROR(read_array(value, "data", array));
  if (input.seen.has(kDatatype) && input.seen.has(kShape)) {
    input.data_read = true;
    return read_json_data(array, json_.size(), input.tensor);
  }
  const auto error = array.raw_json().get(input.late_data);
  return error ? malformed_json(error) : Status();
}

Status InferReader::read_late_data(Input& input) {
  HotJson json(input.late_data, HotJson::Parser::kOwn);
  ondemand::array array;
  CORTEX_RETURN_IF_ERROR(json.array(array));
  return read_json_data(array, json_.size(), input.tensor);
}

Status InferReader::finish_input(Input& input) {
  for (const unsigned field : {kName, kDatatype, kShape}) {
    if (!input.seen.has(field)) return missing(kInputKeys[field]);
  }
  const bool has_data = input.seen.has(kData);
  if (has_data && input.binary_size) {
    return invalid_argument("both 'data' and 'binary_data_size' are given");
  }
  if (input.binary_size) return take_binary(*input.binary_size, input.tensor);
  if (!has_data) return missing("data");
  return input.data_read ? Status() : read_late_data(input);
}

Status InferReader::take_binary(std::uint64_t size, Tensor& tensor) {
  if (size > binary_.size()) {
    return invalid_argument(
        "'binary_data_size' is " + std::to_string(size) + ", but only " +
        std::to_string(binary_.size()) + " bytes of data are left in the body"
    );
  }
  tensor.bytes = binary_.first(size);
  tensor.owner = body_;
  binary_ = binary_.subspan(size);
  CORTEX_RETURN_IF_ERROR(validate(tensor));
  return align(tensor);
}

Status InferReader::read_outputs(ondemand::value value) {
  ondemand::array array;
  CORTEX_RETURN_IF_ERROR(read_array(value, "outputs", array));
  return for_each_element(array, [&](ondemand::value item) {
    const Status status = read_output(item);
    if (status.ok()) return status;
    return status.with_prefix("outputs[" + std::to_string(call_.plan.outputs.size()) + "]: ");
  });
}

Status InferReader::read_output(ondemand::value value) {
  ondemand::object object;
  if (value.get_object().get(object)) return invalid_argument("an output must be an object");
  RequestedOutput output;
  CORTEX_RETURN_IF_ERROR(for_each_field(object, [&](std::string_view key, ondemand::value field) {
    return read_output_field(key, field, output);
  }));
  if (output.name.empty()) return missing("name");
  call_.input.outputs.push_back(output.name);
  call_.plan.outputs.push_back(std::move(output));
  return {};
}

Status InferReader::read_output_field(
    std::string_view key, ondemand::value value, RequestedOutput& output
) {
  if (key == "name") {
    std::string_view name;
    CORTEX_RETURN_IF_ERROR(read_string(value, "name", name));
    output.name = name;
    return {};
  }
  if (key != "parameters") return skip_value(value);
  return each_parameter(value, [&](std::string_view name, ondemand::value parameter) {
    return read_output_parameter(name, parameter, output);
  });
}

Status InferReader::read_output_parameter(
    std::string_view key, ondemand::value value, RequestedOutput& output
) {
  if (is_shared_memory(key)) return refuse_shared_memory(key);
  if (key == "classification") return read_size(value, "classification", output.classes);
  if (key != "binary_data") return skip_value(value);
  bool binary = false;
  CORTEX_RETURN_IF_ERROR(read_bool(value, "binary_data", binary));
  output.binary = binary;
  return {};
}

Status InferReader::read_request_parameter(std::string_view key, ondemand::value value) {
  if (key == "binary_data_output") return read_bool(value, key, call_.plan.binary_default);
  if (key == "priority") return read_size(value, key, call_.priority);
  if (key == "timeout") return read_queue_timeout(value);
  if (key == "sequence_id" || key == "sequence_start" || key == "sequence_end") {
    return invalid_argument(
        "parameter '" + std::string(key) + "': sequences are not supported by this server"
    );
  }
  Parameter parameter;
  std::string name(key);
  CORTEX_RETURN_IF_ERROR(read_parameter(value, name, parameter));
  call_.parameters.emplace_back(std::move(name), std::move(parameter));
  return {};
}

Status InferReader::read_queue_timeout(ondemand::value value) {
  // Longer than any wait, short enough to be added to a time.
  constexpr std::uint64_t kTimeoutUsMax = 1'000'000ULL * 3600 * 24 * 365;
  std::uint64_t microseconds = 0;
  CORTEX_RETURN_IF_ERROR(read_size(value, "timeout", microseconds));
  call_.queue_timeout = std::chrono::microseconds(std::min(microseconds, kTimeoutUsMax));
  return {};
}

}  // namespace

Result<InferCall> read_infer(
    const std::shared_ptr<const Buffer>& body, std::optional<std::size_t> json_length
) {
  const std::size_t length = json_length.value_or(body->size());
  if (length > body->size()) {
    return invalid_argument(
        "Inference-Header-Content-Length is " + std::to_string(length) + ", but the body has " +
        std::to_string(body->size()) + " bytes"
    );
  }
  InferReader reader(body, length);
  CORTEX_RETURN_IF_ERROR(reader.read());
  return reader.take();
}

}  // namespace cortex::frontend::oip
