// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "registry/probation_policy.h"

namespace cortex::registry {

// What a verdict is about: these files in this engine.
struct ProbationKey {
  std::string model;
  std::int64_t version = 0;
  std::uint64_t fingerprint = 0;
  std::string engine;  // name and version

  auto operator<=>(const ProbationKey&) const = default;
};

// Remembers verdicts, and which versions are on probation now, in a folder that outlives the
// process: a version that was on probation when the process ended without a word has a verdict
// against it at the next start. At most 10 000 verdicts, the oldest go first; a verdict that cannot
// be read or written is one that is not remembered. Thread-safe.
class ProbationBook {
 public:
  // An empty folder: remembers until it goes. Else reads what is there, and makes it when missing.
  explicit ProbationBook(std::filesystem::path folder);

  [[nodiscard]] std::optional<ProbationVerdict> find(const ProbationKey& key) const;
  // On probation from now on, until end().
  void begin(const ProbationKey& key);
  // Its probation is over; without a verdict nothing is remembered of it.
  void end(const ProbationKey& key, std::optional<ProbationVerdict> verdict);
  // The process is about to end: whoever is on probation now has no part in it.
  void excuse() const;

 private:
  struct Entry {
    ProbationVerdict verdict;
    std::list<const ProbationKey*>::iterator age;
  };
  void remember_locked(const ProbationKey& key, ProbationVerdict verdict) REQUIRES_LOCK(mutex_);
  void read_verdicts_locked() REQUIRES_LOCK(mutex_);
  void read_markers_locked() REQUIRES_LOCK(mutex_);
  void save_locked() const REQUIRES_LOCK(mutex_);
  [[nodiscard]] std::filesystem::path marker(const ProbationKey& key) const;

  const std::filesystem::path folder_;
  // Loader threads alone, for microseconds; a file is written under it so that none overtakes
  // another.
  mutable Mutex mutex_;
  std::map<ProbationKey, Entry> verdicts_ GUARDED_BY(mutex_);
  std::list<const ProbationKey*> by_age_ GUARDED_BY(mutex_);  // the oldest first
};

}  // namespace cortex::registry
