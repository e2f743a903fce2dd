// SPDX-License-Identifier: Apache-2.0
#include "config/loader.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <optional>

#include "config/detail/yaml_file.h"
#include "config/setting_table.h"

namespace cortex::config {
namespace {

constexpr std::size_t kFileBytesMax = 1 << 20;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The entries between commas, without the blanks around them; those that are empty are left out.
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  std::size_t start = 0;
  while (start <= text.size()) {
    const std::size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view entry = trimmed(text.substr(start, comma - start));
    if (!entry.empty()) out.emplace_back(entry);
    start = comma + 1;
  }
  return out;
}

void apply(
    const Setting& setting, std::string where, std::span<const std::string> values, Loaded& out
) {
  const Status status = assign(setting, out.settings, values);
  if (!status.ok()) out.faults.push_back({std::move(where), status.text()});
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t corner = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = corner + (a[i - 1] == b[j - 1] ? 0 : 1);
      corner = row[j];
      row[j] = std::min({changed, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

std::string unknown_setting(std::string_view path) {
  std::string_view nearest;
  std::size_t least = 4;
  if (path.size() <= 64) {
    for (const Setting& setting : setting_table()) {
      // As far apart as their lengths are at the least.
      if (std::max(path.size(), setting.path.size()) >=
          std::min(path.size(), setting.path.size()) + least) {
        continue;
      }
      const std::size_t distance = edit_distance(path, setting.path);
      if (distance >= least) continue;
      least = distance;
      nearest = setting.path;
    }
  }
  std::string text = "no such setting";
  if (!nearest.empty()) text.append("; did you mean ").append(nearest).append("?");
  return text;
}

void apply_file(std::string_view yaml, std::string_view name, Loaded& out) {
  const detail::YamlFile file = detail::read_settings(yaml, name);
  out.faults.insert(out.faults.end(), file.faults.begin(), file.faults.end());
  for (const detail::YamlEntry& entry : file.entries) {
    const Setting* setting = find_setting(entry.path);
    if (setting == nullptr) {
      out.faults.push_back({entry.where, unknown_setting(entry.path)});
      continue;
    }
    const bool list = std::holds_alternative<ListTarget>(setting->target);
    if (list && !entry.is_list) {
      out.faults.push_back({entry.where, "must be a list, as [a, b]"});
      continue;
    }
    if (!list && entry.is_list) {
      out.faults.push_back({entry.where, "takes one value, not a list"});
      continue;
    }
    apply(*setting, entry.where, entry.values, out);
  }
}

void apply_environment(const Environment& environment, Loaded& out) {
  for (const Setting& setting : setting_table()) {
    const auto found = environment.find(setting.environment);
    if (found == environment.end()) continue;
    const bool list = std::holds_alternative<ListTarget>(setting.target);
    if (list && found->second.empty()) continue;
    const auto values = list ? split_list(found->second) : std::vector<std::string>{found->second};
    // Whoever sets keys to a list of nothing must not be served without.
    if (list && values.empty()) {
      out.faults.push_back({found->first, "is a list without an entry"});
      continue;
    }
    apply(setting, found->first, values, out);
  }
}

void apply_flags(const Sources& sources, Loaded& out) {
  for (const auto& [path, values] : sources.flags) {
    const Setting* setting = find_setting(path);
    CHECK(setting != nullptr, "flags come from the table");
    std::vector<std::string> meant = values;
    if (std::holds_alternative<ListTarget>(setting->target)) {
      for (std::string& entry : meant) entry = trimmed(entry);
    }
    apply(*setting, std::string(setting->flag), meant, out);
  }
}

// What each value alone cannot tell.
void check_together(Loaded& out) {
  const Settings& s = out.settings;
  if (s.http.port != 0 && s.http.port == s.metrics.port) {
    out.faults.push_back({"metrics.port", "is http.port too; 0 switches the second port off"});
  }
  if (s.limits.body_bytes > s.limits.body_bytes_total) {
    out.faults.push_back({"limits.body_bytes", "is above limits.body_bytes_total"});
  }
  if (s.models.control != ModelControl::kExplicit && !s.models.load.empty()) {
    out.faults.push_back({"models.load", "needs models.control: explicit"});
  }
  const bool keys = !s.auth.api_keys.empty() || !s.auth.keys_file.empty();
  if (!keys && !s.auth.insecure && !is_loopback(s.http.host)) {
    out.faults.push_back(
        {"http.host",
         "'" + s.http.host +
             "' can be reached from other machines and there are no keys: set CORTEX_API_KEYS or "
             "auth.keys_file, or pass --insecure"}
    );
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t bytes_max) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return not_found("cannot open '" + path + "': " + std::strerror(errno));
  std::string text;
  std::array<char, 65536> part{};
  while (text.size() <= bytes_max) {
    in.read(part.data(), part.size());
    text.append(part.data(), static_cast<std::size_t>(in.gcount()));
    if (in.bad()) return invalid_argument("cannot read '" + path + "'");
    if (in.eof()) return text;
  }
  return invalid_argument("'" + path + "' is longer than " + std::to_string(bytes_max) + " bytes");
}

Loaded load_text(std::string_view yaml, std::string_view name) {
  Loaded out;
  apply_file(yaml, name, out);
  check_together(out);
  return out;
}

Loaded load(const Sources& sources) {
  Loaded out;
  if (!sources.file.empty()) {
    const auto text = read_file(sources.file, kFileBytesMax);
    if (text.ok()) {
      apply_file(*text, sources.file, out);
    } else {
      out.faults.push_back({"--config", text.status().text()});
    }
  }
  apply_environment(sources.environment, out);
  apply_flags(sources, out);
  check_together(out);
  return out;
}

std::string fault_text(const std::vector<Fault>& faults) {
  std::string out;
  for (const Fault& fault : faults) out += fault.where + ": " + fault.text + "\n";
  return out;
}

Environment process_environment() {
  // Some settings keep the names that they have elsewhere.
  const auto sets_something = [](std::string_view name) {
    const auto settings = setting_table();
    return std::any_of(settings.begin(), settings.end(), [&](const Setting& setting) {
      return setting.environment == name;
    });
  };
  Environment out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view pair(*entry);
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string_view name = pair.substr(0, equals);
    if (name.starts_with("CORTEX_") || sets_something(name)) {
      out.emplace(name, pair.substr(equals + 1));
    }
  }
  return out;
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace cortex::config
