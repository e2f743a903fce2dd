// SPDX-License-Identifier: Apache-2.0
#include "config/reference.h"

#include <string_view>

#include "config/setting_table.h"

namespace cortex::config {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

Every setting can stand in a YAML file (`cortex serve --config FILE`, or the variable `CORTEX_CONFIG`), in an
environment variable, or in a flag. A variable overrides the file, a flag overrides both. Lists are
comma-separated in a variable; a flag is repeated. Bytes take `KiB`, `MiB`, `GiB`; times take `ms`, `s`, `m`, `h`.
`cortex config check FILE` names every fault of a file without starting anything.

This page is printed by `cortex config reference`.

```yaml
http: {host: 127.0.0.1, port: 8000}
models: {repositories: [models]}
log: {format: json}
```
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '|') out += '\\';
    out += c;
  }
  return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + escaped(text) + "`"; }

std::string_view section_of(std::string_view path) {
  const std::size_t dot = path.find('.');
  return dot == std::string_view::npos ? "general" : path.substr(0, dot);
}

void append_row(std::string& out, const Setting& setting) {
  static const Settings kDefaults;
  std::string values = escaped(kind_text(setting));
  if (const std::string range = range_text(setting); !range.empty()) values += ", " + range;
  out += "| " + code(setting.path) + " | " + code(setting.flag) + " | " +
         code(setting.environment) + " | " + values + " | " + code(value_text(setting, kDefaults)) +
         " | " + escaped(setting.description) + " |\n";
}

}  // namespace

std::string reference_markdown() {
  std::string out(kIntroduction);
  std::string_view section;
  for (const Setting& setting : setting_table()) {
    if (const auto next = section_of(setting.path); next != section) {
      section = next;
      out.append("\n## ").append(section).append("\n\n");
      out += "| setting | flag | variable | values | default | |\n|---|---|---|---|---|---|\n";
    }
    append_row(out, setting);
  }
  return out;
}

}  // namespace cortex::config
