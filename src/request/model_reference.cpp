// SPDX-License-Identifier: Apache-2.0
#include "request/model_reference.h"

#include <algorithm>
#include <array>

#include "request/adapter_choice.h"

namespace cortex {
namespace {

constexpr std::size_t kLengthMax = 255;
constexpr std::string_view kMlflowScheme = "models:/";

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_same_word(std::string_view text, std::string_view lower_case) {
  return std::equal(
      text.begin(),
      text.end(),
      lower_case.begin(),
      lower_case.end(),
      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a - 'A' + 'a' : a) == b; }
  );
}

struct Stage {
  std::string_view lower_case;
  std::string_view alias;
};
constexpr std::array kStages = {
    Stage{"production", "/Production"},
    Stage{"staging", "/Staging"},
    Stage{"archived", "/Archived"},
    Stage{"none", "/None"},
    Stage{"latest", ""},
};

// "name/3" and "name/Production" of MLflow's form: the part behind the last slash when it is a
// number or a stage.
void split_mlflow_part(std::string_view& name, ModelReference& out) {
  const auto slash = name.rfind('/');
  if (slash == std::string_view::npos) return;
  const std::string_view last = name.substr(slash + 1);
  const auto stage = std::find_if(kStages.begin(), kStages.end(), [&](const Stage& s) {
    return is_same_word(last, s.lower_case);
  });
  if (is_number(last)) {
    out.version = last;
  } else if (stage != kStages.end()) {
    out.alias = stage->alias;
  } else {
    return;
  }
  name = name.substr(0, slash);
}

Status bad(std::string_view text, std::string_view why) {
  return invalid_argument(
      "model '" + std::string(text.substr(0, kLengthMax)) + "': " + std::string(why)
  );
}

}  // namespace

bool is_model_name(std::string_view name) {
  if (name.empty() || name.size() > kLengthMax || name.front() == '/' || name.front() == '.')
    return false;
  if (name.find("..") != std::string_view::npos) return false;
  return std::none_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '\\' || c == '@' || c == '+';
  });
}

Result<ModelReference> ModelReference::parse(std::string_view text) {
  ModelReference out;
  std::string_view rest = text;
  const bool mlflow = rest.substr(0, kMlflowScheme.size()) == kMlflowScheme;
  if (mlflow) rest.remove_prefix(kMlflowScheme.size());
  if (const auto plus = rest.find('+'); plus != std::string_view::npos) {
    out.adapter = rest.substr(plus + 1);
    rest = rest.substr(0, plus);
    const Status adapter = AdapterChoice::parse(out.adapter).status();
    if (!adapter.ok()) return bad(text, adapter.text());
  }
  if (const auto at = rest.find('@'); at != std::string_view::npos) {
    const std::string_view which = rest.substr(at + 1);
    rest = rest.substr(0, at);
    if (!is_model_name(which))
      return bad(text, "what stands behind '@' is neither version nor alias");
    (is_number(which) ? out.version : out.alias) = which;
  } else if (mlflow) {
    split_mlflow_part(rest, out);
  }
  if (!is_model_name(rest)) return bad(text, "not a model name");
  out.name = rest;
  return out;
}

std::string ModelReference::to_string() const {
  if (!alias.empty() && alias.front() == '/') return std::string(kMlflowScheme) + name + alias;
  std::string out = name;
  if (!version.empty()) out.append("@").append(version);
  if (!alias.empty()) out.append("@").append(alias);
  if (!adapter.empty()) out.append("+").append(adapter);
  return out;
}

}  // namespace cortex
