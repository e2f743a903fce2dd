// SPDX-License-Identifier: Apache-2.0
// Drives one stored model through random versions, alias moves, loads that fail, folders that
// cannot be made and leases, and checks after every step that an alias that served once goes on
// serving. A failure prints its seed; the argument is the number of seeds, or "seed N" for one of
// them.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/check.h"
#include "registry/alias_book.h"
#include "registry/ledger.h"
#include "registry/stored/stored_policy.h"

namespace {

using namespace std::string_literals;
using cortex::registry::AliasBook;
using cortex::registry::Ledger;
using cortex::registry::LoadId;
using cortex::registry::ModelFolder;
using cortex::registry::StoredView;
using cortex::registry::VersionState;

constexpr int kSteps = 500;
const std::vector<std::string> kAliases = {"champion", "challenger", "/Production"};

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed), versions_max_(1 + pick(4)) {
    add_version();
  }

  void run() {
    for (int i = 0; i < kSteps; ++i) {
      random_event();
      check();
    }
    converge();
  }

 private:
  struct Load {
    std::int64_t version = 0;
    bool loading = true;
    bool retired = false;
    int leases = 0;
  };

  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  bool chance(std::uint64_t one_in) { return pick(one_in) == 0; }

  void random_event() {
    switch (pick(9)) {
      case 0:
        return add_version();
      case 1:
        return delete_version();
      case 2:
        return move_alias();
      case 3:
      case 4:
        return registry_turn();
      case 5:
        return follower_turn();
      case 6:
        return end_a_load();
      case 7:
        return touch_lease();
      default:
        return void(folder_faults_.clear());  // time to try again
    }
  }

  void add_version() {
    versions_.insert(++last_);
    if (chance(4)) broken_.insert(last_);
  }

  // Not one that an alias means or serves: those go with their alias.
  void delete_version() {
    const std::int64_t version = some_version();
    for (const auto& [alias, state] : book_.states()) {
      if (state.target == version || state.serving == version) return;
    }
    if (versions_.size() > 1) versions_.erase(version);
  }

  std::int64_t some_version() {
    auto it = versions_.begin();
    std::advance(it, static_cast<std::ptrdiff_t>(pick(versions_.size())));
    return *it;
  }

  // Seen by readers at once, whatever the others are at.
  void move_alias() {
    const std::string& alias = kAliases[pick(kAliases.size())];
    if (chance(10)) {
      aliases_.erase(alias);
      served_.erase(alias);
    } else {
      aliases_[alias] = some_version();
    }
    book_.point(aliases_);
    settle_aliases();
  }

  std::set<std::int64_t> ready() {
    std::set<std::int64_t> out;
    for (const LoadId id : ledger_.ready("m")) out.insert(loads_.at(id).version);
    return out;
  }

  void settle_aliases() {
    book_.settle(ready());
    for (const auto& [alias, state] : book_.states()) {
      if (ready().contains(state.serving)) served_.insert(alias);
    }
  }

  // The registry's thread: pins, plan, publish, release.
  void registry_turn() {
    if (chance(2)) ledger_.see_model("m", folder());
    ledger_.pin("m", book_.pinned());
    const auto plan = ledger_.next();
    for (const auto& order : plan.loads) loads_[order.id] = {order.version};
    for (const LoadId id : plan.retire) loads_.at(id).retired = true;
    settle_aliases();
    for (auto it = loads_.begin(); it != loads_.end();) {
      const bool over = it->second.retired && it->second.leases == 0;
      if (over) ledger_.released(it->first);
      it = over ? loads_.erase(it) : std::next(it);
    }
  }

  std::optional<ModelFolder> folder() const {
    if (folders_.empty()) return std::nullopt;
    ModelFolder out;
    out.name = out.config.name = "m";
    out.stored = true;
    out.config.version_policy = cortex::VersionPolicy::kAll;
    for (const std::int64_t version : folders_) out.versions.push_back({version, "/m", 1});
    return out;
  }

  StoredView view() {
    StoredView out;
    out.versions.assign(versions_.begin(), versions_.end());
    out.aliases = book_.states();
    out.ready = ready();
    out.versions_max = versions_max_;
    out.failed = folder_faults_;
    for (const auto& entry : ledger_.index("m")) {
      if (entry.state == VersionState::kFailed) out.failed.insert(std::stoll(entry.version));
    }
    return out;
  }

  // The thread that follows the store: one folder at a time.
  void follower_turn() {
    const auto plan = plan_stored(view());
    for (const std::int64_t version : plan.hold) {
      if (folders_.contains(version) || folder_faults_.contains(version)) continue;
      const bool full = !quiet_ && chance(6);
      return void((full ? folder_faults_ : folders_).insert(version));
    }
    for (const std::int64_t version : folders_) {
      if (plan.hold.contains(version)) continue;
      return void(folders_.erase(version));
    }
  }

  void end_a_load() {
    for (auto it = loads_.begin(); it != loads_.end(); ++it) {
      if (!it->second.loading || chance(2)) continue;
      if (broken_.contains(it->second.version)) {
        ledger_.failed(it->first, cortex::invalid_argument("broken"));
        loads_.erase(it);
      } else {
        it->second.loading = false;
        ledger_.loaded(it->first);
        settle_aliases();
      }
      return;
    }
  }

  void touch_lease() {
    for (auto& [id, load] : loads_) {
      if (load.loading || chance(2)) continue;
      if (load.leases > 0) {
        --load.leases;
      } else if (!load.retired) {
        ++load.leases;
      }
      return;
    }
  }

  void check() {
    const auto now = ready();
    for (const std::string& alias : served_) {
      CHECK(now.contains(book_.states().at(alias).serving), "an alias that served goes on serving");
    }
    for (const auto& [alias, state] : book_.states()) {
      const bool there = now.contains(state.target);
      CHECK(!there || state.serving == state.target, "an alias serves what it points to at once");
    }
  }

  // With nothing moving any more, every alias that can serves its target, within the limit.
  void converge() {
    quiet_ = true;
    folder_faults_.clear();
    for (auto& [id, load] : loads_) load.leases = 0;
    std::uint64_t started = 0;
    for (int i = 0; i < 400; ++i) {
      if (i == 300) started = count_loads();
      follower_turn();
      ledger_.see_model("m", folder());
      registry_turn();
      end_a_load();
      check();
    }
    CHECK(started == count_loads() && all_at_rest(), "it comes to rest");
    const auto now = ready();
    std::set<std::int64_t> needed;
    for (const auto& [alias, state] : book_.states()) {
      if (now.contains(state.serving)) needed.insert(state.serving);
    }
    CHECK(now.size() <= std::max(versions_max_, needed.size()), "no more versions than may be");
    const auto plan = plan_stored(view());
    for (const auto& [alias, state] : book_.states()) {
      const bool can = !broken_.contains(state.target) && !plan.left_out.contains(state.target);
      CHECK(!can || state.serving == state.target, "what can be served is served");
    }
    CHECK(
        !now.empty() ||
            std::includes(broken_.begin(), broken_.end(), plan.hold.begin(), plan.hold.end()),
        "something is served unless all of it is broken"
    );
  }

  bool all_at_rest() const {
    return std::none_of(loads_.begin(), loads_.end(), [](const auto& entry) {
      return entry.second.loading || entry.second.retired;
    });
  }

  // Numbers of loads are never given twice.
  std::uint64_t count_loads() const { return loads_.empty() ? 0 : loads_.rbegin()->first.value; }

  std::mt19937_64 random_;
  const std::size_t versions_max_;
  bool quiet_ = false;
  std::int64_t last_ = 0;
  std::set<std::int64_t> versions_;
  std::set<std::int64_t> broken_;
  std::map<std::string, std::int64_t> aliases_;
  std::set<std::string> served_;
  std::set<std::int64_t> folders_;
  std::set<std::int64_t> folder_faults_;
  AliasBook book_;
  Ledger ledger_{false};
  std::map<LoadId, Load> loads_;
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
