// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "cache/prefix_tree.h"
#include "request/sampling.h"

namespace cortex::cache {

struct PrefixStoreOptions {
  std::string model;  // digest of the model's content
  std::uint64_t memory_bytes_max = 0;
  std::filesystem::path folder;      // empty: nothing on the disk. Made where it is missing.
  std::uint64_t disk_bytes_max = 0;  // of all files together
  std::size_t tokens_min = 32;       // shorter prefixes are not worth keeping; at least 16
  std::size_t queue_max = 16;        // writes that wait; and as many loads
  // Of all writes that wait; one alone may be longer.
  std::uint64_t queue_bytes_max = std::uint64_t{256} << 20;
  // Writes to a file; null: the system's. So that tests can fill the disk.
  std::function<ssize_t(int, const void*, std::size_t)> write;
};

// Since it was made, but for the first four, which are now.
struct PrefixStoreCounts {
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_states = 0;
  std::uint64_t disk_bytes = 0;
  std::uint64_t disk_states = 0;
  std::uint64_t evicted_memory = 0;  // for the budget
  std::uint64_t evicted_disk = 0;
  std::uint64_t refused = 0;         // not kept: too long for the budgets
  std::uint64_t writes_dropped = 0;  // not written: the queue was full, or another store has the
                                     // folder
  std::uint64_t writes_failed = 0;   // the disk is full, or fails
  std::uint64_t files_broken = 0;    // deleted
  std::uint64_t files_foreign = 0;   // of another model: deleted
};

// The computed states of prefixes that do not lie in the model's memory: as bytes in memory, and on
// disk, where they outlive the process. Below the prefix tree, for one loaded model.
//
// A state is kept in memory at once and written to the disk behind it. Where a budget is reached
// the one that was used longest ago gives way. A state that a longer one of the same prompt goes
// beyond by less than its own length is dropped with it: the longer one serves for it.
//
// One store at a time has a folder; another one waits for it, and works in memory alone meanwhile.
// A file that is broken, or of another model, is deleted and counted, never used: all bytes are
// checked before they are given out.
//
// Thread-safe. Nothing but its own thread touches the disk; find(), keep() and forget() take
// microseconds, linear in the tokens. The destructor writes what waits and ends loads that wait
// with kCancelled.
class PrefixStore {
 public:
  struct Entry;
  using State = std::shared_ptr<const std::vector<std::byte>>;
  using Loaded = std::function<void(Result<State>)>;

  struct Found {
    std::shared_ptr<Entry> entry;
    std::size_t tokens = 0;  // of the prompt that are alike
    std::size_t cells = 0;   // that restoring it takes, before the rest is cut off again
    std::uint64_t bytes = 0;
    bool in_memory = false;
    bool on_disk = false;
  };

  explicit PrefixStore(PrefixStoreOptions options);
  ~PrefixStore();

  // The stored state that begins with most of `tokens`; at least tokens_min of them.
  [[nodiscard]] std::optional<Found> find(const PrefixSpace& space, std::span<const Token> tokens)
      const;
  // True when exactly these are stored: keep() would change nothing.
  [[nodiscard]] bool holds(const PrefixSpace& space, std::span<const Token> tokens) const;

  // Calls `loaded` once: from memory at once on this thread, else on the store's thread.
  // kResourceExhausted: too many loads wait · kNotFound: it has given way meanwhile · kDataLoss:
  // its file was broken.
  void load(const Found& found, Loaded loaded);

  // Its bytes where they lie in memory now; else null.
  [[nodiscard]] State state_in_memory(const Found& found);

  // Takes the state of `tokens`.
  void keep(const PrefixSpace& space, std::span<const Token> tokens, std::vector<std::byte> state);
  // Deletes everything of a space, on the disk soon after.
  void forget(const PrefixSpace& space);

  [[nodiscard]] PrefixStoreCounts counts() const;
  // Waits until nothing waits to be read, written or deleted; false when the deadline came first.
  [[nodiscard]] bool settle(TimePoint deadline) const;

 private:
  struct Inner;
  std::unique_ptr<Inner> inner_;
};

}  // namespace cortex::cache
