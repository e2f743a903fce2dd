// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "registry/signing/detail/openssl.h"

namespace cortex::registry {

// Keys and certificates of a test's own. For tests alone.
class Signer {
 public:
  explicit Signer(const char* curve = "P-256") : key_(EVP_EC_gen(curve)) {
    CHECK(key_ != nullptr, "a test needs a key");
  }

  [[nodiscard]] std::string private_pem() const {
    return pem_of([this](BIO* out) {
      return PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  [[nodiscard]] std::string public_pem() const {
    return pem_of([this](BIO* out) { return PEM_write_bio_PUBKEY(out, key_.get()); });
  }

  struct Wish {
    const char* name = "signer";
    const char* usage = "digitalSignature";  // empty: no extension
    long from = -3600;                       // seconds from now
    long until = 3600;
    bool authority = false;
  };
  // A certificate for this key by `issuer`, which may be the same: self-signed.
  [[nodiscard]] CertificatePtr certificate(const Wish& wish) const {
    return certificate(wish, *this, nullptr);
  }
  [[nodiscard]] CertificatePtr certificate(
      const Wish& wish, const Signer& issuer, X509* issuer_certificate
  ) const {
    CertificatePtr out(X509_new());
    X509_set_version(out.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(out.get()), ++serial());
    X509_gmtime_adj(X509_getm_notBefore(out.get()), wish.from);
    X509_gmtime_adj(X509_getm_notAfter(out.get()), wish.until);
    X509_set_pubkey(out.get(), key_.get());
    X509_NAME* name = X509_get_subject_name(out.get());
    const auto* text = reinterpret_cast<const unsigned char*>(wish.name);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, text, -1, -1, 0);
    X509_set_issuer_name(
        out.get(), issuer_certificate == nullptr ? name : X509_get_subject_name(issuer_certificate)
    );
    if (wish.authority) add_extension(out.get(), NID_basic_constraints, "critical,CA:TRUE");
    if (*wish.usage != '\0') add_extension(out.get(), NID_key_usage, wish.usage);
    CHECK(X509_sign(out.get(), issuer.key_.get(), EVP_sha256()) > 0, "a certificate is signed");
    return out;
  }
  [[nodiscard]] static std::string pem(X509* certificate) {
    return pem_of([&](BIO* out) { return PEM_write_bio_X509(out, certificate); });
  }

 private:
  template <typename Write>
  static std::string pem_of(Write write) {
    const BioPtr out(BIO_new(BIO_s_mem()));
    CHECK(write(out.get()) == 1, "PEM is written");
    return written(out.get());
  }
  static void add_extension(X509* certificate, int kind, const char* value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value);
    CHECK(extension != nullptr, "an extension is made");
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
  }
  static long& serial() {
    static long value = 0;
    return value;
  }

  KeyPtr key_;
};

}  // namespace cortex::registry
