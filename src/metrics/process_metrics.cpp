// SPDX-License-Identifier: Apache-2.0
#include "metrics/process_metrics.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <string>

namespace cortex::metrics {
namespace {

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct ProcessMemory {
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

ProcessMemory process_memory() {
  std::ifstream in("/proc/self/statm");
  double pages = 0;
  double resident = 0;
  in >> pages >> resident;
  const auto page = static_cast<double>(sysconf(_SC_PAGESIZE));
  return {pages * page, resident * page};
}

double open_files() {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir("/proc/self/fd"), &closedir);
  if (!folder) return 0;
  // ".", ".." and the descriptor of this listing are not counted.
  double count = -3;
  while (readdir(folder.get()) != nullptr) ++count;
  return count;
}

double open_files_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<double>(limit.rlim_cur);
}

double unix_seconds() {
  using std::chrono::duration;
  return duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct MachineMemory {
  double total = 0;
  double used = 0;
};

MachineMemory machine_memory() {
  std::ifstream in("/proc/meminfo");
  std::string name;
  std::string unit;
  double kib = 0;
  double total = 0;
  double available = 0;
  while (in >> name >> kib && std::getline(in, unit)) {
    if (name == "MemTotal:") total = kib * 1024;
    if (name == "MemAvailable:") available = kib * 1024;
  }
  return {total, total - available};
}

// Busy and total ticks of all cores since the machine started.
struct CpuTicks {
  double busy = 0;
  double total = 0;
};

CpuTicks cpu_ticks() {
  std::ifstream in("/proc/stat");
  std::string name;
  in >> name;
  CpuTicks out;
  double value = 0;
  // user nice system idle iowait irq softirq steal; what follows is contained in user.
  for (int field = 0; field < 8 && in >> value; ++field) {
    out.total += value;
    if (field != 3 && field != 4) out.busy += value;
  }
  return out;
}

void write(Exposition& out, std::string_view name, Type type, std::string_view help, double value) {
  out.family(name, type, help);
  out.sample({}, value);
}

void write_process(Exposition& out, double start) {
  const ProcessMemory memory = process_memory();
  write(
      out,
      "process_cpu_seconds_total",
      Type::kCounter,
      "CPU time spent, user and system.",
      cpu_seconds()
  );
  write(
      out, "process_resident_memory_bytes", Type::kGauge, "Resident memory.", memory.resident_bytes
  );
  write(out, "process_virtual_memory_bytes", Type::kGauge, "Virtual memory.", memory.virtual_bytes);
  write(out, "process_open_fds", Type::kGauge, "Open file descriptors.", open_files());
  write(
      out,
      "process_max_fds",
      Type::kGauge,
      "Most file descriptors that may be open.",
      open_files_limit()
  );
  write(
      out,
      "process_start_time_seconds",
      Type::kGauge,
      "When the process started, since the Unix epoch.",
      start
  );
}

// What the last scrape saw; two at once may both report since the same moment.
struct LastTicks {
  Gauge busy;
  Gauge total;
};

double cpu_utilization(LastTicks& last) {
  const CpuTicks now = cpu_ticks();
  const double busy = now.busy - last.busy.value();
  const double total = now.total - last.total.value();
  last.busy.set(now.busy);
  last.total.set(now.total);
  return total > 0 ? busy / total : 0;
}

void write_machine(Exposition& out, LastTicks& last) {
  const MachineMemory memory = machine_memory();
  write(
      out,
      "nv_cpu_utilization",
      Type::kGauge,
      "CPU utilization of the machine, 0.0 to 1.0.",
      cpu_utilization(last)
  );
  write(out, "nv_cpu_memory_total_bytes", Type::kGauge, "Memory of the machine.", memory.total);
  write(
      out, "nv_cpu_memory_used_bytes", Type::kGauge, "Memory of the machine in use.", memory.used
  );
}

}  // namespace

void add_process_metrics(MetricsRegistry& registry) {
  registry.add_collector([start = unix_seconds()](Exposition& out) { write_process(out, start); });

  const auto before = std::make_shared<LastTicks>();
  registry.add_collector([before](Exposition& out) { write_machine(out, *before); });
}

}  // namespace cortex::metrics
