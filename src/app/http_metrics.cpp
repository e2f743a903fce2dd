// SPDX-License-Identifier: Apache-2.0
#include "app/http_metrics.h"

namespace cortex::app {
namespace {

using frontend::HttpCounts;
using metrics::Type;

struct HttpFamily {
  std::string_view name;
  Type type;
  std::string_view help;
  std::uint64_t HttpCounts::* value;
};

constexpr HttpFamily kHttpFamilies[] = {
    {"cortex_http_connections", Type::kGauge, "Open connections.", &HttpCounts::open},
    {"cortex_http_connections_accepted_total",
     Type::kCounter,
     "Connections that were accepted.",
     &HttpCounts::accepted},
    {"cortex_http_connections_refused_total",
     Type::kCounter,
     "Connections over limits.connections.",
     &HttpCounts::refused},
    {"cortex_http_bad_requests_total",
     Type::kCounter,
     "Requests that the server itself refused.",
     &HttpCounts::bad_requests},
    {"cortex_http_disconnects_total",
     Type::kCounter,
     "Clients that left before their answer.",
     &HttpCounts::disconnects},
    {"cortex_http_received_bytes_total",
     Type::kCounter,
     "Bytes read from connections.",
     &HttpCounts::bytes_in},
    {"cortex_http_sent_bytes_total",
     Type::kCounter,
     "Bytes written to connections.",
     &HttpCounts::bytes_out},
    {"cortex_http_body_budget_used_bytes",
     Type::kGauge,
     "Bodies in memory, of limits.body_bytes_total.",
     &HttpCounts::body_budget_used},
};

struct Timeout {
  std::string_view kind;
  std::uint64_t HttpCounts::* value;
};

constexpr Timeout kTimeouts[] = {
    {"header", &HttpCounts::header_timeouts},
    {"body", &HttpCounts::body_timeouts},
    {"write", &HttpCounts::write_timeouts},
    {"idle", &HttpCounts::idle_timeouts},
};

}  // namespace

void write_http_counts(metrics::Exposition& out, const HttpCounts& counts) {
  for (const HttpFamily& family : kHttpFamilies) {
    out.family(family.name, family.type, family.help);
    out.sample({}, static_cast<double>(counts.*family.value));
  }
  out.family(
      "cortex_http_timeouts_total",
      Type::kCounter,
      "Connections ended because the client was too slow."
  );
  for (const Timeout& timeout : kTimeouts) {
    out.sample({{"kind", timeout.kind}}, static_cast<double>(counts.*timeout.value));
  }
}

}  // namespace cortex::app
