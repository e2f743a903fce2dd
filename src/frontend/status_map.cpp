// SPDX-License-Identifier: Apache-2.0
#include "frontend/status_map.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>

namespace cortex::frontend {
namespace {

constexpr std::string_view kInvalid = "invalid_request_error";
constexpr std::string_view kServer = "server_error";

// By the number of the code. 499 is nginx's number for a client that left.
constexpr std::array<StatusRow, 17> kRows{{
    {200, 0, "", ""},                                               // OK
    {499, 1, kInvalid, "cancelled"},                                // CANCELLED
    {500, 2, kServer, "unknown"},                                   // UNKNOWN
    {400, 3, kInvalid, "invalid_argument"},                         // INVALID_ARGUMENT
    {504, 4, "timeout_error", "deadline_exceeded"},                 // DEADLINE_EXCEEDED
    {404, 5, kInvalid, "not_found"},                                // NOT_FOUND
    {409, 6, kInvalid, "already_exists"},                           // ALREADY_EXISTS
    {403, 7, "permission_error", "permission_denied"},              // PERMISSION_DENIED
    {429, 8, "rate_limit_error", "rate_limit_exceeded"},            // RESOURCE_EXHAUSTED
    {400, 9, kInvalid, "failed_precondition"},                      // FAILED_PRECONDITION
    {409, 10, kInvalid, "aborted"},                                 // ABORTED
    {400, 11, kInvalid, "out_of_range"},                            // OUT_OF_RANGE
    {501, 12, kInvalid, "unimplemented"},                           // UNIMPLEMENTED
    {500, 13, kServer, "internal_error"},                           // INTERNAL
    {503, 14, "service_unavailable_error", "service_unavailable"},  // UNAVAILABLE
    {500, 15, kServer, "data_loss"},                                // DATA_LOSS
    {401, 16, "authentication_error", "invalid_api_key"},           // UNAUTHENTICATED
}};

}  // namespace

const StatusRow& status_row(Code code) {
  const auto index = static_cast<std::size_t>(code);
  CHECK(index < kRows.size(), "every code has a row");
  return kRows[index];
}

std::optional<std::int64_t> retry_after_seconds(const Status& status) {
  const auto wait = status.retry_after();
  if (!wait) return std::nullopt;
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(*wait).count());
}

bool is_server_fault(Code code) {
  return code == Code::kInternal || code == Code::kUnknown || code == Code::kDataLoss;
}

}  // namespace cortex::frontend
