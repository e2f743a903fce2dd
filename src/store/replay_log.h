// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "base/status.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::store {

// Answers to requests that carry a key of the client's, so that one which is sent again is answered
// as the first time and done once. The answer is kept in the transaction that did it: a failed
// request leaves nothing, and may be sent again under its key.
struct ReplayKey {
  std::string workspace;
  std::string user;     // keys of two users are never the same key
  std::string name;     // the client's
  std::string request;  // digest of all that makes the request what it is
};

struct KeptAnswer {
  std::int64_t status = 0;
  std::string head;  // what else the caller needs to answer again
  std::string body;
};

// An answer goes when it is older than `age`; the oldest go when there are more than `keys`, or
// more than `bytes` in all.
struct ReplayLimits {
  std::chrono::milliseconds age = std::chrono::hours(24);
  std::int64_t keys = 100'000;
  std::int64_t bytes = std::int64_t{256} << 20;
};

[[nodiscard]] const Schema& replay_schema();

// The answer of the first time; nullopt: there was none, and the key belongs to this transaction.
// kFailedPrecondition: the key was used for another request. `now` in milliseconds.
[[nodiscard]] Result<std::optional<KeptAnswer>> claim_replay(
    Transaction& transaction, const ReplayKey& key, std::int64_t now, const ReplayLimits& limits
);
// How many older answers went to make room for it. REQUIRES: claim_replay gave nullopt in the same
// transaction.
[[nodiscard]] Result<std::int64_t> keep_answer(
    Transaction& transaction,
    const ReplayKey& key,
    const KeptAnswer& answer,
    const ReplayLimits& limits
);

}  // namespace cortex::store
