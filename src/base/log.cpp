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

// DEL and the C1 controls, which JSON lets stand.
std::size_t late_control_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) == 0x7F) return 1;
  return byte(0) == 0xC2 && text.size() > 1 && byte(1) >= 0x80 && byte(1) < 0xA0 ? 2 : 0;
}

// Ends a line, or is obeyed by a terminal, or is no UTF-8 at all.
bool has_controls(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool control = static_cast<unsigned char>(text[i]) < 0x20;
    if (control || late_control_length(text.substr(i)) > 0) return true;
  }
  return !is_utf8(text);
}

void append_quoted(std::string& out, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string quoted;
  append_json_string(quoted, text);
  for (std::string_view rest = quoted; !rest.empty();) {
    const std::size_t length = late_control_length(rest);
    if (length == 0) {
      out.push_back(rest.front());
      rest.remove_prefix(1);
      continue;
    }
    const auto code = static_cast<unsigned char>(rest[length - 1]);
    out.append("\\u00").append({kDigits[code >> 4], kDigits[code & 15]});
    rest.remove_prefix(length);
  }
}

struct AppendValue {
  std::string& out;
  bool json;

  void operator()(std::string_view text) const {
    if (json) {
      append_json_string(out, text);
    } else if (text.find_first_of(" \"=") != std::string_view::npos || has_controls(text)) {
      append_quoted(out, text);
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
  std::string line;
  if (has_controls(message)) {
    append_quoted(line, message);
  } else {
    line = message;
  }
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
