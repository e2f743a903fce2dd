// SPDX-License-Identifier: Apache-2.0
#include "registry/fingerprint.h"

#include <map>
#include <string>
#include <system_error>
#include <utility>

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFilesMax = 10'000;
constexpr std::uint64_t kPrime = 0x100000001b3;

using Files = std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>;

void collect(const fs::path& folder, const std::string& above, int depth, Files& out) {
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (out.size() >= kFilesMax) return;
    const std::string name = above + "/" + it->path().filename().string();
    std::error_code broken;
    if (it->is_directory(broken)) {
      if (depth > 0) collect(it->path(), name, depth - 1, out);
    } else if (it->is_regular_file(broken)) {
      const auto time = it->last_write_time(broken).time_since_epoch().count();
      out[name] = {it->file_size(broken), static_cast<std::uint64_t>(time)};
    }
  }
}

}  // namespace

void Fingerprint::add(std::string_view bytes) {
  for (const char c : bytes) value_ = (value_ ^ static_cast<unsigned char>(c)) * kPrime;
  add(std::uint64_t{bytes.size()});
}

void Fingerprint::add(std::uint64_t number) {
  for (int shift = 0; shift < 64; shift += 8)
    value_ = (value_ ^ ((number >> shift) & 0xFF)) * kPrime;
}

void Fingerprint::add_folder(const fs::path& folder, int depth) {
  Files files;
  collect(folder, "", depth, files);
  for (const auto& [name, facts] : files) {
    add(name);
    add(facts.first);
    add(facts.second);
  }
}

}  // namespace cortex::registry
