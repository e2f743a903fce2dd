// SPDX-License-Identifier: Apache-2.0
// A whole server whose n-th write to a client fails, for every n: the request is cancelled and
// recorded, nothing stays, the next one is served.
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "app/application.h"
#include "frontend/http/testing/test_client.h"
#include "frontend/http/testing/test_server.h"

namespace {

// Less than any answer has, so that each takes several writes.
constexpr std::size_t kWriteBytesMax = 100;

thread_local bool is_client = false;  // the thread of the tests
std::atomic<bool> armed = false;
std::atomic<int> writes_left = 0;
std::atomic<int> failure = 0;
std::atomic<bool> has_failed = false;

bool fails_now() {
  if (!armed || writes_left-- != 0) return false;
  has_failed = true;
  errno = failure;
  return true;
}

}  // namespace

// Instead of the library's: all that the server sends goes through here.
extern "C" ssize_t sendmsg(int socket, const msghdr* message, int flags) {
  if (is_client) return ::syscall(SYS_sendmsg, socket, message, flags);
  if (fails_now()) return -1;
  iovec first = *message->msg_iov;
  first.iov_len = std::min(first.iov_len, kWriteBytesMax);
  msghdr less = *message;
  less.msg_iov = &first;
  less.msg_iovlen = 1;
  return ::syscall(SYS_sendmsg, socket, &less, flags);
}
extern "C" ssize_t send(int socket, const void* bytes, std::size_t size, int flags) {
  if (!is_client && fails_now()) return -1;
  const std::size_t most = is_client ? size : std::min(size, kWriteBytesMax);
  return ::syscall(SYS_sendto, socket, bytes, most, flags, nullptr, 0);
}

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModel = "cells: 4096\nstep_us: 500\n";
constexpr const char* kModelConfig =
    "backend: synthetic_sequences\n"
    "generation: {prefix_memory_bytes: 0, prefix_disk_bytes: 0}\n";

class HttpWrites : public testing::Test {
 protected:
  HttpWrites() {
    is_client = true;
    root_ = fs::path(testing::TempDir()) / ("cortex_http_writes_" + std::to_string(getpid()));
    fs::create_directories(root_ / "verses" / "1");
    std::ofstream(root_ / "verses" / "model.yaml") << kModelConfig;
    std::ofstream(root_ / "verses" / "1" / "sequences.synthetic") << kModel;
    config::Settings settings;
    settings.models.repositories = {root_.string()};
    settings.http.port = 0;
    settings.metrics.port = 0;
    settings.log.level = log::Level::kError;
    auto made = Application::make(settings);
    CHECK(made.ok(), "the settings are right");
    app_ = std::move(made).value();
    CHECK(app_->start().ok(), "a port is free");
    CHECK(frontend::eventually([this] { return app_->settled(); }), "the model loads");
  }
  ~HttpWrites() override {
    armed = false;
    app_.reset();
    fs::remove_all(root_);
  }

  // Everything that came for a completion up to the end of the connection.
  std::string ask(const std::string& more) {
    frontend::TestClient client(app_->http_port());
    const std::string body = R"({"model":"verses","prompt":"once","temperature":0,)" + more + "}";
    client.send(frontend::post("/v1/completions", body, "Connection: close\r\n"));
    return client.read_all();
  }
  // The same while the write behind `writes` others fails.
  std::string ask_failing(const std::string& more, int writes) {
    constexpr std::array kErrors = {EPIPE, ECONNRESET, ETIMEDOUT};
    failure = kErrors.at(static_cast<std::size_t>(writes) % kErrors.size());
    has_failed = false;
    writes_left = writes;
    armed = true;
    std::string bytes = ask(more);
    armed = false;
    failures_ += has_failed;
    return bytes;
  }

  // The sum of a metric's series; `labels`: what each must name.
  double metric(const std::string& name, std::string_view labels = {}) const {
    frontend::TestClient client(app_->http_port());
    client.send(frontend::get("/metrics", "Connection: close\r\n"));
    const std::string text = client.read_answer().body;
    double sum = 0;
    for (std::size_t at = 0, end = 0; at < text.size(); at = end + 1) {
      end = text.find('\n', at);
      const std::string line = text.substr(at, end - at);
      const bool same = line.starts_with(name + "{") || line.starts_with(name + " ");
      if (same && line.find(labels) != std::string::npos) {
        sum += std::stod(line.substr(line.rfind(' ')));
      }
    }
    return sum;
  }
  double cancels() const { return metric("nv_inference_request_failure", "reason=\"CANCELED\""); }
  bool is_quiet() const {
    for (const char* const gauge :
         {"vllm:num_requests_running",
          "vllm:num_requests_waiting",
          "cortex_sequence_waiting_tokens",
          "cortex_http_body_budget_used_bytes"}) {
      if (metric(gauge) != 0) return false;
    }
    return metric("cortex_sequence_cells_used") == metric("cortex_sequence_prefix_cells") &&
           metric("cortex_http_connections") == 1;
  }
  // Each failed answer is one that a client did not get, and nothing is left of any.
  void expect_recorded() const {
    EXPECT_TRUE(frontend::eventually([this] { return cancels() >= failures_; }));
    EXPECT_EQ(cancels(), failures_);
    EXPECT_EQ(metric("cortex_http_disconnects_total"), failures_);
    EXPECT_TRUE(frontend::eventually([this] { return is_quiet(); }));
  }

  fs::path root_;
  std::unique_ptr<Application> app_;
  int failures_ = 0;
};

// Bytes of a reply but for its head, whose id and date are new each time.
std::string body_of(const std::string& bytes) {
  const std::size_t head = bytes.find("\r\n\r\n");
  return head == std::string::npos ? "" : bytes.substr(head + 4);
}

TEST_F(HttpWrites, that_fail_anywhere_in_a_whole_answer_cost_that_answer_alone) {
  const std::string asked = R"("max_tokens":5)";
  const std::size_t whole = body_of(ask(asked)).size();
  bool came = false;
  for (int n = 0; !came; ++n) {
    ASSERT_LT(n, 100) << "an answer is not that long";
    const std::string bytes = ask_failing(asked, n);
    came = !has_failed;
    EXPECT_EQ(body_of(bytes).size() == whole, came) << n << " writes went through";
    EXPECT_TRUE(came || bytes.size() <= static_cast<std::size_t>(n) * kWriteBytesMax);
    expect_recorded();
  }
  EXPECT_GT(failures_, 2) << "an answer took several writes";
}

TEST_F(HttpWrites, that_fail_anywhere_in_a_stream_cost_that_stream_alone) {
  const std::string asked = R"("max_tokens":4,"stream":true)";
  const std::string end = "data: [DONE]\n\n\r\n0\r\n\r\n";
  ASSERT_TRUE(ask(asked).ends_with(end));
  bool came = false;
  for (int n = 0; !came; ++n) {
    ASSERT_LT(n, 200) << "a stream is not that long";
    const std::string bytes = ask_failing(asked, n);
    came = !has_failed;
    EXPECT_EQ(bytes.ends_with(end), came) << n << " writes went through";
    expect_recorded();
  }
  EXPECT_GT(failures_, 5) << "a stream took many writes";
}

TEST_F(HttpWrites, that_fail_end_a_generation_that_would_go_on) {
  for (int n = 0; n < 12; ++n) {
    (void)ask_failing(R"("max_tokens":3000,"ignore_eos":true,"stream":true)", n);
    EXPECT_TRUE(has_failed);
    expect_recorded();
    EXPECT_EQ(metric("cortex_sequence_cancelled_total"), failures_);
    EXPECT_EQ(metric("vllm:request_success_total", "finished_reason=\"abort\""), failures_);
  }
  EXPECT_TRUE(body_of(ask(R"("max_tokens":5)")).ends_with("}"));
}

}  // namespace
}  // namespace cortex::app
