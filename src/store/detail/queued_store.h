// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

#include "store/detail/change_feed.h"
#include "store/detail/expiry_watch.h"
#include "store/detail/store_probe.h"
#include "store/detail/work_queue.h"
#include "store/store.h"

namespace cortex::store {

// What every store is made of: a queue of writes and one of reads, whose works expire, a change
// feed and a probe. The database's own threads, which take from the queues, belong to the derived
// class: it declares them last and calls close() in its destructor, so that they end first.
class QueuedStore : public Store {
 public:
  void write(Work work, Done done, Durability durability) final;
  void read(Work work, Done done) final;
  [[nodiscard]] std::int64_t revision() const final;
  void on_change(std::function<void(std::int64_t)> changed) final;
  [[nodiscard]] StoreHealth health() const final;

 protected:
  explicit QueuedStore(const StoreOptions& options);

  // What was accepted is still taken; take() gives nothing after that.
  void close();

  StoreProbe probe_;
  ChangeFeed feed_;
  WorkQueue writes_;
  WorkQueue reads_;

 private:
  ExpiryWatch expiry_;
};

}  // namespace cortex::store
