// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "registry/handle.h"
#include "request/request.h"
#include "request/response_stream.h"

namespace cortex::router {

class Passage;

// What a stage decided.
enum class Verdict {
  kContinue,  // the next stage may run
  kFinished,  // the stage ended the stream, or the servable it submitted to will
  kSuspend,   // the stage keeps the passage and calls resume() once, later, from any thread
};

// One step of the way from a request to its servable. One file each; default_stages.cpp holds their
// order and why.
class Stage {
 public:
  virtual ~Stage() = default;
  [[nodiscard]] virtual std::string_view name() const = 0;
  // Never blocks. To refuse a request it finishes the stream and answers kFinished. Thread-safe.
  [[nodiscard]] virtual Verdict enter(const std::shared_ptr<Passage>& passage) const = 0;
};

using Stages = std::vector<std::unique_ptr<const Stage>>;

// One request on its way through the stages, carried by one thread at a time. The stages outlive
// it.
class Passage : public std::enable_shared_from_this<Passage> {
 public:
  Passage(
      const Stages& stages,
      std::shared_ptr<const Request> request,
      std::shared_ptr<ResponseStream> stream
  );

  // Runs stages until one finishes or suspends.
  void resume();

  [[nodiscard]] const std::shared_ptr<const Request>& request() const { return request_; }
  [[nodiscard]] const std::shared_ptr<ResponseStream>& stream() const { return stream_; }

  // From now on the servable answers into `stream`, which goes on to the one before. Before a
  // version is chosen.
  void replace_stream(std::shared_ptr<ResponseStream> stream);

  // The version that will serve. The client's stream keeps the lease until it is gone.
  void choose(registry::Handle handle);
  // The request goes on as another one; the stream keeps `hold` beside the lease on the version.
  // REQUIRES: a version was chosen, and no other one will be.
  void exchange(std::shared_ptr<const Request> request, std::shared_ptr<const void> hold);
  // Null until a stage chose.
  [[nodiscard]] const registry::Handle& handle() const { return handle_; }

 private:
  const Stages& stages_;
  std::size_t next_ = 0;
  std::shared_ptr<const Request> request_;
  const std::shared_ptr<ResponseStream> client_stream_;
  std::shared_ptr<ResponseStream> stream_;  // the same, or what goes on to it
  registry::Handle handle_;
};

}  // namespace cortex::router
