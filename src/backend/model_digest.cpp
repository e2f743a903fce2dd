// SPDX-License-Identifier: Apache-2.0
#include "backend/model_digest.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <system_error>

#include <openssl/evp.h>

namespace cortex::backend {
namespace {

constexpr std::uint64_t kEdgeBytes = 1 << 20;
constexpr std::uint64_t kSampleBytes = 4096;
constexpr std::uint64_t kSamples = 256;

void append_part(
    std::ifstream& file, std::uint64_t offset, std::uint64_t length, std::string& out
) {
  const std::size_t at = out.size();
  out.resize(at + length);
  file.clear();
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(out.data() + at, static_cast<std::streamsize>(length));
  out.resize(at + static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
}

std::string hexadecimal(const unsigned char* bytes, std::size_t count) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    out += kDigits[bytes[i] >> 4];
    out += kDigits[bytes[i] & 0xF];
  }
  return out;
}

}  // namespace

Result<std::string> model_digest(const std::filesystem::path& path) {
  std::error_code error;
  const std::uint64_t size = std::filesystem::file_size(path, error);
  const auto changed = std::filesystem::last_write_time(path, error);
  std::ifstream file(path, std::ios::binary);
  if (error || !file) return failed_precondition(path.filename().string() + " cannot be read");
  std::string sampled =
      std::to_string(size) + " " + std::to_string(changed.time_since_epoch().count()) + " ";
  append_part(file, 0, std::min(size, kEdgeBytes), sampled);
  if (size > kEdgeBytes) append_part(file, size - kEdgeBytes, kEdgeBytes, sampled);
  const std::uint64_t between = size > 2 * kEdgeBytes ? size - 2 * kEdgeBytes : 0;
  for (std::uint64_t i = 0; i < kSamples && between > kSampleBytes; ++i) {
    const std::uint64_t offset = kEdgeBytes + (between - kSampleBytes) / kSamples * i;
    append_part(file, offset, kSampleBytes, sampled);
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned length = 0;
  if (EVP_Digest(sampled.data(), sampled.size(), out.data(), &length, EVP_sha256(), nullptr) != 1) {
    return internal("SHA-256 failed");
  }
  return hexadecimal(out.data(), length);
}

}  // namespace cortex::backend
