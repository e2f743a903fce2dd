// SPDX-License-Identifier: Apache-2.0
#include "text/detail/tokenizer_files.h"

#include <fstream>
#include <optional>
#include <system_error>

#include <boost/json/parse.hpp>

namespace cortex::text {
namespace {

constexpr std::size_t kConfigBytesMax = std::size_t{16} << 20;

// Nothing if the setting is absent or null.
Result<std::optional<bool>> flag(const boost::json::object& config, std::string_view name) {
  const auto* value = config.if_contains({name.data(), name.size()});
  if (value == nullptr || value->is_null()) return std::optional<bool>();
  if (!value->is_bool()) {
    return invalid_argument(
        "tokenizer_config.json: " + std::string(name) + " must be true, false or null"
    );
  }
  return std::optional<bool>(value->get_bool());
}

}  // namespace

Result<std::string> read_file(const std::filesystem::path& file, std::size_t bytes_max) {
  std::error_code error;
  const auto size = std::filesystem::file_size(file, error);
  if (error) return not_found(file.string() + ": " + error.message());
  if (size > bytes_max) {
    return invalid_argument(
        file.string() + ": has " + std::to_string(size) + " bytes, the limit is " +
        std::to_string(bytes_max)
    );
  }
  std::string content(size, '\0');
  std::ifstream stream(file, std::ios::binary);
  stream.read(content.data(), static_cast<std::streamsize>(size));
  if (!stream) return not_found(file.string() + ": cannot be read");
  return content;
}

std::string read_config_beside(const std::filesystem::path& vocabulary) {
  auto config = read_file(vocabulary.parent_path() / "tokenizer_config.json", kConfigBytesMax);
  return config.ok() ? std::move(*config) : std::string();
}

Result<cortex_text_bert_rules> bert_rules(std::string_view config) {
  cortex_text_bert_rules rules{.lowercase = true, .strip_accents = -1, .split_chinese = true};
  if (config.empty()) return rules;
  boost::json::error_code error;
  const auto json = boost::json::parse({config.data(), config.size()}, error);
  if (error || !json.is_object()) {
    return invalid_argument("tokenizer_config.json: not a JSON object");
  }
  const auto& object = json.get_object();
  CORTEX_ASSIGN_OR_RETURN(const auto lowercase, flag(object, "do_lower_case"));
  CORTEX_ASSIGN_OR_RETURN(const auto strip_accents, flag(object, "strip_accents"));
  CORTEX_ASSIGN_OR_RETURN(const auto split_chinese, flag(object, "tokenize_chinese_chars"));
  rules.lowercase = lowercase.value_or(true);
  if (strip_accents) rules.strip_accents = *strip_accents ? 1 : 0;
  rules.split_chinese = split_chinese.value_or(true);
  return rules;
}

}  // namespace cortex::text
