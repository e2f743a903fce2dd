// SPDX-License-Identifier: Apache-2.0
// The input is a path that a client gives an artifact: what passes stays below the folder that it
// is put into, as it is and however often somebody decodes it.
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/check.h"
#include "store/artifact_path.h"

namespace {

std::string decoded(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const std::string digits = text.substr(i + 1, 2);
    const bool escape = text[i] == '%' && digits.size() == 2 &&
                        digits.find_first_not_of("0123456789abcdefABCDEF") == std::string::npos;
    out.push_back(escape ? static_cast<char>(std::stoi(digits, nullptr, 16)) : text[i]);
    if (escape) i += 2;
  }
  return out;
}

void check_stays_below(const std::string& path) {
  CHECK(path.find('\0') == std::string::npos, "a path holds no NUL");
  CHECK(path.find('\\') == std::string::npos, "a path holds no backslash");
  const std::filesystem::path whole = std::filesystem::path("/base") / path;
  CHECK(whole.string() == "/base/" + path, "a path is relative");
  CHECK(whole.lexically_normal() == whole, "a path says where it leads");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string path(reinterpret_cast<const char*>(data), size);
  if (!cortex::store::check_artifact_path(path).ok()) return 0;
  for (int round = 0; round < 600; ++round) {
    check_stays_below(path);
    std::string next = decoded(path);
    if (next == path) return 0;
    path = std::move(next);
  }
  CHECK(false, "decoding ends");
  return 0;
}
