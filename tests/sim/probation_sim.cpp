// SPDX-License-Identifier: Apache-2.0
// Probation through random versions, changed files, load requests, restarts and kills. What must
// always hold is checked after every step; a failure prints its seed. The argument is the number of
// seeds.
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <string>

#include "base/check.h"
#include "base/log.h"
#include "registry/probation.h"

namespace {

namespace fs = std::filesystem;
using cortex::Result;
using cortex::registry::Candidate;
using cortex::registry::LoadedModel;
using cortex::registry::Probation;
using cortex::registry::ProbationParts;
using cortex::registry::Trial;

constexpr int kVersions = 4;
constexpr int kSteps = 120;

// Thrown where the process of the server would end without a word.
struct Killed {};

class Simulation {
 public:
  Simulation(std::uint64_t seed, fs::path folder) : random_(seed), folder_(std::move(folder)) {
    fs::remove_all(folder_);
    start();
  }

  void run() {
    for (int i = 0; i < kSteps; ++i) step();
  }

 private:
  // What is true of a version's files, and what the books must know of them.
  struct Files {
    std::uint64_t fingerprint = 0;
    bool deadly = false;
    bool passed = false;
    bool held_against = false;
  };

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  void start() {
    ProbationParts parts;
    parts.engine = [](const Candidate&) { return "onnx 1"; };
    parts.attempt = [this](const Candidate& candidate, const std::atomic<bool>&) {
      return attempt(files_[candidate.version]);
    };
    probation_ = std::make_unique<Probation>(folder_, std::move(parts));
  }

  Trial attempt(Files& files) {
    CHECK(!files.passed, "what passed is not tried again");
    CHECK(!files.held_against || asked_, "what died is not tried again unless somebody asks");
    ++trials_;
    if (pick(12) == 0) kill(files);
    Trial out;
    if (pick(10) == 0) {
      out.status = cortex::unavailable("no process");
      return out;
    }
    out.end = files.deadly ? Trial::End::kDied : Trial::End::kPassed;
    out.lasting = pick(6) != 0;
    if (files.deadly) out.status = cortex::failed_precondition("died");
    if (files.deadly && out.lasting) files.held_against = true;
    return out;
  }

  void kill(Files& files) {
    files.held_against = true;
    throw Killed();
  }

  Result<LoadedModel> load_here(Files& files, bool first) {
    CHECK(!files.deadly, "the server never loads what brings it down");
    CHECK(!files.held_against || asked_, "what is in quarantine is not loaded");
    if (first && pick(12) == 0) kill(files);
    files.passed = true;
    files.held_against = false;
    return LoadedModel{};
  }

  void step() {
    const auto version = static_cast<std::int64_t>(pick(kVersions));
    Files& files = files_[version];
    if (files.fingerprint == 0 || pick(10) == 0) files = {++fingerprints_, pick(2) == 0};
    if (pick(8) == 0) start();
    asked_ = pick(5) == 0;
    Candidate candidate;
    candidate.config.name = "m";
    candidate.version = version;
    candidate.fingerprint = files.fingerprint;
    candidate.asked = asked_;
    const bool known = files.passed || (files.held_against && !asked_);
    const int before = trials_;
    try {
      static_cast<void>(probation_
                            ->load(
                                candidate,
                                [&](const auto&, const auto&, std::int64_t) {
                                  return load_here(files, !known);
                                }
                            )
                            .ok());
    } catch (const Killed&) {
      restart_with_the_marker(candidate);
    }
    CHECK(!known || trials_ == before, "a known verdict needs no trial");
  }

  // The exception removed the marker on its way; a kill would have left it.
  void restart_with_the_marker(const Candidate& candidate) {
    probation_.reset();
    cortex::registry::ProbationBook(folder_).begin(
        {candidate.config.name, candidate.version, candidate.fingerprint, "onnx 1"}
    );
    start();
  }

  std::mt19937_64 random_;
  const fs::path folder_;
  std::unique_ptr<Probation> probation_;
  std::map<std::int64_t, Files> files_;
  std::uint64_t fingerprints_ = 0;
  bool asked_ = false;
  int trials_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  cortex::log::configure(cortex::log::Level::kError, cortex::log::Format::kText);
  const std::uint64_t seeds = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100;
  const fs::path folder =
      fs::temp_directory_path() / ("cortex_probation_sim_" + std::to_string(getpid()));
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    std::fprintf(stderr, "\rseed %llu", static_cast<unsigned long long>(seed));
    Simulation(seed, folder).run();
  }
  std::fprintf(stderr, "\n");
  fs::remove_all(folder);
  return 0;
}
