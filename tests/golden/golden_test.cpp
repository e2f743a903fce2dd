// SPDX-License-Identifier: Apache-2.0
// What the outside relies on, word by word: the help of every command, the reference of the
// settings, the metrics.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "base/clock.h"
#include "cli/command_line.h"
#include "config/reference.h"
#include "whole_server.h"

namespace cortex {
namespace {

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// Compares with the file below the repository's root, or writes it when GOLDEN_UPDATE is set.
void compare(const std::string& file, const std::string& actual) {
  const std::string path = std::string(CORTEX_ROOT) + "/" + file;
  if (std::getenv("GOLDEN_UPDATE") != nullptr) {
    std::ofstream(path) << actual;
    return;
  }
  EXPECT_EQ(
      read(path), actual
  ) << file
    << " is not what the program says; if the change is meant: tests/golden/README.md";
}

// What these labels say follows from who asks for what; what others say is ours.
constexpr std::array kOfTheRequest = std::to_array<std::string_view>(
    {"adapter",
     "api",
     "code",
     "key",
     "max_lora",
     "method",
     "model",
     "model_name",
     "num_gpu_blocks",
     "route",
     "running_lora_adapters",
     "version",
     "waiting_lora_adapters"}
);

// A sample without its value: name{kind="header",model="*"}.
std::string as_series(std::string_view sample) {
  static const std::regex label(R"re((\w+)="((?:\\.|[^"\\])*)")re");
  const std::string text(sample.substr(0, sample.rfind(' ')));
  std::string out = text.substr(0, text.find('{'));
  char between = '{';
  for (std::sregex_iterator at(text.begin(), text.end(), label), end; at != end; ++at) {
    const std::string name = (*at)[1];
    const bool theirs = std::ranges::find(kOfTheRequest, name) != kOfTheRequest.end();
    out += between + name + "=\"" + (theirs ? "*" : (*at)[2].str()) + "\"";
    between = ',';
  }
  return between == ',' ? out + "}" : out;
}

// One metric of an exposition.
struct Listed {
  std::string about;                // its lines "# HELP" and "# TYPE"
  std::vector<std::string> series;  // in the order of the exposition, each once
};

std::string word(const std::string& line, int index) {
  std::istringstream in(line);
  std::string out;
  for (int i = 0; i <= index; ++i) in >> out;
  return out;
}

// By name.
std::map<std::string, Listed> read_metrics(const std::string& exposition) {
  std::map<std::string, Listed> out;
  Listed* current = nullptr;
  std::istringstream text(exposition);
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("# HELP")) current = &out[word(line, 2)];
    if (current == nullptr) continue;
    if (line.starts_with("#")) {
      current->about += line + "\n";
      continue;
    }
    const std::string series = as_series(line);
    if (std::ranges::find(current->series, series) == current->series.end()) {
      current->series.push_back(series);
    }
  }
  return out;
}

// Those of `these` that `others` lack.
std::string difference(const std::set<std::string>& these, const std::set<std::string>& others) {
  std::string out;
  for (const std::string& name : these) out += others.contains(name) ? "" : name + " ";
  return out;
}

std::string without_series(const std::map<std::string, Listed>& metrics) {
  std::string out;
  for (const auto& [name, listed] : metrics) out += listed.series.empty() ? name + " " : "";
  return out;
}

// What a server says of itself once everything in it has happened: counts follow their answers.
std::map<std::string, Listed> live_metrics() {
  WholeServer server;
  const Status started = server.start();
  EXPECT_TRUE(started.ok()) << started.to_string();
  std::map<std::string, Listed> out;
  if (!started.ok()) return out;
  const TimePoint deadline = steady_clock().now() + std::chrono::seconds(20);
  do {
    out = read_metrics(server.metrics());
  } while (!without_series(out).empty() && steady_clock().now() < deadline);
  return out;
}

// What the sources name as metrics.
std::set<std::string> named_metrics() {
  static const std::regex name(R"re("((cortex_|nv_|vllm:|process_)[a-z0-9_:]+)")re");
  std::set<std::string> out;
  for (const std::string folder : {"src/app", "src/metrics"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(CORTEX_ROOT) + "/" + folder)) {
      const std::string path = entry.path().string();
      if (!path.ends_with(".cpp") || path.ends_with("_test.cpp")) continue;
      const std::string text = read(path);
      for (std::sregex_iterator at(text.begin(), text.end(), name), end; at != end; ++at) {
        out.insert((*at)[1]);
      }
    }
  }
  return out;
}

TEST(Golden, help_of_every_command) { compare("tests/golden/help.txt", cli::all_help_texts()); }

TEST(Golden, reference_of_the_settings) {
  compare("docs/configuration.md", config::reference_markdown());
}

TEST(Golden, every_metric_with_type_help_and_labels) {
  const std::map<std::string, Listed> metrics = live_metrics();
  EXPECT_EQ(without_series(metrics), "") << "WholeServer::ask() does nothing that counts there";
  std::set<std::string> names;
  std::string list;
  for (const auto& [name, listed] : metrics) {
    names.insert(name);
    list += listed.about;
    for (const std::string& series : listed.series) list += series + "\n";
  }
  EXPECT_EQ(difference(named_metrics(), names), "") << "WholeServer lacks a part that counts";
  EXPECT_EQ(difference(names, named_metrics()), "")
      << "metrics are named in src/app and src/metrics";
  if (!HasFailure()) compare("tests/golden/metrics.txt", list);
}

}  // namespace
}  // namespace cortex
