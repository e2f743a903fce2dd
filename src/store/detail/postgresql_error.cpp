// SPDX-License-Identifier: Apache-2.0
#include "store/detail/postgresql_error.h"

#include <algorithm>
#include <array>
#include <utility>

namespace cortex::store {
namespace {

struct Row {
  std::string_view prefix;  // of the SQLSTATE; the first row that fits counts
  Code code;
  std::string_view text;
};

constexpr std::string_view kConflict = "the database changed meanwhile";
constexpr std::string_view kUnreachable = "the database cannot be reached";

constexpr auto kTable = std::to_array<Row>({
    {"23505", Code::kAlreadyExists, "it exists already"},
    {"23", Code::kFailedPrecondition, "a constraint of the database refuses it"},
    {"40001", Code::kAborted, kConflict},
    {"40P01", Code::kAborted, kConflict},
    {"57014", Code::kDeadlineExceeded, "the database took longer than the deadline"},
    {"53100", Code::kResourceExhausted, "the disk of the database is full"},
    {"53200", Code::kResourceExhausted, "the database lacks memory"},
    {"54", Code::kInvalidArgument, "a value is too large"},
    {"22021", Code::kInvalidArgument, "a text is not valid UTF-8"},
    {"XX001", Code::kDataLoss, "the database is damaged"},
    {"XX002", Code::kDataLoss, "the database is damaged"},
    {"58", Code::kUnavailable, "the database cannot read or write"},
    {"25P03", Code::kUnavailable, kUnreachable},
    {"08P01", Code::kInternal, ""},
    {"08", Code::kUnavailable, kUnreachable},
    {"28", Code::kUnavailable, "the database refuses our name or password"},
    {"53", Code::kUnavailable, kUnreachable},
    {"57", Code::kUnavailable, kUnreachable},
});

}  // namespace

Status postgresql_status(std::string_view state, std::string detail) {
  const auto* row = std::find_if(kTable.begin(), kTable.end(), [state](const Row& candidate) {
    return state.starts_with(candidate.prefix);
  });
  if (row == kTable.end() || row->code == Code::kInternal) return internal(std::move(detail));
  return Status(row->code, std::string(row->text), Detail{std::move(detail)});
}

Status lost_connection(std::string detail) {
  return Status(Code::kUnavailable, std::string(kUnreachable), Detail{std::move(detail)});
}

}  // namespace cortex::store
