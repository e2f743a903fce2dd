// SPDX-License-Identifier: Apache-2.0
#include "store_disk.h"

#include <sqlite3.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <utility>

#include "base/check.h"

namespace cortex::store {
namespace {

StoreDisk* the_disk = nullptr;
sqlite3_vfs* the_real = nullptr;

// SQLite allocates this much for every file; the file of the real VFS lies behind it.
struct Wrapped {
  sqlite3_file base;
  std::string* path;  // null for files that are not ours
  [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

Wrapped& wrapped(sqlite3_file* file) { return *reinterpret_cast<Wrapped*>(file); }
sqlite3_file* real(sqlite3_file* file) { return wrapped(file).real(); }

int due(sqlite3_file* file) {
  return wrapped(file).path == nullptr ? SQLITE_OK : the_disk->begin_operation();
}

int close_file(sqlite3_file* file) {
  std::unique_ptr<std::string> path(std::exchange(wrapped(file).path, nullptr));
  return real(file)->pMethods->xClose(real(file));
}

int read_file(sqlite3_file* file, void* out, int size, sqlite3_int64 offset) {
  return real(file)->pMethods->xRead(real(file), out, size, offset);
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (const int code = due(file); code != SQLITE_OK) return code;
  const int code = real(file)->pMethods->xWrite(real(file), bytes, size, offset);
  if (code == SQLITE_OK && wrapped(file).path != nullptr) {
    the_disk->wrote(
        *wrapped(file).path,
        static_cast<std::size_t>(offset),
        std::string(static_cast<const char*>(bytes), static_cast<std::size_t>(size))
    );
  }
  return code;
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  if (const int code = due(file); code != SQLITE_OK) return code;
  const int code = real(file)->pMethods->xTruncate(real(file), size);
  if (code == SQLITE_OK && wrapped(file).path != nullptr) {
    the_disk->truncated(*wrapped(file).path, static_cast<std::size_t>(size));
  }
  return code;
}

// What is durable is what we remember: the real disk is spared.
int sync_file(sqlite3_file* file, int) {
  if (const int code = due(file); code != SQLITE_OK) return code;
  if (wrapped(file).path != nullptr) the_disk->synced(*wrapped(file).path);
  return SQLITE_OK;
}

int file_size(sqlite3_file* file, sqlite3_int64* size) {
  return real(file)->pMethods->xFileSize(real(file), size);
}
int lock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xLock(real(file), level);
}
int unlock_file(sqlite3_file* file, int level) {
  return real(file)->pMethods->xUnlock(real(file), level);
}
int check_reserved_lock(sqlite3_file* file, int* out) {
  return real(file)->pMethods->xCheckReservedLock(real(file), out);
}
int file_control(sqlite3_file* file, int operation, void* argument) {
  return real(file)->pMethods->xFileControl(real(file), operation, argument);
}
int sector_size(sqlite3_file* file) { return real(file)->pMethods->xSectorSize(real(file)); }
// No promise of the real disk's holds here: what is not synced may be lost in any order.
int device_characteristics(sqlite3_file*) { return 0; }
int shm_map(sqlite3_file* file, int page, int size, int extend, volatile void** out) {
  return real(file)->pMethods->xShmMap(real(file), page, size, extend, out);
}
int shm_lock(sqlite3_file* file, int offset, int count, int flags) {
  return real(file)->pMethods->xShmLock(real(file), offset, count, flags);
}
void shm_barrier(sqlite3_file* file) { real(file)->pMethods->xShmBarrier(real(file)); }
int shm_unmap(sqlite3_file* file, int remove) {
  return real(file)->pMethods->xShmUnmap(real(file), remove);
}

const sqlite3_io_methods kMethods = {
    2,
    close_file,
    read_file,
    write_file,
    truncate_file,
    sync_file,
    file_size,
    lock_file,
    unlock_file,
    check_reserved_lock,
    file_control,
    sector_size,
    device_characteristics,
    shm_map,
    shm_lock,
    shm_barrier,
    shm_unmap,
    nullptr,
    nullptr,
};

int open_file(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  Wrapped& made = wrapped(file);
  made.base.pMethods = nullptr;
  made.path = nullptr;
  const int code = the_real->xOpen(the_real, name, made.real(), flags, out_flags);
  if (made.real()->pMethods == nullptr) return code;
  made.base.pMethods = &kMethods;
  if (name != nullptr && the_disk->owns(name)) made.path = new std::string(name);
  return code;
}

int delete_file(sqlite3_vfs*, const char* name, int sync_folder) {
  const int code = the_real->xDelete(the_real, name, sync_folder);
  if (code == SQLITE_OK && the_disk->owns(name)) the_disk->removed(name);
  return code;
}

sqlite3_vfs& our_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *the_real;
    made.zName = "store_disk";
    made.szOsFile = static_cast<int>(sizeof(Wrapped)) + the_real->szOsFile;
    made.pNext = nullptr;
    made.xOpen = open_file;
    made.xDelete = delete_file;
    return made;
  }();
  return vfs;
}

}  // namespace

StoreDisk::StoreDisk(std::filesystem::path folder) : folder_(folder.string() + "/") {
  CHECK(the_disk == nullptr, "one disk at a time");
  if (the_real == nullptr) the_real = sqlite3_vfs_find(nullptr);
  the_disk = this;
  CHECK(sqlite3_vfs_register(&our_vfs(), 1) == SQLITE_OK, "SQLite takes the disk");
}

StoreDisk::~StoreDisk() {
  sqlite3_vfs_unregister(&our_vfs());
  the_disk = nullptr;
}

void StoreDisk::fail(int nth, int code, bool forever) {
  MutexLock lock(mutex_);
  fail_at_ = operations_ + nth;
  code_ = code;
  forever_ = forever;
}

void StoreDisk::work_again() {
  MutexLock lock(mutex_);
  code_ = 0;
}

void StoreDisk::before_each(std::function<void()> call) {
  MutexLock lock(mutex_);
  before_each_ = std::move(call);
}

int StoreDisk::operations() const {
  MutexLock lock(mutex_);
  return operations_;
}

int StoreDisk::begin_operation() {
  std::function<void()> call;
  {
    MutexLock lock(mutex_);
    call = before_each_;
  }
  if (call) call();
  MutexLock lock(mutex_);
  ++operations_;
  const bool now = forever_ ? operations_ >= fail_at_ : operations_ == fail_at_;
  return now ? code_ : 0;
}

bool StoreDisk::owns(const std::string& path) const { return path.starts_with(folder_); }

void StoreDisk::wrote(const std::string& path, std::size_t offset, std::string bytes) {
  MutexLock lock(mutex_);
  files_[path].pending.push_back({false, offset, std::move(bytes)});
}

void StoreDisk::truncated(const std::string& path, std::size_t size) {
  MutexLock lock(mutex_);
  files_[path].pending.push_back({true, size, {}});
}

void StoreDisk::synced(const std::string& path) {
  MutexLock lock(mutex_);
  File& file = files_[path];
  for (const Change& change : file.pending) apply(file.durable, change);
  file.pending.clear();
}

void StoreDisk::removed(const std::string& path) {
  MutexLock lock(mutex_);
  files_.erase(path);
}

void StoreDisk::apply(std::string& content, const Change& change) {
  if (change.truncates) {
    content.resize(std::min(content.size(), change.offset));
    return;
  }
  content.resize(std::max(content.size(), change.offset + change.bytes.size()));
  content.replace(change.offset, change.bytes.size(), change.bytes);
}

void StoreDisk::power_cut(const std::filesystem::path& to, const std::function<bool()>& survives)
    const {
  MutexLock lock(mutex_);
  for (const auto& [path, file] : files_) {
    std::string content = file.durable;
    for (const Change& change : file.pending) {
      if (survives()) apply(content, change);
    }
    std::ofstream(to / std::filesystem::path(path).filename(), std::ios::binary) << content;
  }
}

}  // namespace cortex::store
