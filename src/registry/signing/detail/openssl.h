// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/status.h"

// Owners of OpenSSL's objects, and what sources of this folder share. Private to it.
namespace cortex::registry {

template <auto free_function>
struct OpensslFree {
  template <typename T>
  void operator()(T* object) const {
    free_function(object);
  }
};
using KeyPtr = std::unique_ptr<EVP_PKEY, OpensslFree<EVP_PKEY_free>>;
using CertificatePtr = std::unique_ptr<X509, OpensslFree<X509_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslFree<BIO_free_all>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, OpensslFree<EVP_MD_CTX_free>>;

// The text as a source to read from; it outlives it.
[[nodiscard]] BioPtr reading(std::string_view text);
// All that was written.
[[nodiscard]] std::string written(BIO* out);

// The blocks of one kind ("PUBLIC KEY") in a PEM text, from their first line to their last.
[[nodiscard]] std::vector<std::string_view> pem_blocks(std::string_view pem, std::string_view kind);

// The digest that goes with a key's curve; null: no key for signatures of models.
[[nodiscard]] const EVP_MD* digest_of_key(EVP_PKEY* key);
// SHA-256 of the public half as PEM text.
[[nodiscard]] std::string fingerprint_of(EVP_PKEY* key);
// Every certificate of a PEM text; none is no error. kInvalidArgument: one that cannot be read.
[[nodiscard]] Result<std::vector<CertificatePtr>> read_certificates(std::string_view pem);
// What OpenSSL says went wrong, for the log; its queue is empty then.
[[nodiscard]] std::string openssl_error();

}  // namespace cortex::registry
