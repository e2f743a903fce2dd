// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/mlflow/registry_routes.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/codec/mlflow/mlflow_codec.h"
#include "frontend/codec/testing/fake_exchange.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/catalog_schema.h"
#include "store/artifact_folder.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"
#include "tracking/experiments.h"
#include "tracking/logged_models.h"
#include "tracking/runs.h"
#include "tracking/tracking_schema.h"

namespace cortex::frontend::mlflow {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;
using ::testing::StartsWith;

// Does its works at once, on the thread of the test.
class PromptStore final : public store::Store {
 public:
  explicit PromptStore(store::Store& inner) : inner_(inner) {}
  void write(Work work, Done done, store::Durability durability) override {
    done(inner_.write_and_wait(std::move(work), durability));
  }
  void read(Work work, Done done) override { done(inner_.read_and_wait(std::move(work))); }
  [[nodiscard]] std::int64_t revision() const override { return inner_.revision(); }
  void on_change(std::function<void(std::int64_t)> changed) override {
    inner_.on_change(std::move(changed));
  }
  [[nodiscard]] store::StoreHealth health() const override { return inner_.health(); }
  [[nodiscard]] Status backup(const std::filesystem::path& to) override {
    return inner_.backup(to);
  }
  [[nodiscard]] Status check_integrity() override { return inner_.check_integrity(); }

 private:
  store::Store& inner_;
};

struct Answer {
  int status = 0;
  json::value body;

  // The text at a JSON pointer, "" when there is none.
  [[nodiscard]] std::string text(std::string_view pointer) const {
    json::error_code error;
    const json::value* found = body.find_pointer({pointer.data(), pointer.size()}, error);
    if (found == nullptr) return {};
    return found->is_string() ? std::string(found->get_string()) : json::serialize(*found);
  }
  [[nodiscard]] std::size_t size(std::string_view pointer) const {
    json::error_code error;
    const json::value* found = body.find_pointer({pointer.data(), pointer.size()}, error);
    return found == nullptr ? 0 : found->as_array().size();
  }
};

class RegistryRoutes : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    temporary_ = std::make_unique<store::TemporaryStore>(
        GetParam(),
        std::vector<store::Schema>{
            registry::catalog_schema(), tracking::tracking_schema(), store::artifact_schema()
        }
    );
    prompt_ = std::make_unique<PromptStore>(**temporary_);
    auto folder = store::open_artifact_folder(temporary_->folder() / "artifacts");
    ASSERT_TRUE(folder.ok()) << folder.status().to_string();
    artifacts_ = std::move(*folder);
    codec_ = std::make_unique<MlflowCodec>(*prompt_, *artifacts_, MlflowOptions());
    ASSERT_TRUE(codec_->prepare().ok());
    for (Api& api : codec_->make_apis()) {
      if (api.prefix == "/api/2.0/mlflow") api_ = std::move(api);
    }
    log_a_model();
  }

  // A run and a logged model, each with a file.
  void log_a_model() {
    const Status status =
        prompt_->write_and_wait([this](store::Transaction& transaction) -> Status {
          CORTEX_ASSIGN_OR_RETURN(
              const tracking::Run run, tracking::create_run(transaction, "default", {})
          );
          run_ = run.info.run_id;
          tracking::NewLoggedModel wanted;
          wanted.source_run_id = run_;
          CORTEX_ASSIGN_OR_RETURN(
              const tracking::LoggedModel model,
              tracking::create_logged_model(transaction, "default", wanted, 1)
          );
          logged_model_ = model.model_id;
          const store::Blob blob{std::string(64, 'a'), 3};
          for (const std::string& root : {run.info.artifact_uri + "/model", model.artifact_uri}) {
            const std::string path = root.substr(std::string("mlflow-artifacts:/").size());
            CORTEX_RETURN_IF_ERROR(
                store::put_artifact(transaction, "default", path + "/MLmodel", blob)
            );
          }
          run_uri_ = run.info.artifact_uri;
          logged_model_uri_ = model.artifact_uri;
          return {};
        });
    ASSERT_TRUE(status.ok()) << status.to_string();
  }

  Answer send(Method method, std::string_view pattern, HttpRequest request) {
    const auto exchange = frontend::testing::call(api_, method, pattern, std::move(request));
    json::error_code error;
    Answer answer{exchange->sent().status, json::parse(exchange->sent().body, error)};
    EXPECT_FALSE(error) << exchange->sent().body;
    EXPECT_TRUE(answer.body.is_object());
    return answer;
  }
  Answer ask(Method method, std::string_view pattern, const json::value& body) {
    HttpRequest request;
    request.body = frontend::testing::body_of(json::serialize(body));
    request.headers = {{"content-type", "application/json"}, {"x-cortex-reason", "because"}};
    return send(method, pattern, std::move(request));
  }
  Answer get(std::string_view pattern, std::string query) {
    HttpRequest request;
    request.query = std::move(query);
    return send(Method::kGet, pattern, std::move(request));
  }
  Answer post(std::string_view pattern, const json::value& body) {
    return ask(Method::kPost, pattern, body);
  }
  void expect_error(const Answer& answer, int status, std::string_view name) {
    EXPECT_EQ(answer.status, status) << json::serialize(answer.body);
    EXPECT_EQ(answer.text("/error_code"), name) << json::serialize(answer.body);
  }
  void make_model(std::string_view name) {
    ASSERT_EQ(post("/registered-models/create", {{"name", name}}).status, 200);
  }
  void make_version(std::string_view name) {
    const Answer made = post(
        "/model-versions/create",
        {{"name", name}, {"source", run_uri_ + "/model"}, {"run_id", run_}}
    );
    ASSERT_EQ(made.status, 200) << json::serialize(made.body);
  }

  std::unique_ptr<store::TemporaryStore> temporary_;
  std::unique_ptr<PromptStore> prompt_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<MlflowCodec> codec_;
  Api api_;
  std::string run_;
  std::string run_uri_;
  std::string logged_model_;
  std::string logged_model_uri_;
};

TEST_P(RegistryRoutes, register_and_show_a_model) {
  const Answer made = post(
      "/registered-models/create",
      {{"name", "m"},
       {"description", "text"},
       {"tags", {{{"key", "k"}, {"value", "v"}}, {{"key", "k"}, {"value", "w"}}}}}
  );
  EXPECT_EQ(made.status, 200);
  const Answer found = get("/registered-models/get", "name=m");
  EXPECT_EQ(found.body, made.body);
  EXPECT_EQ(found.text("/registered_model/name"), "m");
  EXPECT_EQ(found.text("/registered_model/description"), "text");
  EXPECT_EQ(found.text("/registered_model/tags/0/value"), "w");
  EXPECT_TRUE(found.body.at_pointer("/registered_model/creation_timestamp").is_int64());
}

TEST_P(RegistryRoutes, answer_with_the_errors_that_clients_know) {
  make_model("m");
  expect_error(post("/registered-models/create", {{"name", "m"}}), 400, "RESOURCE_ALREADY_EXISTS");
  expect_error(post("/registered-models/create", {}), 400, "INVALID_PARAMETER_VALUE");
  expect_error(
      post("/registered-models/create", {{"name", "a/b"}}), 400, "INVALID_PARAMETER_VALUE"
  );
  const Answer missing = get("/registered-models/get", "name=x");
  expect_error(missing, 404, "RESOURCE_DOES_NOT_EXIST");
  EXPECT_EQ(missing.text("/message"), "Registered Model with name=x not found");
  expect_error(get("/model-versions/get", "name=m&version=1"), 404, "RESOURCE_DOES_NOT_EXIST");
  expect_error(get("/model-versions/get", "name=m&version=x"), 400, "INVALID_PARAMETER_VALUE");
  const Answer alias = get("/registered-models/alias", "name=m&alias=a");
  expect_error(alias, 400, "INVALID_PARAMETER_VALUE");
  EXPECT_EQ(alias.text("/message"), "Registered model alias a not found.");
  expect_error(
      get("/registered-models/alias", "name=m&alias=latest"), 404, "RESOURCE_DOES_NOT_EXIST"
  );
  expect_error(get("/registered-models/alias", "name=x&alias=a"), 404, "RESOURCE_DOES_NOT_EXIST");
  expect_error(
      get("/registered-models/search", "max_results=1001"), 400, "INVALID_PARAMETER_VALUE"
  );
  expect_error(get("/registered-models/search", "filter=nonsense"), 400, "INVALID_PARAMETER_VALUE");
}

TEST_P(RegistryRoutes, a_name_is_a_models_or_a_prompts) {
  const json::value prompt = {{"key", "mlflow.prompt.is_prompt"}, {"value", "true"}};
  ASSERT_EQ(
      post("/registered-models/create", {{"name", "p"}, {"tags", json::array{prompt}}}).status, 200
  );
  const Answer model = post("/registered-models/create", {{"name", "p"}});
  expect_error(model, 400, "RESOURCE_ALREADY_EXISTS");
  EXPECT_THAT(model.text("/message"), HasSubstr("already taken by a prompt"));
  const Answer again =
      post("/registered-models/create", {{"name", "p"}, {"tags", json::array{prompt}}});
  EXPECT_EQ(again.text("/message"), "Prompt (name=p) already exists.");
  const Answer version = post(
      "/model-versions/create",
      {{"name", "p"}, {"source", "dummy-source"}, {"tags", json::array{prompt}}}
  );
  EXPECT_EQ(version.status, 200);
  expect_error(
      post(
          "/model-versions/create",
          {{"name", "p"}, {"source", "file:///etc"}, {"tags", json::array{prompt}}}
      ),
      400,
      "INVALID_PARAMETER_VALUE"
  );
  EXPECT_EQ(get("/registered-models/search", "").size("/registered_models"), 0U);
}

TEST_P(RegistryRoutes, make_a_version_of_a_runs_files) {
  make_model("m");
  const Answer made = post(
      "/model-versions/create",
      {{"name", "m"},
       {"source", run_uri_ + "/model"},
       {"run_id", run_},
       {"run_link", "link"},
       {"description", "d"},
       {"tags", {{{"key", "k"}, {"value", "v"}}}}}
  );
  ASSERT_EQ(made.status, 200) << json::serialize(made.body);
  EXPECT_TRUE(made.body.at_pointer("/model_version/version").is_string());
  EXPECT_EQ(made.text("/model_version/version"), "1");
  EXPECT_EQ(made.text("/model_version/current_stage"), "None");
  EXPECT_EQ(made.text("/model_version/status"), "READY");
  EXPECT_EQ(made.text("/model_version/source"), run_uri_ + "/model");
  EXPECT_EQ(made.text("/model_version/run_id"), run_);
  EXPECT_EQ(made.text("/model_version/run_link"), "link");
  EXPECT_EQ(get("/model-versions/get", "name=m&version=1").body, made.body);
  EXPECT_EQ(
      get("/model-versions/get-download-uri", "name=m&version=1").text("/artifact_uri"),
      run_uri_ + "/model"
  );
}

TEST_P(RegistryRoutes, make_versions_of_runs_and_logged_models_that_are_named) {
  make_model("m");
  const std::string by_model = "models:/" + logged_model_;
  const Answer logged = post(
      "/model-versions/create", {{"name", "m"}, {"source", by_model}, {"model_id", logged_model_}}
  );
  ASSERT_EQ(logged.status, 200) << json::serialize(logged.body);
  EXPECT_EQ(logged.text("/model_version/source"), by_model);
  EXPECT_EQ(logged.text("/model_version/run_id"), run_);
  EXPECT_EQ(logged.text("/model_version/model_id"), logged_model_);
  EXPECT_EQ(
      get("/model-versions/get-download-uri", "name=m&version=1").text("/artifact_uri"),
      logged_model_uri_
  );
  const std::string by_run = "runs:/" + run_ + "/model";
  EXPECT_EQ(post("/model-versions/create", {{"name", "m"}, {"source", by_run}}).status, 200);
  EXPECT_EQ(
      get("/model-versions/get-download-uri", "name=m&version=2").text("/artifact_uri"),
      run_uri_ + "/model"
  );
  // As clients copy a version.
  EXPECT_EQ(
      post("/model-versions/create", {{"name", "m"}, {"source", "models:/m/2"}})
          .text("/model_version/run_id"),
      run_
  );
}

TEST_P(RegistryRoutes, refuse_a_source_that_is_not_ours) {
  make_model("m");
  const std::string other_run = "runs:/" + run_ + "/other";
  for (const std::string& source :
       {std::string("file:///etc/passwd"),
        std::string("/etc/passwd"),
        std::string("http://host/x"),
        std::string("s3://bucket/x"),
        std::string("mlflow-artifacts:/0/../../etc"),
        std::string("mlflow-artifacts:/nothing"),
        std::string("dummy-source"),
        run_uri_ + "/model?x=1",
        run_uri_ + "/%2e%2e/model",
        other_run}) {
    expect_error(
        post("/model-versions/create", {{"name", "m"}, {"source", source}}),
        400,
        "INVALID_PARAMETER_VALUE"
    );
  }
  const std::string by_run = "runs:/" + run_ + "/model";
  expect_error(
      post("/model-versions/create", {{"name", "m"}, {"source", by_run}, {"run_id", "other"}}),
      400,
      "INVALID_PARAMETER_VALUE"
  );
  expect_error(get("/model-versions/get", "name=m&version=1"), 404, "RESOURCE_DOES_NOT_EXIST");
}

TEST_P(RegistryRoutes, set_read_and_delete_aliases) {
  make_model("m");
  make_version("m");
  make_version("m");
  const json::value change = {{"name", "m"}, {"alias", "champion"}, {"version", "2"}};
  EXPECT_EQ(post("/registered-models/alias", change).body, json::value(json::object()));
  const Answer found = get("/registered-models/alias", "name=m&alias=champion");
  EXPECT_EQ(found.text("/model_version/version"), "2");
  EXPECT_EQ(found.text("/model_version/aliases/0"), "champion");
  const Answer model = get("/registered-models/get", "name=m");
  EXPECT_EQ(model.text("/registered_model/aliases/0/alias"), "champion");
  EXPECT_EQ(model.text("/registered_model/aliases/0/version"), "2");
  EXPECT_EQ(
      get("/registered-models/alias", "name=m&alias=latest").text("/model_version/version"), "2"
  );
  expect_error(
      post("/registered-models/alias", {{"name", "m"}, {"alias", "v1"}, {"version", "1"}}),
      400,
      "INVALID_PARAMETER_VALUE"
  );
  expect_error(
      post("/registered-models/alias", {{"name", "m"}, {"alias", "a"}, {"version", "0"}}),
      400,
      "INVALID_PARAMETER_VALUE"
  );
  for (int i = 0; i < 2; ++i) {
    const Answer gone =
        ask(Method::kDelete, "/registered-models/alias", {{"name", "m"}, {"alias", "champion"}});
    EXPECT_EQ(gone.status, 200);
  }
  expect_error(
      get("/registered-models/alias", "name=m&alias=champion"), 400, "INVALID_PARAMETER_VALUE"
  );
}

TEST_P(RegistryRoutes, keep_the_reason_that_a_header_gives) {
  make_model("m");
  make_version("m");
  post("/registered-models/alias", {{"name", "m"}, {"alias", "a"}, {"version", "1"}});
  const Status status = prompt_->read_and_wait([](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(
        const auto entry, registry::find_alias(transaction, "default", "m", "a")
    );
    EXPECT_EQ(entry->reason, "because");
    return {};
  });
  EXPECT_TRUE(status.ok());
}

TEST_P(RegistryRoutes, move_versions_through_stages) {
  make_model("m");
  for (int i = 0; i < 3; ++i) make_version("m");
  const auto move = [this](std::string_view version, std::string_view stage, bool archive) {
    return post(
        "/model-versions/transition-stage",
        {{"name", "m"},
         {"version", version},
         {"stage", stage},
         {"archive_existing_versions", archive}}
    );
  };
  EXPECT_EQ(move("1", "production", false).text("/model_version/current_stage"), "Production");
  EXPECT_EQ(move("2", "Production", true).status, 200);
  EXPECT_EQ(
      get("/model-versions/get", "name=m&version=1").text("/model_version/current_stage"),
      "Archived"
  );
  expect_error(move("2", "Prod", false), 400, "INVALID_PARAMETER_VALUE");
  expect_error(move("2", "None", true), 400, "INVALID_PARAMETER_VALUE");

  const Answer posted = post(
      "/registered-models/get-latest-versions",
      {{"name", "m"}, {"stages", json::array{"Production", "none"}}}
  );
  EXPECT_EQ(posted.size("/model_versions"), 2U);
  EXPECT_EQ(posted.text("/model_versions/0/version"), "3");
  EXPECT_EQ(posted.text("/model_versions/1/version"), "2");
  const Answer got =
      get("/registered-models/get-latest-versions", "name=m&stages=Production&stages=none");
  EXPECT_EQ(got.body, posted.body);
  EXPECT_EQ(
      post("/registered-models/get-latest-versions", {{"name", "m"}}).size("/model_versions"), 3U
  );
  EXPECT_EQ(get("/registered-models/get", "name=m").size("/registered_model/latest_versions"), 3U);
  expect_error(
      post("/registered-models/get-latest-versions", {{"name", "x"}}),
      404,
      "RESOURCE_DOES_NOT_EXIST"
  );
}

TEST_P(RegistryRoutes, describe_tag_rename_and_delete) {
  make_model("m");
  make_version("m");
  EXPECT_EQ(
      ask(Method::kPatch, "/registered-models/update", {{"name", "m"}, {"description", "x"}})
          .text("/registered_model/description"),
      "x"
  );
  EXPECT_EQ(
      ask(Method::kPatch,
          "/model-versions/update",
          {{"name", "m"}, {"version", "1"}, {"description", "y"}})
          .text("/model_version/description"),
      "y"
  );
  const json::value tag = {{"name", "m"}, {"version", "1"}, {"key", "k"}, {"value", ""}};
  EXPECT_EQ(post("/registered-models/set-tag", tag).status, 200);
  EXPECT_EQ(post("/model-versions/set-tag", tag).status, 200);
  EXPECT_EQ(get("/model-versions/get", "name=m&version=1").text("/model_version/tags/0/key"), "k");
  EXPECT_EQ(ask(Method::kDelete, "/registered-models/delete-tag", tag).status, 200);
  EXPECT_EQ(ask(Method::kDelete, "/model-versions/delete-tag", tag).status, 200);
  EXPECT_EQ(get("/registered-models/get", "name=m").size("/registered_model/tags"), 0U);
  EXPECT_EQ(
      post("/registered-models/rename", {{"name", "m"}, {"new_name", "n"}})
          .text("/registered_model/latest_versions/0/name"),
      "n"
  );
  EXPECT_EQ(
      ask(Method::kDelete, "/model-versions/delete", {{"name", "n"}, {"version", "1"}}).status, 200
  );
  EXPECT_EQ(ask(Method::kDelete, "/registered-models/delete", {{"name", "n"}}).status, 200);
  expect_error(
      ask(Method::kDelete, "/registered-models/delete", {{"name", "n"}}),
      404,
      "RESOURCE_DOES_NOT_EXIST"
  );
}

TEST_P(RegistryRoutes, search_page_by_page) {
  for (const char* name : {"a", "b", "c"}) {
    make_model(name);
    make_version(name);
  }
  const Answer first = get("/registered-models/search", "max_results=2&order_by=name+DESC");
  EXPECT_EQ(first.size("/registered_models"), 2U);
  EXPECT_EQ(first.text("/registered_models/0/name"), "c");
  EXPECT_EQ(first.text("/registered_models/0/latest_versions/0/name"), "c");
  const std::string token = first.text("/next_page_token");
  ASSERT_NE(token, "");
  const Answer second =
      get("/registered-models/search", "max_results=2&order_by=name+DESC&page_token=" + token);
  EXPECT_EQ(second.size("/registered_models"), 1U);
  EXPECT_EQ(second.text("/next_page_token"), "");
  const Answer versions = get("/model-versions/search", "filter=name%3D%27b%27&max_results=200000");
  EXPECT_EQ(versions.size("/model_versions"), 1U);
  EXPECT_EQ(versions.text("/model_versions/0/name"), "b");
  EXPECT_EQ(
      get("/model-versions/search", "filter=run_id%3D%27" + run_ + "%27").size("/model_versions"),
      3U
  );
  expect_error(get("/model-versions/search", "max_results=200001"), 400, "INVALID_PARAMETER_VALUE");
  expect_error(get("/model-versions/search", "max_results=0"), 400, "INVALID_PARAMETER_VALUE");
}

TEST_P(RegistryRoutes, ask_for_the_scope_that_a_change_needs) {
  for (const MlflowRoute& route : registry_routes()) {
    const bool reads =
        route.method == Method::kGet || route.pattern == "/registered-models/get-latest-versions";
    EXPECT_EQ(route.scope, reads ? Scope::kRead : Scope::kAdmin) << route.pattern;
    EXPECT_THAT(std::string(route.pattern), StartsWith("/"));
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    RegistryRoutes,
    ::testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::frontend::mlflow
