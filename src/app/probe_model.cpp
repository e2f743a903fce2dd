// SPDX-License-Identifier: Apache-2.0
#include "app/probe_model.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iostream>
#include <iterator>
#include <utility>

#include "app/model_loader.h"
#include "app/probe_report.h"
#include "backend/llama/llama_engine.h"
#include "backend/onnx/onnx_engine.h"
#include "backend/synthetic/synthetic_engine.h"
#include "base/log.h"
#include "registry/model_repository.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

// Serving goes before trying.
constexpr int kNice = 10;

void set_limit(__rlimit_resource resource, rlim_t value) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max = std::min(value, limit.rlim_max);
  setrlimit(resource, &limit);
}

// False when the process that asked is gone already.
bool settle_in(const cli::ProbeOrder& order) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (order.parent != 0 && getppid() != static_cast<pid_t>(order.parent)) return false;
  std::ofstream("/proc/self/oom_score_adj") << "1000";
  set_limit(RLIMIT_CORE, 0);
  // No file is written, and whoever tries is told so by the write, not by a signal: engines keep
  // notes of their own.
  set_limit(RLIMIT_FSIZE, 0);
  signal(SIGXFSZ, SIG_IGN);
  if (order.cpu_seconds != 0) set_limit(RLIMIT_CPU, order.cpu_seconds);
  setpriority(PRIO_PROCESS, 0, kNice);
  return true;
}

// Standard output for the report alone: a library may print what it likes.
int take_output() {
  const int out = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  return out;
}

void write_all(int file, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

std::uint64_t status_bytes(std::string_view field) {
  std::ifstream in("/proc/self/status");
  for (std::string word; in >> word;) {
    std::uint64_t kib = 0;
    if (word == field && in >> kib) return kib * 1024;
  }
  return 0;
}

struct Found {
  ModelConfig config;
  fs::path folder;
};

Result<Found> find_version(const cli::ProbeOrder& order) {
  registry::ConfigOverrides overrides;
  if (order.has_override)
    overrides[order.model].assign(std::istreambuf_iterator<char>(std::cin), {});
  const fs::path root = order.repository;
  std::vector<fs::path> repositories;
  if (!order.stored) repositories.push_back(root);
  // The server that ordered the probe keeps the folder as it is.
  const registry::StoredRepository stored{.folder = order.stored ? root : fs::path()};
  auto model = registry::read_model(repositories, order.model, overrides, stored);
  if (!model) return not_found("the folder of the model is gone");
  if (!model->fault.ok()) return model->fault;
  for (registry::VersionFolder& version : model->versions) {
    if (static_cast<std::size_t>(version.version) != order.version) continue;
    if (!version.fault.ok()) return version.fault;
    return Found{version.config ? std::move(*version.config) : model->config, version.path};
  }
  return not_found("the folder of the version is gone");
}

Engines make_engines(const cli::ProbeOrder& order) {
  backend::SyntheticOptions synthetic;
  synthetic.may_crash = true;
  Engines out;
  out["onnx"] = std::make_shared<backend::OnnxEngine>(backend::OnnxOptions{order.onnx_library});
  out["synthetic"] = std::make_shared<backend::SyntheticEngine>(std::move(synthetic));
  return out;
}

ProbeReport measure(const Found& version, const cli::ProbeOrder& order) {
  const Engines engines = make_engines(order);
  const SequenceEngines sequences = {{"llama", std::make_shared<backend::LlamaEngine>()}};
  const CoreBudget cores(order.cores);
  LaneDirectory lanes(1);
  ThreadPool cpu("cpu", 1, 8);
  LoaderParts parts{engines, cores, lanes, cpu, steady_clock()};
  parts.run_once = true;
  parts.sequences = &sequences;
  const auto load = make_loader(parts);
  ProbeReport out;
  const std::uint64_t before = status_bytes("VmRSS:");
  const std::uint64_t peak_before = status_bytes("VmHWM:");
  const TimePoint began = steady_clock().now();
  const auto loaded =
      load(version.config, version.folder, static_cast<std::int64_t>(order.version));
  out.seconds = std::chrono::duration<double>(steady_clock().now() - began).count();
  out.status = loaded.status();
  const std::uint64_t after = status_bytes("VmRSS:");
  const std::uint64_t peak = std::max(status_bytes("VmHWM:"), peak_before);
  out.resident_bytes = after - std::min(after, before);
  out.peak_bytes = peak - std::min(peak, before);
  return out;
}

ProbeReport probe(const cli::ProbeOrder& order) {
  try {
    auto version = find_version(order);
    if (!version.ok()) return {version.status()};
    return measure(*version, order);
  } catch (const std::exception& error) {
    return {internal(std::string("the loader threw: ") + error.what())};
  } catch (...) {  // An engine may throw anything; this one says so like the server would.
    return {internal("the loader threw something that is no exception")};
  }
}

}  // namespace

int probe_model(const cli::ProbeOrder& order) {
  if (!settle_in(order)) return cli::kFailure;
  const int output = take_output();
  log::configure(log::Level::kWarning, log::Format::kText);
  write_all(output, report_text(probe(order)));
  // Everything of the version is gone; what else there is to tear down tells nothing about it.
  std::_Exit(cli::kSuccess);
}

}  // namespace cortex::app
