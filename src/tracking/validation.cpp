// SPDX-License-Identifier: Apache-2.0
#include "tracking/validation.h"

#include <vector>

#include "base/json_text.h"

namespace cortex::tracking {
namespace {

constexpr std::size_t kDatasetNameLimit = 500;
constexpr std::size_t kDatasetDigestLimit = 36;
constexpr std::size_t kDatasetSourceLimit = 65535;
constexpr std::size_t kDatasetSchemaLimit = 1048575;
constexpr std::size_t kDatasetProfileLimit = 16777215;
constexpr std::size_t kInputTagKeyLimit = 255;
constexpr std::size_t kInputTagValueLimit = 500;

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("_-. :/").find(c) != std::string_view::npos ||
         static_cast<unsigned char>(c) >= 0x80;
}

// What the name comes to as a path, by the rules of POSIX.
std::string normal_path(std::string_view name) {
  if (name.empty()) return ".";
  const bool absolute = name.front() == '/';
  std::vector<std::string_view> parts;
  while (!name.empty()) {
    const std::size_t end = std::min(name.find('/'), name.size());
    const std::string_view part = name.substr(0, end);
    name.remove_prefix(std::min(end + 1, name.size()));
    if (part.empty() || part == ".") continue;
    const bool climbs = part == ".." && !parts.empty() && parts.back() != "..";
    if (climbs) {
      parts.pop_back();
    } else if (part != ".." || !absolute) {
      parts.push_back(part);
    }
  }
  std::string out = absolute ? "/" : "";
  for (const std::string_view part : parts) {
    if (!out.empty() && out.back() != '/') out.push_back('/');
    out.append(part);
  }
  return out.empty() ? "." : out;
}

Status invalid_value(std::string_view path, std::string_view value, std::string_view why) {
  std::string text = "Invalid value ";
  append_json_string(text, value);
  text.append(" for parameter '").append(path).append("' supplied: ").append(why);
  return invalid_argument(std::move(text));
}

}  // namespace

std::size_t count_characters(std::string_view utf8) {
  std::size_t count = 0;
  for (const char c : utf8) count += is_continuation(c) ? 0 : 1;
  return count;
}

void truncate_characters(std::string& utf8, std::size_t limit) {
  if (utf8.size() <= limit) return;
  std::size_t count = 0;
  for (std::size_t i = 0; i < utf8.size(); ++i) {
    if (is_continuation(utf8[i]) || count++ < limit) continue;
    utf8.resize(i);
    return;
  }
}

std::string field_path(std::string_view list, std::string_view field) {
  std::string out(list);
  return out.empty() ? std::string(field) : out.append(".").append(field);
}

Status check_length(std::string_view what, std::string_view text, std::size_t limit) {
  if (text.size() <= limit || count_characters(text) <= limit) return {};
  return invalid_argument(
      "'" + std::string(what) + "' exceeds the maximum length of " + std::to_string(limit) +
      " characters"
  );
}

Status check_name(std::string_view name, std::string_view path) {
  for (const char c : name) {
    if (is_name_character(c)) continue;
    return invalid_value(
        path,
        name,
        "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( "
        "), colon(:) and slashes (/)."
    );
  }
  const std::string normal = normal_path(name);
  if (normal == name && normal != "." && !normal.starts_with("..") && !normal.starts_with("/")) {
    return {};
  }
  return invalid_value(
      path,
      name,
      "Names may be treated as files in certain cases, and must not resolve to other names when "
      "treated as such. This name would resolve to '" +
          normal + "'"
  );
}

Status check_experiment_name(std::string_view name) {
  if (name.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos) {
    return invalid_argument("Invalid experiment name: '" + std::string(name) + "'");
  }
  return check_length("name", name, kExperimentNameCharactersLimit);
}

Status check_experiment_tag(const Tag& tag) {
  CORTEX_RETURN_IF_ERROR(check_name(tag.key, "key"));
  CORTEX_RETURN_IF_ERROR(check_length("key", tag.key, kKeyCharactersLimit));
  return check_length("value", tag.value, kExperimentTagCharactersLimit);
}

Status check_metric(const Metric& metric, std::string_view path) {
  CORTEX_RETURN_IF_ERROR(check_name(metric.key, field_path(path, "name")));
  if (metric.timestamp < 0) {
    std::string text = "Invalid value " + std::to_string(metric.timestamp) + " for parameter '" +
                       field_path(path, "timestamp") + "' supplied: metric '" + metric.key +
                       "' (value=";
    append_json_number(text, metric.value);
    return invalid_argument(text + "). Timestamp must be a nonnegative long (64-bit integer) ");
  }
  return check_length("Metric name", metric.key, kKeyCharactersLimit);
}

Status check_param(Param& param, std::string_view path) {
  CORTEX_RETURN_IF_ERROR(check_name(param.key, field_path(path, "key")));
  CORTEX_RETURN_IF_ERROR(check_length("Param key", param.key, kKeyCharactersLimit));
  truncate_characters(param.value, kParamCharactersLimit);
  return {};
}

Status check_run_tag(Tag& tag, std::string_view path) {
  const std::string key_path = field_path(path, "key");
  CORTEX_RETURN_IF_ERROR(check_name(tag.key, key_path));
  CORTEX_RETURN_IF_ERROR(check_length(key_path, tag.key, kKeyCharactersLimit));
  truncate_characters(tag.value, kTagCharactersLimit);
  return {};
}

Status check_dataset(const DatasetInput& input) {
  const Dataset& dataset = input.dataset;
  CORTEX_RETURN_IF_ERROR(check_length("name", dataset.name, kDatasetNameLimit));
  CORTEX_RETURN_IF_ERROR(check_length("digest", dataset.digest, kDatasetDigestLimit));
  CORTEX_RETURN_IF_ERROR(check_length("source", dataset.source, kDatasetSourceLimit));
  CORTEX_RETURN_IF_ERROR(check_length("schema", dataset.schema, kDatasetSchemaLimit));
  CORTEX_RETURN_IF_ERROR(check_length("profile", dataset.profile, kDatasetProfileLimit));
  for (const Tag& tag : input.tags) {
    CORTEX_RETURN_IF_ERROR(check_length("key", tag.key, kInputTagKeyLimit));
    CORTEX_RETURN_IF_ERROR(check_length("value", tag.value, kInputTagValueLimit));
  }
  return {};
}

Status check_model_name(std::string_view name) {
  if (!name.empty() && name.find_first_of("/:.%\"'") == std::string_view::npos) return {};
  return invalid_argument(
      "Invalid model name ('" + std::string(name) +
      "') provided. Model name must be a non-empty string and cannot contain the following "
      "characters: ('/', ':', '.', '%', '\"', \"'\")"
  );
}

Status check_page_size(std::int64_t rows, std::int64_t limit) {
  if (rows >= 1 && rows <= limit) return {};
  const std::string start = "Invalid value " + std::to_string(rows) +
                            " for parameter 'max_results' supplied. It must be ";
  if (rows < 1) return invalid_argument(start + "a positive integer");
  return invalid_argument(start + "at most " + std::to_string(limit));
}

}  // namespace cortex::tracking
