// SPDX-License-Identifier: Apache-2.0
#include "app/http_options.h"

#include <algorithm>

namespace cortex::app {
namespace {

// Half of the cores read and write connections, the others are left to lanes: a request of a small
// model is all io, one of a large model nearly none.
std::size_t io_threads(const config::Settings& settings, const CoreBudget& cores) {
  if (settings.http.io_threads != 0) return settings.http.io_threads;
  return std::max<std::size_t>(1, cores.cores() / 2);
}

}  // namespace

frontend::HttpServerOptions http_options(
    const config::Settings& settings, const CoreBudget& cores
) {
  frontend::HttpServerOptions out;
  out.host = settings.http.host;
  out.port = static_cast<std::uint16_t>(settings.http.port);
  if (settings.metrics.port != 0)
    out.metrics_port = static_cast<std::uint16_t>(settings.metrics.port);
  out.io_threads = io_threads(settings, cores);
  // On one core it would only keep the client or the lane from running.
  if (cores.cores() > 1) out.idle_poll = std::chrono::microseconds(settings.http.idle_poll_us);
  out.connections_max = settings.limits.connections;
  out.header_bytes_limit = settings.limits.header_bytes;
  out.body_bytes_limit = settings.limits.body_bytes;
  out.body_budget_bytes = settings.limits.body_bytes_total;
  out.header_timeout = settings.limits.header_timeout;
  out.body_timeout = settings.limits.body_timeout;
  out.write_timeout = settings.limits.write_timeout;
  out.keep_alive_timeout = settings.limits.idle_timeout;
  out.cors_origins = settings.http.cors_origins;
  return out;
}

}  // namespace cortex::app
