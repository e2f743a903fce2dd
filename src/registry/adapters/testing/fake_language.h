// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "registry/handle.h"
#include "request/language_controls.h"
#include "request/servable.h"

namespace cortex::registry {

// A language model that keeps of its adapters what stood in their files. Thread-safe. For tests
// alone.
class FakeLanguage final : public Servable, public LanguageControls {
 public:
  void submit(std::shared_ptr<const Request>, std::shared_ptr<ResponseStream> stream) override {
    stream->finish(unavailable("a fake answers nothing"));
  }
  [[nodiscard]] LanguageControls* language() override { return this; }

  // Called before each load, on its thread; it may wait.
  std::function<void()> on_load;

  [[nodiscard]] Result<std::size_t> load_adapter(
      const std::string& name, const std::filesystem::path& file
  ) override {
    if (on_load) on_load();
    std::ifstream in(file);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    if (text.starts_with("broken")) {
      return invalid_argument(file.filename().string() + ": no adapter");
    }
    MutexLock lock(mutex_);
    loaded_[name] = text;
    ++loads_;
    return text.size();
  }
  bool unload_adapter(const std::string& name) override {
    MutexLock lock(mutex_);
    return loaded_.erase(name) > 0;
  }

  [[nodiscard]] Status create_prefix(const PrefixRequest&) override { return unimplemented("no"); }
  bool remove_prefix(const std::string&) override { return false; }
  [[nodiscard]] std::vector<PrefixState> prefixes() const override { return {}; }

  // What stood in the file of the adapter; empty where it is not loaded.
  [[nodiscard]] std::string content(const std::string& identity) const {
    MutexLock lock(mutex_);
    const auto found = loaded_.find(identity);
    return found == loaded_.end() ? "" : found->second;
  }
  [[nodiscard]] std::size_t loaded() const {
    MutexLock lock(mutex_);
    return loaded_.size();
  }
  [[nodiscard]] std::size_t loads() const {
    MutexLock lock(mutex_);
    return loads_;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::string> loaded_ GUARDED_BY(mutex_);
  std::size_t loads_ GUARDED_BY(mutex_) = 0;
};

// The models that serve, as a registry says. Thread-safe. For tests alone.
class FakeModels {
 public:
  void serve(const std::string& name, const std::string& version, Servable& servable) {
    auto made = std::make_shared<ServingVersion>();
    made->identity = {name, version};
    made->servable = &servable;
    MutexLock lock(mutex_);
    models_[name][version] = std::move(made);
  }
  void end(const std::string& name, const std::string& version) {
    MutexLock lock(mutex_);
    models_[name].erase(version);
  }

  // The newest where no version is named.
  [[nodiscard]] Result<Handle> acquire(const ModelReference& reference) const {
    MutexLock lock(mutex_);
    const auto model = models_.find(reference.name);
    if (model == models_.end()) return not_found("there is no model '" + reference.name + "'");
    if (model->second.empty()) return unavailable("no version is ready");
    if (reference.version.empty()) return model->second.rbegin()->second;
    const auto found = model->second.find(reference.version);
    if (found == model->second.end()) return not_found("there is no such version");
    return found->second;
  }

 private:
  mutable Mutex mutex_;
  std::map<std::string, std::map<std::string, Handle>> models_ GUARDED_BY(mutex_);
};

}  // namespace cortex::registry
