// SPDX-License-Identifier: Apache-2.0
#include "registry/config_fields.h"

#include <array>

namespace cortex::registry {
namespace {

using enum FieldUse;

// clang-format off: one row per field.
constexpr auto kFields = std::to_array<ConfigField>({
  {"name", kUsed, "must be the folder's name, or absent"},
  {"platform", kUsed, "`onnxruntime_onnx` means backend `onnx`; others are refused"},
  {"backend", kUsed, "`onnxruntime` means `onnx`; other names are those of Cortex' backends"},
  {"runtime", kRefused, "backends are not chosen by library file"},
  {"version_policy", kUsed, "default: the newest version"},
  {"max_batch_size", kUsed, "absent: see \"What nobody said\"; 0: the model has no batch dimension"},
  {"input.name", kUsed, ""},
  {"input.data_type", kUsed, "must be the model's"},
  {"input.dims", kUsed, "without the batch dimension; must fit the model's"},
  {"input.optional", kUsed, ""},
  {"input.format", kNoEffect, "describes the layout; engines do not ask for it"},
  {"input.reshape", kRefused, "shapes go to the model as the client sends them"},
  {"input.is_shape_tensor", kRefused, "TensorRT only"},
  {"input.allow_ragged_batch", kRefused, "rows of different length are padded (`batching.pad_lengths` in model.yaml)"},
  {"input.is_non_linear_format_io", kRefused, "TensorRT only"},
  {"output.name", kUsed, ""},
  {"output.data_type", kUsed, "must be the model's"},
  {"output.dims", kUsed, "without the batch dimension; must fit the model's"},
  {"output.label_filename", kNoEffect, "classification answers `value:index`, without the label"},
  {"output.reshape", kRefused, "shapes come from the model as they are"},
  {"output.is_shape_tensor", kRefused, "TensorRT only"},
  {"output.is_non_linear_format_io", kRefused, "TensorRT only"},
  {"instance_group.count", kUsed, "the groups add up; absent: by the machine's cores"},
  {"instance_group.kind", kUsed, "`KIND_CPU`, `KIND_AUTO`, `KIND_MODEL`; `KIND_GPU` is refused"},
  {"instance_group.name", kNoEffect, "shown nowhere"},
  {"instance_group.gpus", kRefused, "models run on the processor"},
  {"instance_group.profile", kRefused, "TensorRT only"},
  {"instance_group.rate_limiter", kRefused, ""},
  {"instance_group.passive", kRefused, ""},
  {"instance_group.secondary_devices", kRefused, ""},
  {"instance_group.host_policy", kRefused, ""},
  {"default_model_filename", kUsed, "a file of the version folder"},
  {"cc_model_filenames", kRefused, "files are not chosen by GPU generation"},
  {"metric_tags", kRefused, ""},
  {"dynamic_batching", kUsed, "with all of its fields"},
  {"sequence_batching", kRefused, ""},
  {"ensemble_scheduling", kRefused, ""},
  {"optimization.graph", kNoEffect, "the engine always optimises as far as it can"},
  {"optimization.priority", kNoEffect, "a hint"},
  {"optimization.cuda", kNoEffect, "for GPUs"},
  {"optimization.input_pinned_memory", kNoEffect, "for GPUs"},
  {"optimization.output_pinned_memory", kNoEffect, "for GPUs"},
  {"optimization.gather_kernel_buffer_threshold", kNoEffect, "for GPUs"},
  {"optimization.eager_batching", kNoEffect, "a hint"},
  {"optimization.execution_accelerators", kRefused, "the model would run on another engine than its owner measured"},
  {"parameters", kUsed, "go to the backend; `intra_op_thread_count` sets the threads of one instance"},
  {"model_warmup.name", kUsed, ""},
  {"model_warmup.batch_size", kUsed, ""},
  {"model_warmup.count", kUsed, ""},
  {"model_warmup.inputs.data_type", kUsed, ""},
  {"model_warmup.inputs.dims", kUsed, ""},
  {"model_warmup.inputs.zero_data", kUsed, ""},
  {"model_warmup.inputs.random_data", kUsed, "for all inputs of a sample or for none"},
  {"model_warmup.inputs.input_data_file", kRefused, ""},
  {"model_operations", kRefused, "custom operator libraries are not opened"},
  {"model_transaction_policy.decoupled", kRefused, "every request has exactly one answer"},
  {"batch_input", kRefused, ""},
  {"batch_output", kRefused, ""},
  {"model_repository_agents", kRefused, ""},
  {"response_cache", kNoEffect, "answers are computed anew"},
  {"model_metrics", kRefused, "buckets are the same for all models"},
});
// clang-format on

}  // namespace

std::span<const ConfigField> config_fields() { return kFields; }

const ConfigField* find_config_field(std::string_view path) {
  while (true) {
    for (const ConfigField& field : kFields) {
      if (field.path == path) return &field;
    }
    const auto dot = path.rfind('.');
    if (dot == std::string_view::npos) return nullptr;
    path = path.substr(0, dot);
  }
}

std::string_view field_use_name(FieldUse use) {
  switch (use) {
    case kUsed:
      return "used";
    case kNoEffect:
      return "no effect";
    case kRefused:
      return "refused";
  }
  return "";
}

}  // namespace cortex::registry
