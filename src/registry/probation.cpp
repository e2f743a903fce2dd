// SPDX-License-Identifier: Apache-2.0
#include "registry/probation.h"

#include <utility>

#include "base/log.h"

namespace cortex::registry {
namespace {

Result<LoadedModel> call(const Loader& loader, const Candidate& candidate) {
  return loader(candidate.config, candidate.folder, candidate.version);
}

// What was measured says more than what an engine counts.
void take_memory(std::uint64_t resident_bytes, Result<LoadedModel>& loaded) {
  if (loaded.ok() && resident_bytes != 0) loaded->memory_bytes = resident_bytes;
}

Status quarantined(const std::string& reason) {
  return failed_precondition("in quarantine: " + reason);
}

// The marker of a version goes however its load in this process ends, if it ends.
class OnProbation {
 public:
  OnProbation(ProbationBook& book, const ProbationKey& key) : book_(book), key_(key) {
    book_.begin(key_);
  }
  OnProbation(const OnProbation&) = delete;
  OnProbation& operator=(const OnProbation&) = delete;
  ~OnProbation() { book_.end(key_, std::move(verdict_)); }
  void remember(ProbationVerdict verdict) { verdict_ = std::move(verdict); }

 private:
  ProbationBook& book_;
  const ProbationKey& key_;
  std::optional<ProbationVerdict> verdict_;
};

void log_passed(const Candidate& candidate, const Trial& trial) {
  log::info(
      "model version passed its probation",
      {{"model", candidate.config.name},
       {"version", candidate.version},
       {"resident_bytes", trial.resident_bytes},
       {"peak_bytes", trial.peak_bytes}}
  );
}

}  // namespace

Probation::Probation(std::filesystem::path folder, ProbationParts parts)
    : parts_(std::move(parts)), book_(std::move(folder)) {}

Result<LoadedModel> Probation::load(const Candidate& candidate, const Loader& loader) {
  const std::string engine = parts_.engine(candidate);
  if (engine.empty()) return call(loader, candidate);
  const ProbationKey key{candidate.config.name, candidate.version, candidate.fingerprint, engine};
  const auto remembered = book_.find(key);
  switch (next_step(remembered, candidate.asked, parts_.limits)) {
    case ProbationStep::kRefuse:
      ++quarantined_;
      return quarantined(remembered->reason);
    case ProbationStep::kTry:
      return try_and_load(candidate, key, loader);
    case ProbationStep::kAdmit:
      break;
  }
  ++remembered_;
  auto out = call(loader, candidate);
  take_memory(remembered->resident_bytes, out);
  return out;
}

// The marker stands until the load in this process is over, which may still end it.
Result<LoadedModel> Probation::try_and_load(
    const Candidate& candidate, const ProbationKey& key, const Loader& loader
) {
  if (stop_) return unavailable("the server is shutting down");
  OnProbation on_probation(book_, key);
  const Trial trial = parts_.attempt(candidate, stop_);
  switch (trial.end) {
    case Trial::End::kNone:
      ++cut_short_;
      return trial.status;
    case Trial::End::kRefused:
      ++refused_;
      return trial.status;
    case Trial::End::kDied:
      ++died_;
      if (trial.lasting) on_probation.remember({false, trial.status.text(), trial.limits, 0, 0});
      return quarantined(trial.status.text());
    case Trial::End::kPassed:
      break;
  }
  ++passed_;
  log_passed(candidate, trial);
  auto out = call(loader, candidate);
  on_probation.remember({true, "", "", trial.resident_bytes, trial.peak_bytes});
  take_memory(trial.resident_bytes, out);
  return out;
}

void Probation::stop() {
  stop_ = true;
  book_.excuse();
}

ProbationCounts Probation::counts() const {
  return {
      .passed = passed_,
      .refused = refused_,
      .died = died_,
      .cut_short = cut_short_,
      .remembered = remembered_,
      .quarantined = quarantined_
  };
}

}  // namespace cortex::registry
