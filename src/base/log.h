// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace cortex::log {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kJson };

// One named value of a line: log::info("model loaded", {{"model", name}, {"seconds", 0.3}}).
struct Field {
  std::string_view name;
  std::variant<std::string_view, std::int64_t, std::uint64_t, double, bool> value;

  Field(std::string_view n, std::string_view v) : name(n), value(v) {}
  Field(std::string_view n, const std::string& v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, const char* v) : name(n), value(std::string_view(v)) {}
  Field(std::string_view n, bool v) : name(n), value(v) {}
  Field(std::string_view n, double v) : name(n), value(v) {}
  Field(std::string_view n, int v) : name(n), value(std::int64_t{v}) {}
  Field(std::string_view n, long v) : name(n), value(std::int64_t{v}) {}
  Field(std::string_view n, unsigned v) : name(n), value(std::uint64_t{v}) {}
  Field(std::string_view n, unsigned long v) : name(n), value(std::uint64_t{v}) {}
};
using Fields = std::initializer_list<Field>;

// Sets level and format of the process's one sink, standard error. Call once at start; before it,
// info as text.
void configure(Level level, Format format);

// Parses "debug", "info", "warning", "error"; false when `name` is none of them.
bool parse_level(std::string_view name, Level& out);

[[nodiscard]] bool enabled(Level level);

// Thread-safe. Costs nothing below the level; above it, one formatted write.
void write(Level level, std::string_view message, Fields fields = {});

inline void debug(std::string_view m, Fields f = {}) { write(Level::kDebug, m, f); }
inline void info(std::string_view m, Fields f = {}) { write(Level::kInfo, m, f); }
inline void warning(std::string_view m, Fields f = {}) { write(Level::kWarning, m, f); }
inline void error(std::string_view m, Fields f = {}) { write(Level::kError, m, f); }

}  // namespace cortex::log
