// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/machine.h"

#include <unistd.h>

#include <charconv>
#include <fstream>

#include "cli/detail/context.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

std::string cpu_model() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

}  // namespace

std::string machine_text() {
  return cpu_model() + ", " + std::to_string(sysconf(_SC_NPROCESSORS_ONLN)) + " cores";
}

json::object machine_json() {
  json::object out;
  out["cpu"] = cpu_model();
  out["cores"] = sysconf(_SC_NPROCESSORS_ONLN);
  out["memory_bytes"] = sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
  return out;
}

std::optional<double> server_cpu(net::HttpClient& client) {
  net::HttpCall request;
  request.target = "/metrics";
  const auto answer = call(client, request);
  if (!answer.ok()) return std::nullopt;
  constexpr std::string_view kName = "\nprocess_cpu_seconds_total ";
  const std::size_t at = answer->body.find(kName);
  if (at == std::string::npos) return std::nullopt;
  std::string_view rest = std::string_view(answer->body).substr(at + kName.size());
  rest = rest.substr(0, rest.find('\n'));
  double out = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out);
  if (error != std::errc() || end != rest.data() + rest.size()) return std::nullopt;
  return out;
}

}  // namespace cortex::cli::detail
