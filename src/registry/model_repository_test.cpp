// SPDX-License-Identifier: Apache-2.0
#include "registry/model_repository.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<std::int64_t> versions_of(const ModelFolder& folder) {
  std::vector<std::int64_t> out;
  for (const VersionFolder& version : folder.versions) out.push_back(version.version);
  return out;
}

ModelFolder read_one(const TestFolder& folder, const std::string& name) {
  return read_model_folder(folder.path() / name);
}

TEST(ModelRepository, reads_models_with_and_without_configuration) {
  TestFolder folder;
  folder.write("plain/1/model.onnx", "x");
  folder.write("declared/config.pbtxt", "backend: \"onnxruntime\" max_batch_size: 4");
  folder.write("declared/3/model.onnx", "x");
  folder.write("text/model.yaml", "pooling: cls\n");
  folder.write("text/vocab.txt", "[PAD]\n");
  folder.write("text/1/model.synthetic", "x");
  folder.write("chat/1/model.gguf", "x");
  folder.write("stray.txt", "x");
  folder.write(".hidden/1/model.onnx", "x");
  const std::vector<fs::path> repositories{folder.path()};
  const auto snapshot = read_repositories(repositories, {});
  ASSERT_TRUE(snapshot.ok()) << snapshot.status().to_string();
  ASSERT_EQ(snapshot->models.size(), 4U);
  EXPECT_EQ(snapshot->models.at("chat").config.backend, "llama");
  for (const auto& [name, model] : snapshot->models)
    EXPECT_TRUE(model.fault.ok()) << model.fault.to_string();
  const ModelConfig& plain = snapshot->models.at("plain").config;
  EXPECT_EQ(plain.name, "plain");
  EXPECT_EQ(plain.backend, "onnx");
  EXPECT_EQ(plain.default_filename, "model.onnx");
  EXPECT_TRUE(plain.open.batch_size);
  EXPECT_TRUE(plain.text.tokenizer.empty());
  EXPECT_EQ(snapshot->models.at("declared").config.max_batch_size, 4U);
  const ModelConfig& text = snapshot->models.at("text").config;
  EXPECT_EQ(text.backend, "synthetic");
  EXPECT_EQ(text.text.tokenizer, "vocab.txt");
  EXPECT_EQ(text.text.pooling, Pooling::kCls);
}

TEST(ModelRepository, takes_positive_numbers_without_leading_zeros_for_versions) {
  TestFolder folder;
  for (const char* name : {"10", "2", "01", "0", "-1", "1a", "99999999999999999999", "labels"}) {
    folder.write("m/" + std::string(name) + "/model.onnx", "x");
  }
  folder.write("m/7", "a file");
  EXPECT_THAT(versions_of(read_one(folder, "m")), ElementsAre(2, 10));
}

struct FaultyFolder {
  const char* name;
  std::vector<std::pair<std::string, std::string>> files;
  const char* text;
};

class ModelRepositoryFault : public testing::TestWithParam<FaultyFolder> {};

TEST_P(ModelRepositoryFault, is_named_and_spares_the_neighbour) {
  TestFolder folder;
  folder.write("good/1/model.onnx", "x");
  for (const auto& [file, text] : GetParam().files) folder.write("m/" + file, text);
  const std::vector<fs::path> repositories{folder.path()};
  const auto snapshot = read_repositories(repositories, {});
  ASSERT_TRUE(snapshot.ok());
  EXPECT_TRUE(snapshot->models.at("good").fault.ok());
  EXPECT_THAT(snapshot->models.at("m").fault.text(), HasSubstr(GetParam().text));
}

INSTANTIATE_TEST_SUITE_P(
    ModelRepository,
    ModelRepositoryFault,
    testing::Values(
        FaultyFolder{"no_version", {{"model.yaml", "backend: onnx"}}, "no version folder"},
        FaultyFolder{"no_file", {{"1/other.bin", ""}}, "version 1 holds neither model.onnx nor"},
        FaultyFolder{
            "both_files",
            {{"1/model.onnx", ""}, {"model.yaml", ""}, {"config.pbtxt", ""}},
            "both config.pbtxt and model.yaml"
        },
        FaultyFolder{
            "bad_yaml", {{"1/model.onnx", ""}, {"model.yaml", "a: ["}}, "model.yaml: line"
        },
        FaultyFolder{
            "bad_pbtxt", {{"1/model.onnx", ""}, {"config.pbtxt", "a: ["}}, "config.pbtxt: line 1"
        },
        FaultyFolder{
            "a_folder_as_file",
            {{"1/model.onnx", ""}, {"model.yaml/x", ""}},
            "model.yaml: not a readable file"
        },
        FaultyFolder{
            "too_long",
            {{"1/model.onnx", ""}, {"model.yaml", std::string((1 << 20) + 1, ' ')}},
            "longer than"
        },
        FaultyFolder{
            "other_name",
            {{"1/model.onnx", ""}, {"config.pbtxt", "name: \"n\""}},
            "unexpected directory name 'm' for model 'n', directory name must equal model name"
        },
        FaultyFolder{
            "no_tokenizer",
            {{"1/model.onnx", ""}, {"model.yaml", "tokenizer: t.json"}},
            "the model folder has no file 't.json'"
        },
        FaultyFolder{
            "versions_that_are_not_there",
            {{"1/model.onnx", ""}, {"model.yaml", "version_policy: {specific: [2]}"}},
            "no version folder is one that the version policy names"
        },
        FaultyFolder{
            "unknown_extension",
            {{"1/net.xyz", ""}, {"model.yaml", "filename: net.xyz"}},
            "no backend: the configuration names none for 'net.xyz'"
        }
    ),
    [](const auto& row) { return std::string(row.param.name); }
);

TEST(ModelRepository, quarantines_a_name_that_is_in_two_repositories) {
  TestFolder one;
  TestFolder two;
  one.write("m/1/model.onnx", "x");
  two.write("m/1/model.onnx", "x");
  two.write("n/1/model.onnx", "x");
  const std::vector<fs::path> repositories{one.path(), two.path()};
  const auto snapshot = read_repositories(repositories, {});
  ASSERT_TRUE(snapshot.ok());
  const std::string text = snapshot->models.at("m").fault.text();
  EXPECT_THAT(text, HasSubstr((one.path() / "m").string()));
  EXPECT_THAT(text, HasSubstr((two.path() / "m").string()));
  EXPECT_TRUE(snapshot->models.at("n").fault.ok());
}

TEST(ModelRepository, is_an_error_when_a_repository_is_no_folder) {
  TestFolder folder;
  folder.write("file", "x");
  for (const char* name : {"missing", "file"}) {
    const std::vector<fs::path> repositories{folder.path() / name};
    const auto snapshot = read_repositories(repositories, {});
    ASSERT_FALSE(snapshot.ok());
    EXPECT_THAT(snapshot.status().text(), HasSubstr(name));
  }
}

TEST(ModelRepository, follows_links_as_mounted_volumes_make_them) {
  TestFolder elsewhere;
  elsewhere.write("data/1/model.onnx", "x");
  TestFolder folder;
  fs::create_directory_symlink(elsewhere.path() / "data", folder.path() / "m");
  fs::create_directory_symlink("round", folder.path() / "round");
  const std::vector<fs::path> repositories{folder.path()};
  const auto snapshot = read_repositories(repositories, {});
  ASSERT_TRUE(snapshot.ok());
  EXPECT_TRUE(snapshot->models.at("m").fault.ok());
  EXPECT_THAT(snapshot->models.at("round").fault.text(), HasSubstr("not a readable folder"));
}

TEST(ModelRepository, leaves_out_folders_that_are_not_model_names) {
  TestFolder folder;
  folder.write("lost+found/1/model.onnx", "x");
  const std::vector<fs::path> repositories{folder.path()};
  const auto snapshot = read_repositories(repositories, {});
  ASSERT_TRUE(snapshot.ok());
  EXPECT_TRUE(snapshot->models.empty());
  EXPECT_THAT(snapshot->notes, ElementsAre(HasSubstr("lost+found")));
}

TEST(ModelRepository, never_leaves_the_repositories_for_a_name) {
  TestFolder folder;
  folder.write("repository/m/1/model.onnx", "x");
  folder.write("secret/1/model.onnx", "x");
  const std::vector<fs::path> repositories{folder.path() / "repository"};
  EXPECT_TRUE(read_model(repositories, "m", {}).has_value());
  for (const char* name : {"../secret", "m/1", "", ".", "..", "/etc", "n"}) {
    EXPECT_FALSE(read_model(repositories, name, {}).has_value()) << name;
  }
}

TEST(ModelRepository, gives_changed_files_another_fingerprint) {
  TestFolder folder;
  folder.write("m/1/model.onnx", "x");
  folder.write("m/2/model.onnx", "x");
  const ModelFolder before = read_one(folder, "m");
  EXPECT_EQ(read_one(folder, "m").versions[1].fingerprint, before.versions[1].fingerprint);
  folder.write("m/2/data/weights.bin", "more");
  const ModelFolder after = read_one(folder, "m");
  EXPECT_EQ(after.versions[0].fingerprint, before.versions[0].fingerprint);
  EXPECT_NE(after.versions[1].fingerprint, before.versions[1].fingerprint);
  folder.write("m/model.yaml", "threads: 1");
  EXPECT_NE(read_one(folder, "m").versions[0].fingerprint, before.versions[0].fingerprint);
}

TEST(ModelRepository, lets_a_load_request_stand_for_the_file) {
  TestFolder folder;
  folder.write("m/1/model.onnx", "x");
  folder.write("m/vocab.txt", "[PAD]");
  folder.write("m/model.yaml", "max_batch_size: 4\npooling: cls\nthreads: 3\n");
  const std::string json = R"({"max_batch_size": 9})";
  const ModelFolder read = read_model_folder(folder.path() / "m", &json);
  ASSERT_TRUE(read.fault.ok()) << read.fault.to_string();
  EXPECT_EQ(read.config.max_batch_size, 9U);
  EXPECT_EQ(read.config.threads, 3U);
  EXPECT_EQ(read.config.text.pooling, Pooling::kCls);
  EXPECT_NE(read.versions[0].fingerprint, read_one(folder, "m").versions[0].fingerprint);
  const std::string broken = R"({"max_batch": 9})";
  EXPECT_THAT(
      read_model_folder(folder.path() / "m", &broken).fault.text(),
      HasSubstr("config of the load request: ")
  );
}

TEST(ModelRepository, reads_stored_versions_each_for_itself) {
  TestFolder folder;
  folder.write("m/1/.manifest", "a");
  folder.write("m/1/model.onnx", "x");
  folder.write("m/1/config.pbtxt", "name: \"trained_as\" max_batch_size: 4");
  folder.write("m/2/.manifest", "b");
  folder.write("m/2/model.synthetic", "x");
  folder.write("m/3/model.onnx", "x");
  folder.write("m/4/.manifest", "c");
  folder.write("m/4/model.onnx", "x");
  folder.write("m/4/model.yaml", "nonsense: 1");
  folder.write(".incoming/new/model.onnx", "x");
  const auto snapshot = read_repositories({}, {}, {folder.path()});
  ASSERT_TRUE(snapshot.ok());
  ASSERT_EQ(snapshot->models.size(), 1U);
  const ModelFolder& model = snapshot->models.at("m");
  EXPECT_TRUE(model.stored);
  EXPECT_TRUE(model.fault.ok());
  ASSERT_EQ(model.versions.size(), 4U);
  EXPECT_EQ(model.versions[0].config->name, "m");
  EXPECT_EQ(model.versions[0].config->max_batch_size, 4U);
  EXPECT_EQ(model.versions[1].config->backend, "synthetic");
  EXPECT_THAT(model.versions[2].fault.text(), HasSubstr(".manifest: not a readable file"));
  EXPECT_THAT(model.versions[3].fault.text(), HasSubstr("nonsense: unknown key"));
}

TEST(ModelRepository, knows_a_stored_version_by_what_it_was_made_of) {
  TestFolder folder;
  folder.write("m/1/.manifest", "a");
  folder.write("m/1/model.onnx", "x");
  const auto read = [&] {
    return read_model({}, "m", {}, {folder.path()})->versions[0].fingerprint;
  };
  const auto first = read();
  folder.write("m/1/model.onnx", "the same blob, linked anew");
  EXPECT_EQ(read(), first);
  folder.write("m/1/.manifest", "b");
  EXPECT_NE(read(), first);
}

TEST(ModelRepository, lets_a_users_folder_win_over_what_is_stored_under_its_name) {
  TestFolder users;
  TestFolder stored;
  users.write("m/1/model.onnx", "x");
  stored.write("m/1/model.onnx", "x");
  stored.write("n/1/model.onnx", "x");
  const std::vector<fs::path> repositories{users.path()};
  const auto all = read_repositories(repositories, {}, {stored.path()});
  ASSERT_TRUE(all.ok());
  const auto one = read_model(repositories, "m", {}, {stored.path()});
  ASSERT_TRUE(one.has_value());
  for (const ModelFolder& model : {all->models.at("m"), *one}) {
    EXPECT_TRUE(model.fault.ok()) << model.fault.text();
    EXPECT_FALSE(model.stored);
    EXPECT_EQ(model.path, users.path() / "m");
    EXPECT_THAT(model.stored_fault.text(), HasSubstr((users.path() / "m").string()));
  }
  EXPECT_TRUE(all->models.at("n").stored_fault.ok());
}

}  // namespace
}  // namespace cortex::registry
