// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/status.h"
#include "registry/probation_book.h"
#include "registry/probation_policy.h"
#include "registry/registry.h"

namespace cortex::registry {

// A version that is to be loaded.
struct Candidate {
  ModelConfig config;
  std::filesystem::path folder;
  std::int64_t version = 0;
  std::uint64_t fingerprint = 0;
  bool stored = false;
  bool asked = false;                        // somebody asked for it by name
  std::optional<std::string> override_json;  // of its load request
};

// How a trial ended.
struct Trial {
  enum class End : std::uint8_t {
    kPassed,   // loaded, warmed up and unloaded again
    kRefused,  // its loader said no, and nothing broke: `status`
    kDied,     // it brought the process down, or had to be killed: `status`
    kNone,     // there was none: `status`
  };
  End end = End::kNone;
  Status status = {};
  std::string limits = {};  // kDied: those that it did not stay within
  bool lasting = true;      // kDied: it would end in the same way again
  std::uint64_t resident_bytes = 0;
  std::uint64_t peak_bytes = 0;
};

struct ProbationParts {
  // The engine that would load it, with its version; empty: one that no file can bring down.
  std::function<std::string(const Candidate&)> engine;
  // Loads it in a process of its own. Blocks, and gives up soon once `stop` is true.
  std::function<Trial(const Candidate&, const std::atomic<bool>& stop)> attempt;
  std::string limits;  // that `attempt` sets, as a text: other limits, another text
};

struct ProbationCounts {
  std::uint64_t passed = 0;
  std::uint64_t refused = 0;  // by their loader
  std::uint64_t died = 0;
  std::uint64_t cut_short = 0;    // the server stopped, or no process could be started
  std::uint64_t remembered = 0;   // loads that needed no trial: the verdict was known
  std::uint64_t quarantined = 0;  // loads that a verdict forbade
};

// Probation: a version is loaded in a process of its own before this one loads it, so that a file
// that brings an engine down costs itself alone. A verdict is remembered for as long as files and
// engine stay the same; a version that died is left alone until its files change or somebody asks
// for it by name. Thread-safe.
class Probation {
 public:
  // An empty folder: verdicts are forgotten with the process.
  Probation(std::filesystem::path folder, ProbationParts parts);

  // What `loader` gives, once the version passed. kFailedPrecondition with the reason when it died
  // now or before; what its loader said in the trial; kUnavailable when there was no trial. What
  // it used in the trial becomes LoadedModel::memory_bytes, where it was measured.
  [[nodiscard]] Result<LoadedModel> load(const Candidate& candidate, const Loader& loader);
  // The process is about to end: ends the trials that run, lets none begin, and holds nothing that
  // happens from now on against a version. Before the registry is drained. Idempotent.
  void stop();

  [[nodiscard]] ProbationCounts counts() const;

 private:
  [[nodiscard]] Result<LoadedModel> try_and_load(
      const Candidate& candidate, const ProbationKey& key, const Loader& loader
  );

  const ProbationParts parts_;
  ProbationBook book_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> passed_{0};
  std::atomic<std::uint64_t> refused_{0};
  std::atomic<std::uint64_t> died_{0};
  std::atomic<std::uint64_t> cut_short_{0};
  std::atomic<std::uint64_t> remembered_{0};
  std::atomic<std::uint64_t> quarantined_{0};
};

}  // namespace cortex::registry
