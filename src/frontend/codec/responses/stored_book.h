// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "frontend/codec/responses/response_book.h"
#include "store/store.h"

namespace cortex::frontend::responses {

// Bytes of responses that wait for the database; beyond them nothing is kept.
inline constexpr std::size_t kUnwrittenBytesMax = 64UL * 1024 * 1024;

// Responses in the server's database: they outlive it, and servers of one database share them. What
// is being written is found in memory meanwhile; in these milliseconds a kill loses it, or another
// server that removes what it goes on from (counted as lost). The budget is kept about: the table
// is measured again whenever a sixteenth of it has come in.
// The store's works hold what they need of it: it may go before the store.
class StoredBook final : public ResponseBook {
 public:
  StoredBook(store::Store& store, ResponseBookOptions options);
  ~StoredBook() override;

  [[nodiscard]] bool keep(KeptResponse response) override;
  void find(const ResponseOwner& owner, const std::string& id, Then<KeptResponse> then) override;
  void conversation(
      const ResponseOwner& owner, const std::string& id, Then<std::vector<std::string>> then
  ) override;
  void remove(const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then)
      override;
  [[nodiscard]] ResponseCounts counts() const override;

  // Those on their way to the table, or, removed, out of it again.
  [[nodiscard]] std::size_t unwritten() const;

  // Drops what is too old. Called now and then, on any thread that may wait.
  void trim();

 private:
  struct Inner;
  const std::shared_ptr<Inner> inner_;
};

}  // namespace cortex::frontend::responses
