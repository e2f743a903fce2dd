// SPDX-License-Identifier: Apache-2.0
#include "cli/backup_archive.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::cli {
namespace {

namespace fs = std::filesystem;

class BackupArchive : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / ("cortex-archive-" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  [[nodiscard]] std::string file() const { return (folder_ / "a.tar").string(); }

  Status write(const std::vector<std::pair<std::string, std::string>>& entries) {
    CORTEX_ASSIGN_OR_RETURN(ArchiveWriter writer, ArchiveWriter::create(file()));
    for (const auto& [name, text] : entries) {
      CORTEX_RETURN_IF_ERROR(writer.begin({name, text.size()}));
      CORTEX_RETURN_IF_ERROR(writer.write(text));
    }
    return writer.finish();
  }

  // What an archive holds, up to its first fault.
  Result<std::vector<std::pair<std::string, std::string>>> read() {
    std::vector<std::pair<std::string, std::string>> out;
    CORTEX_ASSIGN_OR_RETURN(ArchiveReader reader, ArchiveReader::open(file()));
    for (;;) {
      CORTEX_ASSIGN_OR_RETURN(const auto entry, reader.next());
      if (!entry) return out;
      std::string text(entry->size, ' ');
      CORTEX_RETURN_IF_ERROR(reader.read(text).status());
      out.emplace_back(entry->name, text);
    }
  }

  fs::path folder_;
};

TEST_F(BackupArchive, gives_back_what_was_written) {
  const std::vector<std::pair<std::string, std::string>> entries = {
      {"cortex.db", std::string(1000, 'x')}, {"empty", ""}, {"block", std::string(512, 'y')}
  };
  ASSERT_TRUE(write(entries).ok());
  const auto got = read();
  ASSERT_TRUE(got.ok()) << got.status().to_string();
  EXPECT_EQ(*got, entries);
  EXPECT_EQ(fs::file_size(file()) % 512, 0u);
}

TEST_F(BackupArchive, writes_no_file_before_it_is_whole_and_none_over_another) {
  {
    auto writer = ArchiveWriter::create(file());
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->begin({"a", 1}).ok());
    EXPECT_FALSE(fs::exists(file()));
  }
  EXPECT_TRUE(fs::is_empty(folder_));
  ASSERT_TRUE(write({}).ok());
  EXPECT_EQ(ArchiveWriter::create(file()).status().code(), Code::kAlreadyExists);
}

TEST_F(BackupArchive, says_that_an_archive_is_cut_off_wherever_it_is) {
  ASSERT_TRUE(write({{"a", std::string(700, 'x')}}).ok());
  const auto whole = fs::file_size(file());
  for (std::uintmax_t size :
       {whole - 1024, whole - 1100, std::uintmax_t{600}, std::uintmax_t{100}}) {
    fs::resize_file(file(), size);
    EXPECT_EQ(read().status().code(), Code::kDataLoss) << size;
  }
}

TEST_F(BackupArchive, refuses_what_is_no_archive) {
  std::ofstream(file()) << std::string(2048, 'z');
  EXPECT_EQ(read().status().code(), Code::kDataLoss);
  EXPECT_FALSE(ArchiveReader::open((folder_ / "none").string()).ok());
}

TEST_F(BackupArchive, skips_what_of_an_entry_is_not_read) {
  ASSERT_TRUE(write({{"a", std::string(5000, 'x')}, {"b", "text"}}).ok());
  auto reader = ArchiveReader::open(file());
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(reader->next().ok());
  const auto second = reader->next();
  ASSERT_TRUE(second.ok() && *second);
  EXPECT_EQ((*second)->name, "b");
}

TEST_F(BackupArchive, holds_sizes_of_more_than_eight_gigabytes) {
  {
    auto writer = ArchiveWriter::create(file());
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer->begin({"a", std::uint64_t{9} << 30}).ok());
    fs::copy_file(file() + ".part", file());
  }
  auto reader = ArchiveReader::open(file());
  ASSERT_TRUE(reader.ok());
  const auto entry = reader->next();
  ASSERT_TRUE(entry.ok()) << entry.status().to_string();
  EXPECT_EQ((*entry)->size, std::uint64_t{9} << 30);
}

}  // namespace
}  // namespace cortex::cli
