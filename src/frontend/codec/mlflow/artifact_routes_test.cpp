// SPDX-License-Identifier: Apache-2.0
// Artifacts over a real connection, a real database and a real folder.
#include "frontend/codec/mlflow/artifact_routes.h"

#include <atomic>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/http/server.h"
#include "frontend/http/testing/test_client.h"
#include "frontend/http/testing/test_server.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "store/artifact_digest.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"
#include "tracking/experiments.h"
#include "tracking/logged_models.h"
#include "tracking/runs.h"
#include "tracking/tracking_schema.h"

namespace cortex::frontend::mlflow {
namespace {

using store::Transaction;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kProxy = "/api/2.0/mlflow-artifacts/artifacts";

std::string digest_of(std::string_view text) {
  store::Digest digest;
  digest.add(std::as_bytes(std::span(text.data(), text.size())));
  return digest.finish();
}

std::string tag_of(std::string_view text) { return '"' + digest_of(text) + '"'; }

// Text that differs at every place.
std::string long_text(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) {
    state = state * 1664525 + 1013904223;
    c = static_cast<char>(state >> 24);
  }
  return text;
}

std::string request(
    std::string_view method,
    std::string_view path,
    std::string_view body = {},
    std::string more = {}
) {
  return std::string(method) + " " + std::string(path) +
         " HTTP/1.1\r\nHost: here:1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         more + "\r\n" + std::string(body);
}

std::string json_request(std::string_view path, std::string_view body) {
  return request("POST", path, body, "Content-Type: application/json\r\n");
}

// A folder whose calls a test can hold up or let fail.
class GatedArtifacts final : public store::ArtifactStore {
 public:
  explicit GatedArtifacts(std::unique_ptr<store::ArtifactStore> inner) : inner_(std::move(inner)) {}

  std::function<Status()> before_write = [] { return Status(); };
  std::atomic<std::size_t> writers{0};  // alive
  std::atomic<bool> presigns{false};

  class Writer final : public store::BlobWriter {
   public:
    Writer(GatedArtifacts& gate, std::unique_ptr<store::BlobWriter> inner)
        : gate_(gate), inner_(std::move(inner)) {
      ++gate_.writers;
    }
    ~Writer() override {
      inner_.reset();
      --gate_.writers;
    }
    Status write(std::span<const std::byte> bytes) override {
      CORTEX_RETURN_IF_ERROR(gate_.before_write());
      return inner_->write(bytes);
    }
    Result<store::Blob> finish() override { return inner_->finish(); }

   private:
    GatedArtifacts& gate_;
    std::unique_ptr<store::BlobWriter> inner_;
  };

  Result<std::unique_ptr<store::BlobWriter>> begin() override {
    CORTEX_ASSIGN_OR_RETURN(auto writer, inner_->begin());
    return std::unique_ptr<store::BlobWriter>(std::make_unique<Writer>(*this, std::move(writer)));
  }
  Result<std::unique_ptr<store::BlobReader>> open(const std::string& digest) override {
    return inner_->open(digest);
  }
  Result<bool> contains(const std::string& digest) override { return inner_->contains(digest); }
  Result<bool> remove(const std::string& digest, Duration age) override {
    return inner_->remove(digest, age);
  }
  Result<std::vector<store::StoredBlob>> list(std::string_view after, std::size_t limit) override {
    return inner_->list(after, limit);
  }
  Result<std::uint64_t> sweep(Duration age) override { return inner_->sweep(age); }
  Result<store::Blob> join(std::span<const store::Blob> parts) override {
    return inner_->join(parts);
  }
  // As a bucket does.
  Result<std::string> presign(const store::Blob& blob, std::chrono::seconds lifetime) override {
    if (!presigns) return inner_->presign(blob, lifetime);
    return "https://bucket.test/" + blob.digest + "?for=" + std::to_string(lifetime.count());
  }
  Status materialise(const std::string& digest, const std::filesystem::path& to) override {
    return inner_->materialise(digest, to);
  }

 private:
  std::unique_ptr<store::ArtifactStore> inner_;
};

class ArtifactRoutes : public testing::Test {
 protected:
  ArtifactRoutes()
      : store_(
            "sqlite",
            {store::artifact_schema(), tracking::tracking_schema(), registry::catalog_schema()}
        ),
        artifacts_([this] {
          auto opened = store::open_artifact_folder(store_.folder() / "artifacts");
          CHECK(opened.ok(), "a test has a folder");
          return std::move(opened).value();
        }()) {
    start({});
  }

  void start(const TransferOptions& transfers, HttpServerOptions http = {}) {
    server_.reset();
    codec_.reset();
    MlflowOptions options;
    options.transfers = transfers;
    options.presigned = presigned_;
    codec_.emplace(*store_, artifacts_, options);
    auto routes = RouteTable::build(codec_->make_apis());
    CHECK(routes.ok(), routes.status().text().c_str());
    http.port = 0;
    server_.emplace(
        http, HttpService{std::move(routes).value(), std::nullopt, &authenticator_, &records_}
    );
    CHECK(server_->start().ok(), "a free port is found");
  }

  TestClient client() { return TestClient(server_->port()); }
  TestClient::Answer ask(const std::string& bytes) {
    TestClient one = client();
    one.send(bytes);
    return one.read_answer(bytes.starts_with("HEAD"));
  }
  TestClient::Answer put(const std::string& path, std::string_view body) {
    return ask(request("PUT", std::string(kProxy) + "/" + path, body));
  }
  TestClient::Answer get(const std::string& path, const std::string& more = {}) {
    return ask(request("GET", std::string(kProxy) + "/" + path, {}, more));
  }
  std::string list(const std::string& path) {
    return ask(request("GET", std::string(kProxy) + "?path=" + path)).body;
  }
  std::size_t blobs() { return artifacts_.list("", 1000)->size(); }
  std::size_t incoming() {
    std::size_t count = 0;
    const auto folder = store_.folder() / "artifacts" / "incoming";
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
    return count;
  }

  Status work(const store::Store::Work& what) { return store_->write_and_wait(what); }
  std::string make_run() {
    std::string id;
    const Status status = work([&](Transaction& t) -> Status {
      CORTEX_RETURN_IF_ERROR(
          tracking::ensure_default_experiment(t, "default", "mlflow-artifacts:", 1)
      );
      CORTEX_ASSIGN_OR_RETURN(const auto run, tracking::create_run(t, "default", {}));
      id = run.info.run_id;
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return id;
  }

  store::TemporaryStore store_;
  bool presigned_ = false;
  GatedArtifacts artifacts_;
  OpenAuthenticator authenticator_;
  RecordList records_;
  std::optional<MlflowCodec> codec_;
  std::optional<HttpServer> server_;
};

TEST_F(ArtifactRoutes, gives_back_what_was_put) {
  const auto stored = put("1/run/artifacts/model/MLmodel", "flavors: {}");
  EXPECT_EQ(stored.status, 200);
  EXPECT_EQ(stored.body, "{}");
  const auto answer = get("1/run/artifacts/model/MLmodel");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "flavors: {}");
  EXPECT_EQ(answer.header("content-length"), "11");
  EXPECT_EQ(answer.header("content-disposition"), "attachment; filename=\"MLmodel\"");
  EXPECT_EQ(answer.header("x-content-type-options"), "nosniff");
  EXPECT_EQ(answer.header("etag"), tag_of("flavors: {}"));
  EXPECT_EQ(put("1/run/artifacts/model/MLmodel", "other").status, 200);
  EXPECT_EQ(get("1/run/artifacts/model/MLmodel").body, "other");
}

TEST_F(ArtifactRoutes, moves_bodies_of_any_size) {
  for (const std::size_t size :
       {std::size_t{0},
        std::size_t{1},
        std::size_t{131'072},
        std::size_t{131'073},
        std::size_t{1'048'576},
        std::size_t{5'000'003}}) {
    const std::string text = long_text(size);
    ASSERT_EQ(put("big", text).status, 200) << size;
    const auto answer = get("big");
    EXPECT_EQ(answer.header("content-length"), std::to_string(size));
    EXPECT_EQ(answer.header("etag"), tag_of(text));
    EXPECT_TRUE(answer.body == text) << size;
  }
  EXPECT_EQ(incoming(), 0U);
}

TEST_F(ArtifactRoutes, takes_a_body_in_chunks) {
  const auto stored =
      ask("PUT " + std::string(kProxy) +
          "/c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" +
          "3\r\nabc\r\n5\r\ndefgh\r\n0\r\n\r\n");
  EXPECT_EQ(stored.status, 200);
  EXPECT_EQ(get("c").body, "abcdefgh");
}

TEST_F(ArtifactRoutes, serves_ranges_and_heads_of_large_blobs) {
  const std::string text = long_text(3'000'000);
  ASSERT_EQ(put("big", text).status, 200);
  const auto part = get("big", "Range: bytes=1000000-2499999\r\n");
  EXPECT_EQ(part.status, 206);
  EXPECT_EQ(part.header("content-range"), "bytes 1000000-2499999/3000000");
  EXPECT_TRUE(part.body == text.substr(1'000'000, 1'500'000));
  EXPECT_EQ(get("big", "Range: bytes=-5\r\n").body, text.substr(text.size() - 5));
  EXPECT_EQ(get("big", "Range: bytes=3000000-\r\n").status, 416);
  EXPECT_EQ(get("big", "If-None-Match: " + tag_of(text) + "\r\n").status, 304);
  TestClient one = client();
  one.send(request("HEAD", std::string(kProxy) + "/big"));
  const auto head = one.read_answer(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "3000000");
  // The connection goes on.
  one.send(request("GET", std::string(kProxy) + "/big", {}, "Range: bytes=0-9\r\n"));
  EXPECT_EQ(one.read_answer().body, text.substr(0, 10));
}

TEST_F(ArtifactRoutes, lists_names_below_a_path) {
  ASSERT_EQ(put("1/run/artifacts/model/MLmodel", "abc").status, 200);
  ASSERT_EQ(put("1/run/artifacts/a%20b.txt", "").status, 200);
  EXPECT_EQ(
      list("1/run/artifacts"),
      R"({"files":[{"path":"a b.txt","is_dir":false,"file_size":0},)"
      R"({"path":"model","is_dir":true}]})"
  );
  EXPECT_EQ(list(""), R"({"files":[{"path":"1","is_dir":true}]})");
  EXPECT_EQ(list("1/run/artifacts/model/MLmodel"), R"({"files":[]})");
  EXPECT_EQ(list("unknown"), R"({"files":[]})");
  EXPECT_EQ(ask(request("GET", kProxy)).body, R"({"files":[{"path":"1","is_dir":true}]})");
}

TEST_F(ArtifactRoutes, deletes_a_file_or_a_folder) {
  for (const char* path : {"r/a", "r/b/c", "r/b/d"}) ASSERT_EQ(put(path, path).status, 200);
  const auto remove = [&](const std::string& path) {
    return ask(request("DELETE", std::string(kProxy) + "/" + path, "{}"));
  };
  EXPECT_EQ(remove("r/b/").status, 200);
  EXPECT_EQ(get("r/b/c").status, 404);
  EXPECT_EQ(get("r/a").status, 200);
  EXPECT_EQ(remove("r/a").body, "{}");
  EXPECT_EQ(list(""), R"({"files":[]})");
  EXPECT_EQ(remove("r").status, 200);
}

TEST_F(ArtifactRoutes, names_what_is_wrong_as_mlflow_does) {
  ASSERT_EQ(put("f/file", "x").status, 200);
  const auto missing = get("f/none");
  EXPECT_EQ(missing.status, 404);
  EXPECT_THAT(missing.body, HasSubstr(R"("error_code":"RESOURCE_DOES_NOT_EXIST")"));
  const auto folder = get("f");
  EXPECT_EQ(folder.status, 400);
  EXPECT_THAT(folder.body, HasSubstr("refers to a directory"));
  EXPECT_EQ(put("f", "x").status, 400);
  const auto below_file = put("f/file/x", "x");
  EXPECT_EQ(below_file.status, 400);
  EXPECT_THAT(below_file.body, HasSubstr("INVALID_PARAMETER_VALUE"));
  EXPECT_EQ(get("f/file").body, "x");
}

TEST_F(ArtifactRoutes, no_path_leads_out) {
  const std::vector<std::string> paths{
      "../secret",
      "%2e%2e/secret",
      "a/%2e%2e/%2e%2e/secret",
      "%252e%252e/secret",
      "a%5c..%5csecret",
      "%2Fetc/passwd",
      "C:/x",
      "a/./b",
      "%c0%ae%c0%ae/secret",
      "a%E2%80%A8b",
      "..%2f..%2fetc%2fpasswd",
      "a//b",
      "a%00b",
      "a%0Ab",
      std::string(1025, 'a'),
      "%25252e%25252e/x",
  };
  for (const std::string& path : paths) {
    for (const std::string method : {"GET", "PUT", "DELETE"}) {
      const auto answer = ask(request(method, std::string(kProxy) + "/" + path));
      EXPECT_TRUE(answer.status == 400 || answer.status == 404) << method << " " << path;
      EXPECT_THAT(answer.body, StartsWith("{\"error")) << path;
    }
    const auto listed = ask(request("GET", std::string(kProxy) + "?path=" + path));
    EXPECT_EQ(listed.status, 400) << path;
  }
  EXPECT_EQ(blobs(), 0U);
  EXPECT_EQ(list(""), R"({"files":[]})");
}

TEST_F(ArtifactRoutes, workspaces_do_not_see_each_other) {
  ASSERT_TRUE(work([](Transaction& t) {
                return store::put_artifact(t, "other", "secret", {std::string(64, 'a'), 1});
              }).ok());
  EXPECT_EQ(get("secret").status, 404);
  EXPECT_EQ(list(""), R"({"files":[]})");
  EXPECT_EQ(ask(request("DELETE", std::string(kProxy) + "/secret")).status, 200);
  EXPECT_TRUE(work([](Transaction& t) -> Status {
                CORTEX_ASSIGN_OR_RETURN(
                    const auto entry, store::find_artifact(t, "other", "secret")
                );
                EXPECT_TRUE(entry.has_value());
                return {};
              }).ok());
}

TEST_F(ArtifactRoutes, a_client_that_leaves_discards_its_upload) {
  for (const bool reset : {true, false}) {
    TestClient one = client();
    one.send(
        "PUT " + std::string(kProxy) +
        "/half HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + std::string(3'000'000, 'x')
    );
    ASSERT_TRUE(eventually([&] { return artifacts_.writers == 1; }));
    if (reset) {
      one.reset();
    } else {
      one.half_close();
    }
    EXPECT_TRUE(eventually([&] { return artifacts_.writers == 0; }));
    EXPECT_TRUE(eventually([&] { return incoming() == 0; }));
  }
  EXPECT_EQ(get("half").status, 404);
  EXPECT_EQ(blobs(), 0U);
}

TEST_F(ArtifactRoutes, a_server_that_stops_discards_what_is_on_its_way) {
  ASSERT_EQ(put("big", long_text(20'000'000)).status, 200);
  TestClient up = client();
  up.send(
      "PUT " + std::string(kProxy) +
      "/half HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + std::string(3'000'000, 'x')
  );
  TestClient down = client();
  down.send(request("GET", std::string(kProxy) + "/big"));
  ASSERT_EQ(down.read_some(100).size(), 100U);
  ASSERT_TRUE(eventually([&] { return artifacts_.writers == 1; }));
  server_->stop();
  server_.reset();
  codec_.reset();
  EXPECT_EQ(artifacts_.writers, 0U);
  EXPECT_EQ(incoming(), 0U);
  EXPECT_EQ(blobs(), 1U);
}

TEST_F(ArtifactRoutes, a_disk_that_runs_full_is_told_and_leaves_nothing) {
  std::atomic<int> windows{0};
  artifacts_.before_write = [&]() -> Status {
    return ++windows < 3 ? Status() : resource_exhausted("the disk is full");
  };
  const auto answer = put("big", long_text(6'000'000));
  EXPECT_EQ(answer.status, 429);
  EXPECT_THAT(answer.body, HasSubstr("the disk is full"));
  EXPECT_TRUE(eventually([&] { return artifacts_.writers == 0; }));
  EXPECT_EQ(incoming(), 0U);
  artifacts_.before_write = [] { return resource_exhausted("the disk is full"); };
  EXPECT_EQ(put("small", "x").status, 429);
  EXPECT_EQ(get("small").status, 404);
}

// Blocks the threads that write until it is opened.
class Gate {
 public:
  Status pass() {
    MutexLock lock(mutex_);
    ++waiting_;
    const TimePoint deadline = steady_clock().now() + std::chrono::seconds(20);
    while (!open_ && changed_.wait_until(mutex_, deadline)) {
    }
    return {};
  }
  void open() {
    MutexLock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  std::size_t waiting() {
    MutexLock lock(mutex_);
    return waiting_;
  }

 private:
  Mutex mutex_;
  Condition changed_;
  bool open_ GUARDED_BY(mutex_) = false;
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
};

TEST_F(ArtifactRoutes, a_slow_disk_holds_up_the_client_and_not_the_server) {
  Gate gate;
  artifacts_.before_write = [&] { return gate.pass(); };
  TestClient up = client();
  const std::string text = long_text(16'000'000);
  std::atomic<std::size_t> sent{0};
  std::thread sender([&] {
    up.send(
        "PUT " + std::string(kProxy) +
        "/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 16000000\r\n\r\n"
    );
    for (std::size_t at = 0; at < text.size(); at += 50'000) {
      up.send(std::string_view(text).substr(at, 50'000));
      sent = at + 50'000;
    }
  });
  EXPECT_TRUE(eventually([&] { return gate.waiting() == 1; }));
  // Others are served meanwhile, on the same connection thread.
  EXPECT_EQ(list(""), R"({"files":[]})");
  EXPECT_EQ(get("none").status, 404);
  EXPECT_LT(sent, text.size());
  gate.open();
  sender.join();
  EXPECT_EQ(up.read_answer().status, 200);
  EXPECT_EQ(get("slow").header("etag"), tag_of(text));
}

TEST_F(ArtifactRoutes, more_transfers_than_it_takes_are_refused) {
  start({.threads = 1, .transfers_max = 2, .window_bytes = 1 << 20});
  Gate gate;
  artifacts_.before_write = [&] { return gate.pass(); };
  std::vector<TestClient> ups;
  for (const char* name : {"a", "b"}) {
    ups.push_back(client());
    ups.back().send(request("PUT", std::string(kProxy) + "/" + name, name));
  }
  EXPECT_TRUE(eventually([&] { return server_->open_exchanges() == 2 && gate.waiting() == 1; }));
  const auto third = put("c", "c");
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(third.header("retry-after"), "1");
  EXPECT_THAT(third.body, HasSubstr("too many artifact transfers"));
  gate.open();
  for (TestClient& one : ups) EXPECT_EQ(one.read_answer().status, 200);
  EXPECT_EQ(put("c", "c").status, 200);
}

TEST_F(ArtifactRoutes, many_transfers_at_once_on_one_thread) {
  start({.threads = 1, .transfers_max = 64, .window_bytes = 1 << 20});
  std::vector<std::string> texts;
  std::vector<TestClient> clients;
  for (std::size_t i = 0; i < 16; ++i) {
    texts.push_back(long_text(300'000 + i * 77'777));
    clients.push_back(client());
  }
  std::vector<std::thread> senders;
  for (std::size_t i = 0; i < clients.size(); ++i) {
    senders.emplace_back([&, i] {
      clients[i].send(request("PUT", std::string(kProxy) + "/" + std::to_string(i), texts[i]));
      EXPECT_EQ(clients[i].read_answer().status, 200);
      clients[i].send(request("GET", std::string(kProxy) + "/" + std::to_string(i)));
      EXPECT_TRUE(clients[i].read_answer().body == texts[i]);
    });
  }
  for (std::thread& sender : senders) sender.join();
}

TEST_F(ArtifactRoutes, a_client_that_does_not_read_its_download_costs_no_thread) {
  start({.threads = 1, .transfers_max = 64, .window_bytes = 1 << 20});
  ASSERT_EQ(put("big", long_text(30'000'000)).status, 200);
  std::vector<TestClient> idle;
  for (int i = 0; i < 4; ++i) {
    idle.push_back(client());
    idle.back().send(request("GET", std::string(kProxy) + "/big"));
    ASSERT_EQ(idle.back().read_some(10).size(), 10U);
  }
  EXPECT_EQ(put("small", "x").status, 200);
  EXPECT_EQ(get("small").body, "x");
}

TEST_F(ArtifactRoutes, bytes_that_are_lost_are_a_fault_of_the_server) {
  ASSERT_EQ(put("x", "text").status, 200);
  ASSERT_TRUE(artifacts_.remove(digest_of("text"), {}).value());
  const auto answer = get("x");
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, HasSubstr("DATA_LOSS"));
}

TEST_F(ArtifactRoutes, finds_the_artifacts_of_a_run) {
  const std::string run = make_run();
  ASSERT_EQ(put("0/" + run + "/artifacts/plots/a.png", "png").status, 200);
  EXPECT_EQ(
      ask(request("GET", "/api/2.0/mlflow/artifacts/list?run_id=" + run)).body,
      "{\"root_uri\":\"mlflow-artifacts:/0/" + run +
          R"(/artifacts","files":[{"path":"plots","is_dir":true}]})"
  );
  EXPECT_THAT(
      ask(request("GET", "/ajax-api/2.0/mlflow/artifacts/list?path=plots&run_uuid=" + run)).body,
      HasSubstr(R"("files":[{"path":"plots/a.png","is_dir":false,"file_size":3}])")
  );
  EXPECT_EQ(ask(request("GET", "/get-artifact?path=plots/a.png&run_id=" + run)).body, "png");
  EXPECT_EQ(ask(request("GET", "/get-artifact?path=plots%2Fa.png&run_uuid=" + run)).body, "png");
  EXPECT_EQ(ask(request("GET", "/get-artifact?path=../x&run_id=" + run)).status, 400);
  EXPECT_EQ(ask(request("GET", "/get-artifact?run_id=" + run)).status, 400);
  EXPECT_EQ(ask(request("GET", "/get-artifact?path=a")).status, 400);
  EXPECT_EQ(ask(request("GET", "/get-artifact?path=a&run_id=" + std::string(32, '0'))).status, 404);
  EXPECT_EQ(ask(request("GET", "/api/2.0/mlflow/artifacts/list")).status, 400);
}

TEST_F(ArtifactRoutes, takes_what_the_page_uploads_to_a_run) {
  const std::string run = make_run();
  const std::string path = "/ajax-api/2.0/mlflow/upload-artifact?run_uuid=" + run;
  EXPECT_EQ(ask(request("POST", path + "&path=d/note.txt", "text")).status, 200);
  EXPECT_EQ(get("0/" + run + "/artifacts/d/note.txt").body, "text");
  EXPECT_THAT(ask(request("POST", path, "text")).body, HasSubstr("Request must specify path."));
  EXPECT_THAT(
      ask(request("POST", path + "&path=e", "")).body, HasSubstr("Request must specify data.")
  );
  const auto large =
      ask("POST " + path + "&path=e HTTP/1.1\r\nHost: x\r\nContent-Length: 10485761\r\n\r\n");
  EXPECT_EQ(large.status, 400);
  EXPECT_THAT(large.body, HasSubstr("Max size is 10MB."));
}

TEST_F(ArtifactRoutes, finds_the_artifacts_of_a_logged_model_and_of_a_version) {
  (void)make_run();
  std::string model;
  ASSERT_TRUE(work([&](Transaction& t) -> Status {
                CORTEX_ASSIGN_OR_RETURN(
                    const auto made, tracking::create_logged_model(t, "default", {}, 1)
                );
                model = made.model_id;
                return {};
              }).ok());
  const std::string folder = "0/models/" + model + "/artifacts";
  ASSERT_EQ(put(folder + "/MLmodel", "flavors").status, 200);
  EXPECT_THAT(
      ask(request("GET", "/api/2.0/mlflow/logged-models/" + model + "/artifacts/directories")).body,
      HasSubstr(R"("files":[{"path":"MLmodel","is_dir":false,"file_size":7}])")
  );
  EXPECT_EQ(
      ask(request(
              "GET",
              "/ajax-api/2.0/mlflow/logged-models/" + model +
                  "/artifacts/files?artifact_file_path=MLmodel"
          ))
          .body,
      "flavors"
  );
  ASSERT_TRUE(work([&](Transaction& t) -> Status {
                registry::Authorship author;
                author.workspace = "default";
                registry::NewModel iris;
                iris.name = "iris";
                CORTEX_RETURN_IF_ERROR(registry::create_model(t, author, iris).status());
                registry::NewVersion version;
                version.model = "iris";
                version.location = folder;
                return registry::create_version(t, author, version).status();
              }).ok());
  const std::string path = "/model-versions/get-artifact?name=iris&path=MLmodel&version=";
  EXPECT_EQ(ask(request("GET", path + "1")).body, "flavors");
  EXPECT_EQ(ask(request("GET", path + "2")).status, 404);
}

// The text of a field of flat JSON.
std::string field(const std::string& body, const std::string& name, std::size_t from = 0) {
  const std::string start = "\"" + name + "\":\"";
  const std::size_t at = body.find(start, from) + start.size();
  return body.substr(at, body.find('"', at) - at);
}

class MultipartRoutes : public ArtifactRoutes {
 protected:
  struct Upload {
    std::string id;
    std::vector<std::string> urls;
  };
  Upload begin(int parts) {
    const auto answer = ask(json_request(
        "/api/2.0/mlflow-artifacts/mpu/create/1/run/artifacts",
        R"({"path":"C:\\home\\big.bin","num_parts":)" + std::to_string(parts) + "}"
    ));
    EXPECT_EQ(answer.status, 200);
    Upload upload{field(answer.body, "upload_id"), {}};
    std::size_t at = 0;
    while ((at = answer.body.find("\"url\":", at)) != std::string::npos) {
      const std::string url = field(answer.body, "url", at++);
      EXPECT_THAT(url, StartsWith("http://here:1/"));
      upload.urls.push_back(url.substr(std::string("http://here:1").size()));
    }
    return upload;
  }
  std::string body_of(const Upload& upload, const std::vector<std::string>& tags) {
    std::string body = R"({"path":"big.bin","upload_id":")" + upload.id + R"(","parts":[)";
    for (std::size_t i = 0; i < tags.size(); ++i) {
      body += (i > 0 ? "," : "") + (R"({"part_number":)" + std::to_string(i + 1));
      body += R"(,"etag":"\")" + tags[i].substr(1, 64) + R"(\"","url":"x"})";
    }
    return body + "]}";
  }
  TestClient::Answer complete(const Upload& upload, const std::vector<std::string>& tags) {
    return ask(json_request(
        "/api/2.0/mlflow-artifacts/mpu/complete/1/run/artifacts", body_of(upload, tags)
    ));
  }
};

TEST_F(MultipartRoutes, joins_parts_that_came_in_any_order) {
  const Upload upload = begin(3);
  ASSERT_EQ(upload.urls.size(), 3U);
  const std::vector<std::string> parts{long_text(2'000'000), long_text(1'000'000), "end"};
  std::vector<std::string> tags(3);
  for (const std::size_t i : {std::size_t{2}, std::size_t{0}, std::size_t{1}}) {
    const auto answer = ask(request("PUT", upload.urls[i], parts[i]));
    ASSERT_EQ(answer.status, 200);
    tags[i] = answer.header("etag");
    EXPECT_EQ(tags[i], tag_of(parts[i]));
  }
  EXPECT_EQ(get("1/run/artifacts/big.bin").status, 404);
  EXPECT_EQ(complete(upload, tags).body, "{}");
  EXPECT_TRUE(get("1/run/artifacts/big.bin").body == parts[0] + parts[1] + parts[2]);
  // A client that heard nothing asks again; an abort after it takes nothing away.
  EXPECT_EQ(complete(upload, tags).status, 200);
  EXPECT_EQ(
      ask(json_request("/api/2.0/mlflow-artifacts/mpu/abort/1/run/artifacts", body_of(upload, {})))
          .status,
      200
  );
  EXPECT_EQ(get("1/run/artifacts/big.bin").status, 200);
  // Parts are let go of with the upload.
  EXPECT_EQ(store::collect_artifacts(*store_, artifacts_, {}).value(), 3'000'003U);
  EXPECT_EQ(get("1/run/artifacts/big.bin").status, 200);
}

TEST_F(MultipartRoutes, joins_nothing_but_what_the_client_sent) {
  const Upload upload = begin(2);
  const std::string first = ask(request("PUT", upload.urls[0], "one")).header("etag");
  EXPECT_EQ(complete(upload, {first}).status, 400);
  const std::string second = ask(request("PUT", upload.urls[1], "two")).header("etag");
  EXPECT_EQ(complete(upload, {first}).status, 400);
  EXPECT_EQ(complete(upload, {second, first}).status, 400);
  EXPECT_EQ(complete({std::string(64, '0'), {}}, {first, second}).status, 404);
  EXPECT_EQ(
      ask(json_request(
              "/api/2.0/mlflow-artifacts/mpu/complete/other", body_of(upload, {first, second})
          ))
          .status,
      404
  );
  EXPECT_EQ(get("1/run/artifacts/big.bin").status, 404);
  EXPECT_EQ(complete(upload, {first, second}).status, 200);
  EXPECT_EQ(get("1/run/artifacts/big.bin").body, "onetwo");
}

TEST_F(MultipartRoutes, takes_no_part_of_an_upload_that_is_not_there) {
  const Upload upload = begin(1);
  const std::string parts = "/api/2.0/mlflow-artifacts/mpu/parts/";
  EXPECT_EQ(ask(request("PUT", parts + std::string(64, '0') + "/1", "x")).status, 404);
  EXPECT_EQ(ask(request("PUT", parts + upload.id + "/2", "x")).status, 400);
  EXPECT_EQ(ask(request("PUT", parts + upload.id + "/x", "x")).status, 400);
  ASSERT_EQ(ask(request("PUT", upload.urls[0], "x")).status, 200);
  EXPECT_EQ(
      ask(json_request("/api/2.0/mlflow-artifacts/mpu/abort/1/run/artifacts", body_of(upload, {})))
          .status,
      200
  );
  EXPECT_EQ(ask(request("PUT", upload.urls[0], "x")).status, 404);
  EXPECT_EQ(store::collect_artifacts(*store_, artifacts_, {}).value(), 1U);
}

TEST_F(ArtifactRoutes, what_it_cannot_presign_sends_the_client_to_the_proxy) {
  EXPECT_EQ(ask(request("GET", "/api/2.0/mlflow-artifacts/presigned/1/a")).status, 501);
  const auto answer = ask(json_request("/api/2.0/mlflow/artifacts/presigned-upload-url", "{}"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.body, HasSubstr("INVALID_PARAMETER_VALUE"));
}

TEST_F(ArtifactRoutes, sends_clients_to_the_bucket_where_it_may) {
  ASSERT_EQ(ask(request("PUT", "/api/2.0/mlflow-artifacts/artifacts/1/a", "hello")).status, 200);
  const std::string route = "/api/2.0/mlflow-artifacts/presigned/1/";
  presigned_ = true;
  start({});
  // The folder has no such addresses.
  EXPECT_EQ(ask(request("GET", route + "a")).status, 501);
  artifacts_.presigns = true;
  const auto answer = ask(request("GET", route + "a"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_THAT(
      answer.body,
      HasSubstr(
          "https://bucket.test/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
          "?for=300"
      )
  );
  EXPECT_THAT(answer.body, HasSubstr("file_size"));
  EXPECT_EQ(ask(request("GET", route + "none")).status, 404);
}

// Resident memory in KiB.
std::size_t resident() {
  std::FILE* file = std::fopen("/proc/self/statm", "r");
  std::size_t pages = 0;
  std::size_t rest = 0;
  EXPECT_EQ(std::fscanf(file, "%zu %zu", &rest, &pages), 2);
  std::fclose(file);
  return pages * 4;
}

TEST_F(ArtifactRoutes, a_large_artifact_costs_no_memory) {
  constexpr std::size_t kPiece = 1 << 20;
  constexpr std::size_t kPieces = 96;
  const std::string piece = long_text(kPiece);
  ASSERT_EQ(put("warm", std::string(4 * kPiece, 'x')).status, 200);
  ASSERT_EQ(get("warm").status, 200);
  const std::size_t before = resident();
  std::size_t most = before;
  TestClient one = client();
  one.send(
      "PUT " + std::string(kProxy) + "/large HTTP/1.1\r\nHost: x\r\nContent-Length: " +
      std::to_string(kPiece * kPieces) + "\r\n\r\n"
  );
  for (std::size_t i = 0; i < kPieces; ++i) {
    one.send(piece);
    most = std::max(most, resident());
  }
  ASSERT_EQ(one.read_answer().status, 200);
  one.send(request("GET", std::string(kProxy) + "/large"));
  std::size_t read = 0;
  while (read < kPiece * kPieces) {
    const std::string some = one.read_some(kPiece);
    ASSERT_FALSE(some.empty());
    read += some.size();
    most = std::max(most, resident());
  }
  EXPECT_LT(most - before, 64U * 1024);
}

}  // namespace
}  // namespace cortex::frontend::mlflow
