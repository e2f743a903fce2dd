// SPDX-License-Identifier: Apache-2.0
#include "app/access_log.h"

#include "base/log.h"

namespace cortex::app {
namespace {

std::int64_t microseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

bool failed(const RequestRecord& record) {
  return record.http_status == 0 || record.http_status >= 400;
}

}  // namespace

void AccessLog::record(const RequestRecord& record) {
  if (what_ == config::AccessLog::kOff) return;
  if (what_ == config::AccessLog::kErrors && !failed(record)) return;
  const log::Level level = record.http_status >= 500 ? log::Level::kWarning : log::Level::kInfo;
  if (!log::enabled(level)) return;
  const std::string error = record.status.ok() ? "" : record.status.to_string();
  log::write(
      level,
      "request",
      {{"id", record.request_id},
       {"api", record.api},
       {"method", record.method},
       {"route", record.route},
       {"status", record.http_status},
       {"model", record.model.name},
       {"version", record.model.version},
       {"tenant", record.tenant},
       {"key", record.key},
       {"total_us", microseconds(record.total)},
       {"queue_us", microseconds(record.timings.queue)},
       {"compute_us", microseconds(record.timings.compute)},
       {"batch_size", record.timings.batch_size},
       {"bytes_in", record.request_bytes},
       {"bytes_out", record.response_bytes},
       {"error", error}}
  );
}

}  // namespace cortex::app
