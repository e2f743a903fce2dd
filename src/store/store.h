// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "store/transaction.h"

namespace cortex::store {

// What a room keeps in the database: its tables, as steps that only go forward. Step N of the list
// takes version N to N + 1; a released step is never edited. The text is several statements in the
// common language of Transaction, with these words for what differs: {id} an integer primary key
// that the database counts up (no INSERT names it), {text} text that is compared byte by byte.
struct Schema {
  std::string_view room;  // "tracking"
  std::span<const std::string_view> steps;
};

// kStrict: done() is called when the change survives a power cut. kRelaxed: when it survives a kill
// of the process; a power cut may lose the last moments, never the order or the whole.
enum class Durability : std::uint8_t { kStrict, kRelaxed };

// One entry of the change feed.
struct Change {
  std::int64_t revision = 0;
  std::string kind;
  std::string key;
};

struct StoreHealth {
  bool available = true;
  std::string reason;           // why not; safe to show
  std::int64_t lost_since = 0;  // milliseconds since the epoch; 0 while it is available
  std::size_t waiting = 0;      // works that wait for a thread
  std::uint64_t commits = 0;    // groups that were made durable
  std::uint64_t works = 0;      // works that were committed in them
  std::uint64_t failures = 0;   // works that ended with an error of the database's
  std::uint64_t refusals = 0;   // works that found the queue full
};

// The database behind registry, tracking and jobs: SQLite in a file (one writer thread with group
// commit, readers beside it) or PostgreSQL (a pool of connections, each with a thread). Works are
// run on the store's threads alone, so that no io or lane thread ever waits for a disk; a slow or
// lost database delays or refuses works and nothing else. Thread-safe.
class Store {
 public:
  // Reads and writes through the transaction and keeps what it found in what it captured. It may
  // run again from the start when the database asks for it, even after it ended well: it must set
  // its results, not add to them, and act on them in done() alone. An error that it returns undoes
  // everything it wrote. An exception that leaves it ends the process.
  using Work = std::function<Status(Transaction&)>;
  // Called exactly once, on a thread of the store's, or at once when the work was refused: it must
  // not block. kResourceExhausted with a retry_after: the queue is full. kDeadlineExceeded: the
  // work waited or ran longer than the deadline. After kDeadlineExceeded, kUnavailable, kDataLoss,
  // and kResourceExhausted without a retry_after, a write may be there as a whole or not at all:
  // the database can fail in the middle of a commit.
  using Done = std::function<void(Status)>;

  virtual ~Store() = default;

  // All or nothing; done() comes after the commit.
  virtual void write(Work work, Done done, Durability durability = Durability::kStrict) = 0;
  // Sees one committed state from its first to its last statement, and every write whose done() was
  // called before.
  virtual void read(Work work, Done done) = 0;

  // The same, and waits. For start-up, commands and tests. CHECKs that the caller is not an io or
  // lane thread.
  [[nodiscard]] Status write_and_wait(Work work, Durability durability = Durability::kStrict);
  [[nodiscard]] Status read_and_wait(Work work);

  // The newest revision known here; 0 when nothing was ever noted.
  [[nodiscard]] virtual std::int64_t revision() const = 0;
  // `changed` is called on a thread of the store's after every commit that noted a change, by this
  // process or (PostgreSQL) another one; several may come as one call. It must not block: read the
  // feed with changes_after from there. Set before anything writes.
  virtual void on_change(std::function<void(std::int64_t revision)> changed) = 0;

  [[nodiscard]] virtual StoreHealth health() const = 0;

  // Writes a whole copy of one moment to a new file, while works go on. kUnimplemented where the
  // database has its own tools (pg_dump). Blocks.
  [[nodiscard]] virtual Status backup(const std::filesystem::path& to) = 0;
  // Checks the whole file or the connection: kDataLoss says what is broken. Blocks.
  [[nodiscard]] virtual Status check_integrity() = 0;
};

// The entries after `revision`, in order, at most `limit`.
[[nodiscard]] Result<std::vector<Change>> changes_after(
    Transaction& transaction, std::int64_t revision, std::size_t limit
);

struct StoreOptions {
  // "postgresql://…" (a libpq address) or the path of a SQLite file; its folder must exist.
  std::string address;
  // Threads that read, each with a connection. PostgreSQL has as many that write, and one
  // connection more for the change feed.
  std::size_t readers = 2;
  std::size_t queue_limit = 4096;  // works that wait, reads and writes each
  Duration deadline = std::chrono::seconds(30);
};

// Opens or makes the database and brings every schema to its newest version. kFailedPrecondition:
// the database was written by a newer program, and nothing was touched. Blocks.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(
    const StoreOptions& options, std::span<const Schema> schemas
);

}  // namespace cortex::store
