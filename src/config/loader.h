// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/settings.h"

namespace cortex::config {

using Environment = std::map<std::string, std::string, std::less<>>;

// Where settings come from, the weakest first: the defaults, the file, the environment, the flags.
// A variable lists its entries between commas. Blanks around an entry of a variable or a flag are
// not its own; a variable of a list that is empty is as if it were not there.
struct Sources {
  std::string file;         // path of a YAML file; empty: none
  Environment environment;  // names that are not in the table are not ours
  std::map<std::string, std::vector<std::string>, std::less<>> flags;  // by the setting's path
};

// Something that is wrong, and where: "cortex.yaml:3: http.port", "CORTEX_HTTP_PORT",
// "--http-port".
struct Fault {
  std::string where;
  std::string text;
};

// The settings, or every fault of every source at once.
struct Loaded {
  Settings settings;
  std::vector<Fault> faults;

  [[nodiscard]] bool ok() const { return faults.empty(); }
};

[[nodiscard]] Loaded load(const Sources& sources);

// The same for the text of a file alone; `name` is for messages. What `cortex config check` and the
// fuzzer call.
[[nodiscard]] Loaded load_text(std::string_view yaml, std::string_view name);

// One line per fault: "where: text".
[[nodiscard]] std::string fault_text(const std::vector<Fault>& faults);

// The variables of this process. The only place that reads them.
[[nodiscard]] Environment process_environment();

// The whole content of a file of at most `bytes_max`; the error names it.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t bytes_max);

// True for addresses that only this machine reaches.
[[nodiscard]] bool is_loopback(std::string_view host);

}  // namespace cortex::config
