// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;

struct Folders {
  Folders() {
    folder.write("adapters/a.gguf", "abc");
    folder.write("adapters/deep/b.gguf", "abc");
    folder.write("secret", "abc");
    folder.write("adapters-too/c.gguf", "abc");
  }
  [[nodiscard]] fs::path adapters() const { return folder.path() / "adapters"; }
  [[nodiscard]] Result<AdapterFile> open(const std::string& path) const {
    return AdapterFile::open(adapters(), path, 3);
  }

  TestFolder folder;
};

TEST(AdapterFile, is_read_whole_and_named_by_its_bytes) {
  const Folders folders;
  const auto file = folders.open("a.gguf");
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  EXPECT_EQ(file->digest(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(file->bytes(), 3);
  EXPECT_EQ(folders.open("deep/../deep/b.gguf")->below_folder(), "deep/b.gguf");
  EXPECT_EQ(folders.open((folders.adapters() / "a.gguf").string())->below_folder(), "a.gguf");
}

TEST(AdapterFile, an_engine_s_words_about_the_open_file_name_its_place) {
  const Folders folders;
  const auto file = folders.open("deep/b.gguf");
  ASSERT_TRUE(file.ok()) << file.status().to_string();
  const std::string opened = file->path().string();
  const std::string last = file->path().filename().string();
  EXPECT_EQ(
      file->named("failed to load '" + opened + "': " + opened),
      "failed to load 'deep/b.gguf': deep/b.gguf"
  );
  EXPECT_EQ(file->named(last + ": no adapter"), "deep/b.gguf: no adapter");
  EXPECT_EQ(file->named(last + " cannot be read"), "deep/b.gguf cannot be read");
  for (const std::string& other : {opened + "0", last + "0 tensors", "has " + last + " tensors"}) {
    EXPECT_EQ(file->named(other), other);
  }
  folders.folder.write("adapters" + opened, "abc");
  const auto twin = folders.open(opened.substr(1));
  ASSERT_TRUE(twin.ok()) << twin.status().to_string();
  EXPECT_EQ(twin->named("at " + twin->path().string()), "at " + opened.substr(1));
}

TEST(AdapterFile, nothing_leads_out_of_the_folder) {
  const Folders folders;
  fs::create_symlink(folders.folder.path() / "secret", folders.adapters() / "link");
  fs::create_directory_symlink(folders.folder.path(), folders.adapters() / "out");
  fs::create_symlink("deep/b.gguf", folders.adapters() / "inside");
  for (const std::string& path :
       {std::string("../secret"),
        std::string("deep/../../secret"),
        std::string("link"),
        std::string("out/secret"),
        std::string("../adapters-too/c.gguf"),
        (folders.folder.path() / "secret").string(),
        std::string("/etc/passwd"),
        std::string("/proc/self/environ")}) {
    const Status status = folders.open(path).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << path;
    EXPECT_EQ(status.field(), "path") << path;
  }
  EXPECT_EQ(folders.open("inside")->below_folder(), "deep/b.gguf");
}

TEST(AdapterFile, only_regular_files_of_bounded_size_are_read) {
  const Folders folders;
  folders.folder.write("adapters/large", "abcd");
  ASSERT_EQ(::mkfifo((folders.adapters() / "fifo").c_str(), 0600), 0);
  for (const char* path : {"large", "fifo", "deep", "."}) {
    EXPECT_EQ(folders.open(path).status().code(), Code::kInvalidArgument) << path;
  }
  EXPECT_EQ(folders.open("missing").status().code(), Code::kNotFound);
  EXPECT_EQ(folders.open("a.gguf/x").status().code(), Code::kNotFound);
  EXPECT_EQ(AdapterFile::open("", "a", 3).status().code(), Code::kFailedPrecondition);
}

TEST(AdapterFile, another_file_under_its_name_changes_nothing) {
  const Folders folders;
  const auto file = folders.open("a.gguf");
  ASSERT_TRUE(file.ok());
  folders.folder.write("adapters/new", "xyz");
  fs::rename(folders.adapters() / "new", folders.adapters() / "a.gguf");
  std::ifstream in(file->path());
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), "abc");
}

}  // namespace
}  // namespace cortex::registry
