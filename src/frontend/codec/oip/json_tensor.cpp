// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/oip/json_tensor.h"

#include <cmath>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <string>
#include <type_traits>

#include "frontend/codec/detail/hot_json.h"
#include "frontend/codec/json_depth.h"

namespace cortex::frontend::oip {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kTokenShownMax = 32;

// Takes the elements one by one. No Status for each of them: there may be millions.
class Sink {
 public:
  explicit Sink(std::size_t count) : count_(count) {}

  [[nodiscard]] bool fail(Status status) {
    status_ = std::move(status);
    return false;
  }
  [[nodiscard]] bool full() const { return at_ == count_; }
  [[nodiscard]] std::size_t at() const { return at_; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] const Status& status() const { return status_; }

 protected:
  std::size_t at_ = 0;

 private:
  std::size_t count_;
  Status status_;
};

// JSON has one kind of number; what the type cannot hold is refused.
template <typename T>
[[nodiscard]] bool read_element(ondemand::value value, T& out) {
  if constexpr (std::same_as<T, bool>) {
    return value.get_bool().get(out) == simdjson::SUCCESS;
  } else if constexpr (std::floating_point<T>) {
    double wide = 0;
    if (value.get_double().get(wide)) return false;
    out = static_cast<T>(wide);
    return std::isfinite(out);
  } else if constexpr (std::is_signed_v<T>) {
    std::int64_t wide = 0;
    if (value.get_int64().get(wide)) return false;
    out = static_cast<T>(wide);
    return out == wide;
  } else {
    std::uint64_t wide = 0;
    if (value.get_uint64().get(wide)) return false;
    out = static_cast<T>(wide);
    return out == wide;
  }
}

template <typename T>
class NumberSink : public Sink {
 public:
  NumberSink(std::span<std::byte> out, std::size_t count)
      : Sink(count), out_(reinterpret_cast<T*>(out.data())) {}

  [[nodiscard]] bool take(ondemand::value value) {
    T element{};
    if (!read_element(value, element)) return false;
    out_[at_++] = element;
    return true;
  }

 private:
  T* out_;
};

// Collects strings in the form of the wire: their total length is known at the end alone.
class StringSink : public Sink {
 public:
  using Sink::Sink;

  [[nodiscard]] bool take(ondemand::value value) {
    std::string_view text;
    if (value.get_string().get(text)) return false;
    const auto length = static_cast<std::uint32_t>(text.size());
    bytes_.append(reinterpret_cast<const char*>(&length), sizeof length);
    bytes_.append(text);
    ++at_;
    return true;
  }

  void move_into(Tensor& tensor) {
    auto owner = std::make_shared<const std::string>(std::move(bytes_));
    tensor.bytes = std::as_bytes(std::span(*owner));
    tensor.owner = std::move(owner);
  }

 private:
  std::string bytes_;
};

std::string token_of(ondemand::value value) {
  std::string_view token = value.raw_json_token();
  token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
  return std::string(token.substr(0, kTokenShownMax));
}

template <typename AnySink>
bool refuse_element(ondemand::value value, DataType type, AnySink& sink) {
  const std::string where = "data[" + std::to_string(sink.at()) + "]: ";
  ondemand::json_type kind{};
  if (const auto error = value.type().get(kind)) return sink.fail(malformed_json(error));
  if (kind == ondemand::json_type::array) {
    return sink.fail(invalid_argument(where + "an array among values"));
  }
  std::string what = kind == ondemand::json_type::object ? "an object" : token_of(value);
  return sink.fail(
      invalid_argument(where + what + " is not a value of type " + std::string(datatype_name(type)))
  );
}

template <typename AnySink>
bool walk(ondemand::array array, DataType type, AnySink& sink, int depth);

template <typename AnySink>
bool walk_inner(ondemand::value value, DataType type, AnySink& sink, int depth) {
  ondemand::array inner;
  if (value.get_array().get(inner)) {
    return sink.fail(invalid_argument("data: arrays and values are mixed on one level"));
  }
  if (depth >= json_depth_max()) {
    return sink.fail(invalid_argument(
        "data: nested deeper than " + std::to_string(json_depth_max()) +
        " levels (limits.json_depth)"
    ));
  }
  return walk(inner, type, sink, depth + 1);
}

template <typename AnySink>
bool take_element(ondemand::value value, DataType type, AnySink& sink) {
  if (sink.full()) {
    return sink.fail(invalid_argument(
        "data: more than the " + std::to_string(sink.count()) + " elements of the shape"
    ));
  }
  return sink.take(value) || refuse_element(value, type, sink);
}

// The first element of a level says whether the level holds arrays or values.
template <typename AnySink>
bool walk(ondemand::array array, DataType type, AnySink& sink, int depth) {
  bool first = true;
  bool nested = false;
  for (auto item : array) {
    ondemand::value value;
    if (const auto error = std::move(item).get(value)) return sink.fail(malformed_json(error));
    if (first) {
      ondemand::json_type kind{};
      if (const auto error = value.type().get(kind)) return sink.fail(malformed_json(error));
      nested = kind == ondemand::json_type::array;
      first = false;
    }
    const bool taken =
        nested ? walk_inner(value, type, sink, depth) : take_element(value, type, sink);
    if (!taken) return false;
  }
  return true;
}

template <typename AnySink>
Status fill(ondemand::array data, DataType type, AnySink& sink) {
  if (!walk(data, type, sink, 1)) return sink.status();
  if (sink.full()) return {};
  return invalid_argument(
      "data: " + std::to_string(sink.at()) + " elements, but the shape has " +
      std::to_string(sink.count())
  );
}

template <typename T>
Status fill_numbers(ondemand::array data, std::size_t count, Tensor& tensor) {
  std::span<std::byte> out;
  CORTEX_ASSIGN_OR_RETURN(
      tensor, make_tensor(std::move(tensor.name), tensor.datatype, std::move(tensor.shape), out)
  );
  NumberSink<T> sink(out, count);
  return fill(data, tensor.datatype, sink);
}

Status fill_strings(ondemand::array data, std::size_t count, Tensor& tensor) {
  StringSink sink(count);
  CORTEX_RETURN_IF_ERROR(fill(data, DataType::kBytes, sink));
  sink.move_into(tensor);
  return {};
}

Status fill_any(ondemand::array data, std::size_t count, Tensor& tensor) {
  switch (tensor.datatype) {
    case DataType::kBool:
      static_assert(sizeof(bool) == 1);
      return fill_numbers<bool>(data, count, tensor);
    case DataType::kUint8:
      return fill_numbers<std::uint8_t>(data, count, tensor);
    case DataType::kUint16:
      return fill_numbers<std::uint16_t>(data, count, tensor);
    case DataType::kUint32:
      return fill_numbers<std::uint32_t>(data, count, tensor);
    case DataType::kUint64:
      return fill_numbers<std::uint64_t>(data, count, tensor);
    case DataType::kInt8:
      return fill_numbers<std::int8_t>(data, count, tensor);
    case DataType::kInt16:
      return fill_numbers<std::int16_t>(data, count, tensor);
    case DataType::kInt32:
      return fill_numbers<std::int32_t>(data, count, tensor);
    case DataType::kInt64:
      return fill_numbers<std::int64_t>(data, count, tensor);
    case DataType::kFp32:
      return fill_numbers<float>(data, count, tensor);
    case DataType::kFp64:
      return fill_numbers<double>(data, count, tensor);
    case DataType::kBytes:
      return fill_strings(data, count, tensor);
    case DataType::kFp16:
    case DataType::kBf16:
      break;
  }
  return invalid_argument(
      std::string(datatype_name(tensor.datatype)) +
      " has no JSON form: send it as binary data (parameter 'binary_data_size')"
  );
}

}  // namespace

Status read_json_data(ondemand::array data, std::size_t json_size, Tensor& tensor) {
  const auto count = element_count(tensor.shape);
  if (!count) return invalid_argument("shape " + shape_text(tensor.shape) + " is not a size");
  if (*count > json_size) {
    return invalid_argument(
        "data: fewer elements than the " + std::to_string(*count) + " of shape " +
        shape_text(tensor.shape)
    );
  }
  return fill_any(data, *count, tensor);
}

}  // namespace cortex::frontend::oip
