// SPDX-License-Identifier: Apache-2.0
// Drives the books of the registry through random folders, wishes, failures and leases, and checks
// after every step what must always hold. A failure prints its seed; the argument is the number of
// seeds, or "seed N" for one of them.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "registry/ledger.h"

namespace {

using namespace std::string_literals;
using cortex::registry::Ledger;
using cortex::registry::LedgerPlan;
using cortex::registry::LoadId;
using cortex::registry::ModelFolder;

constexpr int kModels = 3;
constexpr int kSteps = 400;

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed)
      : random_(seed), all_wanted_(chance(2)), ledger_(all_wanted_) {}

  void run() {
    for (int i = 0; i < kSteps; ++i) {
      random_event();
      settle_plan();
      check();
    }
    converge();
    end();
  }

 private:
  // One load in the world outside of the ledger.
  struct World {
    std::string model;
    std::int64_t version = 0;
    bool loading = true;
    bool retired = false;
    int leases = 0;
  };

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t one_in) { return pick(one_in) == 0; }
  static std::string model_name(std::uint64_t index) { return "m"s + std::to_string(index); }

  void random_event() {
    const std::string name = model_name(pick(kModels));
    switch (pick(8)) {
      case 0:
        return change_folder(name);
      case 1:
        if (!all_wanted_ && folders_.contains(name)) wanted_[name] = true;
        return folders_.contains(name) ? ledger_.want(name) : void();
      case 2:
        if (!ledger_.knows(name)) return;
        wanted_[name] = false;
        return all_wanted_ ? void() : ledger_.unwant(name);
      case 3:
      case 4:
        return end_a_load(chance(3));
      case 5:
        return take_lease(name);
      default:
        return drop_lease();
    }
  }

  void change_folder(const std::string& name) {
    if (chance(6)) {
      folders_.erase(name);
      return ledger_.see_model(name, std::nullopt);
    }
    ModelFolder folder;
    folder.name = folder.config.name = name;
    folder.config.version_policy = cortex::VersionPolicy::kLatest;
    folder.config.latest_versions = 1 + pick(2);
    for (std::int64_t v = 1; v <= 4; ++v) {
      if (chance(2)) folder.versions.push_back({v, "/" + name, pick(3)});
    }
    if (chance(8) || folder.versions.empty()) folder.fault = cortex::invalid_argument("at fault");
    folders_[name] = folder;
    ledger_.see_model(name, std::move(folder));
  }

  void end_a_load(bool fails) {
    for (auto it = world_.begin(); it != world_.end(); ++it) {
      if (!it->second.loading || chance(2)) continue;
      if (fails) {
        ledger_.failed(it->first, cortex::invalid_argument("broken"));
        world_.erase(it);
      } else {
        it->second.loading = false;
        ledger_.loaded(it->first);
      }
      return;
    }
  }

  void take_lease(const std::string& name) {
    const auto ready = ledger_.ready(name);
    if (!ready.empty()) ++world_.at(ready[pick(ready.size())]).leases;
  }

  void drop_lease() {
    for (auto& [id, load] : world_) {
      if (load.leases > 0 && chance(2)) {
        --load.leases;
        return;
      }
    }
  }

  // What the registry's thread does after every fact.
  void settle_plan() {
    const auto before = ready_models();
    const LedgerPlan plan = ledger_.next();
    for (const auto& order : plan.loads) {
      const bool fresh = world_.emplace(order.id, World{order.config.name, order.version}).second;
      CHECK(fresh, "every load has a number of its own");
    }
    for (const LoadId id : plan.retire) {
      World& load = world_.at(id);
      CHECK(!load.loading && !load.retired, "only what is ready retires, once");
      load.retired = true;
    }
    for (const std::string& name : before) {
      CHECK(
          !is_wanted(name) || !ledger_.ready(name).empty(),
          "a wanted model that served still serves"
      );
    }
    for (auto it = world_.begin(); it != world_.end();) {
      const bool over = it->second.retired && it->second.leases == 0 && chance(2);
      if (over) ledger_.released(it->first);
      it = over ? world_.erase(it) : std::next(it);
    }
    const LedgerPlan again = ledger_.next();
    CHECK(
        again.loads.empty() && again.retire.empty(), "nothing is left to do until something happens"
    );
  }

  bool is_wanted(const std::string& name) {
    return !closed_ && folders_.contains(name) && (all_wanted_ || wanted_[name]);
  }

  std::vector<std::string> ready_models() const {
    std::vector<std::string> out;
    for (int i = 0; i < kModels; ++i) {
      const std::string name = model_name(static_cast<std::uint64_t>(i));
      if (!ledger_.ready(name).empty()) out.push_back(name);
    }
    return out;
  }

  void check() {
    std::map<std::pair<std::string, std::int64_t>, int> loading;
    for (const auto& [id, load] : world_) {
      if (load.loading) ++loading[{load.model, load.version}];
    }
    for (const auto& [version, count] : loading)
      CHECK(count == 1, "a version loads once at a time");
    for (int i = 0; i < kModels; ++i) {
      for (const LoadId id : ledger_.ready(model_name(static_cast<std::uint64_t>(i)))) {
        CHECK(world_.contains(id) && !world_.at(id).retired, "what is ready is alive");
      }
    }
    CHECK(ledger_.empty() == world_.empty(), "the books agree with the world");
  }

  // With the folders at rest and no failures, exactly what is wanted serves.
  void converge() {
    for (int i = 0; i < kModels; ++i) {
      const std::string name = model_name(static_cast<std::uint64_t>(i));
      if (folders_.contains(name) && is_wanted(name)) ledger_.want(name);
    }
    for (int i = 0; i < 500; ++i) {
      settle_plan();
      end_a_load(false);
      drop_lease();
    }
    CHECK(ledger_.settled(), "everything wanted comes to an end");
    for (const auto& [name, folder] : folders_) {
      if (!is_wanted(name) || !folder.fault.ok()) continue;
      CHECK(ledger_.outcome(name)->ok(), "what can load is loaded");
      const std::size_t expected = std::min(folder.config.latest_versions, folder.versions.size());
      CHECK(ledger_.ready(name).size() == expected, "no more and no less than the policy says");
    }
  }

  void end() {
    ledger_.close();
    closed_ = true;
    for (int i = 0; i < 500; ++i) {
      settle_plan();
      end_a_load(chance(2));
      drop_lease();
    }
    CHECK(ledger_.empty() && world_.empty(), "nothing is left at the end");
  }

  std::mt19937_64 random_;
  const bool all_wanted_;
  bool closed_ = false;
  Ledger ledger_;
  std::map<std::string, ModelFolder> folders_;
  std::map<std::string, bool> wanted_;
  std::map<LoadId, World> world_;
};

}  // namespace

int main(int argc, char** argv) {
  const bool one = argc == 3 && argv[1] == "seed"s;
  const std::uint64_t first = one ? std::strtoull(argv[2], nullptr, 10) : 1;
  const std::uint64_t count = one ? 1 : argc == 2 ? std::strtoull(argv[1], nullptr, 10) : 300;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    // Before the run: a CHECK ends the process.
    std::printf("seed %llu\n", static_cast<unsigned long long>(seed));
    std::fflush(stdout);
    Simulation(seed).run();
  }
  return 0;
}
