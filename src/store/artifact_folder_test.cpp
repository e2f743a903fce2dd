// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "store/artifact_digest.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string digest_of(std::string_view text) {
  Digest digest;
  digest.add(bytes_of(text));
  return digest.finish();
}

std::string text_of_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::size_t files_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    count += entry.is_regular_file();
  return count;
}

class ArtifactFolder : public testing::Test {
 protected:
  ArtifactFolder() {
    std::string name = (fs::temp_directory_path() / "cortex-artifacts-XXXXXX").string();
    CHECK(mkdtemp(name.data()) != nullptr, "a test needs a folder");
    folder_ = name;
    reopen();
  }
  ~ArtifactFolder() override {
    store_.reset();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  void reopen(const DiskCalls& calls = {}) {
    store_.reset();
    auto opened = open_artifact_folder(folder_ / "artifacts", calls);
    ASSERT_TRUE(opened.ok()) << opened.status().to_string();
    store_ = std::move(opened).value();
  }

  Result<Blob> put(std::string_view text) {
    CORTEX_ASSIGN_OR_RETURN(const auto writer, store_->begin());
    CORTEX_RETURN_IF_ERROR(writer->write(bytes_of(text)));
    return writer->finish();
  }
  std::string get(const std::string& digest, std::uint64_t offset = 0, std::size_t most = 1 << 20) {
    const auto reader = store_->open(digest);
    if (!reader.ok()) return "<" + reader.status().text() + ">";
    std::string out(most, '\0');
    const auto size = reader.value()->read(offset, std::as_writable_bytes(std::span(out)));
    EXPECT_TRUE(size.ok());
    out.resize(size.value());
    return out;
  }
  fs::path blobs() const { return folder_ / "artifacts" / "sha256"; }
  fs::path incoming() const { return folder_ / "artifacts" / "incoming"; }

  fs::path folder_;
  std::unique_ptr<ArtifactStore> store_;
};

TEST_F(ArtifactFolder, gives_back_what_was_put_in) {
  const auto blob = put("hello");
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_EQ(blob->digest, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
  EXPECT_EQ(blob->size, 5U);
  EXPECT_EQ(get(blob->digest), "hello");
  EXPECT_EQ(get(blob->digest, 1, 3), "ell");
  EXPECT_EQ(get(blob->digest, 5), "");
  EXPECT_EQ(text_of_file(blobs() / "2c" / blob->digest), "hello");
  EXPECT_EQ(files_in(incoming()), 0U);
  reopen();
  EXPECT_EQ(get(blob->digest), "hello");
  EXPECT_TRUE(check_blob(*store_, *blob).ok());
}

TEST_F(ArtifactFolder, keeps_equal_bytes_once) {
  EXPECT_EQ(put("same")->digest, put("same")->digest);
  EXPECT_EQ(files_in(blobs()), 1U);
  EXPECT_EQ(files_in(incoming()), 0U);
}

TEST_F(ArtifactFolder, shows_nothing_of_an_upload_before_its_end) {
  {
    const auto writer = store_->begin();
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE(writer.value()->write(bytes_of("half")).ok());
    EXPECT_EQ(files_in(blobs()), 0U);
    EXPECT_FALSE(store_->contains(digest_of("half")).value());
  }
  EXPECT_EQ(files_in(incoming()), 0U);
}

TEST_F(ArtifactFolder, writing_the_same_bytes_again_makes_a_blob_young) {
  const std::string digest = put("x")->digest;
  const fs::path file = blobs() / digest.substr(0, 2) / digest;
  struct stat before{};
  ASSERT_EQ(::stat(file.c_str(), &before), 0);
  // The clock of a file system moves in ticks.
  struct stat after = before;
  while (after.st_ctim.tv_sec == before.st_ctim.tv_sec &&
         after.st_ctim.tv_nsec == before.st_ctim.tv_nsec) {
    ASSERT_TRUE(put("x").ok());
    ASSERT_EQ(::stat(file.c_str(), &after), 0);
  }
  // Watchers of files that were linked to it see no change.
  EXPECT_EQ(after.st_mtim.tv_sec, before.st_mtim.tv_sec);
  EXPECT_EQ(after.st_mtim.tv_nsec, before.st_mtim.tv_nsec);
}

TEST_F(ArtifactFolder, an_open_blob_is_read_to_its_end_after_its_removal) {
  const std::string digest = put("long gone")->digest;
  const auto reader = store_->open(digest);
  ASSERT_TRUE(reader.ok());
  ASSERT_TRUE(store_->remove(digest, {}).value());
  std::string out(9, '\0');
  EXPECT_EQ(reader.value()->read(0, std::as_writable_bytes(std::span(out))).value(), 9U);
  EXPECT_EQ(out, "long gone");
}

TEST_F(ArtifactFolder, materialises_by_a_link) {
  const std::string digest = put("model")->digest;
  const fs::path to = folder_ / "model.onnx";
  ASSERT_TRUE(store_->materialise(digest, to).ok());
  EXPECT_EQ(text_of_file(to), "model");
  EXPECT_EQ(fs::hard_link_count(to), 2U);
  EXPECT_EQ(store_->materialise(digest, to).code(), Code::kAlreadyExists);
  EXPECT_EQ(store_->materialise(digest, folder_ / "none" / "x").code(), Code::kNotFound);
  EXPECT_EQ(store_->materialise(digest_of("none"), folder_ / "y").code(), Code::kNotFound);
  EXPECT_TRUE(store_->remove(digest, {}).value());
  EXPECT_EQ(text_of_file(to), "model");
}

TEST_F(ArtifactFolder, materialises_by_a_copy_where_links_do_not_go) {
  DiskCalls calls;
  calls.link = [](const char* from, const char* to) {
    if (std::string_view(to).find("/sha256/") != std::string_view::npos) return ::link(from, to);
    errno = EXDEV;
    return -1;
  };
  reopen(calls);
  const std::string digest = put("model")->digest;
  const fs::path to = folder_ / "model.onnx";
  ASSERT_TRUE(store_->materialise(digest, to).ok());
  EXPECT_EQ(text_of_file(to), "model");
  EXPECT_EQ(fs::hard_link_count(to), 1U);
  EXPECT_EQ(store_->materialise(digest, to).code(), Code::kAlreadyExists);
}

TEST_F(ArtifactFolder, joins_parts) {
  const std::string large(3'000'000, 'L');
  const std::vector<Blob> parts{*put("begin "), *put(large), *put(""), *put("begin ")};
  const auto whole = store_->join(parts);
  ASSERT_TRUE(whole.ok()) << whole.status().to_string();
  EXPECT_EQ(whole->digest, digest_of("begin " + large + "begin "));
  EXPECT_TRUE(check_blob(*store_, *whole).ok());
  EXPECT_EQ(files_in(incoming()), 0U);
  const std::vector<Blob> missing{*put("a"), Blob{digest_of("never"), 5}};
  EXPECT_EQ(store_->join(missing).status().code(), Code::kNotFound);
  EXPECT_EQ(files_in(incoming()), 0U);
}

TEST_F(ArtifactFolder, notices_bytes_that_changed_on_the_disk) {
  const Blob blob = *put("0123456789");
  const fs::path file = blobs() / blob.digest.substr(0, 2) / blob.digest;
  fs::permissions(file, fs::perms::owner_all);
  std::ofstream(file, std::ios::binary) << "0123456780";
  EXPECT_EQ(check_blob(*store_, blob).code(), Code::kDataLoss);
  EXPECT_EQ(store_->join(std::vector<Blob>{blob}).status().code(), Code::kDataLoss);
  std::ofstream(file, std::ios::binary) << "01234";
  EXPECT_EQ(check_blob(*store_, blob).code(), Code::kDataLoss);
}

// The call that fails next, counted down.
std::atomic<int> calls_left;
int failure = ENOSPC;

bool fails_now() {
  if (calls_left-- > 0) return false;
  errno = failure;
  return true;
}

// Folders whose names and files that were synced well.
std::set<fs::path> synced;

int sync_and_note(int file) {
  if (fails_now()) return -1;
  const int result = ::fsync(file);
  if (result == 0) synced.insert(fs::read_symlink("/proc/self/fd/" + std::to_string(file)));
  return result;
}

// Short writes, as a disk that runs full makes them; copies in the kernel, too, where it can.
DiskCalls failing_calls(bool kernel_copies = true) {
  DiskCalls calls;
  calls.write = [](int file, const void* bytes, std::size_t size) -> ssize_t {
    return fails_now() ? -1 : ::write(file, bytes, std::min<std::size_t>(size, 30'000));
  };
  calls.sync = sync_and_note;
  calls.link = [](const char* a, const char* b) {
    if (fails_now()) return -1;
    if (std::string_view(b).find("/sha256/") != std::string_view::npos) return ::link(a, b);
    errno = EXDEV;  // out of the store there is no way but a copy
    return -1;
  };
  calls.copy = [](int from, off_t* at, int to, off_t* into, std::size_t size, unsigned flags) {
    if (fails_now()) return ssize_t{-1};
    return ::copy_file_range(from, at, to, into, std::min<std::size_t>(size, 30'000), flags);
  };
  if (!kernel_copies) {
    calls.copy = [](int, off_t*, int, off_t*, std::size_t, unsigned) -> ssize_t {
      errno = EXDEV;
      return -1;
    };
  }
  return calls;
}

constexpr std::array kFailures = {
    std::pair(ENOSPC, Code::kResourceExhausted),
    std::pair(EDQUOT, Code::kResourceExhausted),
    std::pair(EFBIG, Code::kResourceExhausted),
    std::pair(EIO, Code::kDataLoss)
};

// Lets the first call to the disk fail, then the second and so on, until `work` comes through.
// Behind every failure: what `look` expects, and then the same work once more, which succeeds.
struct Failing {
  std::function<Status()> work;
  std::function<void()> look;  // behind a failure and the work that followed it
  std::function<void()> undo;  // what the work did
  int least = 1;               // calls that it takes

  void run() const {
    for (const auto& [error, code] : kFailures) {
      failure = error;
      for (int allowed = 0;; ++allowed) {
        ASSERT_LT(allowed, 40);
        calls_left = allowed;
        const Status first = work();
        calls_left = 1 << 20;
        look();
        if (first.ok()) {
          EXPECT_GE(allowed, least);
          undo();
          break;
        }
        EXPECT_EQ(first.code(), code) << allowed;
        const Status again = work();
        EXPECT_TRUE(again.ok()) << allowed << ": " << again.to_string();
        look();
        undo();
      }
    }
  }
};

TEST_F(ArtifactFolder, an_upload_that_fails_at_any_call_leaves_nothing_and_is_done_again) {
  const std::string text(100'000, 'x');
  const Blob whole{digest_of(text), text.size()};
  const fs::path shelf = blobs() / whole.digest.substr(0, 2);
  calls_left = 1 << 20;
  Failing failing;
  failing.work = [&] { return put(text).status(); };
  failing.look = [&] {
    EXPECT_EQ(files_in(incoming()), 0U);
    // The last call syncs the folder: the name is there then, and it is whole.
    const Status there = check_blob(*store_, whole);
    EXPECT_TRUE(there.ok() || there.code() == Code::kNotFound);
  };
  failing.undo = [&] {
    EXPECT_TRUE(check_blob(*store_, whole).ok());
    EXPECT_TRUE(synced.contains(shelf)) << "the name of the blob";
    EXPECT_TRUE(synced.contains(blobs())) << "the name of its folder";
    EXPECT_TRUE(store_->remove(whole.digest, {}).value());
    fs::remove(shelf);
    reopen(failing_calls());
    synced.clear();
  };
  failing.least = 7;
  reopen(failing_calls());
  synced.clear();
  failing.run();
}

TEST_F(ArtifactFolder, a_join_that_fails_at_any_call_leaves_nothing_and_is_done_again) {
  const std::string text(70'000, 'p');
  const std::vector<Blob> parts{*put(text), *put("and "), *put(text)};
  const Blob whole{digest_of(text + "and " + text), 2 * text.size() + 4};
  for (const bool kernel_copies : {true, false}) {
    calls_left = 1 << 20;
    reopen(failing_calls(kernel_copies));
    Failing failing;
    failing.work = [&] { return store_->join(parts).status(); };
    failing.look = [&] {
      EXPECT_EQ(files_in(incoming()), 0U);
      const Status there = check_blob(*store_, whole);
      EXPECT_TRUE(there.ok() || there.code() == Code::kNotFound);
    };
    failing.undo = [&] {
      EXPECT_TRUE(check_blob(*store_, whole).ok());
      EXPECT_TRUE(store_->remove(whole.digest, {}).value());
    };
    failing.least = 7;
    failing.run();
  }
}

TEST_F(ArtifactFolder, a_copy_that_fails_at_any_call_leaves_nothing_and_is_done_again) {
  const std::string text(100'000, 'm');
  const std::string digest = put(text)->digest;
  const fs::path to = folder_ / "model.onnx";
  for (const bool kernel_copies : {true, false}) {
    calls_left = 1 << 20;
    reopen(failing_calls(kernel_copies));
    Failing failing;
    failing.work = [&] { return store_->materialise(digest, to); };
    failing.look = [&] {
      EXPECT_TRUE(!fs::exists(to) || text_of_file(to) == text) << "half a file";
    };
    failing.undo = [&] { EXPECT_TRUE(fs::remove(to)); };
    failing.least = 5;
    failing.run();
  }
}

TEST_F(ArtifactFolder, opening_spares_the_uploads_of_living_processes) {
  const auto writer = store_->begin();
  ASSERT_TRUE(writer.ok());
  ASSERT_TRUE(writer.value()->write(bytes_of("alive")).ok());
  const auto other = open_artifact_folder(folder_ / "artifacts");
  ASSERT_TRUE(other.ok());
  const auto blob = writer.value()->finish();
  ASSERT_TRUE(blob.ok()) << blob.status().to_string();
  EXPECT_TRUE(other.value()->contains(blob->digest).value());
}

}  // namespace
}  // namespace cortex::store
