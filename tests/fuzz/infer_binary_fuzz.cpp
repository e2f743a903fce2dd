// SPDX-License-Identifier: Apache-2.0
// The first two bytes are the length of the JSON (little-endian), then come JSON and binary
// tensors. With an odd length above the rest, the body is one raw tensor.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "frontend/codec/oip/infer_request.h"
#include "request/buffer.h"

using cortex::Buffer;
using cortex::Tensor;
namespace oip = cortex::frontend::oip;

namespace {

void check(const cortex::Result<oip::InferCall>& call) {
  if (!call.ok()) {
    CHECK(call.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
    return;
  }
  for (const Tensor& tensor : call->input.inputs) {
    CHECK(cortex::validate(tensor).ok(), "an accepted tensor is valid");
    const std::size_t element = cortex::element_size(tensor.datatype);
    CHECK(element == 0 || tensor.aligned_to(element), "an accepted tensor is aligned");
  }
}

cortex::registry::ServingVersion raw_model(std::size_t variant) {
  constexpr std::array kTypes = {
      cortex::DataType::kFp32,
      cortex::DataType::kInt8,
      cortex::DataType::kBytes,
      cortex::DataType::kBool
  };
  cortex::registry::ServingVersion version;
  version.identity = {"raw", "1"};
  version.config.max_batch_size = variant % 2 == 0 ? 0 : 4;
  version.signature.inputs = {{"x", kTypes[variant / 2 % kTypes.size()], {-1, 3}, false}};
  return version;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t length = data[0] + 256U * data[1];
  const std::string_view text(reinterpret_cast<const char*>(data) + 2, size - 2);
  auto body = Buffer::make(text.size(), length < text.size() ? length : 0);
  if (!text.empty()) std::memcpy(body->data(), text.data(), text.size());
  if (length > text.size() && length % 2 == 1) {
    check(oip::read_raw_infer(body, raw_model(length / 2)));
  } else {
    check(oip::read_infer(body, length));
  }
  return 0;
}
