// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/unary_call.h"

#include <optional>
#include <utility>

namespace cortex::frontend {
namespace {

// One call under way. Thread: the connection's own, but for the hand-over in wake().
class UnaryCall : public std::enable_shared_from_this<UnaryCall> {
 public:
  UnaryCall(
      std::shared_ptr<Exchange> exchange, std::shared_ptr<ResponseStream> stream, Answer answer
  )
      : exchange_(std::move(exchange)), stream_(std::move(stream)), answer_(std::move(answer)) {}

  // Thread: the producer's.
  void wake() {
    exchange_->post([self = shared_from_this()] { self->advance(); });
  }

 private:
  void advance() {
    if (auto part = stream_->read()) part_ = std::move(*part);
    if (replied_ || !stream_->finished()) return;
    replied_ = true;
    fill_record();
    if (!stream_->status().ok()) return exchange_->fail(stream_->status());
    if (!part_) return exchange_->fail(internal("a servable finished without an answer"));
    Result<HttpReply> reply = answer_(std::move(*part_), stream_);
    if (!reply.ok()) return exchange_->fail(reply.status());
    exchange_->reply(std::move(reply).value());
  }

  void fill_record() {
    RequestRecord& record = exchange_->record();
    if (!stream_->served_by().name.empty()) record.model = stream_->served_by();
    record.timings = stream_->timings();
  }

  const std::shared_ptr<Exchange> exchange_;
  const std::shared_ptr<ResponseStream> stream_;
  const Answer answer_;
  std::optional<ResponsePart> part_;
  bool replied_ = false;
};

}  // namespace

std::shared_ptr<Request> request_from(const HttpRequest& http) {
  auto request = std::make_shared<Request>();
  request->id = http.id;
  request->principal = http.principal;
  request->arrival = http.arrival;
  request->deadline = http.deadline;
  return request;
}

void submit_unary(
    const Submit& submit,
    std::shared_ptr<Exchange> exchange,
    std::shared_ptr<const Request> request,
    Answer answer
) {
  // The record names what was asked even where no version answers.
  exchange->record().model = {request->model.name, request->model.version};
  auto stream = std::make_shared<ResponseStream>();
  exchange->on_disconnect([weak = std::weak_ptr<ResponseStream>(stream)] {
    if (const auto open = weak.lock()) open->cancel();
  });
  auto call = std::make_shared<UnaryCall>(std::move(exchange), stream, std::move(answer));
  stream->on_ready([call = std::move(call)] { call->wake(); });
  submit(std::move(request), std::move(stream));
}

}  // namespace cortex::frontend
