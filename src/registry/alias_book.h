// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

namespace cortex::registry {

// Where one alias of a model stands; numbers of versions, 0 is none.
struct AliasState {
  std::int64_t target = 0;    // what it points to
  std::int64_t serving = 0;   // what answers: another one while the target is not ready
  std::int64_t previous = 0;  // what answered before that
};

// Which version each alias of one model serves: the one it points to once that is ready, until then
// the one it served before. So an alias that serves goes on serving, whatever it is pointed to, for
// as long as one of the two is ready. No clock, no thread. Thread: its owner's.
class AliasBook {
 public:
  // Facts.
  // The aliases as the store has them; what is not named here stands no more. `previous`: what they
  // pointed to before, of use for those that were not seen to serve anything: it never answers in
  // the place of the target, and may after it.
  void point(
      const std::map<std::string, std::int64_t>& targets,
      const std::map<std::string, std::int64_t>& previous = {}
  );
  // The versions that these aliases may serve; others may serve every one. What they served before
  // and may not any more is forgotten. After point().
  void permit(const std::map<std::string, std::set<std::int64_t>>& permitted);
  // The versions that can serve. REQUIRED after point().
  void settle(const std::set<std::int64_t>& ready);

  // Queries.
  [[nodiscard]] const std::map<std::string, AliasState>& states() const { return states_; }
  // The ready versions that an alias serves or points to: none of them may be unloaded.
  [[nodiscard]] std::set<std::int64_t> pinned() const;

 private:
  std::map<std::string, AliasState> states_;
  std::set<std::int64_t> ready_;
};

}  // namespace cortex::registry
