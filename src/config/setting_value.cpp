// SPDX-License-Identifier: Apache-2.0
// The values of settings: from text, to text.
#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>
#include <utility>

#include "config/setting_table.h"

namespace cortex::config {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};
constexpr Unit kByteUnits[] = {{"GiB", 1ull << 30}, {"MiB", 1ull << 20}, {"KiB", 1ull << 10}};
constexpr Unit kTimeUnits[] = {{"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

std::optional<std::uint64_t> parse_number(std::string_view text, std::span<const Unit> units) {
  std::uint64_t number = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest == text.data()) return std::nullopt;
  std::string_view unit(rest, static_cast<std::size_t>(end - rest));
  while (unit.starts_with(' ')) unit.remove_prefix(1);
  if (unit.empty()) return number;
  for (const Unit& known : units) {
    if (unit != known.name) continue;
    if (number > std::numeric_limits<std::uint64_t>::max() / known.factor) return std::nullopt;
    return number * known.factor;
  }
  return std::nullopt;
}

std::string with_unit(
    std::uint64_t number, std::span<const Unit> units, std::string_view otherwise
) {
  for (const Unit& unit : units) {
    if (number != 0 && number % unit.factor == 0) {
      return std::to_string(number / unit.factor) + std::string(unit.name);
    }
  }
  return std::to_string(number) + std::string(otherwise);
}

std::string bytes_text(std::uint64_t number) { return with_unit(number, kByteUnits, ""); }
std::string time_text(milliseconds time) {
  return with_unit(static_cast<std::uint64_t>(time.count()), kTimeUnits, "ms");
}

std::string joined(std::span<const std::string_view> words, std::string_view between) {
  std::string out;
  for (const std::string_view word : words) {
    out.append(out.empty() ? "" : between).append(word);
  }
  return out;
}

Status refusal(std::string_view value, const std::string& wanted) {
  return invalid_argument("'" + std::string(value) + "' is not " + wanted);
}

std::string number_wanted(const Setting& setting, std::string_view kind) {
  return std::string(kind) + " in " + range_text(setting);
}

Status set(const TextTarget& target, const Setting&, Settings& settings, const std::string& value) {
  target.of(settings) = value;
  return {};
}

Status set(
    const SwitchTarget& target, const Setting&, Settings& settings, const std::string& value
) {
  const bool on = value == "true" || value == "1" || value == "on" || value == "yes";
  const bool off = value == "false" || value == "0" || value == "off" || value == "no";
  if (!on && !off) return refusal(value, "true or false");
  target.of(settings) = on;
  return {};
}

Status set(
    const CountTarget& target, const Setting& setting, Settings& settings, const std::string& value
) {
  const auto number = parse_number(value, {});
  if (!number || *number < target.least || *number > target.most) {
    return refusal(value, number_wanted(setting, "a whole number"));
  }
  target.of(settings) = *number;
  return {};
}

Status set(
    const BytesTarget& target, const Setting& setting, Settings& settings, const std::string& value
) {
  const auto number = parse_number(value, kByteUnits);
  if (!number || *number < target.least || *number > target.most) {
    return refusal(value, number_wanted(setting, "a number of bytes (as 65536 or 64KiB)"));
  }
  target.of(settings) = *number;
  return {};
}

Status set(
    const TimeTarget& target, const Setting& setting, Settings& settings, const std::string& value
) {
  const auto number = parse_number(value, kTimeUnits);
  const auto most = static_cast<std::uint64_t>(target.most.count());
  if (!number || *number > most || milliseconds(*number) < target.least) {
    return refusal(value, number_wanted(setting, "a time (as 500ms, 30s or 5m)"));
  }
  target.of(settings) = milliseconds(*number);
  return {};
}

Status set(
    const ChoiceTarget& target, const Setting&, Settings& settings, const std::string& value
) {
  for (std::size_t i = 0; i < target.names.size(); ++i) {
    if (target.names[i] != value) continue;
    target.set(settings, i);
    return {};
  }
  return refusal(value, "one of " + joined(target.names, ", "));
}

Status set(const ListTarget&, const Setting&, Settings&, const std::string&) {
  return internal("a list is assigned as a whole");
}

bool is_blank_or_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= ' ' || byte == 0x7f;
}

// Entries are counted from 1, and keys are not shown: what is wrong ends up in logs.
Status set_list(const ListTarget& target, Settings& settings, std::span<const std::string> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string number = std::to_string(i + 1);
    if (values[i].empty()) return invalid_argument("entry " + number + " is empty");
    if (target.entries == ListTarget::Entries::kKeys &&
        std::ranges::any_of(values[i], is_blank_or_control)) {
      return invalid_argument(
          "key " + number + " has a blank or a control character in it; a key is one word"
      );
    }
  }
  target.of(settings).assign(values.begin(), values.end());
  return {};
}

std::string list_text(const std::vector<std::string>& values) {
  std::vector<std::string_view> words(values.begin(), values.end());
  return "[" + joined(words, ", ") + "]";
}

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};
template <typename... Functions>
Overloaded(Functions...) -> Overloaded<Functions...>;

}  // namespace

Status assign(const Setting& setting, Settings& settings, std::span<const std::string> values) {
  if (const auto* list = std::get_if<ListTarget>(&setting.target)) {
    return set_list(*list, settings, values);
  }
  if (values.size() != 1) return invalid_argument("takes one value, not a list");
  return std::visit(
      [&](const auto& target) { return set(target, setting, settings, values.front()); },
      setting.target
  );
}

std::string value_text(const Setting& setting, const Settings& settings) {
  // The accessors give references to members; a copy keeps the caller's settings const.
  Settings copy = settings;
  return std::visit(
      Overloaded{
          [&](const TextTarget& t) { return t.of(copy); },
          [&](const ListTarget& t) { return list_text(t.of(copy)); },
          [&](const SwitchTarget& t) { return std::string(t.of(copy) ? "true" : "false"); },
          [&](const CountTarget& t) { return std::to_string(t.of(copy)); },
          [&](const BytesTarget& t) { return bytes_text(t.of(copy)); },
          [&](const TimeTarget& t) { return time_text(t.of(copy)); },
          [&](const ChoiceTarget& t) { return std::string(t.names[t.get(copy)]); },
      },
      setting.target
  );
}

std::string kind_text(const Setting& setting) {
  return std::visit(
      Overloaded{
          [](const TextTarget&) { return std::string("text"); },
          [](const ListTarget&) { return std::string("list"); },
          [](const SwitchTarget&) { return std::string("switch"); },
          [](const CountTarget&) { return std::string("count"); },
          [](const BytesTarget&) { return std::string("bytes"); },
          [](const TimeTarget&) { return std::string("time"); },
          [](const ChoiceTarget& t) { return joined(t.names, " | "); },
      },
      setting.target
  );
}

std::string range_text(const Setting& setting) {
  return std::visit(
      Overloaded{
          [](const CountTarget& t) {
            return std::to_string(t.least) + " … " + std::to_string(t.most);
          },
          [](const BytesTarget& t) { return bytes_text(t.least) + " … " + bytes_text(t.most); },
          [](const TimeTarget& t) { return time_text(t.least) + " … " + time_text(t.most); },
          [](const auto&) { return std::string(); },
      },
      setting.target
  );
}

}  // namespace cortex::config
