// SPDX-License-Identifier: Apache-2.0
#include "store/detail/sqlite_store.h"

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "store/detail/caller.h"
#include "store/detail/queued_store.h"
#include "store/detail/schema_steps.h"
#include "store/detail/sqlite_backup.h"
#include "store/detail/sqlite_connection.h"
#include "store/detail/sqlite_writer.h"
#include "store/detail/work_transaction.h"

namespace cortex::store {
namespace {

// The works of one group: more would not make a sync cheaper, and the first waits for the last.
constexpr std::size_t kGroupLimit = 256;

// Another process (a backup, a command) holds the file for moments only.
constexpr std::chrono::seconds kBusyLimit{5};

// A write-ahead log that grew behind a long reader shrinks to this.
constexpr const char* kWriteAhead =
    "PRAGMA journal_mode = WAL; PRAGMA journal_size_limit = 67108864; PRAGMA synchronous = FULL;";

class SqliteStore final : public QueuedStore {
 public:
  using Connections = std::vector<std::unique_ptr<SqliteConnection>>;

  SqliteStore(
      const StoreOptions& options,
      std::unique_ptr<SqliteConnection> writer,
      Connections readers,
      std::int64_t revision
  )
      : QueuedStore(options), path_(options.address), writer_(std::move(writer), feed_, probe_) {
    feed_.advance(revision);
    threads_.emplace_back("store-w", [this] { run_writer(); });
    for (std::size_t i = 0; i < readers.size(); ++i) {
      // std::function wants to be copyable.
      const std::shared_ptr<SqliteConnection> reader = std::move(readers[i]);
      threads_.emplace_back("store-r-" + std::to_string(i), [this, reader] {
        run_reader(*reader);
      });
    }
  }

  ~SqliteStore() override { close(); }

  [[nodiscard]] Status backup(const std::filesystem::path& to) override {
    check_may_wait();
    return backup_sqlite(path_, to);
  }
  [[nodiscard]] Status check_integrity() override {
    check_may_wait();
    return check_sqlite(path_);
  }

 private:
  void run_writer() {
    for (auto group = writes_.take(kGroupLimit); !group.empty();
         group = writes_.take(kGroupLimit)) {
      writer_.run(group);
      group.clear();  // what its works captured must not wait for the next ones
    }
  }

  void run_reader(SqliteConnection& connection) {
    for (auto taken = reads_.take(1); !taken.empty(); taken = reads_.take(1)) {
      PendingWork& pending = taken.front();
      const WorkOutcome outcome = run_read(connection, pending);
      probe_.observe(StoreProbe::Side::kReading, outcome.database);
      pending.done(outcome.status);
      taken.clear();  // likewise
    }
  }

  // BEGIN takes the snapshot with the first statement, and every commit whose done() was called is
  // in the file by then.
  static WorkOutcome run_read(SqliteConnection& connection, PendingWork& pending) noexcept {
    if (steady_clock().now() >= pending.deadline) {
      return WorkOutcome(deadline_exceeded("the work waited too long for the database"));
    }
    if (Status begun = connection.run_script("BEGIN"); !begun.ok()) {
      return WorkOutcome(std::move(begun));
    }
    connection.set_deadline(pending.deadline);
    WorkTransaction transaction(connection);
    WorkOutcome outcome = transaction.run(pending.work);
    connection.set_deadline(kNoDeadline);
    if (connection.in_transaction()) {
      Status end = connection.run_script("ROLLBACK");
      if (outcome.status.ok() && !end.ok()) return WorkOutcome(std::move(end));
    }
    return outcome;
  }

  const std::string path_;
  SqliteWriter writer_;
  std::vector<Thread> threads_;  // ends first
};

// A file that is not empty and not ours stays as it is.
Status check_ours(SqliteConnection& connection, std::span<const Schema> schemas) {
  CORTEX_ASSIGN_OR_RETURN(const bool ours, connection.has_table("store_schema"));
  if (ours) return check_versions(connection, schemas);
  CORTEX_ASSIGN_OR_RETURN(
      const Rows tables, connection.query("SELECT count(*) FROM sqlite_master", {})
  );
  if (tables.integer(0, 0) == 0) return {};
  return failed_precondition("the file is a database of another program");
}

Status bring_up_to_date(SqliteConnection& connection, std::span<const Schema> schemas) {
  CORTEX_RETURN_IF_ERROR(check_ours(connection, schemas));
  CORTEX_RETURN_IF_ERROR(connection.run_script(kWriteAhead));
  CORTEX_RETURN_IF_ERROR(connection.run_script("BEGIN IMMEDIATE"));
  Status status = apply_steps(connection, schemas);
  if (status.ok()) status = connection.run_script("COMMIT");
  if (!status.ok() && connection.in_transaction()) {
    const Status undone = connection.run_script("ROLLBACK");
    CHECK(undone.ok() || !connection.in_transaction(), "SQLite always ends a transaction");
  }
  return status;
}

Result<std::unique_ptr<Store>> open_file(
    const StoreOptions& options, std::span<const Schema> schemas
) {
  using Access = SqliteConnection::Access;
  const Duration busy = std::min<Duration>(options.deadline, kBusyLimit);
  CORTEX_ASSIGN_OR_RETURN(
      auto writer, SqliteConnection::open(options.address, Access::kWriting, busy)
  );
  CORTEX_RETURN_IF_ERROR(bring_up_to_date(*writer, schemas));
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t revision, read_revision(*writer));
  SqliteStore::Connections readers;
  for (std::size_t i = 0; i < options.readers; ++i) {
    CORTEX_ASSIGN_OR_RETURN(
        auto reader, SqliteConnection::open(options.address, Access::kReading, busy)
    );
    readers.push_back(std::move(reader));
  }
  return std::unique_ptr<Store>(
      std::make_unique<SqliteStore>(options, std::move(writer), std::move(readers), revision)
  );
}

}  // namespace

Result<std::unique_ptr<Store>> open_sqlite_store(
    const StoreOptions& options, std::span<const Schema> schemas
) {
  Result<std::unique_ptr<Store>> store = open_file(options, schemas);
  if (store.ok()) return store;
  return store.status().with_prefix("database " + options.address + ": ");
}

}  // namespace cortex::store
