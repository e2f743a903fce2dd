// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "registry/stored/source.h"
#include "store/artifact_digest.h"

namespace cortex::registry {

// A source in memory, for tests alone. Thread-safe.
class FakeSource final : public Source {
 public:
  // By path: the text of a file.
  using Files = std::map<std::string, std::string>;
  // Called before every call with its name and number, from 1; an error becomes the call's.
  using Fault = std::function<Status(const std::string& call, int number)>;

  static std::string digest_of(const std::string& text) {
    store::Digest digest;
    digest.add(std::as_bytes(std::span<const char>(text)));
    return digest.finish();
  }

  // What the next calls give; a version whose files are new gets a new origin.
  void put(const std::string& model, std::int64_t version, Files files) {
    MutexLock lock(mutex_);
    const std::string origin = std::to_string(++origins_);
    for (const auto& [path, text] : files) bytes_[digest_of(text)] = text;
    files_[origin] = std::move(files);
    versions_[model][version] = origin;
    changed_.insert(model);
  }
  // Other files of a version under the origin that it has; nobody is told.
  void complete(const std::string& model, std::int64_t version, Files files) {
    MutexLock lock(mutex_);
    for (const auto& [path, text] : files) bytes_[digest_of(text)] = text;
    files_[versions_[model][version]] = std::move(files);
  }
  void point(const std::string& model, const std::string& alias, std::int64_t version) {
    MutexLock lock(mutex_);
    aliases_[model][alias] = version;
    changed_.insert(model);
  }
  void pointed_before(const std::string& model, const std::string& alias, std::int64_t version) {
    MutexLock lock(mutex_);
    previous_[model][alias] = version;
  }
  void drop(const std::string& model) {
    MutexLock lock(mutex_);
    versions_.erase(model);
    aliases_.erase(model);
    changed_.insert(model);
  }
  void fail(Fault fault) {
    MutexLock lock(mutex_);
    fault_ = std::move(fault);
  }
  // The bytes of a file from now on; its digest stays what it was.
  void damage(const std::string& text, const std::string& other) {
    MutexLock lock(mutex_);
    bytes_[digest_of(text)] = other;
  }
  [[nodiscard]] int calls() const {
    MutexLock lock(mutex_);
    return calls_;
  }

  [[nodiscard]] Result<SourceChanges> changes() override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("changes"));
    SourceChanges out;
    out.whole = std::exchange(first_, false);
    for (const std::string& name : std::exchange(changed_, {})) {
      if (!versions_.contains(name)) {
        out.gone.push_back(name);
        continue;
      }
      SourceModel model{name, {}, aliases_[name], previous_[name]};
      for (const auto& [number, origin] : versions_[name]) {
        model.versions.push_back({number, origin});
      }
      out.models.push_back(std::move(model));
    }
    return out;
  }
  [[nodiscard]] Result<std::vector<SourceFile>> files(const std::string& origin) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("files"));
    std::vector<SourceFile> out;
    for (const auto& [path, text] : files_.at(origin)) {
      out.push_back({path, digest_of(text), text.size()});
    }
    return out;
  }
  [[nodiscard]] Result<std::string> read(const SourceFile& file, std::size_t) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("read"));
    return bytes_.at(file.digest);
  }
  [[nodiscard]] Status fetch(const SourceFile& file, const std::filesystem::path& to) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("fetch"));
    std::ofstream(to, std::ios::binary) << bytes_.at(file.digest);
    return {};
  }

 private:
  Status count_locked(const std::string& call) REQUIRES_LOCK(mutex_) {
    ++calls_;
    return fault_ ? fault_(call, calls_) : Status();
  }

  mutable Mutex mutex_;
  Fault fault_ GUARDED_BY(mutex_);
  int calls_ GUARDED_BY(mutex_) = 0;
  int origins_ GUARDED_BY(mutex_) = 0;
  bool first_ GUARDED_BY(mutex_) = true;
  std::set<std::string> changed_ GUARDED_BY(mutex_);
  std::map<std::string, std::map<std::int64_t, std::string>> versions_ GUARDED_BY(mutex_);
  std::map<std::string, std::map<std::string, std::int64_t>> aliases_ GUARDED_BY(mutex_);
  std::map<std::string, std::map<std::string, std::int64_t>> previous_ GUARDED_BY(mutex_);
  std::map<std::string, Files> files_ GUARDED_BY(mutex_);  // by origin
  std::map<std::string, std::string> bytes_ GUARDED_BY(mutex_);
};

}  // namespace cortex::registry
