// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/version_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::vector<SourceFile> files(const std::vector<std::string>& paths) {
  std::vector<SourceFile> out;
  for (const std::string& path : paths) out.push_back({path, "d-" + path, path.size()});
  return out;
}

std::vector<std::string> places(const Result<std::vector<PlacedFile>>& placed) {
  std::vector<std::string> out;
  if (!placed.ok()) return {placed.status().text()};
  for (const PlacedFile& p : *placed) {
    out.push_back(p.file.path == p.place ? p.place : p.file.path + " as " + p.place);
  }
  return out;
}

const MlModel kOnnx{{"onnx", "python_function"}, "model.onnx"};

TEST(VersionLayout, takes_the_onnx_file_its_tensors_and_the_tokenizer) {
  const auto all = files(
      {"MLmodel",
       "code/x.py",
       "conda.yaml",
       "input_example.json",
       "model.onnx",
       "model.onnx.data",
       "model.yaml",
       "python_env.yaml",
       "requirements.txt",
       "tokenizer.json",
       "weights/layer.0"}
  );
  EXPECT_THAT(
      places(place_mlflow_files(kOnnx, all)),
      ElementsAre(
          "model.onnx", "model.onnx.data", "model.yaml", "tokenizer.json", "weights/layer.0"
      )
  );
}

TEST(VersionLayout, keeps_the_names_that_the_graph_uses_relative_to_its_file) {
  const MlModel model{{"onnx"}, "data/net.onnx"};
  const auto all = files({"MLmodel", "data/big/w.bin", "data/net.onnx", "other/x", "vocab.txt"});
  EXPECT_THAT(
      places(place_mlflow_files(model, all)),
      ElementsAre("data/big/w.bin as big/w.bin", "data/net.onnx as model.onnx", "vocab.txt")
  );
}

TEST(VersionLayout, says_why_a_model_cannot_be_served_here) {
  EXPECT_THAT(
      places(place_mlflow_files({{"python_function", "sklearn"}, ""}, files({"model.pkl"}))),
      ElementsAre("no ONNX flavor, and not one GGUF file: python_function, sklearn")
  );
  EXPECT_THAT(
      places(place_mlflow_files(kOnnx, files({"MLmodel"}))), ElementsAre(HasSubstr("is missing"))
  );
  const MlModel other{{"onnx"}, "net.onnx"};
  EXPECT_THAT(
      places(place_mlflow_files(other, files({"model.onnx", "net.onnx"}))),
      ElementsAre("'model.onnx' and 'net.onnx' would both be 'model.onnx'")
  );
  EXPECT_THAT(
      places(place_plain_files(files({"README.md"}))), ElementsAre(HasSubstr("neither MLmodel nor"))
  );
  EXPECT_EQ(place_plain_files(files({"README.md"})).status().code(), Code::kFailedPrecondition);
}

TEST(VersionLayout, takes_a_plain_version_folder_as_it_is) {
  EXPECT_THAT(
      places(place_plain_files(files({"model.yaml", "model.synthetic", "a/b"}))),
      ElementsAre("a/b", "model.synthetic", "model.yaml")
  );
}

TEST(VersionLayout, takes_a_gguf_file_by_any_name_where_there_is_one) {
  EXPECT_THAT(
      places(place_plain_files(files({"chat.jinja", "tiny-Q4_K_M.gguf"}))),
      ElementsAre("chat.jinja", "tiny-Q4_K_M.gguf as model.gguf")
  );
  EXPECT_THAT(
      places(place_plain_files(files({"draft.gguf", "model.gguf"}))),
      ElementsAre("draft.gguf", "model.gguf")
  );
  EXPECT_THAT(
      places(place_plain_files(files({"a.gguf", "b.gguf"}))), ElementsAre(HasSubstr("one GGUF"))
  );
  EXPECT_THAT(
      places(place_plain_files(files({"sequences.synthetic"}))), ElementsAre("sequences.synthetic")
  );
}

TEST(VersionLayout, takes_a_logged_gguf_file_from_wherever_it_lies) {
  const MlModel logged{{"python_function"}, ""};
  const auto all = files(
      {"MLmodel", "artifacts/tiny.gguf", "chat.jinja", "code/x.jinja", "conda.yaml", "model.yaml"}
  );
  EXPECT_THAT(
      places(place_mlflow_files(logged, all)),
      ElementsAre("chat.jinja", "artifacts/tiny.gguf as model.gguf", "model.yaml")
  );
  EXPECT_FALSE(place_mlflow_files(logged, files({"MLmodel", "a.gguf", "b.gguf"})).ok());
}

TEST(VersionLayout, lets_no_file_lead_out_or_stand_for_the_manifest) {
  for (const char* path : {"../x", "/x", "a/../../x", ".manifest"}) {
    EXPECT_FALSE(place_plain_files(files({"model.onnx", path})).ok()) << path;
  }
}

TEST(VersionLayout, has_one_manifest_for_the_same_files) {
  const auto placed = place_plain_files(files({"model.onnx", "a"}));
  ASSERT_TRUE(placed.ok());
  EXPECT_EQ(manifest_text("7 1/x", *placed), "7 1/x\nd-a 1 a\nd-model.onnx 10 model.onnx\n");
}

}  // namespace
}  // namespace cortex::registry
