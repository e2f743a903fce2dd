// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/thread.h"
#include "base/thread_pool.h"
#include "registry/adapters/adapter_book.h"
#include "registry/adapters/adapter_shelf.h"
#include "registry/adapters/adapter_signal.h"

namespace cortex::registry {

inline constexpr std::size_t kAdapterWorksMax = 1024;  // that wait for the thread

// What the shelf's threads and the requests share.
struct AdapterDesk {
  AdapterDesk(
      AdapterShelfOptions from, AdapterShelf::Acquire acquire, store::Store* kept, const Clock& time
  );

  // True while the version that serves under this identity is this load of it.
  [[nodiscard]] bool serves(const ModelIdentity& model, const Servable* servable) const;
  AdapterLease hand_out_locked(
      AdapterEntry& entry, AdapterResidence& residence, std::optional<float> scale
  ) REQUIRES_LOCK(mutex);
  // The residence of the adapter on the version, made where there is none.
  AdapterResidence& claim_locked(const std::string& name, const Handle& handle)
      REQUIRES_LOCK(mutex);

  const AdapterShelfOptions options;
  const AdapterShelf::Acquire models;
  store::Store* const store;
  const Clock& clock;
  const std::shared_ptr<AdapterSignal> signal = std::make_shared<AdapterSignal>();
  // Requests take it on their way; nothing that takes time is done under it.
  mutable Mutex mutex;
  AdapterBook book GUARDED_BY(mutex);
  AdapterCounts counted GUARDED_BY(mutex);
  bool stopped GUARDED_BY(mutex) = false;
};

// All that takes time, one after another. Thread: the pool's one, but for read() at the start.
class AdapterWorks {
 public:
  explicit AdapterWorks(AdapterDesk& desk) : desk_(desk) {}

  [[nodiscard]] Status read();
  [[nodiscard]] Status enroll(AdapterRecord record, bool load);
  [[nodiscard]] Status remove(const std::string& name);
  [[nodiscard]] Status load(const std::string& name);
  [[nodiscard]] Status unload(const std::string& name);
  [[nodiscard]] Status swap(const std::string& old, const std::string& next);
  void load_for_requests(const std::string& name, const Handle& handle);
  // Lets go of what nobody holds, loads what belongs to versions that serve now. False where the
  // store did not answer.
  [[nodiscard]] bool tend(bool reread);

 private:
  Status load_into(const std::string& name, const Handle& handle, const std::string& also_going);
  Result<AdapterResidence> bring(
      const AdapterRecord& record, const Handle& handle, const std::string& also_going
  );
  Status clear_room(
      const AdapterResidence& coming, std::size_t bytes, const std::string& also_going
  );
  Result<std::vector<AdapterResidence>> bring_everywhere(const AdapterRecord& record, bool load);
  std::vector<Handle> homes_of(const AdapterRecord& record) const;
  bool is_loaded(const AdapterRecord& record, const Handle& home) const;
  void drop(const std::vector<AdapterResidence>& brought);
  void settle(std::vector<AdapterResidence> brought);
  void note_failure(const std::string& name, const Handle& handle, const Status& status);
  Status write(const std::function<Status(store::Transaction&)>& work);
  Result<bool> news_of(store::Transaction& transaction) const;
  Status adopt(std::vector<AdapterRecord> records);
  Status replace(const AdapterRecord& record);
  void load_wanted();
  void sweep();
  [[nodiscard]] Result<AdapterRecord> record_of(const std::string& name) const;

  AdapterDesk& desk_;
  std::int64_t seen_ = -1;  // revision of the store that was read; -1: none
};

[[nodiscard]] Status no_adapter(const std::string& name);
// What a request is told of a load that failed: it is not at fault.
[[nodiscard]] Status told_to_requests(const Status& failure);
void answer_all(std::vector<AdapterWaiter> waiters, const Status& status);

}  // namespace cortex::registry
