// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_receive.h"

#include <utility>
#include <vector>

#include "frontend/codec/mlflow/wire.h"

namespace cortex::frontend::mlflow {
namespace {

using PlacePtr = TransferPool::PlacePtr;

// One body on its way. Its parts are gathered on the connection's thread in one window while the
// other is being written by the pool. The client is not read from while both are full.
class Receiver : public std::enable_shared_from_this<Receiver> {
 public:
  Receiver(PlacePtr place, std::shared_ptr<Exchange> exchange, Received received)
      : place_(std::move(place)),
        pool_(place_->pool()),
        exchange_(std::move(exchange)),
        received_(std::move(received)) {}

  // Whatever thread lets go of it, what was written is removed by one that may wait for the disk.
  ~Receiver() {
    if (!writer_) return;
    pool_.submit([place = std::move(place_), writer = std::move(writer_)]() mutable {
      writer.reset();
    });
  }

  void start(store::ArtifactStore& artifacts) {
    submit([this, &artifacts] {
      auto writer = artifacts.begin();
      if (!writer.ok()) return fail(*exchange_, writer.status());
      writer_ = std::move(*writer);
      post([this] { read(); });
    });
  }

 private:
  // Both keep this alive until `call` is done or dropped.
  template <typename Call>
  void submit(Call call) {
    pool_.submit([self = shared_from_this(), call = std::move(call)] { call(); });
  }
  template <typename Call>
  void post(Call call) {
    exchange_->post([self = shared_from_this(), call = std::move(call)] { call(); });
  }

  // On the connection's thread:
  void read() {
    exchange_->read_body([self = shared_from_this()](const Result<Exchange::BodyPart>& part) {
      self->take(part);
    });
  }
  void take(const Result<Exchange::BodyPart>& part) {
    if (failed_) return;
    if (!part.ok()) return give_up(part.status());
    ended_ = part->empty();
    filling_.insert(filling_.end(), part->begin(), part->end());
    if (!writing_ && (ended_ || is_full())) return hand_over();
    if (!ended_ && !is_full()) read();
  }
  void hand_over() {
    writing_ = true;
    std::swap(filling_, window_);
    filling_.clear();
    if (ended_) return submit([this] { write_last(); });
    submit([this] { write(); });
    read();
  }
  void on_written(const Status& status) {
    if (failed_) return;
    if (!status.ok()) return give_up(status);
    writing_ = false;
    if (ended_ || is_full()) hand_over();
  }
  void give_up(const Status& status) {
    failed_ = true;
    fail(*exchange_, status);
  }
  [[nodiscard]] bool is_full() const { return filling_.size() >= pool_.options().window_bytes; }

  // On a thread of the pool's, which owns writer and window meanwhile:
  void write() {
    const Status status = writer_->write(window_);
    post([this, status] { on_written(status); });
  }
  void write_last() {
    Status status = writer_->write(window_);
    if (!status.ok()) return fail(*exchange_, status);
    Result<store::Blob> blob = writer_->finish();
    writer_.reset();
    if (!blob.ok()) return fail(*exchange_, blob.status());
    received_(exchange_, std::move(*blob));
  }

  PlacePtr place_;
  TransferPool& pool_;
  const std::shared_ptr<Exchange> exchange_;
  const Received received_;
  std::shared_ptr<store::BlobWriter> writer_;
  std::vector<std::byte> filling_;
  std::vector<std::byte> window_;
  bool writing_ = false;
  bool ended_ = false;
  bool failed_ = false;  // answered: nobody reads the rest
};

}  // namespace

void receive_artifact(
    TransferPool::PlacePtr place,
    const std::shared_ptr<Exchange>& exchange,
    store::ArtifactStore& artifacts,
    Received received
) {
  std::make_shared<Receiver>(std::move(place), exchange, std::move(received))->start(artifacts);
}

}  // namespace cortex::frontend::mlflow
