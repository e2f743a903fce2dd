// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <atomic>
#include <memory>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "base/json_text.h"

namespace cortex::log {
namespace {

std::atomic<Format> format_of_lines{Format::kText};

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug:
      return spdlog::level::debug;
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}

spdlog::logger& sink() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_color_mt("cortex");
    made->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %^%l%$ %v");
    made->flush_on(spdlog::level::info);
    return made;
  }();
  return *logger;
}

struct AppendValue {
  std::string& out;
  bool json;

  void operator()(std::string_view text) const {
    if (json || text.find_first_of(" \"\n\t=") != std::string_view::npos) {
      append_json_string(out, text);
    } else {
      out.append(text);
    }
  }
  void operator()(bool value) const { out.append(value ? "true" : "false"); }
  void operator()(double value) const { append_json_number(out, value); }
  template <typename Integer>
  void operator()(Integer value) const {
    out.append(std::to_string(value));
  }
};

std::string text_line(std::string_view message, Fields fields) {
  std::string line(message);
  for (const Field& field : fields) {
    line.append(" ").append(field.name).append("=");
    std::visit(AppendValue{line, false}, field.value);
  }
  return line;
}

// The pattern of the JSON form opens the object with time and level.
std::string json_line(std::string_view message, Fields fields) {
  std::string line = "\"message\":";
  append_json_string(line, message);
  for (const Field& field : fields) {
    line.append(",");
    append_json_string(line, field.name);
    line.append(":");
    std::visit(AppendValue{line, true}, field.value);
  }
  return line.append("}");
}

}  // namespace

void configure(Level level, Format format) {
  format_of_lines = format;
  sink().set_level(to_spdlog(level));
  if (format == Format::kJson) {
    sink().set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%e%z","level":"%l",%v)");
  }
}

bool parse_level(std::string_view name, Level& out) {
  if (name == "debug") return out = Level::kDebug, true;
  if (name == "info") return out = Level::kInfo, true;
  if (name == "warning") return out = Level::kWarning, true;
  if (name == "error") return out = Level::kError, true;
  return false;
}

bool enabled(Level level) { return sink().should_log(to_spdlog(level)); }

void write(Level level, std::string_view message, Fields fields) {
  if (!enabled(level)) return;
  const bool json = format_of_lines.load() == Format::kJson;
  const std::string line = json ? json_line(message, fields) : text_line(message, fields);
  sink().log(to_spdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace cortex::log
