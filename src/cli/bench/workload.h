// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/status.h"
#include "cli/command_line.h"
#include "cli/detail/infer_wire.h"
#include "net/http_client.h"

namespace cortex::cli::bench {

struct WorkloadOptions {
  std::string model;
  bool embeddings = false;
  std::size_t tokens_least = 32;  // of one text, with the tokenizer's own marks
  std::size_t tokens_most = 32;
  std::map<std::string, std::vector<std::int64_t>>
      shapes;  // by input, where the model leaves them open
};

// Requests made in advance, and the same work as tensors for the engine alone. The same for every
// run.
struct Workload {
  std::string target;
  std::vector<detail::InferBody> requests;
  bool binary = false;                            // else the requests are JSON
  std::vector<std::vector<TensorValue>> tensors;  // one set per request
  std::size_t tokens = 0;  // of all requests, as the server counted them; 0 for tensors

  [[nodiscard]] net::HttpCall call(std::size_t index) const;
};

// Asks the server for the model's inputs; for embeddings it sends every request once to learn its
// real token count.
[[nodiscard]] Result<Workload> make_workload(
    net::HttpClient& client, const WorkloadOptions& options
);

}  // namespace cortex::cli::bench
