// SPDX-License-Identifier: Apache-2.0
#include "store/detail/sqlite_error.h"

#include <sqlite3.h>

#include <utility>

namespace cortex::store {
namespace {

Status constraint_status(int code, Detail detail) {
  switch (code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_ROWID:
      return Status(Code::kAlreadyExists, "it exists already", std::move(detail));
    default:
      return Status(
          Code::kFailedPrecondition, "a constraint of the database refuses it", std::move(detail)
      );
  }
}

}  // namespace

Status sqlite_status(int code, std::string text) {
  Detail detail{std::move(text)};
  if (code == SQLITE_BUSY_SNAPSHOT) {
    return Status(Code::kAborted, "the database changed meanwhile", std::move(detail));
  }
  switch (code & 0xFF) {
    case SQLITE_CONSTRAINT:
      return constraint_status(code, std::move(detail));
    case SQLITE_FULL:
      return Status(
          Code::kResourceExhausted, "the disk of the database is full", std::move(detail)
      );
    case SQLITE_NOMEM:
      return Status(Code::kResourceExhausted, "the database lacks memory", std::move(detail));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Status(Code::kDataLoss, "the database file is damaged", std::move(detail));
    case SQLITE_INTERRUPT:
      return Status(
          Code::kDeadlineExceeded, "the database took longer than the deadline", std::move(detail)
      );
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
      return Status(Code::kUnavailable, "another process holds the database", std::move(detail));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
      return Status(
          Code::kUnavailable, "the database cannot be read or written", std::move(detail)
      );
    case SQLITE_READONLY:
      return Status(Code::kUnavailable, "the database takes no writes", std::move(detail));
    case SQLITE_TOOBIG:
      return Status(Code::kInvalidArgument, "a value is too large", std::move(detail));
    default:
      return internal(std::move(detail.text));
  }
}

}  // namespace cortex::store
