// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_store.h"

#include <string>
#include <utility>
#include <vector>

#include "base/thread.h"
#include "store/detail/caller.h"
#include "store/detail/postgresql_address.h"
#include "store/detail/postgresql_connection.h"
#include "store/detail/postgresql_watch.h"
#include "store/detail/postgresql_worker.h"
#include "store/detail/queued_store.h"
#include "store/detail/schema_steps.h"

namespace cortex::store {
namespace {

class PostgresqlStore final : public QueuedStore {
 public:
  using Access = PostgresqlConnection::Access;

  PostgresqlStore(
      const StoreOptions& options,
      PostgresqlAddress address,
      std::string channel,
      std::int64_t revision
  )
      : QueuedStore(options),
        address_(std::move(address)),
        channel_(std::move(channel)),
        watch_(address_, channel_, feed_, probe_) {
    feed_.advance(revision);
    for (std::size_t i = 0; i < options.readers; ++i) {
      const std::string number = std::to_string(i);
      threads_.emplace_back("store-w-" + number, [this] { run(writes_, Access::kWriting); });
      threads_.emplace_back("store-r-" + number, [this] { run(reads_, Access::kReading); });
    }
  }

  ~PostgresqlStore() override { close(); }

  [[nodiscard]] Status backup(const std::filesystem::path&) override {
    return unimplemented("a PostgreSQL database is copied with pg_dump");
  }
  [[nodiscard]] Status check_integrity() override {
    return read_and_wait([](Transaction& transaction) {
      return transaction.query("SELECT revision FROM store_revision").status();
    });
  }

 private:
  void run(WorkQueue& queue, Access access) {
    PostgresqlWorker worker({address_, channel_, feed_, probe_, watch_}, access);
    worker.warm_up();
    for (auto taken = queue.take(1); !taken.empty(); taken = queue.take(1)) {
      worker.run(taken.front());
      taken.clear();  // what the work captured must not wait for the next one
    }
  }

  const PostgresqlAddress address_;
  const std::string channel_;
  PostgresqlWatch watch_;
  std::vector<Thread> threads_;  // ends first
};

// Another process that opens the same schema waits for the lock, and then finds everything done.
Status bring_up_to_date(PostgresqlConnection& connection, std::span<const Schema> schemas) {
  CORTEX_RETURN_IF_ERROR(connection.run_script(
      "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('store ' || current_schema(), 0));"
  ));
  Status status = check_versions(connection, schemas);
  if (status.ok()) status = apply_steps(connection, schemas);
  if (status.ok()) return connection.run_script("COMMIT");
  if (connection.lost()) return status;
  const Status undone = connection.run_script("ROLLBACK");
  return status;
}

// A name for the commits of this schema of this database; it needs no quotes.
Result<std::string> channel_of(PostgresqlConnection& connection) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      connection.query("SELECT oid FROM pg_namespace WHERE nspname = current_schema()", {})
  );
  if (rows.empty()) return failed_precondition("no schema of its search_path exists");
  return "cortex_change_" + std::to_string(rows.integer(0, 0));
}

Result<std::unique_ptr<Store>> open_server(
    const StoreOptions& options, PostgresqlAddress address, std::span<const Schema> schemas
) {
  const TimePoint deadline = steady_clock().now() + options.deadline;
  CORTEX_ASSIGN_OR_RETURN(const auto connection, PostgresqlConnection::connect(address, deadline));
  CORTEX_ASSIGN_OR_RETURN(std::string channel, channel_of(*connection));
  CORTEX_RETURN_IF_ERROR(bring_up_to_date(*connection, schemas));
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t revision, read_revision(*connection));
  return std::unique_ptr<Store>(
      std::make_unique<PostgresqlStore>(options, std::move(address), std::move(channel), revision)
  );
}

}  // namespace

Result<std::unique_ptr<Store>> open_postgresql_store(
    const StoreOptions& options, std::span<const Schema> schemas
) {
  CORTEX_ASSIGN_OR_RETURN(PostgresqlAddress address, PostgresqlAddress::parse(options.address));
  const std::string name = address.name();
  Result<std::unique_ptr<Store>> store = open_server(options, std::move(address), schemas);
  if (store.ok()) return store;
  return store.status().with_prefix("database " + name + ": ");
}

}  // namespace cortex::store
