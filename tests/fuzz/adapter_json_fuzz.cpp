// SPDX-License-Identifier: Apache-2.0
// The input is the body of one of the calls that change adapters; each reader gets it. What it
// takes for a name is also read as a reference.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/check.h"
#include "frontend/codec/adapters/adapter_request.h"
#include "registry/adapters/adapter.h"
#include "request/adapter_choice.h"
#include "request/buffer.h"
#include "request/model_reference.h"

namespace adapters = cortex::frontend::adapters;

namespace {

template <typename T>
bool read_well(const cortex::Result<T>& result) {
  if (!result.ok()) {
    CHECK(
        result.status().code() == cortex::Code::kInvalidArgument, "the client's fault is named so"
    );
  }
  return result.ok();
}

void check_reference(const std::string& name) {
  const auto reference = cortex::ModelReference::parse("base+" + name);
  if (!reference.ok()) return;
  const auto choice = cortex::AdapterChoice::parse(reference->adapter);
  CHECK(choice.ok() && cortex::is_model_name(choice->name), "what is a reference names an adapter");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto body = cortex::Buffer::make(size);
  if (size > 0) std::memcpy(body->data(), data, size);
  const auto registration = adapters::read_registration(body->text());
  if (read_well(registration)) {
    CHECK(registration->tags.size() <= cortex::registry::kAdapterTagsMax, "few tags");
    const auto status = cortex::registry::check_adapter(*registration, {});
    CHECK(status.ok() || !status.field().empty(), "a refusal names its field");
    check_reference(registration->name);
  }
  const auto swap = adapters::read_swap(body->text());
  if (read_well(swap)) check_reference(swap->new_name);
  const auto load = adapters::read_vllm_load(body->text());
  if (read_well(load)) CHECK(!load->name.empty() && !load->path.empty(), "both are there");
  const auto unload = adapters::read_vllm_unload(body->text());
  if (read_well(unload)) CHECK(!unload->empty(), "it is named");
  return 0;
}
