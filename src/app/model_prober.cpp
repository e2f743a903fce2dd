// SPDX-License-Identifier: Apache-2.0
#include "app/model_prober.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <string_view>
#include <utility>
#include <vector>

#include "app/child_process.h"
#include "app/probe_report.h"
#include "backend/llama/llama_engine.h"
#include "backend/synthetic/synthetic_engine.h"
#include "base/log.h"
#include "config/loader.h"

namespace cortex::app {
namespace {

using registry::Candidate;
using registry::Trial;

constexpr std::size_t kLastWordsMax = 300;

// What libraries look at; keys and passwords stay here.
constexpr auto kPassedOn = std::to_array<std::string_view>(
    {"PATH",
     "HOME",
     "LANG",
     "LC_",
     "TZ",
     "TMPDIR",
     "LD_",
     "OMP_",
     "ORT_",
     "MALLOC_",
     "MIMALLOC_",
     "GLIBC_TUNABLES",
     "CUDA_",
     "NVIDIA_",
     "ASAN_OPTIONS",
     "LSAN_OPTIONS",
     "UBSAN_OPTIONS",
     "TSAN_OPTIONS"}
);

std::vector<std::string> environment() {
  std::vector<std::string> out;
  for (const auto& [name, value] : config::process_environment()) {
    const bool passed = std::ranges::any_of(kPassedOn, [&](std::string_view known) {
      return name == known || (known.ends_with('_') && name.starts_with(known));
    });
    if (passed) out.push_back(name + "=" + value);
  }
  return out;
}

// 0: not known, no limit.
std::uint64_t memory_limit() {
  std::ifstream in("/proc/meminfo");
  for (std::string word; in >> word;) {
    std::uint64_t kib = 0;
    if (word == "MemAvailable:" && in >> kib) return kib * 1024 / 8 * 7;
  }
  return 0;
}

// For the index: printable, short.
std::string last_words(const std::string& log) {
  std::string_view rest = log;
  while (rest.ends_with('\n')) rest.remove_suffix(1);
  rest.remove_prefix(rest.rfind('\n') == std::string_view::npos ? 0 : rest.rfind('\n') + 1);
  std::string out(rest.substr(0, kLastWordsMax));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < ' ' || static_cast<unsigned char>(c) > '~') c = '?';
  }
  return out;
}

std::string seconds_text(std::chrono::milliseconds time) {
  return time.count() % 1000 == 0 ? std::to_string(time.count() / 1000) + " s"
                                  : std::to_string(time.count()) + " ms";
}

std::string how_it_ended(const ChildOutcome& outcome, const ProberOptions& options) {
  switch (outcome.end) {
    case ChildEnd::kTimedOut:
      return "its probation did not end within " + seconds_text(options.deadline) +
             " (models.probation_deadline)";
    case ChildEnd::kTooLarge:
      return "its probation took more than " + std::to_string(outcome.resident_bytes >> 20) +
             " MiB of memory (models.probation_memory)";
    case ChildEnd::kSignalled: {
      const char* name = sigabbrev_np(outcome.code);
      return "its probation was ended by SIG" + std::string(name == nullptr ? "?" : name);
    }
    default:
      return "its probation ended with exit code " + std::to_string(outcome.code);
  }
}

class Prober {
 public:
  Prober(ProberOptions options, const Engines& engines, const SequenceEngines& sequences)
      : options_(std::move(options)),
        engines_(engines),
        sequences_(sequences),
        limits_(
            "deadline=" + std::to_string(options_.deadline.count()) +
            " memory=" + std::to_string(options_.memory_bytes)
        ) {}

  [[nodiscard]] const std::string& limits() const { return limits_; }

  [[nodiscard]] std::string engine(const Candidate& candidate) const {
    const auto found = engines_.find(candidate.config.backend);
    if (found == engines_.end()) return sequence_engine(candidate);
    const backend::TensorEngine& engine = *found->second;
    // Without its library nothing can be loaded, and the loader says why.
    if (engine.version().empty()) return "";
    const std::string& file = candidate.config.default_filename;
    backend::TensorBackendOptions options;
    options.model_file = candidate.folder / (file.empty() ? engine.default_filename() : file);
    options.parameters = candidate.config.parameters;
    if (engine.name() == "synthetic" && !backend::SyntheticEngine::may_crash(options)) return "";
    return std::string(engine.name()) + " " + engine.version();
  }

  Trial attempt(const Candidate& candidate, const std::atomic<bool>& stop) const {
    const ChildOptions child = child_options(candidate, stop);
    const auto outcome = run_child(child);
    if (!outcome.ok()) return no_trial(outcome.status().with_prefix("probation: "));
    return trial_of(*outcome);
  }

 private:
  // The synthetic one has no file that could bring it down.
  [[nodiscard]] std::string sequence_engine(const Candidate& candidate) const {
    const auto found = sequences_.find(candidate.config.backend);
    if (found == sequences_.end()) return "";
    auto* llama = dynamic_cast<backend::LlamaEngine*>(found->second.get());
    if (llama == nullptr || !llama->open().ok()) return "";
    return std::string(llama->name()) + " " + llama->version();
  }

  static Trial no_trial(Status status) {
    Trial out;
    out.status = std::move(status);
    return out;
  }

  ChildOptions child_options(const Candidate& candidate, const std::atomic<bool>& stop) const {
    const std::filesystem::path model = candidate.folder.parent_path();
    const auto cpu_seconds = static_cast<std::uint64_t>(options_.deadline.count()) / 1000 + 1;
    ChildOptions out;
    out.program = options_.program;
    out.name = "cortex";
    out.arguments = {
        "probe-model",
        "--repository=" + model.parent_path().string(),
        "--model=" + model.filename().string(),
        "--number=" + std::to_string(candidate.version),
        "--cores=" + std::to_string(options_.cores),
        "--cpu-seconds=" + std::to_string(2 * cpu_seconds * options_.cores),
        "--parent=" + std::to_string(getpid())
    };
    // An empty value would take the next word.
    if (!options_.onnx_library.empty())
      out.arguments.push_back("--onnx-library=" + options_.onnx_library);
    if (candidate.stored) out.arguments.emplace_back("--stored");
    if (candidate.override_json) {
      out.arguments.emplace_back("--override");
      out.input = *candidate.override_json;
    }
    out.environment = environment();
    out.deadline = steady_clock().now() + options_.deadline;
    out.resident_bytes_max = options_.memory_bytes == 0 ? memory_limit() : options_.memory_bytes;
    out.stop = &stop;
    return out;
  }

  Trial trial_of(const ChildOutcome& outcome) const {
    if (outcome.end == ChildEnd::kStopped)
      return no_trial(unavailable("the server is shutting down"));
    Trial out;
    const auto report = parse_report(outcome.output);
    if (outcome.end == ChildEnd::kExited && outcome.code == 0 && report) {
      out.end = report->status.ok() ? Trial::End::kPassed : Trial::End::kRefused;
      out.status = report->status;
      out.resident_bytes = report->resident_bytes;
      out.peak_bytes = report->peak_bytes;
      return out;
    }
    out.end = Trial::End::kDied;
    std::string why = how_it_ended(outcome, options_);
    if (const std::string words = last_words(outcome.log); !words.empty())
      why += "; its last words: " + words;
    out.status = failed_precondition(why);
    const bool limited = outcome.end == ChildEnd::kTimedOut || outcome.end == ChildEnd::kTooLarge;
    if (limited) out.limits = limits_;
    // Nobody here sends it but for a limit: the system ran out of memory, which passes.
    out.lasting = !(outcome.end == ChildEnd::kSignalled && outcome.code == SIGKILL);
    return out;
  }

  const ProberOptions options_;
  const Engines& engines_;
  const SequenceEngines& sequences_;
  const std::string limits_;
};

}  // namespace

registry::ProbationParts make_prober(
    ProberOptions options, const Engines& engines, const SequenceEngines& sequences
) {
  const auto prober = std::make_shared<const Prober>(std::move(options), engines, sequences);
  registry::ProbationParts out;
  out.engine = [prober](const Candidate& candidate) { return prober->engine(candidate); };
  out.attempt = [prober](const Candidate& candidate, const std::atomic<bool>& stop) {
    return prober->attempt(candidate, stop);
  };
  out.limits = prober->limits();
  return out;
}

}  // namespace cortex::app
