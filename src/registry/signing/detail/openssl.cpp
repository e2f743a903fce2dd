// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/detail/openssl.h"

#include <array>
#include <span>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "store/artifact_digest.h"

namespace cortex::registry {
namespace {

constexpr std::size_t kRootCertificatesMax = 1000;

}  // namespace

BioPtr reading(std::string_view text) {
  BioPtr bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  CHECK(bio != nullptr, "there is memory for a reader");
  return bio;
}

std::string written(BIO* out) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  return {data, static_cast<std::size_t>(size)};
}

const EVP_MD* digest_of_key(EVP_PKEY* key) {
  if (EVP_PKEY_get_base_id(key) != EVP_PKEY_EC) return nullptr;
  std::array<char, 64> name{};
  std::size_t length = 0;
  if (EVP_PKEY_get_utf8_string_param(
          key, OSSL_PKEY_PARAM_GROUP_NAME, name.data(), name.size(), &length
      ) != 1) {
    return nullptr;
  }
  const std::string_view curve(name.data(), length);
  if (curve == "prime256v1" || curve == "P-256") return EVP_sha256();
  if (curve == "secp384r1" || curve == "P-384") return EVP_sha384();
  if (curve == "secp521r1" || curve == "P-521") return EVP_sha512();
  return nullptr;
}

std::string fingerprint_of(EVP_PKEY* key) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  CHECK(out != nullptr && PEM_write_bio_PUBKEY(out.get(), key) == 1, "a key can be written");
  store::Digest digest;
  const std::string pem = written(out.get());
  digest.add(std::as_bytes(std::span(pem)));
  return digest.finish();
}

std::vector<std::string_view> pem_blocks(std::string_view pem, std::string_view kind) {
  const std::string first = "-----BEGIN " + std::string(kind) + "-----";
  const std::string last = "-----END " + std::string(kind) + "-----";
  std::vector<std::string_view> out;
  for (;;) {
    const std::size_t begin = pem.find(first);
    if (begin == std::string_view::npos) return out;
    pem.remove_prefix(begin);
    const std::size_t end = pem.find(last);
    const std::size_t length = end == std::string_view::npos ? pem.size() : end + last.size();
    out.push_back(pem.substr(0, length));
    pem.remove_prefix(length);
  }
}

Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem) {
  std::vector<CertificatePtr> out;
  for (const std::string_view block : pem_blocks(pem, "CERTIFICATE")) {
    const BioPtr in = reading(block);
    CertificatePtr next(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
    ERR_clear_error();
    if (next == nullptr) return invalid_argument("a certificate cannot be read");
    if (out.size() == kRootCertificatesMax)
      return invalid_argument("there are too many certificates");
    out.push_back(std::move(next));
  }
  return out;
}

std::string openssl_error() {
  std::array<char, 256> text{};
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  if (last == 0) return "no reason was given";
  ERR_error_string_n(last, text.data(), text.size());
  return text.data();
}

}  // namespace cortex::registry
