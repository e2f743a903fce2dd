// SPDX-License-Identifier: Apache-2.0
#include "app/model_files.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "backend/model_digest.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

// Links count as the files that they lead to.
std::uint64_t bytes_of(const fs::path& folder) {
  std::uint64_t out = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code none;
    if (!it->is_regular_file(none)) continue;
    const std::uint64_t size = it->file_size(none);
    if (!none) out += size;
  }
  return out;
}

}  // namespace

void add_file_facts(const fs::path& folder, const fs::path& model_file, ModelFacts& facts) {
  facts.file_bytes = bytes_of(folder);
  std::error_code error;
  const fs::file_time_type changed = fs::last_write_time(model_file, error);
  if (!error) {
    const auto since = fs::file_time_type::clock::to_sys(changed).time_since_epoch();
    facts.changed_ms = std::chrono::duration_cast<std::chrono::milliseconds>(since).count();
  }
  auto digest = backend::model_digest(model_file);
  if (digest.ok()) facts.digest = std::move(*digest);
}

}  // namespace cortex::app
