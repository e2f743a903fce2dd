// SPDX-License-Identifier: Apache-2.0
#include "router/metered_stream.h"

#include <optional>
#include <utility>

#include "base/turns.h"

namespace cortex::router {
namespace {

// Takes parts from the inner stream to the outer one. Whoever has news, the producer (a part, the
// end) or the consumer (room), calls move(); one of them at a time carries.
class Carrier {
 public:
  Carrier(std::shared_ptr<ResponseStream> outer, std::function<void(const Timings&)> on_end)
      : outer_(std::move(outer)), on_end_(std::move(on_end)) {}

  static std::shared_ptr<ResponseStream> place(const std::shared_ptr<Carrier>& carrier) {
    auto inner = std::make_shared<ResponseStream>();
    carrier->inner_ = inner;
    inner->follow(carrier->outer_);
    // Both functions go with the ends of their streams.
    carrier->outer_->on_room([carrier] { carrier->move(); });
    inner->on_ready([carrier] { carrier->move(); });
    return inner;
  }

 private:
  // No lock is held while streams are called: reading may run the producer, which comes back here.
  void move() {
    turns_.take([this] { carry(); });
  }

  void carry() {
    if (!inner_) return;
    while (part_ || (part_ = inner_->read())) {
      const bool last = inner_->finished() && inner_->status().ok();
      if (last) return end();
      if (!outer_->write(std::move(*part_)) && !outer_->cancelled()) return;
      part_.reset();
    }
    if (inner_->finished()) end();
  }

  void end() {
    const std::shared_ptr<ResponseStream> inner = std::exchange(inner_, nullptr);
    const Timings& timings = inner->timings();
    on_end_(timings);
    outer_->set_served_by(inner->served_by());
    if (part_) return outer_->finish(std::move(*part_), timings);
    outer_->finish(inner->status(), timings);
  }

  const std::shared_ptr<ResponseStream> outer_;
  const std::function<void(const Timings&)> on_end_;
  std::shared_ptr<ResponseStream> inner_;  // null after the end
  std::optional<ResponsePart> part_;       // read, and not yet taken
  Turns turns_;
};

}  // namespace

std::shared_ptr<ResponseStream> metered_stream(
    std::shared_ptr<ResponseStream> outer, std::function<void(const Timings&)> on_end
) {
  return Carrier::place(std::make_shared<Carrier>(std::move(outer), std::move(on_end)));
}

}  // namespace cortex::router
