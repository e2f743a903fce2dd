// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/artifact_send.h"

#include <algorithm>
#include <span>
#include <utility>

#include "base/log.h"
#include "frontend/codec/mlflow/artifact_reply.h"
#include "frontend/codec/mlflow/wire.h"

namespace cortex::frontend::mlflow {
namespace {

using PlacePtr = TransferPool::PlacePtr;

// Up to this size an answer is sent in one piece.
constexpr std::uint64_t kOnePieceBytes = 128 * 1024;

// One blob on its way out: the pool reads a window while the connection sends the one before it.
class Sender : public std::enable_shared_from_this<Sender> {
 public:
  Sender(PlacePtr place, std::shared_ptr<Exchange> exchange)
      : place_(std::move(place)), pool_(place_->pool()), exchange_(std::move(exchange)) {}

  void start(store::ArtifactStore& artifacts, const store::Blob& blob, const std::string& path) {
    submit([this, &artifacts, blob, path] { open(artifacts, blob, path); });
  }

 private:
  template <typename Call>
  void submit(Call call) {
    pool_.submit([self = shared_from_this(), call = std::move(call)] { call(); });
  }

  // On a thread of the pool's:
  void open(store::ArtifactStore& artifacts, const store::Blob& blob, const std::string& path) {
    auto reader = artifacts.open(blob.digest);
    if (!reader.ok()) return fail(*exchange_, unreadable(reader.status()));
    if ((*reader)->size() != blob.size) {
      return fail(*exchange_, Status(Code::kDataLoss, "the artifact is broken", {blob.digest}));
    }
    reader_ = std::move(*reader);
    ArtifactReply reply = make_artifact_reply(exchange_->request(), blob, path);
    offset_ = reply.begin;
    end_ = reply.end;
    answer(std::move(reply.head));
  }

  // The table names it, so that it is not there is our fault and no client's.
  static Status unreadable(const Status& status) {
    if (status.code() != Code::kNotFound) return status;
    return {Code::kDataLoss, "the bytes of the artifact are lost", {status.to_string()}};
  }

  void answer(HttpReply head) {
    const bool shows_head = exchange_->request().method == Method::kHead;
    if (!shows_head && end_ - offset_ <= kOnePieceBytes)
      return answer_in_one_piece(std::move(head));
    head.stream_bytes = end_ - offset_;
    exchange_->begin_stream(std::move(head));
    if (shows_head) return exchange_->end_stream();
    read();
  }

  void answer_in_one_piece(HttpReply reply) {
    if (const Status status = fill(reply.body); !status.ok()) return fail(*exchange_, status);
    exchange_->reply(std::move(reply));
  }

  void read() {
    if (const Status status = fill(window_); !status.ok()) return break_off(status);
    exchange_->on_writable([self = shared_from_this()] { self->write(); });
  }

  // Reads the next window from offset_ on.
  Status fill(std::string& out) {
    const std::uint64_t wanted = std::min<std::uint64_t>(
        end_ - offset_, std::max<std::uint64_t>(pool_.options().window_bytes, kOnePieceBytes)
    );
    out.resize(static_cast<std::size_t>(wanted));
    CORTEX_ASSIGN_OR_RETURN(
        const std::size_t got, reader_->read(offset_, std::as_writable_bytes(std::span(out)))
    );
    if (got != out.size()) return {Code::kDataLoss, "the artifact is broken"};
    offset_ += got;
    return {};
  }

  // Too late for an answer: the connection is cut when the exchange goes.
  void break_off(const Status& status) {
    log::error(
        "an artifact could not be read to its end",
        {{"request_id", exchange_->request().id}, {"error", status.to_string()}}
    );
    exchange_->record().status = status;
  }

  // On the connection's thread. The queue has room, so only a client that left refuses.
  void write() {
    if (!exchange_->write(std::move(window_))) return;
    window_ = std::string();
    if (offset_ == end_) return exchange_->end_stream();
    submit([this] { read(); });
  }

  const PlacePtr place_;
  TransferPool& pool_;
  const std::shared_ptr<Exchange> exchange_;
  std::unique_ptr<store::BlobReader> reader_;
  std::string window_;
  std::uint64_t offset_ = 0;
  std::uint64_t end_ = 0;
};

}  // namespace

void send_artifact(
    TransferPool::PlacePtr place,
    const std::shared_ptr<Exchange>& exchange,
    store::ArtifactStore& artifacts,
    const store::Blob& blob,
    const std::string& path
) {
  std::make_shared<Sender>(std::move(place), exchange)->start(artifacts, blob, path);
}

}  // namespace cortex::frontend::mlflow
