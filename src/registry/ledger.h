// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/model_repository.h"
#include "registry/registry.h"
#include "registry/registry_policy.h"
#include "registry/version_machine.h"

namespace cortex::registry {

// Names one load of one edition for the life of the process.
struct LoadId {
  std::uint64_t value = 0;
  friend auto operator<=>(const LoadId&, const LoadId&) = default;
};

struct LoadOrder {
  LoadId id;
  std::int64_t version = 0;
  ModelConfig config;
  std::filesystem::path folder;
  bool stored = false;  // comes from the store
  std::uint64_t fingerprint = 0;
  bool asked = false;  // somebody asked for it by name
};

// What the owner of the ledger has to do now. The ledger has noted it as begun.
struct LedgerPlan {
  std::vector<LoadOrder> loads;
  std::vector<LoadId>
      retire;  // publish without these, then report released() once the last lease ended
};

// The books of the registry: which models there are, which are wanted, what is held of them and in
// which state. Facts go in, next() says what to do. No clock, no thread, no file. Thread: its
// owner's.
class Ledger {
 public:
  // With `all_wanted` every model in the folders is wanted, else those that want() named.
  explicit Ledger(bool all_wanted) : all_wanted_(all_wanted) {}

  // Facts.
  // The folders as they are now. Models that are gone are wanted no more.
  void see(RepositorySnapshot snapshot);
  // One model; nothing when its folder is gone.
  void see_model(const std::string& name, std::optional<ModelFolder> folder);
  // Wanted from now on; versions in quarantine may try again. `asked`: by a person, not by a list.
  void want(const std::string& name, bool asked = false);
  void unwant(const std::string& name);
  // Versions of a stored model that must stay as long as they are ready, also when their folders
  // are gone: aliases need them. In the place of what was said before.
  void pin(const std::string& name, std::set<std::int64_t> versions);
  // Nothing is wanted any more, for good.
  void close();
  // REQUIRES for these: the order was given by next(), and this is its first and legal answer.
  void loaded(LoadId id);
  void failed(LoadId id, Status reason);
  // There was nothing to load: its folder went, or became another one. Call see_model() before
  // next(), or the same load is ordered again.
  void gone(LoadId id);
  void released(LoadId id);

  [[nodiscard]] LedgerPlan next();

  // Queries.
  [[nodiscard]] bool knows(const std::string& name) const { return models_.contains(name); }
  // True for a model whose folder was made from the store.
  [[nodiscard]] bool is_stored(const std::string& name) const;
  // How a load request for `name` ended; nothing while something wanted of it is still to come.
  [[nodiscard]] std::optional<Status> outcome(const std::string& name) const;
  // True when every wanted model has an outcome.
  [[nodiscard]] bool settled() const;
  // True when nothing loads, serves or drains.
  [[nodiscard]] bool empty() const;
  [[nodiscard]] std::vector<IndexEntry> index(const std::string& name) const;
  // Why the folders of a model cannot be used as they are now, or those made from the store give
  // way to others; OK for a model without a folder.
  [[nodiscard]] Status fault(const std::string& name) const;
  // Ready loads of a model, ascending by version; of two editions of a version the newer one alone.
  [[nodiscard]] std::vector<LoadId> ready(const std::string& name) const;
  // Names whose index or ready loads may have changed since the last call.
  [[nodiscard]] std::set<std::string> take_changed();

 private:
  struct Held {
    LoadId id;
    Edition edition;
    VersionMachine machine;
  };
  struct Model {
    std::optional<ModelFolder> folder;  // as last seen
    bool wanted = false;
    bool unloaded = false;   // was wanted once and is not any more
    bool asked = false;      // since the last plan
    std::vector<Held> held;  // in the order of loading
  };

  Model& touch(const std::string& name);
  [[nodiscard]] std::pair<const std::string*, Held*> find(LoadId id);
  [[nodiscard]] bool is_wanted(const Model& model) const;
  [[nodiscard]] std::vector<Edition> wanted_editions(const std::string& name, const Model& model)
      const;
  // A stored model without folders is kept for its pins, and for what loads: an alias may need it.
  void forget_folder_that_went(const std::string& name, Model& model) const;
  void add_pinned(const std::string& name, const Model& model, std::vector<Edition>& wanted) const;
  void plan_model(const std::string& name, Model& model, LedgerPlan& plan);
  [[nodiscard]] LoadOrder start_load(Model& model, const Edition& edition);
  [[nodiscard]] IndexEntry index_version(
      const std::string& name, const Model& model, std::int64_t version
  ) const;
  // What is wrong with the folder of a version, or of all of its model; OK: nothing.
  [[nodiscard]] static Status folder_fault(const Model& model, std::int64_t version);
  // True for a model that was asked for and has no folder.
  [[nodiscard]] static bool is_missed(const Model& model);
  [[nodiscard]] std::string why_not_held(const Model& model, std::int64_t version) const;

  const bool all_wanted_;
  bool closed_ = false;
  std::uint64_t last_id_ = 0;
  std::map<std::string, Model> models_;
  std::map<std::string, std::set<std::int64_t>> pins_;
  std::set<std::string> unplanned_;  // touched since the last next()
  std::set<std::string> changed_;    // touched since the last take_changed()
};

}  // namespace cortex::registry
