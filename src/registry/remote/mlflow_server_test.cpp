// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/mlflow_server.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/testing/test_server.h"

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// A server that answers every request by its first line.
class MlflowServerTest : public ::testing::Test {
 protected:
  using Answer = std::function<std::string(const std::string& line)>;

  void play(Answer answer) {
    played_ = std::make_unique<net::TestServer>([answer](net::TestServer::Peer& peer, int) {
      for (std::string request = peer.read_request(); !request.empty();
           request = peer.read_request()) {
        const std::string sent = answer(request.substr(0, request.find("\r\n")));
        if (sent.empty()) return peer.cut();
        if (!peer.send(sent)) return;
      }
    });
    MlflowServerOptions options;
    options.url = played_->url() + "/base/";
    options.token = "secret";
    options.timeout = std::chrono::seconds(5);
    auto made = MlflowServer::make(options);
    ASSERT_TRUE(made.ok()) << made.status().text();
    server_ = std::move(*made);
  }
  static std::string reply(int status, const std::string& body) {
    return "HTTP/1.1 " + std::to_string(status) +
           " x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  }

  std::unique_ptr<net::TestServer> played_;
  std::unique_ptr<MlflowServer> server_;
};

TEST_F(MlflowServerTest, reads_models_and_versions_with_the_token) {
  play([](const std::string& line) {
    if (line.find("registered-models/get?name=a%20b ") != std::string::npos) {
      return reply(200, R"({"registered_model":{"name":"a b",
          "aliases":[{"alias":"champion","version":"2"},{"alias":"new","version":7},{"version":3}],
          "latest_versions":[{"version":"7","current_stage":"None","status":"READY",
            "creation_timestamp":12},
            {"version":"3","current_stage":"Production","status":"PENDING_REGISTRATION"}]}})");
    }
    return reply(
        200, R"({"model_version":{"version":"2","current_stage":"None","status":"READY"}})"
    );
  });
  const auto model = server_->find_model("a b");
  ASSERT_TRUE(model.ok()) << model.status().text();
  EXPECT_THAT(model->aliases, ElementsAre(Pair("champion", 2), Pair("new", 7)));
  ASSERT_EQ(model->latest.size(), 2U);
  EXPECT_EQ(model->latest[0].number, 7);
  EXPECT_EQ(model->latest[0].created_at, "12");
  EXPECT_TRUE(model->latest[0].ready);
  EXPECT_EQ(model->latest[1].stage, "Production");
  EXPECT_FALSE(model->latest[1].ready);
  EXPECT_EQ(server_->find_version("a b", 2)->number, 2);
  const std::string received = played_->received();
  EXPECT_THAT(received, HasSubstr("GET /base/api/2.0/mlflow/registered-models/get?name=a%20b"));
  EXPECT_THAT(received, HasSubstr("Authorization: Bearer secret\r\n"));
  EXPECT_THAT(received, HasSubstr("model-versions/get?name=a%20b&version=2"));
}

TEST_F(MlflowServerTest, walks_folders_and_streams_files) {
  play([](const std::string& line) {
    if (line.find("?path=1%2Fm%20x%2Fdata ") != std::string::npos)
      return reply(200, R"({"files":[{"path":"w 1.bin","is_dir":false,"file_size":"5"}]})");
    if (line.find("?path=1%2Fm%20x ") != std::string::npos) {
      return reply(200, R"({"files":[{"path":"MLmodel","is_dir":false,"file_size":3},
          {"path":"data","is_dir":true}]})");
    }
    return reply(200, "hello");
  });
  const auto files = server_->files("mlflow-artifacts:/1/m x");
  ASSERT_TRUE(files.ok()) << files.status().text();
  ASSERT_EQ(files->size(), 2U);
  EXPECT_EQ((*files)[0].path, "MLmodel");
  EXPECT_EQ((*files)[0].size, 3U);
  EXPECT_EQ((*files)[1].path, "data/w 1.bin");
  EXPECT_EQ((*files)[1].size, 5U);
  std::string got;
  const auto sink = [&](std::span<const std::byte> bytes) {
    got.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return Status();
  };
  ASSERT_TRUE(server_->download("mlflow-artifacts:/1/m x", (*files)[1], sink).ok());
  EXPECT_EQ(got, "hello");
  EXPECT_THAT(
      played_->received(),
      HasSubstr("GET /base/api/2.0/mlflow-artifacts/artifacts/1/m%20x/data/w%201.bin HTTP")
  );
}

TEST_F(MlflowServerTest, goes_only_where_the_proxy_is) {
  std::string uri;
  play([&](const std::string&) { return reply(200, R"({"artifact_uri":")" + uri + R"("})"); });
  for (const char* elsewhere :
       {"s3://bucket/m",
        "file:///etc",
        "http://127.0.0.1:1/m",
        "mlflow-artifacts://other:80/m",
        "mlflow-artifacts:/../m",
        "mlflow-artifacts:/",
        "/m",
        "",
        "models:/m/1"}) {
    uri = elsewhere;
    const Status status = server_->location("m", 1).status();
    EXPECT_EQ(status.code(), Code::kFailedPrecondition) << uri;
    EXPECT_FALSE(server_->files(elsewhere).ok()) << uri;
    EXPECT_FALSE(server_->download(elsewhere, {"f", 1}, {}).ok()) << uri;
  }
  for (const char* here : {"mlflow-artifacts:/1/m", "mlflow-artifacts:///1/m"}) {
    uri = here;
    EXPECT_EQ(*server_->location("m", 1), here);
  }
}

TEST_F(MlflowServerTest, takes_no_name_that_leads_out_and_no_endless_tree) {
  std::string answer;
  play([&](const std::string&) { return reply(200, answer); });
  for (const char* name : {"../x", "..", "a/b", "", "/etc", "a\\\\b"}) {
    answer = R"({"files":[{"path":")" + std::string(name) + R"(","file_size":1}]})";
    EXPECT_EQ(server_->files("mlflow-artifacts:/m").status().code(), Code::kFailedPrecondition)
        << name;
  }
  answer = R"({"files":[{"path":"a","is_dir":true},{"path":"b","is_dir":true}]})";
  EXPECT_EQ(server_->files("mlflow-artifacts:/m").status().code(), Code::kResourceExhausted);
  answer = R"({"files":[)";
  for (int i = 0; i < 1'001; ++i) answer += (i == 0 ? "" : ",") + std::string(R"({"path":"f"})");
  answer += "]}";
  EXPECT_EQ(server_->files("mlflow-artifacts:/m").status().code(), Code::kResourceExhausted);
}

TEST_F(MlflowServerTest, says_what_went_wrong) {
  std::string answer;
  play([&](const std::string&) { return answer; });
  const auto status = [&](std::string sent) {
    answer = std::move(sent);
    return server_->find_model("m").status();
  };
  EXPECT_EQ(
      status(reply(404, R"({"error_code":"RESOURCE_DOES_NOT_EXIST","message":"no m"})")).code(),
      Code::kNotFound
  );
  EXPECT_THAT(status(reply(401, "no")).text(), HasSubstr("(remote.token)"));
  EXPECT_THAT(
      status(reply(500, R"({"message":"out of\nluck"})")).text(),
      HasSubstr("status 500: out of luck")
  );
  EXPECT_EQ(status(reply(302, "")).code(), Code::kUnavailable);
  EXPECT_EQ(status(reply(200, "[]")).code(), Code::kUnavailable);
  EXPECT_EQ(status(reply(200, "{}")).code(), Code::kUnavailable);
  EXPECT_EQ(status("").code(), Code::kUnavailable);
}

TEST_F(MlflowServerTest, believes_mlflow_alone_that_there_is_none) {
  std::string answer;
  play([&](const std::string&) { return answer; });
  for (const char* body :
       {"default backend - 404",
        "",
        "[]",
        "{}",
        R"({"message":"no such host"})",
        R"({"error_code":"ENDPOINT_NOT_FOUND","message":"no m"})"}) {
    answer = reply(404, body);
    EXPECT_EQ(server_->find_model("m").status().code(), Code::kUnavailable) << body;
    EXPECT_EQ(server_->find_version("m", 1).status().code(), Code::kUnavailable) << body;
    const auto sink = [](std::span<const std::byte>) { return Status(); };
    EXPECT_EQ(server_->download("mlflow-artifacts:/m", {"f", 1}, sink).code(), Code::kUnavailable)
        << body;
  }
  answer = reply(404, R"({"error_code":"RESOURCE_DOES_NOT_EXIST"})");
  EXPECT_EQ(server_->find_version("m", 1).status().code(), Code::kNotFound);
  EXPECT_EQ(server_->download("mlflow-artifacts:/m", {"f", 1}, {}).code(), Code::kNotFound);
  answer = reply(500, R"({"error_code":"RESOURCE_DOES_NOT_EXIST"})");
  EXPECT_EQ(server_->find_model("m").status().code(), Code::kUnavailable);
}

TEST(MlflowServer, refuses_an_address_that_is_none) {
  for (const char* url : {"", "mlflow", "ftp://a", "http://", "http://a?b=c"}) {
    MlflowServerOptions options;
    options.url = url;
    EXPECT_EQ(MlflowServer::make(options).status().code(), Code::kInvalidArgument) << url;
  }
}

}  // namespace
}  // namespace cortex::registry
