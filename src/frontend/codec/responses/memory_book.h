// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "frontend/codec/responses/response_book.h"

namespace cortex::frontend::responses {

// Responses of a server without a data folder: gone with it.
class MemoryBook final : public ResponseBook {
 public:
  explicit MemoryBook(ResponseBookOptions options);

  [[nodiscard]] bool keep(KeptResponse response) override;
  void find(const ResponseOwner& owner, const std::string& id, Then<KeptResponse> then) override;
  void conversation(
      const ResponseOwner& owner, const std::string& id, Then<std::vector<std::string>> then
  ) override;
  void remove(const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then)
      override;
  [[nodiscard]] ResponseCounts counts() const override;
  [[nodiscard]] std::uint64_t bytes() const;

 private:
  struct Entry {
    KeptResponse response;
    std::size_t children = 0;
    bool hidden = false;  // removed, but others go on from it
  };
  using Entries = std::map<std::string, Entry>;

  [[nodiscard]] Entry* visible_locked(const ResponseOwner& owner, const std::string& id)
      REQUIRES_LOCK(mutex_);
  void drop_locked(Entries::iterator leaf) REQUIRES_LOCK(mutex_);
  void expire_locked() REQUIRES_LOCK(mutex_);
  void make_room_locked() REQUIRES_LOCK(mutex_);
  [[nodiscard]] Entries::iterator oldest_leaf_locked() REQUIRES_LOCK(mutex_);

  const ResponseBookOptions options_;
  mutable Mutex mutex_;  // few and short holders: one for each request with state
  Entries entries_ GUARDED_BY(mutex_);
  std::map<ResponseOwner, std::uint64_t> held_ GUARDED_BY(mutex_);  // bytes
  // Ends of conversations by age, for each owner.
  std::map<ResponseOwner, std::multimap<std::int64_t, std::string>> leaves_ GUARDED_BY(mutex_);
  std::multimap<std::int64_t, std::string> ages_ GUARDED_BY(mutex_);  // leaves by their expiry
  std::uint64_t bytes_ GUARDED_BY(mutex_) = 0;
  ResponseCounts counts_ GUARDED_BY(mutex_);
};

}  // namespace cortex::frontend::responses
