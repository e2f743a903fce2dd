// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <boost/system/error_code.hpp>

#include "frontend/http/exchange_state.h"
#include "frontend/http/io_loop.h"
#include "frontend/http/out_queue.h"
#include "frontend/http/request_reader.h"

namespace cortex::frontend {

// One client: its socket, its reader, and at most one request in a handler. Everything runs on its
// loop's thread.
//
//   kFresh -> kHeader -> kBody -> kRunning -> kWriting -> kIdle -> kHeader …   and at the end
//   kLingering
//
// A read is always under way (unless the buffer is full), also while a request runs: that is how a
// client that left is noticed, and it is the read of the next request at the same time.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(std::shared_ptr<IoLoop> loop, IoSocket socket, std::shared_ptr<Port> port);
  ~Connection();

  void start();
  // Ends it at once, with a 503 where nothing was answered yet; a request in a handler loses its
  // client.
  void cut();
  void begin_drain();
  void on_sweep(TimePoint now);

  [[nodiscard]] std::size_t slot() const { return slot_; }
  void set_slot(std::size_t slot) { slot_ = slot; }

  // From the exchange, on the loop's thread. Each takes a state that may have lost its client
  // meanwhile.
  void send(const std::shared_ptr<ExchangeState>& state, HttpReply reply);
  void begin_stream(const std::shared_ptr<ExchangeState>& state, HttpReply head);
  void push_chunk(const std::shared_ptr<ExchangeState>& state, std::string chunk);
  void end_stream(const std::shared_ptr<ExchangeState>& state);
  void abandon_stream(const std::shared_ptr<ExchangeState>& state);
  void set_writable(const std::shared_ptr<ExchangeState>& state, std::function<void()> wake);

  void set_notice(
      const std::shared_ptr<ExchangeState>& state, std::function<void(Exchange::Notice)> tell
  );
  void set_beat(
      const std::shared_ptr<ExchangeState>& state,
      std::chrono::milliseconds interval,
      std::function<void()> beat
  );
  void read_body(
      const std::shared_ptr<ExchangeState>& state,
      std::function<void(Result<Exchange::BodyPart>)> take
  );

  // Runs `work` of its exchange, which may reply.
  void run(const std::function<void()>& work);
  // True while this connection's own code is on the stack: a reply may then be taken at once.
  [[nodiscard]] bool is_pumping() const { return pumping_; }

 private:
  enum class Phase { kFresh, kHeader, kBody, kRunning, kWriting, kIdle, kLingering };

  void pump();
  void on_head();
  void on_upgrade();
  void begin_pipe(ExchangeState& state, const HttpReply& head);
  void notify(Exchange::Notice notice);
  [[nodiscard]] std::optional<HttpFault> over_quota(const HttpRequest& request);
  void on_request();
  void open_exchange();
  void on_part(RequestReader::Event event);
  void fail_body(HttpFault fault);
  void invite_body();
  [[nodiscard]] bool awaits_part() const;
  void refuse(const HttpFault& fault);
  void answer_unserved();
  void refuse_late();

  void read_more();
  void on_read(const boost::system::error_code& error, std::size_t bytes);
  void on_end_of_input();
  void flush();
  [[nodiscard]] bool write_some();
  void wait_writable();
  void wake_writer();

  void finish_exchange();
  void settle(ExchangeState& state);
  void lose_client();
  void linger();
  void close();

  void update_phase();
  void enter(Phase phase);
  [[nodiscard]] Phase current_phase() const;
  void on_timeout();
  void on_stalled();
  void beat_if_quiet(TimePoint now);
  [[nodiscard]] std::string make_head(
      const ExchangeState& state, const HttpReply& reply, std::uint64_t body_bytes, bool chunked
  );

  const std::shared_ptr<IoLoop> loop_;
  const std::shared_ptr<Port> port_;
  IoSocket socket_;
  RequestReader reader_;
  OutQueue out_;
  Admission admission_;
  std::shared_ptr<ExchangeState> exchange_;

  std::size_t slot_ = 0;  // in the loop's list
  Phase phase_ = Phase::kFresh;
  TimePoint deadline_ = kNoDeadline;
  std::uint64_t body_mark_ = 0;  // wire bytes when the body's deadline was set
  bool served_one_ = false;
  bool pumping_ = false;
  bool reading_ = false;
  bool writing_ = false;  // waits for the socket to take more
  bool end_of_input_ = false;
  bool close_after_ = false;    // the current answer is the last one
  bool continue_owed_ = false;  // the client waits to be asked for a streamed body
  bool lingering_ = false;
  bool closed_ = false;
};

}  // namespace cortex::frontend
