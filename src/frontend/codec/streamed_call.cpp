// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/streamed_call.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/log.h"
#include "frontend/status_map.h"

namespace cortex::frontend {
namespace {

// Parts are joined to about so many bytes before they are written.
constexpr std::size_t kWrittenTogether = 16UL * 1024;

std::size_t bytes_of(const TokenText& token) {
  std::size_t bytes = sizeof(TokenText) + token.bytes.size();
  for (const auto& other : token.top) bytes += sizeof(other) + other.bytes.size();
  return bytes;
}

std::size_t bytes_of(const ResponsePart& part) {
  const auto* const output = std::get_if<GenerationOutput>(&part);
  if (output == nullptr) return sizeof(ResponsePart);
  std::size_t bytes = output->text.size() + output->reasoning.size() + output->stop.size();
  for (const ToolCallDelta& call : output->tool_calls) {
    bytes += sizeof(call) + call.id.size() + call.name.size() + call.arguments.size();
  }
  for (const TokenText& token : output->tokens) bytes += bytes_of(token);
  return bytes;
}

// Tokens add up; of what happens side by side the longest counts, and of first tokens the first.
void add(Timings& sum, const Timings& more) {
  const bool sooner = more.first_token.count() > 0 && more.first_token < sum.first_token;
  if (sooner || sum.first_token.count() == 0) sum.first_token = more.first_token;
  sum.queue = std::max(sum.queue, more.queue);
  sum.compute_input = std::max(sum.compute_input, more.compute_input);
  sum.compute = std::max(sum.compute, more.compute);
  sum.compute_output = std::max(sum.compute_output, more.compute_output);
  sum.batch_size = std::max(sum.batch_size, more.batch_size);
  sum.input_tokens += more.input_tokens;
  sum.cached_tokens += more.cached_tokens;
  sum.output_tokens += more.output_tokens;
}

// One call under way: some requests, each with its stream of parts. Thread: the connection's own,
// but for wake().
class PartsCall : public std::enable_shared_from_this<PartsCall> {
 public:
  explicit PartsCall(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  virtual ~PartsCall() = default;

  void start(const Submit& submit, Requests requests) {
    CHECK(!requests.empty(), "a call asks for something");
    const ModelReference& model = requests.front()->model;
    // The record names what was asked even where no version answers.
    exchange_->record().model = {model.name, model.version};
    exchange_->on_disconnect([self = shared_from_this()] { self->leave(); });
    for (std::size_t i = 0; i < requests.size(); ++i) {
      streams_.push_back(std::make_shared<ResponseStream>(kUnreadPartsMax));
    }
    begin();
    for (std::size_t i = 0; i < requests.size() && !ended_; ++i) {
      const std::shared_ptr<ResponseStream> stream = streams_[i];
      stream->on_ready([self = shared_from_this()] { self->wake(); });
      submit(std::move(requests[i]), stream);
      if (failed(*stream)) return;
    }
  }

 protected:
  virtual void begin() {}
  // Reads what there is and answers, as far as it goes.
  virtual void step() = 0;

  // Thread: any.
  void wake() {
    if (posted_.exchange(true)) return;
    exchange_->post([self = shared_from_this()] {
      self->posted_ = false;
      self->advance();
    });
  }

  static bool failed(const ResponseStream& stream) {
    return stream.finished() && !stream.status().ok();
  }

  // Not OK: the first error of a stream that has no part left.
  Status first_error() const {
    for (const auto& stream : streams_) {
      if (failed(*stream)) return stream->status();
    }
    return {};
  }

  bool all_finished() const {
    return std::all_of(streams_.begin(), streams_.end(), [](const auto& stream) {
      return stream->finished();
    });
  }

  // Calls take(source, part) for what waits, until it says false.
  template <typename Take>
  void read_parts(Take&& take) {
    for (std::size_t i = 0; i < streams_.size(); ++i) {
      while (auto part = streams_[i]->read()) {
        if (!take(i, std::move(*part))) return;
      }
    }
  }

  void cancel() {
    for (const auto& stream : streams_) stream->cancel();
  }

  // The sum over the requests that ended; the record has it, too.
  Timings fill_record() {
    RequestRecord& record = exchange_->record();
    Timings sum;
    for (const auto& stream : streams_) {
      if (!stream->finished()) continue;
      if (!stream->served_by().name.empty()) record.model = stream->served_by();
      add(sum, stream->timings());
    }
    record.timings = sum;
    return sum;
  }

  const std::shared_ptr<Exchange> exchange_;
  bool ended_ = false;
  bool left_ = false;

 private:
  // An answer may wake us while it is being written.
  void advance() {
    again_ = true;
    if (std::exchange(stepping_, true)) return;
    while (std::exchange(again_, false)) {
      if (ended_) {
        read_parts([](std::size_t, ResponsePart&&) { return true; });
      } else {
        step();
      }
    }
    stepping_ = false;
  }

  void leave() {
    if (ended_) return;
    left_ = true;
    cancel();
    advance();
  }

  std::vector<std::shared_ptr<ResponseStream>> streams_;
  std::atomic<bool> posted_{false};
  bool stepping_ = false;
  bool again_ = false;
};

class StreamedCall final : public PartsCall {
 public:
  StreamedCall(std::shared_ptr<Exchange> exchange, std::unique_ptr<StreamWriter> writer)
      : PartsCall(std::move(exchange)), writer_(std::move(writer)) {}

 private:
  std::shared_ptr<StreamedCall> self() {
    return std::static_pointer_cast<StreamedCall>(shared_from_this());
  }

  void begin() override {
    if (writer_->keep_alive().empty()) return;
    exchange_->on_quiet(kKeepAliveInterval, [weak = std::weak_ptr<StreamedCall>(self())] {
      if (const auto call = weak.lock()) call->beat();
    });
  }

  void beat() {
    if (ended_ || left_ || blocked_ || ending_) return;
    begin_stream();
    // A refusal means that something else is on its way.
    static_cast<void>(exchange_->write(std::string(writer_->keep_alive())));
  }

  void step() override {
    if (left_) return leave_quietly();
    while (!blocked_ && !ended_) {
      gather();
      if (!ending_) settle();
      if (ended_) return;
      if (pending_.empty() && !ending_) return;
      flush();
    }
  }

  // What waits becomes text, up to what is written together.
  void gather() {
    if (ending_) return;
    read_parts([this](std::size_t source, ResponsePart&& part) {
      Status status = writer_->write(source, std::move(part), pending_);
      some_ = true;
      if (!status.ok()) fault_ = std::move(status);
      return fault_.ok() && pending_.size() < kWrittenTogether;
    });
  }

  // The end, where it has come.
  void settle() {
    const Status error = fault_.ok() ? first_error() : fault_;
    if (!error.ok()) return fail(error);
    if (!all_finished()) return;
    writer_->end(fill_record(), pending_);
    ending_ = true;
  }

  void fail(const Status& status) {
    cancel();
    fill_record();
    if (!begun_ && !some_) {
      ended_ = true;
      return exchange_->fail(status);
    }
    exchange_->record().status = status;
    if (is_server_fault(status.code())) {
      log::error(
          "a stream failed",
          {{"request_id", exchange_->request().id}, {"error", status.to_string()}}
      );
    }
    writer_->fail(status, pending_);
    ending_ = true;
  }

  void begin_stream() {
    if (std::exchange(begun_, true)) return;
    HttpReply head;
    head.content_type = writer_->content_type();
    head.headers.emplace_back("cache-control", "no-cache");
    // Proxies that hold answers back would hold back the stream.
    head.headers.emplace_back("x-accel-buffering", "no");
    exchange_->begin_stream(std::move(head));
  }

  void flush() {
    begin_stream();
    if (!exchange_->write(pending_)) {
      blocked_ = true;
      return exchange_->on_writable([call = self()] {
        call->blocked_ = false;
        call->wake();
      });
    }
    pending_.clear();
    if (!ending_) return;
    ended_ = true;
    exchange_->end_stream();
  }

  // The record waits for what was spent.
  void leave_quietly() {
    pending_.clear();
    read_parts([](std::size_t, ResponsePart&&) { return true; });
    if (!ending_ && first_error().ok() && !all_finished()) return;
    if (!ending_) fill_record();
    ended_ = true;
    if (begun_) return exchange_->end_stream();
    exchange_->fail(cancelled("the client left"));
  }

  const std::unique_ptr<StreamWriter> writer_;
  std::string pending_;  // written, not yet taken by the connection
  Status fault_;         // of the writer
  bool some_ = false;    // a part was read
  bool begun_ = false;
  bool blocked_ = false;
  bool ending_ = false;  // `pending_` has the end of the answer
};

class CollectedCall final : public PartsCall {
 public:
  CollectedCall(std::shared_ptr<Exchange> exchange, std::unique_ptr<PartCollector> collector)
      : PartsCall(std::move(exchange)), collector_(std::move(collector)) {}

 private:
  void step() override {
    read_parts([this](std::size_t source, ResponsePart&& part) {
      fault_ = take(source, std::move(part));
      return fault_.ok();
    });
    const Status error = fault_.ok() ? first_error() : fault_;
    if (!error.ok()) return fail(error);
    if (!all_finished()) return;
    if (left_) return fail(cancelled("the client left"));
    ended_ = true;
    Result<HttpReply> reply = collector_->reply(fill_record());
    if (!reply.ok()) return exchange_->fail(reply.status());
    exchange_->reply(std::move(reply).value());
  }

  Status take(std::size_t source, ResponsePart&& part) {
    if (left_) return {};
    bytes_ += bytes_of(part);
    if (bytes_ > kCollectedBytesMax) {
      return invalid_argument(
          "the answer has grown above " + std::to_string(kCollectedBytesMax) +
          " bytes: ask for less, or stream it"
      );
    }
    return collector_->take(source, std::move(part));
  }

  void fail(const Status& status) {
    ended_ = true;
    cancel();
    fill_record();
    exchange_->fail(status);
  }

  const std::unique_ptr<PartCollector> collector_;
  std::size_t bytes_ = 0;
  Status fault_;
};

}  // namespace

void submit_streamed(
    const Submit& submit,
    std::shared_ptr<Exchange> exchange,
    Requests requests,
    std::unique_ptr<StreamWriter> writer
) {
  const auto call = std::make_shared<StreamedCall>(std::move(exchange), std::move(writer));
  call->start(submit, std::move(requests));
}

void submit_collected(
    const Submit& submit,
    std::shared_ptr<Exchange> exchange,
    Requests requests,
    std::unique_ptr<PartCollector> collector
) {
  const auto call = std::make_shared<CollectedCall>(std::move(exchange), std::move(collector));
  call->start(submit, std::move(requests));
}

void append_event(std::string& out, std::string_view data) {
  out.append("data: ").append(data).append("\n\n");
}

}  // namespace cortex::frontend
