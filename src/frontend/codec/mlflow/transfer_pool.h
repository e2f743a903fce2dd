// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "base/mutex.h"
#include "base/thread_pool.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::mlflow {

struct TransferOptions {
  std::size_t threads = 4;
  std::size_t transfers_max = 64;  // over it kResourceExhausted, to be tried again
  std::size_t window_bytes = 1024 * 1024;
};

// The threads that move bytes between clients and the artifact store, "artifact-N": the disk is
// touched by them alone. A transfer takes one short call after the other, so that a slow client or
// a large file holds up nobody else, and has one call waiting at most.
//
// Thread-safe.
class TransferPool {
 public:
  // The place of one transfer among transfers_max, and the last thing that it lets go of.
  class Place {
   public:
    explicit Place(TransferPool& pool) : pool_(pool) {}
    ~Place() { pool_.give_back(); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    [[nodiscard]] TransferPool& pool() const { return pool_; }

   private:
    TransferPool& pool_;
  };

  explicit TransferPool(const TransferOptions& options);
  ~TransferPool();  // closes

  // Gives no more places and waits for the transfers that are under way: they end when their server
  // has stopped, and then nobody touches the artifact store any more. Not from a thread of its own.
  void close();

  [[nodiscard]] const TransferOptions& options() const { return options_; }

  using PlacePtr = std::shared_ptr<Place>;

  // Null when all places are taken: the exchange is answered then. Who does anything for a transfer
  // on another thread, be it the database's, holds its place: the pool lives until then.
  [[nodiscard]] PlacePtr enter(Exchange& exchange);
  // REQUIRES: the caller has a place, and no other call waits for it but what its end leaves
  // behind.
  void submit(std::function<void()> call);

  [[nodiscard]] std::size_t in_flight() const;

 private:
  [[nodiscard]] bool take();
  void give_back();

  const TransferOptions options_;
  // Guards a count that goes down on whichever thread a transfer ends.
  mutable Mutex mutex_;
  Condition none_;
  std::size_t in_flight_ GUARDED_BY(mutex_) = 0;
  bool closed_ GUARDED_BY(mutex_) = false;
  ThreadPool threads_;
};

}  // namespace cortex::frontend::mlflow
