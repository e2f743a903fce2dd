// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <vector>

#include "base/status.h"
#include "request/principal.h"

namespace cortex::frontend::responses {

// Whose a response is. Nobody else learns that it exists, a key of the same workspace neither.
struct ResponseOwner {
  std::string workspace;
  std::string tenant;
  std::string key;

  [[nodiscard]] static ResponseOwner of(const Principal& principal) {
    return {principal.workspace, principal.tenant, principal.key};
  }
  [[nodiscard]] bool operator==(const ResponseOwner&) const = default;
  [[nodiscard]] auto operator<=>(const ResponseOwner&) const = default;
};

// An answer that was given, and what it takes to go on from it.
struct KeptResponse {
  std::string id;
  std::string previous;  // what it went on from; empty: nothing
  ResponseOwner owner;
  std::int64_t created_at = 0;  // milliseconds since the epoch, as expires_at
  std::int64_t expires_at = 0;
  std::string body;    // the answer as the client got it
  std::string input;   // items of its request alone: a JSON array
  std::string output;  // its own: a JSON array

  [[nodiscard]] std::size_t bytes() const {
    return sizeof(KeptResponse) + body.size() + input.size() + output.size();
  }
};

// A larger answer is not kept.
inline constexpr std::size_t kKeptBytesMax = 8UL * 1024 * 1024;
// Responses that one conversation goes back.
inline constexpr std::size_t kTurnsMax = 2048;

struct ResponseCounts {
  std::uint64_t kept = 0;
  std::uint64_t refused = 0;  // over a limit: the answer said that it is not kept
  std::uint64_t lost = 0;     // the answer said that it is kept, and the database failed
  std::uint64_t expired = 0;
  std::uint64_t evicted = 0;  // over the budget
};

// Answers that clients may come back to. What others go on from stays until they go: a conversation
// goes as a whole, its last response first. Over the budget the owner who holds the most loses what
// he used longest ago. Thread-safe; callbacks come once, on any thread, perhaps before the call
// returns, and must not block.
class ResponseBook {
 public:
  template <typename T>
  using Then = std::function<void(Result<T>)>;

  virtual ~ResponseBook() = default;

  // From its return on the response is found. False: it is not kept.
  [[nodiscard]] virtual bool keep(KeptResponse response) = 0;
  // kNotFound for what is not the owner's, was removed, or is too old.
  virtual void find(const ResponseOwner& owner, const std::string& id, Then<KeptResponse> then) = 0;
  // The inputs and outputs of all responses from the first of its conversation to this one, in
  // order. kNotFound as find(); kInvalidArgument for more than kTurnsMax.
  virtual void conversation(
      const ResponseOwner& owner, const std::string& id, Then<std::vector<std::string>> then
  ) = 0;
  virtual void remove(
      const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then
  ) = 0;
  [[nodiscard]] virtual ResponseCounts counts() const = 0;
};

struct ResponseBookOptions {
  std::uint64_t bytes_max = 256ULL << 20;  // 0: nothing is kept
  std::function<std::int64_t()> now;       // milliseconds since the epoch
};

// What both say of an id that is not there.
[[nodiscard]] inline Status no_such_response(const std::string& id) {
  return not_found("Response with id '" + id + "' not found.")
      .with_reason("response_not_found")
      .with_field("response_id");
}
[[nodiscard]] inline Status too_many_turns() {
  return invalid_argument(
             "the conversation has " + std::to_string(kTurnsMax) + " responses: begin another one"
  )
      .with_field("previous_response_id");
}

}  // namespace cortex::frontend::responses
