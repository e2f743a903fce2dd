// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/stream_socket.h"

#include <simdjson.h>

#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/json_text.h"
#include "frontend/codec/openai/openai_error.h"
#include "frontend/codec/openai/reply_text.h"
#include "frontend/codec/openai/stream_message.h"
#include "frontend/http/web_socket.h"
#include "frontend/status_map.h"

namespace cortex::frontend::openai {
namespace {

constexpr std::string_view kEventHead = "data: ";
constexpr std::string_view kEventEnd = "\n\n";

// `{"type":"…"` and, where there is one, the id.
std::string message_head(std::string_view type, std::string_view id) {
  std::string out = R"({"type":")";
  out.append(type).append("\"");
  if (id.empty()) return out;
  out.append(R"(,"id":)");
  append_json_string(out, id);
  return out;
}

std::string error_message(const Status& status, std::string_view id) {
  // An object of one member, which becomes one of the message's.
  return message_head("error", id) + "," + error_text(status).substr(1);
}

class SocketWriter final : public StreamWriter {
 public:
  SocketWriter(std::unique_ptr<StreamWriter> events, std::string id)
      : events_(std::move(events)), id_(std::move(id)) {}

  [[nodiscard]] std::string_view content_type() const override { return "application/json"; }

  [[nodiscard]] Status write(std::size_t source, ResponsePart&& part, std::string& out) override {
    Status status = events_->write(source, std::move(part), text_);
    reframe(out);
    return status;
  }

  void end(const Timings& timings, std::string& out) override {
    events_->end(timings, text_);
    reframe(out);
    std::string message = message_head("done", id_) + ",";
    append_usage(message, timings);
    append_frame(out, FrameKind::kText, message + "}");
  }

  void fail(const Status& status, std::string& out) override {
    append_frame(out, FrameKind::kText, error_message(status, id_));
  }

  // Sockets have pings.
  [[nodiscard]] std::string_view keep_alive() const override { return {}; }

 private:
  void reframe(std::string& out) {
    std::string_view rest = text_;
    while (!rest.empty()) {
      const std::size_t end = rest.find(kEventEnd);
      CHECK(rest.starts_with(kEventHead) && end != std::string_view::npos, "events are whole");
      const std::string_view data = rest.substr(kEventHead.size(), end - kEventHead.size());
      rest.remove_prefix(end + kEventEnd.size());
      if (data == "[DONE]") continue;
      std::string message = message_head("delta", id_);
      message.append(R"(,"chunk":)").append(data).append("}");
      append_frame(out, FrameKind::kText, message);
    }
    text_.clear();
  }

  const std::unique_ptr<StreamWriter> events_;
  const std::string id_;
  std::string text_;
};

class SocketGeneration;

// One socket. Everything runs on the connection's thread.
class StreamSocket : public std::enable_shared_from_this<StreamSocket> {
 public:
  StreamSocket(
      std::shared_ptr<Exchange> exchange, StreamSocketOptions options, StartGeneration start
  )
      : exchange_(std::move(exchange)),
        options_(options),
        start_(std::move(start)),
        frames_(options.message_bytes_max) {}

  void open(HttpReply head) {
    const auto self = shared_from_this();
    exchange_->on_disconnect([self] { self->lose_client(); });
    exchange_->on_notice([self](Exchange::Notice notice) { self->on_notice(notice); });
    exchange_->on_quiet(options_.ping_interval, [self] { self->beat(); });
    exchange_->begin_stream(std::move(head));
    read();
  }

  // Of generations.
  [[nodiscard]] Exchange& exchange() { return *exchange_; }
  [[nodiscard]] const StreamSocketOptions& options() const { return options_; }
  [[nodiscard]] bool write(std::string frames);
  void when_writable(std::function<void()> wake);
  void send(std::string_view message);
  void finish(const std::string& id);

 private:
  void read();
  void take(Result<Exchange::BodyPart> part);
  void advance();
  [[nodiscard]] bool step();
  void on_message(std::string_view text);
  void generate(StreamMessage message);
  void cancel(const std::string& id);
  void cancel_all();
  void await_room();
  void on_room();
  void on_notice(Exchange::Notice notice);
  void beat();
  void lose_client();
  void close(CloseCode code, std::string_view reason);

  const std::shared_ptr<Exchange> exchange_;
  const StreamSocketOptions options_;
  const StartGeneration start_;
  FrameReader frames_;
  std::map<std::string, std::shared_ptr<SocketGeneration>> generations_;
  std::uint64_t started_ = 0;
  std::string held_;  // frames that found no room: nothing is read before they are sent
  std::vector<std::function<void()>> waiting_;  // generations that found none
  bool awaits_room_ = false;
  bool reading_ = false;
  bool advancing_ = false;
  bool draining_ = false;
  bool over_ = false;
  int pings_ = 0;  // without a sign of life since
  std::chrono::milliseconds idle_for_{0};
};

// One generation of a socket, as what answers HTTP requests sees it.
class SocketGeneration final : public Exchange {
 public:
  SocketGeneration(std::shared_ptr<StreamSocket> socket, std::string id, HttpRequest request)
      : socket_(std::move(socket)), id_(std::move(id)), request_(std::move(request)) {
    record_.request_id = request_.id;
    record_.api = "openai";
    record_.route = "/v1/stream";
    record_.method = "WS";
    record_.tenant = request_.principal.tenant;
    record_.key = request_.principal.key;
    record_.request_bytes = request_.body->size();
  }

  [[nodiscard]] const HttpRequest& request() const override { return request_; }
  [[nodiscard]] RequestRecord& record() override { return record_; }
  void post(std::function<void()> work) override { socket_->exchange().post(std::move(work)); }
  void reply(HttpReply) override { CHECK(false, "a generation of a socket is a stream"); }
  void fail(const Status& status) override {
    record_.status = status;
    if (!cancelled_) socket_->send(error_message(status, id_));
    finish();
  }
  void begin_stream(HttpReply) override {}
  [[nodiscard]] bool write(std::string chunk) override {
    const std::size_t size = chunk.size();
    if (!socket_->write(std::move(chunk))) return false;
    record_.response_bytes += size;
    return true;
  }
  void on_writable(std::function<void()> wake) override { socket_->when_writable(std::move(wake)); }
  void end_stream() override { finish(); }
  void on_disconnect(std::function<void()> callback) override { leave_ = std::move(callback); }

  void cancel() {
    if (std::exchange(cancelled_, true)) return;
    if (const auto leave = std::exchange(leave_, nullptr)) leave();
  }

 private:
  void finish() {
    leave_ = nullptr;
    if (cancelled_) {
      if (record_.status.ok()) record_.status = cancelled("the client cancelled it");
      socket_->send(message_head("done", id_) + R"(,"cancelled":true})");
    }
    record_.http_status = status_row(record_.status.code()).http;
    record_.total = socket_->options().clock->now() - request_.arrival;
    if (RecordSink* const records = socket_->options().records) records->record(record_);
    socket_->finish(id_);
  }

  const std::shared_ptr<StreamSocket> socket_;
  const std::string id_;
  const HttpRequest request_;
  RequestRecord record_;
  std::function<void()> leave_;
  bool cancelled_ = false;
};

// Frames of a generation: refused while others wait, so that none overtakes.
bool StreamSocket::write(std::string frames) {
  if (over_) return true;  // into the void, as nobody reads it
  if (held_.empty() && exchange_->write(std::move(frames))) return true;
  return false;
}

void StreamSocket::when_writable(std::function<void()> wake) {
  waiting_.push_back(std::move(wake));
  await_room();
}

// A short message of the socket's own: never refused, for what causes one is not read while some
// are held.
void StreamSocket::send(std::string_view message) {
  if (over_) return;
  std::string frame;
  append_frame(frame, FrameKind::kText, message);
  if (held_.empty() && exchange_->write(frame)) return;
  held_.append(frame);
  await_room();
}

void StreamSocket::await_room() {
  if (over_ || std::exchange(awaits_room_, true)) return;
  exchange_->on_writable([self = shared_from_this()] { self->on_room(); });
}

void StreamSocket::on_room() {
  awaits_room_ = false;
  if (over_) return;
  if (!held_.empty()) {
    if (!exchange_->write(held_)) return await_room();
    held_.clear();
  }
  for (const auto& wake : std::exchange(waiting_, {})) wake();
  advance();
}

void StreamSocket::read() {
  if (over_ || std::exchange(reading_, true)) return;
  exchange_->read_body([self = shared_from_this()](Result<Exchange::BodyPart> part) {
    self->reading_ = false;
    self->take(std::move(part));
  });
}

void StreamSocket::take(Result<Exchange::BodyPart> part) {
  if (over_ || !part.ok()) return;  // that the client left is told apart
  pings_ = 0;
  frames_.add(*part);
  advance();
}

// Not reentrant: what a message starts may end at once and make room.
void StreamSocket::advance() {
  if (std::exchange(advancing_, true)) return;
  const auto self = shared_from_this();
  while (!over_ && held_.empty() && step()) {
  }
  advancing_ = false;
  if (!over_ && held_.empty()) read();
}

// False where more bytes are needed.
bool StreamSocket::step() {
  switch (frames_.next()) {
    case FrameReader::Event::kNeedMore:
      return false;
    case FrameReader::Event::kText:
      idle_for_ = {};
      on_message(frames_.content());
      return true;
    case FrameReader::Event::kBinary:
      close(CloseCode::kNotUnderstood, "messages are JSON text");
      return true;
    case FrameReader::Event::kPing: {
      std::string frame;
      append_frame(frame, FrameKind::kPong, frames_.content());
      if (exchange_->write(frame)) return true;
      held_.append(frame);
      await_room();
      return true;
    }
    case FrameReader::Event::kPong:
      return true;
    case FrameReader::Event::kClose:
      close(CloseCode::kNormal, "");
      return true;
    case FrameReader::Event::kFault:
      close(frames_.fault().code, frames_.fault().reason);
      return true;
  }
  return false;
}

void StreamSocket::on_message(std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return close(CloseCode::kBadText, "messages are UTF-8");
  }
  const auto padded = Buffer::make(text.size());
  if (!text.empty()) std::memcpy(padded->data(), text.data(), text.size());
  StreamMessage message;
  const Status status = read_stream_message(padded->text(), message);
  if (!status.ok()) return send(error_message(status, message.id));
  switch (message.kind) {
    case StreamMessage::Kind::kGenerate:
      return generate(std::move(message));
    case StreamMessage::Kind::kCancel:
      return cancel(message.id);
    case StreamMessage::Kind::kPing:
      return send(message_head("pong", message.id) + "}");
  }
}

void StreamSocket::generate(StreamMessage message) {
  const std::string& id = message.id;
  if (draining_) return send(error_message(unavailable("The server is draining."), id));
  if (generations_.count(id) > 0) {
    const Status twice = invalid_argument("a generation with this id is running").with_field("id");
    return send(error_message(twice, id));
  }
  if (generations_.size() >= options_.generations_max) {
    const std::string most = std::to_string(options_.generations_max);
    return send(error_message(
        resource_exhausted(most + " generations run on this socket (sockets.generations)"), id
    ));
  }
  const HttpRequest& own = exchange_->request();
  HttpRequest request;
  request.method = Method::kPost;
  request.path = own.path;
  request.id = own.id + "-" + std::to_string(++started_);
  request.principal = own.principal;
  request.arrival = options_.clock->now();
  if (message.timeout.count() > 0) request.deadline = request.arrival + message.timeout;
  request.body = std::move(message.body);
  auto generation = std::make_shared<SocketGeneration>(shared_from_this(), id, std::move(request));
  generations_.emplace(id, generation);
  start_(std::move(generation), id);
}

void StreamSocket::cancel(const std::string& id) {
  const auto found = generations_.find(id);
  // One that has ended is no mistake: its end was on the way.
  if (found != generations_.end()) std::shared_ptr(found->second)->cancel();
}

void StreamSocket::cancel_all() {
  std::vector<std::shared_ptr<SocketGeneration>> running;
  for (const auto& [id, generation] : generations_) running.push_back(generation);
  for (const auto& generation : running) generation->cancel();
}

void StreamSocket::finish(const std::string& id) {
  generations_.erase(id);
  idle_for_ = {};
  if (draining_ && generations_.empty()) close(CloseCode::kGoingAway, "the server is draining");
}

void StreamSocket::on_notice(Exchange::Notice notice) {
  if (over_) return;
  if (notice == Exchange::Notice::kStalled) {
    return close(CloseCode::kSlowReader, "nothing was read for too long (limits.write_timeout)");
  }
  draining_ = true;
  if (generations_.empty()) close(CloseCode::kGoingAway, "the server is draining");
}

// Nothing was sent for an interval.
void StreamSocket::beat() {
  if (over_) return;
  if (pings_ >= 2) return close(CloseCode::kIdle, "pings were not answered");
  if (generations_.empty()) idle_for_ += options_.ping_interval;
  if (idle_for_ >= options_.idle_timeout) {
    return close(CloseCode::kIdle, "idle for too long (sockets.idle_timeout)");
  }
  ++pings_;
  std::string frame;
  append_frame(frame, FrameKind::kPing, "");
  // A refusal means that something else is on its way.
  static_cast<void>(exchange_->write(std::move(frame)));
}

void StreamSocket::lose_client() {
  if (std::exchange(over_, true)) return;
  waiting_.clear();
  cancel_all();
  exchange_->end_stream();
}

void StreamSocket::close(CloseCode code, std::string_view reason) {
  if (std::exchange(over_, true)) return;
  const auto self = shared_from_this();
  waiting_.clear();
  cancel_all();
  append_close_frame(held_, code, reason);
  exchange_->end_with(std::move(held_));
}

}  // namespace

void serve_stream_socket(
    const std::shared_ptr<Exchange>& exchange, StreamSocketOptions options, StartGeneration start
) {
  HttpReply head = accept_web_socket(exchange->request());
  if (head.status != 101) return exchange->reply(std::move(head));
  std::make_shared<StreamSocket>(exchange, options, std::move(start))->open(std::move(head));
}

std::unique_ptr<StreamWriter> socket_writer(std::unique_ptr<StreamWriter> events, std::string id) {
  return std::make_unique<SocketWriter>(std::move(events), std::move(id));
}

}  // namespace cortex::frontend::openai
