// SPDX-License-Identifier: Apache-2.0
#include "app/announcement.h"

#include <filesystem>

#include "app/application.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

std::string url(const std::string& host, std::uint16_t port) {
  const bool v6 = host.find(':') != std::string::npos;
  return "http://" + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

// How the user most likely called it: relative where it lies below the current folder.
std::string program_path() {
  std::error_code error;
  const fs::path exe = fs::read_symlink("/proc/self/exe", error);
  if (error) return "cortex";
  const fs::path relative = fs::proximate(exe, error);
  if (error || relative.empty() || *relative.begin() == "..") return exe.string();
  return relative.has_parent_path() ? relative.string() : "./" + relative.string();
}

}  // namespace

std::string announcement_text(const ReadyLine& line) {
  const std::string base = url(line.host, line.http_port);
  const std::string key = line.has_keys ? " -H \"Authorization: Bearer $CORTEX_KEY\"" : "";
  const std::string where = line.http_port == 8000 ? "" : " --url " + base;
  std::string out = "cortex " + line.version + " ready on " + base;
  if (line.metrics_port != 0) out += " (metrics " + url(line.host, line.metrics_port) + "/metrics)";
  out += "\n";
  if (line.failed != 0) {
    out += "  " + std::to_string(line.failed) +
           " model versions could not be loaded; `models list` says why\n";
  }
  out += "Try:\n";
  if (line.chat_model.empty()) {
    out += "  curl -i " + base + "/v2/health/ready\n";
  } else {
    out += "  curl " + base + "/v1/chat/completions" + key +
           " -H 'Content-Type: application/json' -d '{\"model\":\"" + line.chat_model +
           "\",\"messages\":[{\"role\":\"user\",\"content\":\"What is gravity?\"}]}'\n";
  }
  if (!line.text_model.empty()) {
    out += "  curl " + base + "/v1/embeddings" + key +
           " -H 'Content-Type: application/json' -d '{\"model\":\"" + line.text_model +
           "\",\"input\":\"Hello, world\"}'\n";
    return out + "  " + line.program + " embed \"Hello, world\" --model " + line.text_model +
           where + "\n";
  }
  out += "  curl " + base + (line.model.empty() ? "/v2" : "/v2/models/" + line.model) + key + "\n";
  return out + "  " + line.program + " models list" + where + "\n";
}

std::string announcement(const Application& app) {
  ReadyLine line;
  line.version = CORTEX_VERSION;
  line.host = app.settings().http.host;
  line.http_port = app.http_port();
  line.metrics_port = app.metrics_port();
  line.has_keys = app.has_keys();
  line.program = program_path();
  for (const std::string& name : app.models().ready_models()) {
    const auto handle = app.models().acquire(ModelReference{name, "", "", ""});
    if (!handle.ok()) continue;
    if (line.model.empty()) line.model = name;
    if ((*handle)->signature.generates && line.chat_model.empty()) line.chat_model = name;
    if (registry::embeds(**handle) && line.text_model.empty()) line.text_model = name;
  }
  for (const auto& entry : app.models().index()) {
    line.failed += entry.broken ? 1 : 0;
  }
  return announcement_text(line);
}

}  // namespace cortex::app
