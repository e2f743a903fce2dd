// SPDX-License-Identifier: Apache-2.0
#include "store/store.h"

#include <utility>

#include "base/mutex.h"
#include "store/detail/caller.h"
#include "store/detail/postgresql_store.h"
#include "store/detail/sqlite_store.h"

namespace cortex::store {
namespace {

// Where a waiting thread finds what became of its work.
class Answer {
 public:
  void set(Status status) {
    MutexLock lock(mutex_);
    status_ = std::move(status);
    there_ = true;
    condition_.notify_one();  // under the lock: the waiter may destroy this right after
  }
  Status wait() {
    MutexLock lock(mutex_);
    while (!there_) condition_.wait_until(mutex_, kNoDeadline);  // done() always comes
    return status_;
  }

 private:
  Mutex mutex_;
  Condition condition_;
  Status status_ GUARDED_BY(mutex_);
  bool there_ GUARDED_BY(mutex_) = false;
};

bool is_postgresql(std::string_view address) {
  return address.starts_with("postgresql://") || address.starts_with("postgres://");
}

}  // namespace

Status Store::write_and_wait(Work work, Durability durability) {
  check_may_wait();
  Answer answer;
  write(std::move(work), [&answer](Status status) { answer.set(std::move(status)); }, durability);
  return answer.wait();
}

Status Store::read_and_wait(Work work) {
  check_may_wait();
  Answer answer;
  read(std::move(work), [&answer](Status status) { answer.set(std::move(status)); });
  return answer.wait();
}

Result<std::vector<Change>> changes_after(
    Transaction& transaction, std::int64_t revision, std::size_t limit
) {
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows,
      transaction.query(
          "SELECT revision, kind, thing FROM store_change WHERE revision > $1 "
          "ORDER BY revision LIMIT $2",
          {revision, static_cast<std::int64_t>(limit)}
      )
  );
  std::vector<Change> changes;
  changes.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    changes.push_back({rows.integer(i, 0), rows.text(i, 1), rows.text(i, 2)});
  }
  return changes;
}

Result<std::unique_ptr<Store>> open_store(
    const StoreOptions& options, std::span<const Schema> schemas
) {
  if (options.address.empty()) return invalid_argument("the store needs an address");
  if (options.readers == 0) return invalid_argument("the store needs a reader");
  if (options.queue_limit == 0) return invalid_argument("the store's queue needs a limit");
  if (is_postgresql(options.address)) return open_postgresql_store(options, schemas);
  return open_sqlite_store(options, schemas);
}

}  // namespace cortex::store
