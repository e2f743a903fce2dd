// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/connection.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>

#include "base/check.h"
#include "frontend/http/reply_head.h"

namespace cortex::frontend {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// Copying a small piece is cheaper than another entry of a gather write.
constexpr std::size_t kCopiedBytesMax = 4096;
constexpr std::size_t kGatherMax = 32;
// One connection's turn at writing, so that a fast reader of a large answer does not keep the
// others waiting.
constexpr std::size_t kWriteTurnBytes = 4 * 1024 * 1024;
// A refused body up to this size is read past, so that the connection can go on.
constexpr std::uint64_t kDiscardBytesMax = 64 * 1024;
constexpr std::chrono::milliseconds kDrainGrace{500};

std::string chunk_frame(std::string_view chunk) {
  std::array<char, 16> digits;
  const auto end =
      std::to_chars(digits.data(), digits.data() + digits.size(), chunk.size(), 16).ptr;
  std::string frame;
  frame.reserve(chunk.size() + 20);
  frame.append(digits.data(), end).append("\r\n").append(chunk).append("\r\n");
  return frame;
}

}  // namespace

Connection::Connection(std::shared_ptr<IoLoop> loop, IoSocket socket, std::shared_ptr<Port> port)
    : loop_(std::move(loop)),
      port_(std::move(port)),
      socket_(std::move(socket)),
      reader_(loop_->server().options.header_bytes_limit, loop_->server().budget) {}

Connection::~Connection() = default;

void Connection::start() {
  error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
  socket_.non_blocking(true, ignored);
  enter(Phase::kFresh);
  if (loop_->server().draining) begin_drain();
  read_more();
}

// Requests, one behind the other, as long as bytes for them are here. Not reentrant: an answer
// given inside a handler only marks the exchange as finished, and the loop here goes on.
void Connection::pump() {
  if (pumping_) return;
  const auto self = shared_from_this();
  pumping_ = true;
  while (!closed_ && !lingering_ && (!exchange_ || exchange_->take_part)) {
    const RequestReader::Event event = reader_.advance();
    if (event == RequestReader::Event::kNeedMore) break;
    if (event == RequestReader::Event::kHead) {
      on_head();
    } else if (exchange_) {
      on_part(event);
    } else if (event == RequestReader::Event::kRequest) {
      on_request();
    } else {
      refuse(reader_.fault());
    }
  }
  pumping_ = false;
  if (closed_) return;
  update_phase();
  read_more();
}

void Connection::run(const std::function<void()>& work) {
  const auto self = shared_from_this();
  const bool outer = std::exchange(pumping_, true);
  work();
  pumping_ = outer;
  if (!closed_) pump();
}

void Connection::on_head() {
  HttpRequest& request = reader_.request();
  const RequestHead& head = reader_.head();
  request.arrival = loop_->server().clock->now();
  admission_ = port_->gate.admit(request, head);
  if (admission_.route != nullptr) {
    admission_.fault = foreign_origin(loop_->server().options.cors_origins, request);
    if (!admission_.fault) admission_.fault = over_quota(request);
    if (admission_.fault) admission_.route = nullptr;
  }
  close_after_ = !head.keep_alive;
  if (admission_.route == nullptr) {
    const bool cheap = !head.chunked && !head.expects_continue &&
                       head.content_length.value_or(0) <= kDiscardBytesMax;
    if (cheap) return reader_.accept_body(kDiscardBytesMax);
    close_after_ = true;
    return answer_unserved();
  }
  if (admission_.route->body == BodyMode::kUpgraded) return on_upgrade();
  const std::size_t limit = admission_.route->body_bytes_limit;
  const std::size_t most = limit > 0 ? limit : loop_->server().options.body_bytes_limit;
  if (admission_.route->body == BodyMode::kStreamed) {
    if (reader_.stream_body(most)) on_request();
    return;
  }
  reader_.accept_body(most);
  const bool wants_body = reader_.phase() == RequestReader::Phase::kBody && head.has_body();
  if (head.expects_continue && wants_body && !reader_.body_arrived()) {
    out_.push(std::string("HTTP/1.1 100 Continue\r\n\r\n"));
    flush();
  }
}

// What runs a model is counted by the router, with its tokens.
std::optional<HttpFault> Connection::over_quota(const HttpRequest& request) {
  const ServerContext& server = loop_->server();
  const Scope scope = admission_.route->scope;
  if (server.quotas == nullptr || scope == Scope::kNone || scope == Scope::kInfer) {
    return std::nullopt;
  }
  Status status = server.quotas->enter(request.principal, admission_.api->name);
  if (status.ok()) return std::nullopt;
  return HttpFault{429, std::move(status)};
}

void Connection::on_request() {
  if (admission_.route == nullptr) return answer_unserved();
  open_exchange();
  exchange_->in_handler = true;
  exchange_->streams_body = admission_.route->body != BodyMode::kBuffered;
  continue_owed_ = exchange_->streams_body && reader_.head().expects_continue;
  ++loop_->server().exchanges;
  LoopCounts::add(loop_->counts().requests);
  admission_.route->handler(std::make_shared<HttpExchange>(exchange_));
}

void Connection::open_exchange() {
  exchange_ = std::make_shared<ExchangeState>();
  ExchangeState& state = *exchange_;
  state.loop = loop_;
  state.connection = shared_from_this();
  state.request = std::move(reader_.request());
  if (state.request.id.empty()) state.request.id = loop_->new_request_id();
  state.api = admission_.api;
  state.http10 = reader_.head().http10;
  state.stream_queue_limit = loop_->server().options.stream_queue_bytes;
  RequestRecord& record = state.record;
  record.request_id = state.request.id;
  if (admission_.api != nullptr) record.api = admission_.api->name;
  record.route = admission_.pattern;
  record.method = method_name(state.request.method);
  record.tenant = state.request.principal.tenant;
  record.key = state.request.principal.key;
  record.request_bytes = reader_.wire_bytes();
}

// What admission decided without a handler: a refusal, or the answer to OPTIONS.
void Connection::answer_unserved() {
  open_exchange();
  if (admission_.answer) return send(exchange_, std::move(*admission_.answer));
  LoopCounts::add(loop_->counts().bad_requests);
  exchange_->record.status = admission_.fault->status;
  send(
      exchange_, refusal(admission_.api, exchange_->request.id, *admission_.fault, admission_.allow)
  );
}

// A fault of the reader: where the next request begins is not known, so this is the last answer.
void Connection::refuse(const HttpFault& fault) {
  HttpRequest& request = reader_.request();
  if (request.arrival == TimePoint()) {
    request.arrival = loop_->server().clock->now();
    admission_ = port_->gate.refuse(request, reader_.head(), fault);
  }
  close_after_ = true;
  const bool has_method = reader_.phase() != RequestReader::Phase::kHeader;
  LoopCounts::add(loop_->counts().bad_requests);
  open_exchange();
  if (!has_method) exchange_->record.method = "-";
  exchange_->record.status = fault.status;
  send(exchange_, refusal(admission_.api, exchange_->request.id, fault));
}

void Connection::read_more() {
  if (reading_ || closed_ || end_of_input_) return;
  std::span<char> space = lingering_ ? std::span<char>(loop_->scratch()) : reader_.space();
  if (space.empty()) return;
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(space.data(), space.size()),
      [self = shared_from_this()](const error_code& error, std::size_t bytes) {
        self->on_read(error, bytes);
      }
  );
}

void Connection::on_read(const error_code& error, std::size_t bytes) {
  reading_ = false;
  if (closed_) return;
  LoopCounts::add(loop_->counts().bytes_in, bytes);
  if (error == asio::error::eof) return on_end_of_input();
  if (error) return lose_client();
  if (lingering_) return read_more();
  reader_.commit(bytes);
  if (!exchange_ || exchange_->take_part) return pump();
  read_more();
}

void Connection::on_end_of_input() {
  end_of_input_ = true;
  if (exchange_ && exchange_->complete) {
    close_after_ = true;  // the answer is on its way; nothing follows it
    return;
  }
  if (exchange_) return lose_client();
  close();
}

std::string Connection::make_head(
    const ExchangeState& state, const HttpReply& reply, std::uint64_t body_bytes, bool chunked
) {
  const HttpServerOptions& options = loop_->server().options;
  ReplyFrame frame;
  frame.http10 = state.http10;
  frame.close = close_after_;
  frame.chunked = chunked;
  frame.body_bytes = body_bytes;
  frame.server = options.server_name;
  frame.date = loop_->date();
  frame.request_id = state.request.id;
  if (state.api != nullptr) frame.request_id_header = state.api->request_id_header;
  frame.cors_origin = cors_origin(options.cors_origins, state.request);
  frame.by_origin = !options.cors_origins.empty();
  std::vector<std::pair<std::string_view, std::string>> limits;
  const QuotaGate* const quotas = loop_->server().quotas;
  // A principal without scopes is nobody: it was not asked who it is, or it did not say.
  if (quotas != nullptr && state.request.principal.scopes != 0) {
    quotas->describe(state.request.principal, state.record.api, limits);
    frame.more = &limits;
  }
  std::string head;
  head.reserve(384 + (body_bytes <= kCopiedBytesMax ? body_bytes : 0));
  append_reply_head(head, reply, frame);
  return head;
}

void Connection::send(const std::shared_ptr<ExchangeState>& state, HttpReply reply) {
  if (state->client_left) return settle(*state);
  // Where the next request begins is not known before the body is whole.
  if (reader_.phase() == RequestReader::Phase::kBody) close_after_ = true;
  if (state->body_fault && !state->record.status.ok()) {
    reply = refusal(state->api, state->request.id, *state->body_fault);
  }
  if (loop_->server().draining) close_after_ = true;
  state->record.http_status = reply.status;
  std::uint64_t body_bytes = reply.body.size();
  for (const Segment& segment : reply.segments) body_bytes += segment.bytes.size();
  std::string head = make_head(*state, reply, body_bytes, false);
  const bool sends_body = state->request.method != Method::kHead && !is_bodyless(reply.status);
  if (!sends_body) {
    out_.push(std::move(head));
  } else {
    if (reply.body.size() <= kCopiedBytesMax) {
      head.append(reply.body);
      out_.push(std::move(head));
    } else {
      out_.push(std::move(head));
      out_.push(std::move(reply.body));
    }
    for (Segment& segment : reply.segments) out_.push(std::move(segment));
  }
  state->complete = true;
  state->take_part = nullptr;
  flush();
}

void Connection::begin_stream(const std::shared_ptr<ExchangeState>& state, HttpReply head) {
  if (state->client_left) return;
  // Without chunks only the end of the connection says where the answer ends.
  invite_body();
  state->stream_left = head.stream_bytes;
  if (head.status == 101) return begin_pipe(*state, head);
  const bool framed = state->stream_left || !state->http10;
  if (!framed || loop_->server().draining) close_after_ = true;
  state->record.http_status = head.status;
  state->streaming = true;
  const bool chunked = framed && !state->stream_left;
  out_.push(make_head(*state, head, state->stream_left.value_or(0), chunked));
  flush();
}

void Connection::push_chunk(const std::shared_ptr<ExchangeState>& state, std::string chunk) {
  if (state->client_left) return;
  if (state->beat) state->last_write = loop_->server().clock->now();
  const bool silent = state->request.method == Method::kHead;
  if (silent) {
    state->queued_bytes -= chunk.size();
    return wake_writer();
  }
  if (state->stream_left) {
    CHECK(chunk.size() <= *state->stream_left, "a stream is no longer than it was announced");
    *state->stream_left -= chunk.size();
  }
  const bool bare = state->stream_left || state->http10 || state->upgraded;
  // The frame counts too, so that what flush() takes off was put on.
  const std::size_t size = chunk.size();
  std::string frame = bare ? std::move(chunk) : chunk_frame(chunk);
  state->queued_bytes += frame.size() - size;
  out_.push(std::move(frame));
  flush();
}

void Connection::end_stream(const std::shared_ptr<ExchangeState>& state) {
  if (state->client_left) return settle(*state);
  const bool silent = state->request.method == Method::kHead;
  if (!silent && state->stream_left.value_or(0) > 0) return abandon_stream(state);
  const bool chunked = !state->http10 && !state->stream_left && !state->upgraded;
  if (!silent && chunked) out_.push(std::string("0\r\n\r\n"));
  state->complete = true;
  state->take_part = nullptr;
  flush();
}

// The handler went away in the middle: the client must not take what it has for the whole.
void Connection::abandon_stream(const std::shared_ptr<ExchangeState>& state) {
  if (state->record.status.ok()) state->record.status = internal("stream without an end");
  if (state->client_left) return settle(*state);
  state->complete = true;
  lose_client();
}

void Connection::set_writable(
    const std::shared_ptr<ExchangeState>& state, std::function<void()> wake
) {
  if (state->client_left) return;
  state->writable = std::move(wake);
  if (state == exchange_) wake_writer();
}

void Connection::set_beat(
    const std::shared_ptr<ExchangeState>& state,
    std::chrono::milliseconds interval,
    std::function<void()> beat
) {
  if (state->client_left || state->settled) return;
  state->beat = std::move(beat);
  state->beat_interval = interval;
  state->last_write = loop_->server().clock->now();
}

// Half the queue free is worth a wake-up.
void Connection::wake_writer() {
  if (!exchange_ || !exchange_->writable) return;
  if (exchange_->queued_bytes > exchange_->stream_queue_limit / 2) return;
  const auto wake = std::exchange(exchange_->writable, nullptr);
  wake();
}

void Connection::flush() {
  if (writing_ || closed_) return;
  const auto self = shared_from_this();
  std::size_t turn = 0;
  while (!out_.empty()) {
    const std::size_t before = out_.bytes();
    if (turn >= kWriteTurnBytes || !write_some()) {
      if (!closed_) wait_writable();
      return;
    }
    turn += before - out_.bytes();
  }
  if (exchange_ && exchange_->complete) return finish_exchange();
  if (exchange_) wake_writer();
}

// False when the socket takes no more, or the client is lost.
bool Connection::write_some() {
  std::array<std::span<const std::byte>, kGatherMax> pieces;
  std::array<asio::const_buffer, kGatherMax> buffers;
  const std::size_t count = out_.gather(pieces);
  for (std::size_t i = 0; i < count; ++i) {
    buffers[i] = asio::const_buffer(pieces[i].data(), pieces[i].size());
  }
  error_code error;
  const std::size_t bytes = socket_.write_some(std::span(buffers.data(), count), error);
  if (error == asio::error::would_block || error == asio::error::interrupted) return false;
  if (error) {
    lose_client();
    return false;
  }
  out_.consume(bytes);
  LoopCounts::add(loop_->counts().bytes_out, bytes);
  if (!exchange_) return true;
  exchange_->record.response_bytes += bytes;
  if (exchange_->streaming) {
    const std::size_t queued = exchange_->queued_bytes;
    exchange_->queued_bytes -= std::min(queued, bytes);
  }
  return true;
}

void Connection::wait_writable() {
  writing_ = true;
  enter(Phase::kWriting);
  socket_.async_wait(IoSocket::wait_write, [self = shared_from_this()](const error_code& error) {
    self->writing_ = false;
    if (error || self->closed_) return;
    self->flush();
    if (!self->closed_) self->update_phase();
  });
}

void Connection::finish_exchange() {
  served_one_ = true;
  const auto state = std::exchange(exchange_, nullptr);
  settle(*state);
  admission_ = Admission();
  // Also an answer that was streamed while the body came may have ended first.
  if (close_after_ || reader_.phase() == RequestReader::Phase::kBody) return linger();
  reader_.next();
  enter(Phase::kIdle);
  pump();
}

// The end of an exchange, by its answer or by the loss of its client: once, and no sooner than the
// handler replied.
void Connection::settle(ExchangeState& state) {
  if (std::exchange(state.settled, true)) return;
  state.disconnected = nullptr;
  state.writable = nullptr;
  state.beat = nullptr;
  state.notice = nullptr;
  state.take_part = nullptr;
  if (state.streams_body) state.record.request_bytes = reader_.wire_bytes();
  if (state.client_left && state.record.status.ok()) {
    state.record.status = cancelled("the client left");
  }
  ServerContext& server = loop_->server();
  state.record.total = server.clock->now() - state.request.arrival;
  server.records->record(state.record);
  if (!state.in_handler) return;
  --server.exchanges;
  server.tell_if_idle();
}

void Connection::lose_client() {
  const auto state = std::exchange(exchange_, nullptr);
  close();
  if (!state) return;
  LoopCounts::add(loop_->counts().disconnects);
  state->client_left = true;
  state->writable = nullptr;
  state->beat = nullptr;
  state->notice = nullptr;
  const auto tell = std::exchange(state->disconnected, nullptr);
  const auto take = std::exchange(state->take_part, nullptr);
  // Before that, the record is still the handler's.
  if (state->complete) return settle(*state);
  if (take) take(cancelled("the client left"));
  if (tell && !state->settled) tell();
}

// Says that nothing follows and reads what the client still sends: closing on unread bytes would
// reset the connection and could take the answer away before the client read it.
void Connection::linger() {
  if (end_of_input_) return close();
  error_code ignored;
  socket_.shutdown(IoSocket::shutdown_send, ignored);
  lingering_ = true;
  enter(Phase::kLingering);
  read_more();
}

void Connection::close() {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  error_code ignored;
  socket_.close(ignored);
  out_.clear();
  loop_->remove(*this);
  --port_->connections;
  --loop_->server().connections;
  loop_->server().tell_if_idle();
}

void Connection::cut() {
  if (closed_) return;
  if (exchange_ && !exchange_->answered) refuse_late();
  lose_client();
}

// As far as the socket takes it at once. The handler's own answer finds its client gone.
void Connection::refuse_late() {
  close_after_ = true;
  const HttpReply reply = refusal(
      exchange_->api,
      exchange_->request.id,
      {503,
       unavailable("the server stopped before it had an answer")
           .with_retry_after(std::chrono::seconds(1))}
  );
  std::string text = make_head(*exchange_, reply, reply.body.size(), false);
  if (exchange_->request.method != Method::kHead) text += reply.body;
  error_code ignored;
  const std::size_t bytes = socket_.write_some(asio::buffer(text), ignored);
  LoopCounts::add(loop_->counts().bytes_out, bytes);
}

void Connection::begin_drain() {
  notify(Exchange::Notice::kDraining);
  if (phase_ != Phase::kFresh && phase_ != Phase::kIdle) return;
  deadline_ = std::min(deadline_, loop_->server().clock->now() + kDrainGrace);
}

}  // namespace cortex::frontend
