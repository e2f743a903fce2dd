// SPDX-License-Identifier: Apache-2.0
#include "store/artifact_digest.h"

#include <array>

#include <openssl/evp.h>

#include "base/check.h"

namespace cortex::store {

struct Digest::Impl {
  Impl() : context(EVP_MD_CTX_new()) {
    CHECK(context != nullptr, "a digest has memory");
    CHECK(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1, "SHA-256 is always there");
  }
  ~Impl() { EVP_MD_CTX_free(context); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  EVP_MD_CTX* context;
};

Digest::Digest() : impl_(std::make_unique<Impl>()) {}
Digest::Digest(Digest&&) noexcept = default;
Digest& Digest::operator=(Digest&&) noexcept = default;
Digest::~Digest() = default;

void Digest::add(std::span<const std::byte> bytes) {
  CHECK(EVP_DigestUpdate(impl_->context, bytes.data(), bytes.size()) == 1, "SHA-256 takes bytes");
}

std::string Digest::finish() {
  std::array<unsigned char, 32> raw{};
  CHECK(EVP_DigestFinal_ex(impl_->context, raw.data(), nullptr) == 1, "SHA-256 ends once");
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(2 * raw.size());
  for (const unsigned char byte : raw) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace cortex::store
