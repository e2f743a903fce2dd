// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/version_source.h"

#include <optional>
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;

const std::string kLoggedModel = "m-0123456789abcdef0123456789abcdef";

// What stands: the folders of a run and of a logged model, and a model with a version.
class VersionSource : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(catalog_.make_model("iris").ok());
    NewVersion wanted;
    wanted.model = "iris";
    wanted.source = "runs:/run1/model";
    wanted.location = "1/run1/artifacts/model";
    wanted.run = "run1";
    ASSERT_TRUE(catalog_.make_version(wanted).ok());
    ASSERT_TRUE(catalog_.set_alias({"iris", "champion", 1, {}}).ok());
  }

  Result<ResolvedSource> resolve(const std::string& source) {
    return catalog_.read([&](store::Transaction& transaction) {
      return resolve_source(transaction, locations(), "default", source);
    });
  }
  std::string location(const std::string& source) {
    const auto resolved = resolve(source);
    return resolved.ok() ? resolved->location : "refused: " + resolved.status().text();
  }
  bool refuses(const std::string& source) {
    const auto resolved = resolve(source);
    return resolved.status().code() == Code::kInvalidArgument;
  }

  static ArtifactLocations locations() {
    ArtifactLocations known;
    known.of_run = [](store::Transaction&, const std::string&, const std::string& run) {
      return run == "run1" ? Result<std::string>("1/run1/artifacts") : not_found("no run");
    };
    known.of_logged_model = [](store::Transaction&, const std::string&, const std::string& id) {
      return id == kLoggedModel
                 ? Result<LoggedModelPlace>({"1/models/" + id + "/artifacts", "run1"})
                 : not_found("no logged model");
    };
    known.stands = [](store::Transaction&, const std::string&, const std::string& path) {
      return Result<bool>(path == "1/run1/artifacts" || path.starts_with("1/run1/artifacts/model"));
    };
    return known;
  }

  TestCatalog catalog_{"sqlite"};
};

TEST_F(VersionSource, takes_the_forms_that_mean_an_artifact_of_ours) {
  EXPECT_EQ(location("mlflow-artifacts:/1/run1/artifacts/model"), "1/run1/artifacts/model");
  EXPECT_EQ(location("mlflow-artifacts:/1/run1/artifacts/model/"), "1/run1/artifacts/model");
  EXPECT_EQ(location("1/run1/artifacts/model"), "1/run1/artifacts/model");
  EXPECT_EQ(location("runs:/run1/model"), "1/run1/artifacts/model");
  EXPECT_EQ(location("runs:/run1"), "1/run1/artifacts");
  EXPECT_EQ(location("models:/" + kLoggedModel), "1/models/" + kLoggedModel + "/artifacts");
  EXPECT_EQ(location("models:/iris/1"), "1/run1/artifacts/model");
  EXPECT_EQ(location("models:/iris@champion"), "1/run1/artifacts/model");
}

TEST_F(VersionSource, says_which_run_and_which_logged_model_it_names) {
  EXPECT_EQ(resolve("runs:/run1/model")->run, "run1");
  EXPECT_EQ(resolve("models:/" + kLoggedModel)->logged_model, kLoggedModel);
  EXPECT_EQ(resolve("models:/" + kLoggedModel)->run, "run1");
  EXPECT_EQ(resolve("models:/iris/1")->run, "run1");
}

TEST_F(VersionSource, refuses_what_does_not_stand) {
  EXPECT_TRUE(refuses("mlflow-artifacts:/1/run1/artifacts/other"));
  EXPECT_TRUE(refuses("runs:/run2/model"));
  EXPECT_TRUE(refuses("runs:/run1/other"));
  EXPECT_TRUE(refuses("models:/m-ffffffffffffffffffffffffffffffff"));
  EXPECT_TRUE(refuses("models:/iris/2"));
  EXPECT_TRUE(refuses("models:/iris@other"));
  EXPECT_TRUE(refuses("models:/other@champion"));
}

// Each stands for a way out of the artifacts that some server once had.
TEST_F(VersionSource, refuses_every_way_out) {
  for (const char* source : {
           "",
           "/",
           "file:///etc",
           "file:/etc/passwd",
           "FILE:///etc",
           "/etc/passwd",
           "//etc/passwd",
           "C:/windows",
           "..",
           "../x",
           "1/run1/artifacts/model/../../..",
           "1/run1/artifacts/model/./x",
           "1/run1/artifacts//model",
           "./1/run1/artifacts/model",
           "http://host/api/2.0/mlflow-artifacts/artifacts/1/run1/artifacts/model",
           "https://host/x",
           "ftp://host/x",
           "s3://bucket/key",
           "dbfs:/x",
           "mlflow-artifacts://host/1/run1/artifacts/model",
           "mlflow-artifacts:///1/run1/artifacts/model",
           "mlflow-artifacts:1/run1/artifacts/model",
           "mlflow-artifacts:/",
           "mlflow-artifacts:/1/run1/artifacts/model/../../../..",
           "mlflow-artifacts:/1/run1/artifacts/model/%2e%2e/x",
           "mlflow-artifacts:/1/run1/artifacts/model%2f..%2f..",
           "mlflow-artifacts:/1/run1/artifacts/model?x=1",
           "mlflow-artifacts:/1/run1/artifacts/model#/../..",
           "mlflow-artifacts:/1/run1/artifacts/model\\..\\..",
           "mlflow-artifacts:/1/run1/artifacts/model\n",
           "MLFLOW-ARTIFACTS:/1/run1/artifacts/model",
           "runs:/",
           "runs:/run1/../run2",
           "runs:/run1//model",
           "runs:/../x",
           "runs://host/run1/model",
           "models:/",
           "models:/iris",
           "models:/iris/",
           "models:/iris/latest",
           "models:/iris/0",
           "models:/iris/-1",
           "models:/iris/1x",
           "models:/iris/99999999999999999999",
           "models:/iris/1/x",
           "models:/m-123",
           "models://host/iris/1",
       }) {
    EXPECT_TRUE(refuses(source)) << source << " means " << location(source);
  }
}

TEST_F(VersionSource, a_nul_hides_nothing) {
  EXPECT_TRUE(refuses(std::string("1/run1/artifacts/model\0/x", 25)));
}

TEST_F(VersionSource, a_refusal_shows_only_what_can_be_shown) {
  const std::string text = resolve("file:/\x1b[31m").status().text();
  EXPECT_THAT(text, HasSubstr("'file:/?[31m'"));
}

}  // namespace
}  // namespace cortex::registry
