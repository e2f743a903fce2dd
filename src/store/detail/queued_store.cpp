// SPDX-License-Identifier: Apache-2.0
#include "store/detail/queued_store.h"

#include <utility>

namespace cortex::store {

QueuedStore::QueuedStore(const StoreOptions& options)
    : writes_(StoreProbe::Side::kWriting, options, probe_),
      reads_(StoreProbe::Side::kReading, options, probe_),
      expiry_({&writes_, &reads_}, options.deadline) {}

void QueuedStore::write(Work work, Done done, Durability durability) {
  writes_.submit(std::move(work), std::move(done), durability);
}

void QueuedStore::read(Work work, Done done) {
  reads_.submit(std::move(work), std::move(done), Durability::kStrict);
}

std::int64_t QueuedStore::revision() const { return feed_.revision(); }

void QueuedStore::on_change(std::function<void(std::int64_t)> changed) {
  feed_.on_change(std::move(changed));
}

StoreHealth QueuedStore::health() const {
  StoreHealth health = probe_.health();
  health.waiting = writes_.size() + reads_.size();
  return health;
}

void QueuedStore::close() {
  writes_.close();
  reads_.close();
}

}  // namespace cortex::store
