// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/check.h"

namespace cortex {

// The canonical codes of gRPC, with its numbers. frontend/status_map holds the one table that turns
// them into HTTP statuses and each API's own error names.
enum class Code : std::uint8_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kUnauthenticated = 16,
};

// "INVALID_ARGUMENT" and so on.
[[nodiscard]] std::string_view code_name(Code code);

// The private half of an error: for the log, never for a client. A type of its own, so that it
// cannot be sent by mistake.
struct Detail {
  std::string text;
};

// What became of an operation. OK costs one null pointer; an error carries a text that is safe to
// show to the client, and may carry a private detail and a hint when to try again. Cheap to copy.
// Thread-safe once made.
class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Code code, std::string public_text);
  Status(Code code, std::string public_text, Detail detail);

  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] Code code() const { return error_ ? error_->code : Code::kOk; }
  // Text that a client may see; empty when OK.
  [[nodiscard]] const std::string& text() const;
  // Text for the log alone; may be empty.
  [[nodiscard]] const std::string& detail() const;
  // When the caller may try again; set on overload.
  [[nodiscard]] std::optional<std::chrono::milliseconds> retry_after() const;
  // A word for machines where the code says too little ("context_length_exceeded"); may be empty.
  [[nodiscard]] const std::string& reason() const;
  // The field of the client's request that is at fault ("messages[2].content"); may be empty.
  [[nodiscard]] const std::string& field() const;

  // This error with a hint when to try again. REQUIRES: !ok().
  [[nodiscard]] Status with_retry_after(std::chrono::milliseconds wait) const;
  // This error with `prefix` before its public text ("inputs[2]: …"). REQUIRES: !ok().
  [[nodiscard]] Status with_prefix(std::string_view prefix) const;
  // This error with a reason, or with the field at fault. REQUIRES: !ok().
  [[nodiscard]] Status with_reason(std::string reason) const;
  [[nodiscard]] Status with_field(std::string field) const;
  // "NOT_FOUND: text (detail)" for the log.
  [[nodiscard]] std::string to_string() const;

 private:
  struct Error {
    Code code;
    std::string text;
    std::string detail;
    std::optional<std::chrono::milliseconds> retry_after;
    std::string reason;
    std::string field;
  };
  // A copy of the error to be changed. REQUIRES: !ok().
  [[nodiscard]] Error copy() const;
  [[nodiscard]] static Status of(Error error);

  std::shared_ptr<const Error> error_;
};

[[nodiscard]] Status invalid_argument(std::string text);
[[nodiscard]] Status not_found(std::string text);
[[nodiscard]] Status already_exists(std::string text);
[[nodiscard]] Status permission_denied(std::string text);
[[nodiscard]] Status unauthenticated(std::string text);
[[nodiscard]] Status resource_exhausted(std::string text);
[[nodiscard]] Status failed_precondition(std::string text);
[[nodiscard]] Status unimplemented(std::string text);
[[nodiscard]] Status unavailable(std::string text);
[[nodiscard]] Status deadline_exceeded(std::string text);
[[nodiscard]] Status cancelled(std::string text);
// The public text of an internal error says nothing of its cause; the cause goes to the log.
[[nodiscard]] Status internal(std::string detail);

// A value or the Status that says why there is none. Shaped like std::expected, so that the later
// swap is mechanical. REQUIRES for the reference accessors: ok().
template <typename T>
class [[nodiscard]] Result {
 public:
  // Implicit, as std::expected's. NOLINTBEGIN(google-explicit-constructor)
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Status error) : state_(std::in_place_index<1>, std::move(error)) {
    CHECK(!std::get<1>(state_).ok(), "a Result without a value needs an error");
  }
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }
  [[nodiscard]] Status status() const { return ok() ? Status() : std::get<1>(state_); }

  [[nodiscard]] T& value() & { return checked(); }
  [[nodiscard]] const T& value() const& { return const_cast<Result*>(this)->checked(); }
  [[nodiscard]] T&& value() && { return std::move(checked()); }
  T& operator*() & { return checked(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &value(); }

 private:
  T& checked() {
    CHECK(ok(), "value() of a Result that holds an error");
    return std::get<0>(state_);
  }
  std::variant<T, Status> state_;
};

}  // namespace cortex

// Leaves the function with the error of `expression`, if it has one. For functions that return
// Status or Result.
#define CORTEX_RETURN_IF_ERROR(expression)                          \
  do {                                                              \
    if (auto cortex_status_ = (expression); !cortex_status_.ok()) { \
      return cortex_status_;                                        \
    }                                                               \
  } while (false)

#define CORTEX_CONCAT_INNER(a, b) a##b
#define CORTEX_CONCAT(a, b) CORTEX_CONCAT_INNER(a, b)
// CORTEX_ASSIGN_OR_RETURN(auto x, f()): x is the value of f(), or the function is left with its
// error.
#define CORTEX_ASSIGN_OR_RETURN(declaration, expression) \
  CORTEX_ASSIGN_OR_RETURN_INNER(CORTEX_CONCAT(cortex_result_, __LINE__), declaration, expression)
#define CORTEX_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                          \
  if (!result.ok()) {                                                  \
    return result.status();                                            \
  }                                                                    \
  declaration = std::move(result).value()
