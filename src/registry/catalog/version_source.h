// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "store/transaction.h"

namespace cortex::registry {

// Where a logged model lies and which run made it.
struct LoggedModelPlace {
  std::string location;  // artifact path
  std::string run;       // may be empty
};

// What others know of artifacts; artifact paths ("1/<run>/artifacts"), never addresses.
struct ArtifactLocations {
  // The folder of a run; kNotFound: no such run.
  std::function<Result<std::string>(
      store::Transaction&, const std::string& workspace, const std::string& run
  )>
      of_run;
  // kNotFound: no such logged model.
  std::function<Result<LoggedModelPlace>(
      store::Transaction&, const std::string& workspace, const std::string& logged_model
  )>
      of_logged_model;
  // True when something stands at or below the path.
  std::function<
      Result<bool>(store::Transaction&, const std::string& workspace, const std::string& path)>
      stands;
};

struct ResolvedSource {
  std::string location;      // artifact path
  std::string run;           // where the source says it
  std::string logged_model;  // likewise
};

// What a client's source of a version means. These forms and no other:
//
//   mlflow-artifacts:/1/<run>/artifacts/model   where something stands
//   1/<run>/artifacts/model                     the same
//   runs:/<run>/model                           below the folder of a run of ours, likewise
//   models:/m-<32 hexadecimal digits>           the folder of a logged model of ours
//   models:/<name>/<version>, models:/<name>@<alias>   what a version of ours means
//
// kInvalidArgument for everything else: other schemes, hosts, queries, fragments, "..", empty
// parts, encoded or backward separators, control characters. The text is safe to show.
[[nodiscard]] Result<ResolvedSource> resolve_source(
    store::Transaction& transaction,
    const ArtifactLocations& locations,
    const std::string& workspace,
    std::string_view source
);

}  // namespace cortex::registry
