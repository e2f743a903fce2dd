// SPDX-License-Identifier: Apache-2.0
#include "registry/config_conversion.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <set>

#include <google/protobuf/descriptor.pb.h>

#include "registry/config_fields.h"

namespace cortex::registry {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr int kBatchSizeMax = 1 << 20;
constexpr int kInstancesMax = 1024;
constexpr int kRankMax = 64;

// What the walk over all set fields gathers; each path once.
struct Judgement {
  std::set<std::string> refused;
  std::set<std::string> without_effect;
};

void judge(const Message& message, const std::string& above, Judgement& out);

void judge_field(
    const Message& message, const FieldDescriptor& field, const std::string& path, Judgement& out
) {
  const ConfigField* row = find_config_field(path);
  // A field below one that is judged already has no row of its own; a field above has only its
  // children's.
  if (row != nullptr && row->use != FieldUse::kUsed) {
    const bool refused = row->use == FieldUse::kRefused;
    (refused ? out.refused : out.without_effect).insert(std::string(row->path));
    return;
  }
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return;
  const auto* reflection = message.GetReflection();
  if (!field.is_repeated()) {
    judge(reflection->GetMessage(message, &field), path, out);
    return;
  }
  for (int i = 0; i < reflection->FieldSize(message, &field); ++i) {
    judge(reflection->GetRepeatedMessage(message, &field, i), path, out);
  }
}

// The entry of a map stands for its value: paths go through it.
void judge(const Message& message, const std::string& above, Judgement& out) {
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  const bool entry = message.GetDescriptor()->options().map_entry();
  for (const FieldDescriptor* field : fields) {
    if (entry && field->number() == 1) continue;
    std::string path = entry ? above : above.empty() ? field->name() : above + "." + field->name();
    judge_field(message, *field, path, out);
  }
}

std::string indexed(std::string_view name, int index) {
  return std::string(name) + "[" + std::to_string(index) + "]";
}

std::optional<DataType> datatype_of(proto::DataType type) {
  switch (type) {
    case proto::TYPE_BOOL:
      return DataType::kBool;
    case proto::TYPE_UINT8:
      return DataType::kUint8;
    case proto::TYPE_UINT16:
      return DataType::kUint16;
    case proto::TYPE_UINT32:
      return DataType::kUint32;
    case proto::TYPE_UINT64:
      return DataType::kUint64;
    case proto::TYPE_INT8:
      return DataType::kInt8;
    case proto::TYPE_INT16:
      return DataType::kInt16;
    case proto::TYPE_INT32:
      return DataType::kInt32;
    case proto::TYPE_INT64:
      return DataType::kInt64;
    case proto::TYPE_FP16:
      return DataType::kFp16;
    case proto::TYPE_FP32:
      return DataType::kFp32;
    case proto::TYPE_FP64:
      return DataType::kFp64;
    case proto::TYPE_STRING:
      return DataType::kBytes;
    case proto::TYPE_BF16:
      return DataType::kBf16;
    default:
      return std::nullopt;
  }
}

// Reads one message; every method adds what it cannot do to the faults.
class Conversion {
 public:
  Conversion(const proto::ModelConfig& message, Faults& faults)
      : message_(message), faults_(faults) {}

  ModelConfig run() {
    config_.name = message_.name();
    read_backend();
    read_file();
    read_batch_size();
    read_tensors();
    read_versions();
    read_instances();
    if (message_.has_dynamic_batching()) read_batching(message_.dynamic_batching());
    read_parameters();
    for (int i = 0; i < message_.model_warmup_size(); ++i) read_warmup(message_.model_warmup(i), i);
    config_.open.pad_lengths = true;
    return std::move(config_);
  }

 private:
  void read_backend() {
    const std::string& platform = message_.platform();
    if (!platform.empty() && platform != "onnxruntime_onnx") {
      faults_.add("platform", "'" + platform + "' is not supported; 'onnxruntime_onnx' is");
    }
    const bool onnx = message_.backend() == "onnxruntime" ||
                      (message_.backend().empty() && platform == "onnxruntime_onnx");
    config_.backend = onnx ? "onnx" : message_.backend();
  }

  void read_file() {
    config_.default_filename = message_.default_model_filename();
    if (!config_.default_filename.empty() && !is_inner_path(config_.default_filename)) {
      faults_.add("default_model_filename", "must be a file inside the version folder");
    }
  }

  // A file that says neither size nor tensors leaves both to the model.
  void read_batch_size() {
    const int size = message_.max_batch_size();
    if (size < 0 || size > kBatchSizeMax) {
      faults_.add("max_batch_size", "must be 0 to " + std::to_string(kBatchSizeMax));
    } else {
      config_.max_batch_size = static_cast<std::size_t>(size);
    }
    config_.open.batch_size =
        !message_.has_max_batch_size() && message_.input_size() == 0 && message_.output_size() == 0;
  }

  void read_tensors() {
    for (int i = 0; i < message_.input_size(); ++i) {
      const proto::ModelInput& input = message_.input(i);
      TensorSpec spec = read_spec(input, indexed("input", i));
      spec.optional = input.optional();
      config_.inputs.push_back(std::move(spec));
    }
    for (int i = 0; i < message_.output_size(); ++i) {
      config_.outputs.push_back(read_spec(message_.output(i), indexed("output", i)));
    }
  }

  template <typename Declared>
  TensorSpec read_spec(const Declared& declared, const std::string& place) {
    if (declared.name().empty()) faults_.add(place + ".name", "must not be empty");
    TensorSpec spec = read_type_and_dims(declared, place);
    spec.name = declared.name();
    return spec;
  }

  template <typename Declared>
  TensorSpec read_type_and_dims(const Declared& declared, const std::string& place) {
    TensorSpec spec;
    if (const auto type = datatype_of(declared.data_type())) {
      spec.datatype = *type;
    } else {
      faults_.add(place + ".data_type", "must be set");
    }
    if (declared.dims_size() > kRankMax) {
      faults_.add(place + ".dims", "must be at most " + std::to_string(kRankMax) + " numbers");
      return spec;
    }
    spec.shape.assign(declared.dims().begin(), declared.dims().end());
    if (std::any_of(spec.shape.begin(), spec.shape.end(), [](auto dim) { return dim < -1; })) {
      faults_.add(place + ".dims", "must be -1 or more");
    }
    return spec;
  }

  void read_versions() {
    const proto::ModelVersionPolicy& policy = message_.version_policy();
    if (policy.has_all()) config_.version_policy = VersionPolicy::kAll;
    if (policy.has_latest()) {
      config_.latest_versions = std::max(1U, policy.latest().num_versions());
    }
    if (!policy.has_specific()) return;
    config_.version_policy = VersionPolicy::kSpecific;
    const auto& versions = policy.specific().versions();
    config_.specific_versions.assign(versions.begin(), versions.end());
    if (config_.specific_versions.empty()) {
      faults_.add("version_policy.specific.versions", "must name a version");
    }
  }

  void read_instances() {
    int total = 0;
    for (int i = 0; i < message_.instance_group_size(); ++i) {
      const proto::ModelInstanceGroup& group = message_.instance_group(i);
      const std::string place = indexed("instance_group", i);
      if (group.kind() == proto::ModelInstanceGroup::KIND_GPU) {
        faults_.add(place + ".kind", "KIND_GPU is not supported");
      }
      if (group.count() < 0 || group.count() > kInstancesMax - total) {
        faults_.add(
            place + ".count", "all groups together may have 0 to " + std::to_string(kInstancesMax)
        );
        return;
      }
      total += std::max(1, group.count());
    }
    config_.instances = static_cast<std::size_t>(total);
  }

  void read_batching(const proto::ModelDynamicBatching& from) {
    BatchingConfig& to = config_.batching;
    to.enabled = true;
    for (const int size : from.preferred_batch_size()) {
      if (size < 1) faults_.add("dynamic_batching.preferred_batch_size", "must be 1 or more");
      to.preferred_sizes.push_back(static_cast<std::size_t>(std::max(1, size)));
    }
    std::sort(to.preferred_sizes.begin(), to.preferred_sizes.end());
    to.queue_delay_max = micros(
        from.max_queue_delay_microseconds(), "dynamic_batching.max_queue_delay_microseconds"
    );
    to.preserve_ordering = from.preserve_ordering();
    to.priority_levels = level(from.priority_levels(), "dynamic_batching.priority_levels");
    to.default_priority =
        level(from.default_priority_level(), "dynamic_batching.default_priority_level");
    to.default_policy = queue_policy(from.default_queue_policy());
    read_priorities(from, to);
  }

  void read_priorities(const proto::ModelDynamicBatching& from, BatchingConfig& to) {
    const bool used = to.priority_levels > 0;
    if (used && (to.default_priority < 1 || to.default_priority > to.priority_levels)) {
      faults_.add("dynamic_batching.default_priority_level", "must be 1 to priority_levels");
    }
    for (const auto& [number, policy] : from.priority_queue_policy()) {
      if (number < 1 || number > to.priority_levels) {
        faults_.add("dynamic_batching.priority_queue_policy", "keys must be 1 to priority_levels");
        return;
      }
      to.policies[static_cast<std::uint32_t>(number)] = queue_policy(policy);
    }
  }

  QueuePolicy queue_policy(const proto::ModelQueuePolicy& from) {
    return {
        .queue_size_max = from.max_queue_size(),
        .timeout = micros(from.default_timeout_microseconds(), "default_timeout_microseconds"),
        .delay_on_timeout = from.timeout_action() == proto::ModelQueuePolicy::DELAY,
        .allow_timeout_override = from.allow_timeout_override(),
    };
  }

  std::chrono::microseconds micros(std::uint64_t value, std::string_view place) {
    constexpr std::uint64_t kDay = 86'400'000'000;
    if (value > kDay) faults_.add(place, "must be at most a day");
    return std::chrono::microseconds(std::min(value, kDay));
  }

  std::uint32_t level(std::uint64_t value, std::string_view place) {
    constexpr std::uint64_t kLevelsMax = 1024;
    if (value > kLevelsMax) faults_.add(place, "must be at most " + std::to_string(kLevelsMax));
    return static_cast<std::uint32_t>(std::min(value, kLevelsMax));
  }

  void read_parameters() {
    for (const auto& [key, value] : message_.parameters()) {
      if (key == "intra_op_thread_count") {
        read_threads(value.string_value());
      } else {
        config_.parameters[key] = value.string_value();
      }
    }
  }

  void read_threads(const std::string& text) {
    std::size_t threads = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), threads);
    const bool whole = error == std::errc() && end == text.data() + text.size();
    if (!whole || threads > kInstancesMax) {
      faults_.add(
          "parameters.intra_op_thread_count", "must be 0 to " + std::to_string(kInstancesMax)
      );
      return;
    }
    config_.threads = threads;
  }

  void read_warmup(const proto::ModelWarmup& from, int index) {
    const std::string place = indexed("model_warmup", index);
    constexpr std::uint32_t kCountMax = 10'000;
    if (from.count() > kCountMax || from.batch_size() > kBatchSizeMax) {
      faults_.add(place, "count or batch_size is too large");
    }
    WarmupSample sample;
    sample.name = from.name();
    sample.batch_size = std::max(1U, from.batch_size());
    sample.count = std::max(1U, from.count());
    std::size_t random = 0;
    for (const auto& [name, input] : from.inputs()) {
      const std::string at = place + ".inputs['" + name + "']";
      TensorSpec spec = read_type_and_dims(input, at);
      spec.name = name;
      sample.inputs.push_back(std::move(spec));
      if (!input.zero_data() && !input.random_data() && !input.has_input_data_file()) {
        faults_.add(at, "needs zero_data or random_data");
      }
      if (input.random_data()) ++random;
    }
    sample.random = random > 0;
    if (random > 0 && random < sample.inputs.size()) {
      faults_.add(place, "zero_data beside random_data in one sample is not supported");
    }
    // The map gives them in no order.
    std::sort(sample.inputs.begin(), sample.inputs.end(), [](const auto& a, const auto& b) {
      return a.name < b.name;
    });
    config_.warmup.push_back(std::move(sample));
  }

  const proto::ModelConfig& message_;
  Faults& faults_;
  ModelConfig config_;
};

}  // namespace

ConfigText convert_config(const proto::ModelConfig& message, Faults& faults) {
  Judgement judgement;
  judge(message, "", judgement);
  for (const std::string& path : judgement.refused) {
    const ConfigField* row = find_config_field(path);
    std::string text = "not supported";
    if (!row->note.empty()) text.append(" (").append(row->note).append(")");
    faults.add(path, text);
  }
  ConfigText out;
  out.config = Conversion(message, faults).run();
  out.without_effect.assign(judgement.without_effect.begin(), judgement.without_effect.end());
  return out;
}

}  // namespace cortex::registry
