// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>

#include <boost/json/object.hpp>

#include "net/http_client.h"

namespace cortex::cli::detail {

// Where a figure was taken: "Xeon …, 2 cores".
[[nodiscard]] std::string machine_text();
[[nodiscard]] boost::json::object machine_json();

// CPU seconds of the server so far; nothing when its metrics cannot be read.
[[nodiscard]] std::optional<double> server_cpu(net::HttpClient& client);

}  // namespace cortex::cli::detail
