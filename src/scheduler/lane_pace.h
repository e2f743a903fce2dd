// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "base/clock.h"

namespace cortex::scheduler {

// How a sequence lane goes at the moment, as far as it says when a newcomer will be served. All
// times in seconds; zeros say that nothing is known yet.
struct LanePace {
  double read = 0;            // of engine time, to compute one token of a prompt
  double read_share = 1;      // of a step's time that prompts have beside what decodes now
  double answer = 0;          // of engine time, to draw an answer of the usual length
  double step = 0;            // until whoever comes is looked at
  double computed_share = 1;  // of prompts' tokens, what no cache spares
  std::size_t unread = 0;     // prompt tokens still to be computed of those inside
  // Newcomers that would be let in at once: of whose flow some are inside, and others.
  std::size_t free_places = 0;
  std::size_t free_places_of_new_flows = 0;
};

// Those who will be served before a newcomer.
struct QueueAhead {
  std::size_t requests = 0;
  std::size_t tokens = 0;  // of their prompts
};

// When a newcomer's first token would come, with so many places free: others come free as answers
// end, then the prompts of those before it and its own are read in the share of time that prompts
// have. Pure.
[[nodiscard]] Duration first_token_in(
    const LanePace& pace, std::size_t free_places, const QueueAhead& ahead, std::size_t prompt
);
// When all of these would have been served. Pure.
[[nodiscard]] Duration served_in(const LanePace& pace, const QueueAhead& queue);

}  // namespace cortex::scheduler
