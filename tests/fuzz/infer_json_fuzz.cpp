// SPDX-License-Identifier: Apache-2.0
// The input is the JSON body of an infer request. What is accepted must be valid, and must survive
// being written and read again.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "frontend/codec/oip/infer_reply.h"
#include "frontend/codec/oip/infer_request.h"
#include "request/buffer.h"

using cortex::Buffer;
using cortex::InferOutput;
using cortex::Tensor;
namespace oip = cortex::frontend::oip;

namespace {

std::shared_ptr<const Buffer> body_of(std::string_view text) {
  auto body = Buffer::make(text.size());
  if (!text.empty()) std::memcpy(body->data(), text.data(), text.size());
  return body;
}

void write_again(const oip::InferCall& call) {
  InferOutput output;
  output.outputs = call.input.inputs;
  output.parameters = call.parameters;
  const auto reply = oip::write_infer_reply(call.plan, {"m", "1"}, std::move(output), nullptr);
  if (call.plan.outputs.empty() && !call.plan.binary_default) {
    CHECK(reply.ok(), "what came as JSON goes as JSON");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto call = oip::read_infer(body_of(text), std::nullopt);
  if (!call.ok()) {
    CHECK(call.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so");
    return 0;
  }
  for (const Tensor& tensor : call->input.inputs) {
    CHECK(cortex::validate(tensor).ok(), "an accepted tensor is valid");
  }
  write_again(*call);
  return 0;
}
