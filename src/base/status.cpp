// SPDX-License-Identifier: Apache-2.0
#include "base/status.h"

#include <array>

namespace cortex {
namespace {

constexpr std::array<std::string_view, 17> kNames = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const std::string& empty_text() {
  static const std::string text;
  return text;
}

}  // namespace

std::string_view code_name(Code code) { return kNames.at(static_cast<std::size_t>(code)); }

Status::Status(Code code, std::string public_text)
    : Status(code, std::move(public_text), Detail{}) {}

Status::Status(Code code, std::string public_text, Detail detail)
    : error_(std::make_shared<const Error>(
          Error{code, std::move(public_text), std::move(detail.text), std::nullopt, {}, {}}
      )) {
  CHECK(code != Code::kOk, "an error needs a code other than OK");
}

const std::string& Status::text() const { return error_ ? error_->text : empty_text(); }

const std::string& Status::detail() const { return error_ ? error_->detail : empty_text(); }

std::optional<std::chrono::milliseconds> Status::retry_after() const {
  return error_ ? error_->retry_after : std::nullopt;
}

const std::string& Status::reason() const { return error_ ? error_->reason : empty_text(); }

const std::string& Status::field() const { return error_ ? error_->field : empty_text(); }

Status::Error Status::copy() const {
  CHECK(!ok(), "only an error has a text, a reason, a field or a time to try again");
  return *error_;
}

Status Status::of(Error error) {
  Status out;
  out.error_ = std::make_shared<const Error>(std::move(error));
  return out;
}

Status Status::with_retry_after(std::chrono::milliseconds wait) const {
  Error error = copy();
  error.retry_after = wait;
  return of(std::move(error));
}

Status Status::with_prefix(std::string_view prefix) const {
  Error error = copy();
  error.text.insert(0, prefix);
  return of(std::move(error));
}

Status Status::with_reason(std::string reason) const {
  Error error = copy();
  error.reason = std::move(reason);
  return of(std::move(error));
}

Status Status::with_field(std::string field) const {
  Error error = copy();
  error.field = std::move(field);
  return of(std::move(error));
}

std::string Status::to_string() const {
  std::string out(code_name(code()));
  if (!text().empty()) out.append(": ").append(text());
  if (!detail().empty()) out.append(" (").append(detail()).append(")");
  return out;
}

Status invalid_argument(std::string text) { return {Code::kInvalidArgument, std::move(text)}; }
Status not_found(std::string text) { return {Code::kNotFound, std::move(text)}; }
Status already_exists(std::string text) { return {Code::kAlreadyExists, std::move(text)}; }
Status permission_denied(std::string text) { return {Code::kPermissionDenied, std::move(text)}; }
Status unauthenticated(std::string text) { return {Code::kUnauthenticated, std::move(text)}; }
Status resource_exhausted(std::string text) { return {Code::kResourceExhausted, std::move(text)}; }
Status failed_precondition(std::string text) {
  return {Code::kFailedPrecondition, std::move(text)};
}
Status unimplemented(std::string text) { return {Code::kUnimplemented, std::move(text)}; }
Status unavailable(std::string text) { return {Code::kUnavailable, std::move(text)}; }
Status deadline_exceeded(std::string text) { return {Code::kDeadlineExceeded, std::move(text)}; }
Status cancelled(std::string text) { return {Code::kCancelled, std::move(text)}; }
Status internal(std::string detail) {
  return {Code::kInternal, "Internal error.", Detail{std::move(detail)}};
}

}  // namespace cortex
