// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <charconv>
#include <functional>
#include <initializer_list>
#include <optional>
#include <set>

#include <yaml-cpp/yaml.h>

#include "base/json_text.h"
#include "registry/faults.h"
#include "registry/model_config_reader.h"
#include "registry/yaml_guard.h"

namespace cortex::registry {
namespace {

constexpr std::int64_t kCountMax = 1 << 20;
constexpr std::int64_t kTokensMax = 1 << 24;
constexpr std::int64_t kBytesMax = std::int64_t{1} << 46;
constexpr std::int64_t kMicrosMax = 86'400'000'000;  // a day

struct Range {
  std::int64_t low;
  std::int64_t high;
};

// One known key of a map and what reads its value.
struct Key {
  std::string_view name;
  std::function<void(const YAML::Node& value, const std::string& path)> read;
};

// Reads the tree; every method adds what it cannot do to the faults and goes on.
class YamlReading {
 public:
  explicit YamlReading(Faults& faults) : faults_(faults) {}

  ModelConfig run(const YAML::Node& root) {
    config_.open = {.batch_size = true, .pad_lengths = true};
    if (root.IsNull()) return std::move(config_);
    read_map(
        root,
        "",
        {
            text_key("backend", config_.backend),
            path_key("filename", config_.default_filename),
            {"max_batch_size", [this](auto& v, auto& p) { read_batch_size(v, p); }},
            path_key("tokenizer", config_.text.tokenizer),
            {"pooling", [this](auto& v, auto& p) { read_pooling(v, p); }},
            flag_key("normalize", config_.text.normalize),
            number_key("context_length", config_.text.context_length, {1, kCountMax}),
            number_key("threads", config_.threads, {0, 1024}),
            number_key("instances", config_.instances, {0, 1024}),
            {"batching", [this](auto& v, auto& p) { read_batching(v, p); }},
            {"generation", [this](auto& v, auto& p) { read_map(v, p, generation_keys()); }},
            {"version_policy", [this](auto& v, auto& p) { read_version_policy(v, p); }},
            {"warmup", [this](auto& v, auto& p) { read_warmup(v, p); }},
            {"parameters", [this](auto& v, auto& p) { read_parameters(v, p); }},
            {"inputs", [this](auto& v, auto& p) { read_specs(v, p, config_.inputs); }},
            {"outputs", [this](auto& v, auto& p) { read_specs(v, p, config_.outputs); }},
        }
    );
    settle_batching();
    return std::move(config_);
  }

 private:
  void fault(const YAML::Node& at, const std::string& path, const std::string& text) {
    const std::string line = "line " + std::to_string(at.Mark().line + 1);
    faults_.add(path.empty() ? line : line + ": " + path, text);
  }

  void read_map(const YAML::Node& map, const std::string& path, const std::vector<Key>& keys) {
    if (!map.IsMap()) return fault(map, path, "must be a map");
    std::set<std::string> seen;
    for (const auto& entry : map) {
      if (!entry.first.IsScalar()) {
        fault(entry.first, path, "keys must be words");
        continue;
      }
      const std::string& name = entry.first.Scalar();
      const std::string inner = path.empty() ? name : path + "." + name;
      const auto key =
          std::find_if(keys.begin(), keys.end(), [&](const Key& k) { return k.name == name; });
      if (key == keys.end()) {
        fault(entry.first, inner, "unknown key; known are " + names_of(keys));
      } else if (!seen.insert(name).second) {
        fault(entry.first, inner, "stands here twice");
      } else {
        key->read(entry.second, inner);
      }
    }
  }

  static std::string names_of(const std::vector<Key>& keys) {
    std::string out;
    for (const Key& key : keys) out.append(out.empty() ? "" : ", ").append(key.name);
    return out;
  }

  // Calls `each` for every item of a list, with its path.
  template <typename Each>
  void read_list(const YAML::Node& list, const std::string& path, Each each) {
    if (!list.IsSequence()) return fault(list, path, "must be a list");
    std::size_t index = 0;
    for (const auto& item : list) each(item, path + "[" + std::to_string(index++) + "]");
  }

  std::optional<std::int64_t> read_number(
      const YAML::Node& value, const std::string& path, Range range
  ) {
    std::int64_t number = 0;
    bool good = value.IsScalar();
    if (good) {
      const std::string& text = value.Scalar();
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      good = error == std::errc() && end == text.data() + text.size();
    }
    if (good && number >= range.low && number <= range.high) return number;
    fault(
        value,
        path,
        "must be a whole number from " + std::to_string(range.low) + " to " +
            std::to_string(range.high)
    );
    return std::nullopt;
  }

  std::optional<bool> read_flag(const YAML::Node& value, const std::string& path) {
    if (value.IsScalar() && value.Scalar() == "true") return true;
    if (value.IsScalar() && value.Scalar() == "false") return false;
    fault(value, path, "must be true or false");
    return std::nullopt;
  }

  std::optional<std::string> read_text(const YAML::Node& value, const std::string& path) {
    if (value.IsScalar() && !value.Scalar().empty()) return value.Scalar();
    fault(value, path, "must be a text");
    return std::nullopt;
  }

  Key text_key(std::string_view name, std::string& out) {
    return {name, [this, &out](auto& v, auto& p) { out = read_text(v, p).value_or(out); }};
  }

  Key path_key(std::string_view name, std::string& out) {
    return {name, [this, &out](auto& v, auto& p) {
              const auto text = read_text(v, p);
              if (text && !is_inner_path(*text)) fault(v, p, "must be a file inside the folder");
              out = text.value_or(out);
            }};
  }

  Key flag_key(std::string_view name, bool& out) {
    return {name, [this, &out](auto& v, auto& p) { out = read_flag(v, p).value_or(out); }};
  }

  template <typename Number>
  Key number_key(std::string_view name, Number& out, Range range) {
    return {name, [this, &out, range](auto& v, auto& p) {
              if (const auto number = read_number(v, p, range)) out = static_cast<Number>(*number);
            }};
  }

  Key micros_key(std::string_view name, std::chrono::microseconds& out) {
    return {name, [this, &out](auto& v, auto& p) {
              if (const auto number = read_number(v, p, {0, kMicrosMax})) {
                out = std::chrono::microseconds(*number);
              }
            }};
  }

  void read_batch_size(const YAML::Node& value, const std::string& path) {
    const auto number = read_number(value, path, {0, kCountMax});
    if (!number) return;
    config_.max_batch_size = static_cast<std::size_t>(*number);
    config_.open.batch_size = false;
  }

  void read_pooling(const YAML::Node& value, const std::string& path) {
    const std::string word = value.IsScalar() ? value.Scalar() : "";
    const auto found =
        std::find_if(kPoolingNames.begin(), kPoolingNames.end(), [&](const auto& one) {
          return one.first == word;
        });
    if (found == kPoolingNames.end()) {
      return fault(value, path, "must be mean, cls, last, rank or none");
    }
    config_.text.pooling = found->second;
  }

  void read_batching(const YAML::Node& value, const std::string& path) {
    if (value.IsScalar()) {
      batching_said_ = read_flag(value, path);
      return;
    }
    BatchingConfig& to = config_.batching;
    std::vector<Key> keys = queue_keys(to.default_policy);
    keys.insert(
        keys.end(),
        {
            {"enabled", [this](auto& v, auto& p) { batching_said_ = read_flag(v, p); }},
            micros_key("delay_us", to.queue_delay_max),
            {"preferred_sizes", [this](auto& v, auto& p) { read_preferred_sizes(v, p); }},
            flag_key("preserve_ordering", to.preserve_ordering),
            number_key("priority_levels", to.priority_levels, {0, 1024}),
            number_key("default_priority", to.default_priority, {0, 1024}),
            {"priorities", [this](auto& v, auto& p) { read_priorities(v, p); }},
            {"pad_lengths",
             [this](auto& v, auto& p) {
               config_.batching.pad_lengths = read_flag(v, p).value_or(false);
               config_.open.pad_lengths = false;
             }},
            flag_key("allow_variance", to.allow_variance),
        }
    );
    read_map(value, path, keys);
    check_priorities(value, path);
  }

  std::vector<Key> queue_keys(QueuePolicy& to) {
    return {
        number_key("queue_size_max", to.queue_size_max, {0, kCountMax}),
        micros_key("timeout_us", to.timeout),
        {"on_timeout",
         [this, &to](auto& v, auto& p) {
           const std::string word = v.IsScalar() ? v.Scalar() : "";
           if (word != "refuse" && word != "delay") return fault(v, p, "must be refuse or delay");
           to.delay_on_timeout = word == "delay";
         }},
        flag_key("allow_timeout_override", to.allow_timeout_override),
    };
  }

  std::vector<Key> generation_keys() {
    GenerationConfig& to = config_.generation;
    return {
        number_key("context_length", to.context_length, {2, kTokensMax}),
        number_key("cells", to.cells, {256, kTokensMax}),
        number_key("sequences_max", to.sequences_max, {1, 1024}),
        number_key("queue_requests_max", to.queue_requests_max, {0, kCountMax}),
        number_key("queue_tokens_max", to.queue_tokens_max, {0, INT32_MAX}),
        micros_key("token_interval_us", to.token_interval),
        micros_key("first_token_max_us", to.first_token_max),
        flag_key("prefix_cache", to.prefix_cache),
        {"speculation",
         [this, &to](auto& v, auto& p) {
           const std::string word = v.IsScalar() ? v.Scalar() : "";
           if (word == "on") {
             to.speculation = Speculation::kOn;
           } else if (word == "prompt_lookup") {
             to.speculation = Speculation::kPromptLookup;
           } else if (word == "off") {
             to.speculation = Speculation::kOff;
           } else {
             fault(v, p, "must be on, prompt_lookup or off");
           }
         }},
        number_key("speculation_tokens", to.speculation_tokens, {1, kSpeculationTokensMax}),
        path_key("draft_model", to.draft_model),
        number_key("prefix_memory_bytes", to.prefix_memory_bytes, {0, kBytesMax}),
        number_key("prefix_disk_bytes", to.prefix_disk_bytes, {0, kBytesMax}),
        path_key("chat_template", to.chat_template),
    };
  }

  void read_preferred_sizes(const YAML::Node& value, const std::string& path) {
    auto& sizes = config_.batching.preferred_sizes;
    read_list(value, path, [&](const YAML::Node& item, const std::string& at) {
      if (const auto size = read_number(item, at, {1, kCountMax})) {
        sizes.push_back(static_cast<std::size_t>(*size));
      }
    });
    std::sort(sizes.begin(), sizes.end());
  }

  void read_priorities(const YAML::Node& value, const std::string& path) {
    if (!value.IsMap()) return fault(value, path, "must be a map from level to queue");
    for (const auto& entry : value) {
      const auto level = read_number(entry.first, path, {1, 1024});
      if (!level) continue;
      QueuePolicy policy;
      read_map(entry.second, path + "." + std::to_string(*level), queue_keys(policy));
      config_.batching.policies[static_cast<std::uint32_t>(*level)] = policy;
    }
  }

  void check_priorities(const YAML::Node& value, const std::string& path) {
    const BatchingConfig& batching = config_.batching;
    const bool used = batching.priority_levels > 0;
    if (used &&
        (batching.default_priority < 1 || batching.default_priority > batching.priority_levels)) {
      fault(value, path + ".default_priority", "must be 1 to priority_levels");
    }
    if (!batching.policies.empty() &&
        batching.policies.rbegin()->first > batching.priority_levels) {
      fault(value, path + ".priorities", "levels must be 1 to priority_levels");
    }
  }

  // A batch size in model.yaml means batching unless it says otherwise.
  void settle_batching() {
    config_.batching.enabled = batching_said_.value_or(config_.max_batch_size > 1);
    if (batching_said_.has_value() && config_.open.batch_size && !*batching_said_) {
      config_.open.batch_size = false;
      config_.max_batch_size = 0;
    }
  }

  void read_version_policy(const YAML::Node& value, const std::string& path) {
    if (value.IsScalar()) {
      const std::string& word = value.Scalar();
      if (word != "latest" && word != "all") {
        return fault(value, path, "must be latest, all, {latest: N} or {specific: [N, …]}");
      }
      if (word == "all") config_.version_policy = VersionPolicy::kAll;
      return;
    }
    if (value.IsMap() && value.size() != 1)
      return fault(value, path, "must hold one of latest and specific");
    read_map(
        value,
        path,
        {
            number_key("latest", config_.latest_versions, {1, kCountMax}),
            {"specific", [this](auto& v, auto& p) { read_specific_versions(v, p); }},
        }
    );
  }

  void read_specific_versions(const YAML::Node& value, const std::string& path) {
    config_.version_policy = VersionPolicy::kSpecific;
    read_list(value, path, [&](const YAML::Node& item, const std::string& at) {
      if (const auto version = read_number(item, at, {1, INT64_MAX})) {
        config_.specific_versions.push_back(*version);
      }
    });
    if (config_.specific_versions.empty()) fault(value, path, "must name a version");
  }

  void read_warmup(const YAML::Node& value, const std::string& path) {
    read_list(value, path, [&](const YAML::Node& item, const std::string& at) {
      WarmupSample sample;
      read_map(
          item,
          at,
          {
              text_key("name", sample.name),
              number_key("batch_size", sample.batch_size, {1, kCountMax}),
              number_key("count", sample.count, {1, 10'000}),
              flag_key("random", sample.random),
              {"inputs", [&](auto& v, auto& p) { read_specs(v, p, sample.inputs); }},
          }
      );
      config_.warmup.push_back(std::move(sample));
    });
  }

  void read_parameters(const YAML::Node& value, const std::string& path) {
    if (!value.IsMap()) return fault(value, path, "must be a map");
    for (const auto& entry : value) {
      if (entry.first.IsScalar() && entry.second.IsScalar()) {
        config_.parameters[entry.first.Scalar()] = entry.second.Scalar();
      } else {
        fault(entry.first, path, "keys and values must be single values");
      }
    }
  }

  void read_specs(const YAML::Node& value, const std::string& path, std::vector<TensorSpec>& out) {
    read_list(value, path, [&](const YAML::Node& item, const std::string& at) {
      TensorSpec spec;
      read_map(
          item,
          at,
          {
              text_key("name", spec.name),
              {"datatype", [&](auto& v, auto& p) { read_datatype(v, p, spec.datatype); }},
              {"shape", [&](auto& v, auto& p) { read_shape(v, p, spec.shape); }},
              flag_key("optional", spec.optional),
          }
      );
      if (item.IsMap() && (spec.name.empty() || !item["datatype"] || !item["shape"])) {
        fault(item, at, "needs name, datatype and shape");
      }
      out.push_back(std::move(spec));
    });
  }

  void read_datatype(const YAML::Node& value, const std::string& path, DataType& out) {
    const auto type = value.IsScalar() ? parse_datatype(value.Scalar()) : std::nullopt;
    if (!type) return fault(value, path, "must be a datatype such as FP32, INT64 or BYTES");
    out = *type;
  }

  void read_shape(const YAML::Node& value, const std::string& path, Shape& out) {
    read_list(value, path, [&](const YAML::Node& item, const std::string& at) {
      if (const auto dim = read_number(item, at, {-1, INT64_MAX})) out.push_back(*dim);
    });
    if (out.size() > 64) fault(value, path, "must have at most 64 dimensions");
  }

  Faults& faults_;
  ModelConfig config_;
  std::optional<bool> batching_said_;
};

}  // namespace

Result<ConfigText> parse_model_yaml(std::string_view text) {
  if (text.size() > kConfigBytesMax) {
    return invalid_argument("longer than " + std::to_string(kConfigBytesMax) + " bytes");
  }
  if (!is_utf8(text)) return invalid_argument("not UTF-8");
  CORTEX_RETURN_IF_ERROR(check_yaml(text));
  try {
    Faults faults;
    ConfigText out;
    out.config = YamlReading(faults).run(YAML::Load(std::string(text)));
    CORTEX_RETURN_IF_ERROR(faults.status());
    return out;
  } catch (const YAML::Exception& error) {
    return invalid_argument("line " + std::to_string(error.mark.line + 1) + ": " + error.msg);
  }
}

}  // namespace cortex::registry
