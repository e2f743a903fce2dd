// SPDX-License-Identifier: Apache-2.0
#include "router/stage.h"

#include <utility>

namespace cortex::router {

Passage::Passage(
    const Stages& stages,
    std::shared_ptr<const Request> request,
    std::shared_ptr<ResponseStream> stream
)
    : stages_(stages),
      request_(std::move(request)),
      client_stream_(std::move(stream)),
      stream_(client_stream_) {}

void Passage::resume() {
  while (next_ < stages_.size()) {
    // Counted before the call: a stage that suspends may be resumed before enter() returns.
    const Stage& stage = *stages_[next_++];
    if (stage.enter(shared_from_this()) != Verdict::kContinue) return;
  }
  CHECK(false, "the last stage lets no request through: it submits");
}

void Passage::replace_stream(std::shared_ptr<ResponseStream> stream) {
  CHECK(!handle_, "a servable may know the stream already");
  stream_ = std::move(stream);
}

void Passage::choose(registry::Handle handle) {
  stream_->set_served_by(handle->identity);
  client_stream_->keep(handle);
  handle_ = std::move(handle);
}

void Passage::exchange(std::shared_ptr<const Request> request, std::shared_ptr<const void> hold) {
  using Kept = std::pair<registry::Handle, std::shared_ptr<const void>>;
  CHECK(handle_ != nullptr, "an adapter belongs to a version");
  client_stream_->keep(std::make_shared<Kept>(handle_, std::move(hold)));
  request_ = std::move(request);
}

}  // namespace cortex::router
