// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"
#include "request/generation.h"
#include "request/parameters.h"
#include "request/sequence.h"
#include "request/tensor.h"

namespace cortex {

// A version of a model: what really served a request.
struct ModelIdentity {
  std::string name;
  std::string version;
};

struct InferOutput {
  std::vector<Tensor> outputs;
  Parameters parameters;
};

struct EmbeddingOutput {
  std::size_t dimensions = 0;
  std::vector<float> values;  // one vector behind the other, in the order of the texts
};

// One for each document, in their order: the higher, the better it answers.
struct RerankOutput {
  std::vector<float> scores;
};

using ResponsePart = std::variant<
    InferOutput,
    EmbeddingOutput,
    RerankOutput,
    GenerationOutput,
    TokenOutput,
    TokenizeOutput,
    DetokenizeOutput>;

// What serving one request took; filled by whoever did it, read at the end for the request record.
struct Timings {
  Duration queue{};              // from submission until its batch was closed
  Duration compute_input{};      // gathering and padding
  Duration compute{};            // inside the engine
  Duration compute_output{};     // scattering
  std::uint32_t batch_size = 0;  // rows of the batch it ran in
  std::uint64_t input_tokens = 0;
  // Of generations.
  std::uint64_t cached_tokens = 0;  // of the input tokens, those that came from the prefix cache
  std::uint64_t output_tokens = 0;  // over all sequences
  Duration first_token{};           // from arrival until the first token was drawn
};

// The way back of one request: one producer (the servable), one consumer (the codec), bounded, with
// cancellation.
//
// The producer writes parts and finishes exactly once. The consumer's wake function runs on the
// producer's thread after every part and after the end; it must only hand over to its own thread.
// After the first part an error is the end of the stream, not another answer: codecs that stream
// send it as an event. Destroying the consumer's side means cancel(). Thread-safe between the one
// producer and the one consumer.
class ResponseStream {
 public:
  // At most `capacity` unread parts.
  explicit ResponseStream(std::size_t capacity = 1) : capacity_(capacity) {}

  // Producer.

  // False, and nothing taken, when the stream is full or cancelled.
  [[nodiscard]] bool write(ResponsePart&& part);
  // `wake` is called on the consumer's thread when a write that was refused for want of room may be
  // tried again; it must only hand over to the producer's own thread. Set at most once, before the
  // first write.
  void on_room(std::function<void()> wake);
  // The end. `last` saves a wake-up where there is exactly one part. REQUIRES: not finished yet.
  void finish(Status status, const Timings& timings = {});
  void finish(ResponsePart&& last, const Timings& timings);
  // True once the client left: stop spending. One relaxed load for each stream in the chain.
  [[nodiscard]] bool cancelled() const {
    return cancelled_.load(std::memory_order_relaxed) || (parent_ && parent_->cancelled());
  }
  // Set by the router before submission, and again before another attempt.
  void set_served_by(ModelIdentity identity) { served_by_ = std::move(identity); }
  // Keeps the lease on the version until the stream is gone.
  void keep(std::shared_ptr<const void> lease) { lease_ = std::move(lease); }

  // Called once, on the producer's thread, when an error would be the end before any part was
  // written. True: it was swallowed, and another attempt will finish the stream. It is forgotten at
  // the end, so it may hold the stream. Set by the router before submission.
  void on_failure(std::function<bool(const Status&)> try_again) {
    try_again_ = std::move(try_again);
  }

  // Consumer.

  // `wake` is called at once when something waits already. Set at most once, before submission or
  // by the consumer.
  void on_ready(std::function<void()> wake);
  // May run on_room's function, which may run the producer and with it `wake`: not under a lock
  // that `wake` takes.
  [[nodiscard]] std::optional<ResponsePart> read();
  // True when the producer finished and every part was read.
  [[nodiscard]] bool finished() const;
  // REQUIRES for these three: finished().
  [[nodiscard]] const Status& status() const { return status_; }
  [[nodiscard]] const Timings& timings() const { return timings_; }
  [[nodiscard]] const ModelIdentity& served_by() const { return served_by_; }
  void cancel() { cancelled_.store(true, std::memory_order_relaxed); }
  // Cancelled when `parent` is, too: one request becomes several. Set before submission.
  void follow(std::shared_ptr<const ResponseStream> parent) { parent_ = std::move(parent); }

 private:
  void end(std::optional<ResponsePart> last, Status status, const Timings& timings);

  const std::size_t capacity_;
  std::atomic<bool> cancelled_{false};
  std::shared_ptr<const ResponseStream> parent_;
  mutable Mutex mutex_;
  std::deque<ResponsePart> parts_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
  bool refused_ GUARDED_BY(mutex_) = false;  // a write, for want of room
  std::shared_ptr<const std::function<void()>> room_ GUARDED_BY(mutex_);
  std::function<void()> wake_ GUARDED_BY(mutex_);
  // The producer's.
  std::function<bool(const Status&)> try_again_;
  bool begun_ = false;
  // Written before the end, read after it.
  Status status_;
  Timings timings_;
  ModelIdentity served_by_;
  std::shared_ptr<const void> lease_;
};

}  // namespace cortex
