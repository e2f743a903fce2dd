// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "frontend/codec/responses/response_book.h"
#include "store/store.h"
#include "store/transaction.h"

namespace cortex::frontend::responses {

// The table of kept responses. Functions over a transaction; `now` is milliseconds since the epoch.
[[nodiscard]] const store::Schema& response_schema();

// kFailedPrecondition when what it goes on from is gone.
[[nodiscard]] Status insert_response(store::Transaction& transaction, const KeptResponse& response);
[[nodiscard]] Result<KeptResponse> find_response(
    store::Transaction& transaction,
    const ResponseOwner& owner,
    const std::string& id,
    std::int64_t now
);
// `visible`: the last response must not have been removed, nor be too old.
[[nodiscard]] Result<std::vector<std::string>> read_conversation(
    store::Transaction& transaction,
    const ResponseOwner& owner,
    const std::string& id,
    std::int64_t now,
    bool visible = true
);
[[nodiscard]] Status remove_response(
    store::Transaction& transaction,
    const ResponseOwner& owner,
    const std::string& id,
    std::int64_t now
);

struct Trimmed {
  std::uint64_t expired = 0;
  std::uint64_t evicted = 0;
  bool more = false;  // a bounded part was done
};
// Drops what is too old, and what is over the budget of bytes; a bounded part of it at once.
[[nodiscard]] Result<Trimmed> trim_responses(
    store::Transaction& transaction, std::int64_t now, std::uint64_t bytes_max
);

}  // namespace cortex::frontend::responses
