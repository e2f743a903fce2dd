// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signing_keys.h"

#include <utility>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/check.h"
#include "registry/signing/detail/openssl.h"

namespace cortex::registry {
namespace {

int no_passphrase(char*, int, int, void*) { return 0; }

Result<std::string> sign_bytes(EVP_PKEY* key, std::string_view bytes) {
  const DigestContextPtr context(EVP_MD_CTX_new());
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  std::size_t length = 0;
  std::string out;
  const bool begun =
      EVP_DigestSignInit(context.get(), nullptr, digest_of_key(key), nullptr, key) == 1 &&
      EVP_DigestSign(context.get(), nullptr, &length, data, bytes.size()) == 1;
  out.resize(length);
  auto* place = reinterpret_cast<unsigned char*>(out.data());
  if (!begun || EVP_DigestSign(context.get(), place, &length, data, bytes.size()) != 1) {
    return internal("signing: " + openssl_error());
  }
  out.resize(length);
  return out;
}

bool is_signature(EVP_PKEY* key, std::string_view bytes, std::string_view signature) {
  const EVP_MD* digest = digest_of_key(key);
  if (digest == nullptr) return false;
  const DigestContextPtr context(EVP_MD_CTX_new());
  const bool good = EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr, key) == 1 &&
                    EVP_DigestVerify(
                        context.get(),
                        reinterpret_cast<const unsigned char*>(signature.data()),
                        signature.size(),
                        reinterpret_cast<const unsigned char*>(bytes.data()),
                        bytes.size()
                    ) == 1;
  ERR_clear_error();
  return good;
}

std::string der_of(X509* certificate) {
  unsigned char* data = nullptr;
  const int size = i2d_X509(certificate, &data);
  CHECK(size > 0, "a certificate that was read can be written");
  std::string out(reinterpret_cast<char*>(data), static_cast<std::size_t>(size));
  OPENSSL_free(data);
  return out;
}

}  // namespace

struct SigningKey::Impl {
  KeyPtr key;
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

Result<SigningKey> SigningKey::read(std::string_view pem) {
  const BioPtr in = reading(pem);
  KeyPtr key(PEM_read_bio_PrivateKey(in.get(), nullptr, &no_passphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return invalid_argument("the key is not a private key in PEM, or it has a passphrase");
  }
  if (digest_of_key(key.get()) == nullptr) {
    return invalid_argument("the key is not an elliptic one on P-256, P-384 or P-521");
  }
  return SigningKey(std::make_unique<Impl>(Impl{std::move(key)}));
}

std::string SigningKey::fingerprint() const { return fingerprint_of(impl_->key.get()); }

Result<SignatureBundle> SigningKey::sign(std::string payload, std::string_view pem) const {
  SignatureBundle out;
  CORTEX_ASSIGN_OR_RETURN(const auto certificates, read_certificates(pem));
  if (!pem.empty()) {
    if (certificates.empty()) return invalid_argument("there is no certificate in PEM");
    if (X509_check_private_key(certificates.front().get(), impl_->key.get()) != 1) {
      ERR_clear_error();
      return invalid_argument("the first certificate is not that of the key");
    }
  }
  for (const CertificatePtr& certificate : certificates) {
    out.certificates.push_back(der_of(certificate.get()));
  }
  if (certificates.empty()) out.key_hint = fingerprint();
  CORTEX_ASSIGN_OR_RETURN(out.signature, sign_bytes(impl_->key.get(), signed_bytes(payload)));
  out.payload = std::move(payload);
  return out;
}

struct TrustedKeys::Impl {
  struct Key {
    KeyPtr key;
    std::string fingerprint;
  };

  [[nodiscard]] Status add_keys(std::string_view pem);
  [[nodiscard]] Result<std::string> verify_by_key(const SignatureBundle& bundle) const;
  [[nodiscard]] Result<std::string> verify_by_certificate(const SignatureBundle& bundle) const;
  [[nodiscard]] Status check_chain(X509* signer, STACK_OF(X509) * others) const;

  std::vector<Key> keys;
  std::vector<CertificatePtr> certificates;
};

namespace {

using StorePtr = std::unique_ptr<X509_STORE, OpensslFree<X509_STORE_free>>;
using StoreContextPtr = std::unique_ptr<X509_STORE_CTX, OpensslFree<X509_STORE_CTX_free>>;
struct ChainFree {
  void operator()(STACK_OF(X509) * chain) const { sk_X509_pop_free(chain, X509_free); }
};
using ChainPtr = std::unique_ptr<STACK_OF(X509), ChainFree>;

// What a certificate must allow before its key counts as a signer's.
bool may_sign(X509* certificate) {
  const bool has_usage = X509_get_ext_by_NID(certificate, NID_key_usage, -1) >= 0;
  if (has_usage && (X509_get_key_usage(certificate) & KU_DIGITAL_SIGNATURE) != 0) return true;
  const bool has_purpose = X509_get_ext_by_NID(certificate, NID_ext_key_usage, -1) >= 0;
  return has_purpose && (X509_get_extended_key_usage(certificate) & XKU_CODE_SIGN) != 0;
}

std::string subject_of(X509* certificate) {
  const BioPtr out(BIO_new(BIO_s_mem()));
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
  return written(out.get());
}

Result<ChainPtr> read_chain(const SignatureBundle& bundle) {
  ChainPtr out(sk_X509_new_null());
  for (const std::string& der : bundle.certificates) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    const auto* end = at + der.size();
    CertificatePtr next(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
    ERR_clear_error();
    if (next == nullptr || at != end) {
      return failed_precondition("a certificate of the signature cannot be read");
    }
    if (sk_X509_push(out.get(), next.get()) <= 0) return internal("no memory for certificates");
    next.release();  // NOLINT(bugprone-unused-return-value): the stack owns it now
  }
  return out;
}

}  // namespace

TrustedKeys::TrustedKeys() : impl_(std::make_unique<Impl>()) {}
TrustedKeys::TrustedKeys(TrustedKeys&&) noexcept = default;
TrustedKeys& TrustedKeys::operator=(TrustedKeys&&) noexcept = default;
TrustedKeys::~TrustedKeys() = default;

bool TrustedKeys::empty() const { return impl_->keys.empty() && impl_->certificates.empty(); }

Status TrustedKeys::Impl::add_keys(std::string_view pem) {
  for (const std::string_view block : pem_blocks(pem, "PUBLIC KEY")) {
    const BioPtr in = reading(block);
    KeyPtr key(PEM_read_bio_PUBKEY(in.get(), nullptr, &no_passphrase, nullptr));
    ERR_clear_error();
    if (key == nullptr) return invalid_argument("a public key cannot be read");
    if (digest_of_key(key.get()) == nullptr) {
      return invalid_argument("a public key is not an elliptic one on P-256, P-384 or P-521");
    }
    std::string fingerprint = fingerprint_of(key.get());
    keys.push_back({std::move(key), std::move(fingerprint)});
  }
  return {};
}

Status TrustedKeys::add(std::string_view pem) {
  const std::size_t before = impl_->keys.size() + impl_->certificates.size();
  CORTEX_RETURN_IF_ERROR(impl_->add_keys(pem));
  CORTEX_ASSIGN_OR_RETURN(auto certificates, read_certificates(pem));
  for (CertificatePtr& certificate : certificates) {
    impl_->certificates.push_back(std::move(certificate));
  }
  if (impl_->keys.size() + impl_->certificates.size() > before) return {};
  return invalid_argument("there is neither a public key nor a certificate in PEM");
}

Result<std::string> TrustedKeys::verify(const SignatureBundle& bundle) const {
  if (empty()) return failed_precondition("nobody's signatures are trusted here");
  return bundle.certificates.empty() ? impl_->verify_by_key(bundle)
                                     : impl_->verify_by_certificate(bundle);
}

Result<std::string> TrustedKeys::Impl::verify_by_key(const SignatureBundle& bundle) const {
  const std::string bytes = signed_bytes(bundle.payload);
  bool known = false;
  for (const Key& key : keys) {
    if (!bundle.key_hint.empty() && key.fingerprint != bundle.key_hint) continue;
    known = true;
    if (is_signature(key.key.get(), bytes, bundle.signature)) return "key " + key.fingerprint;
  }
  if (known) return failed_precondition("the signature is not that of its content");
  return failed_precondition("the signature's key " + bundle.key_hint + " is not trusted here");
}

Status TrustedKeys::Impl::check_chain(X509* signer, STACK_OF(X509) * others) const {
  const StorePtr store(X509_STORE_new());
  const StoreContextPtr context(X509_STORE_CTX_new());
  if (store == nullptr || context == nullptr) return internal("no memory for certificates");
  for (const CertificatePtr& certificate : certificates) {
    X509_STORE_add_cert(store.get(), certificate.get());
  }
  // Whoever is trusted ends the chain, be it a root, what stands below it, or the signer.
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  if (X509_STORE_CTX_init(context.get(), store.get(), signer, others) != 1) {
    return internal("certificates: " + openssl_error());
  }
  const bool good = X509_verify_cert(context.get()) == 1;
  const int error = X509_STORE_CTX_get_error(context.get());
  ERR_clear_error();
  if (good) return {};
  return failed_precondition(
      std::string("the signer's certificate is not trusted here: ") +
      X509_verify_cert_error_string(error)
  );
}

Result<std::string> TrustedKeys::Impl::verify_by_certificate(const SignatureBundle& bundle) const {
  CORTEX_ASSIGN_OR_RETURN(const ChainPtr chain, read_chain(bundle));
  X509* signer = sk_X509_value(chain.get(), 0);
  CORTEX_RETURN_IF_ERROR(check_chain(signer, chain.get()));
  if (!may_sign(signer)) {
    return failed_precondition("the signer's certificate is not meant for signing");
  }
  EVP_PKEY* key = X509_get0_pubkey(signer);
  if (key == nullptr || !is_signature(key, signed_bytes(bundle.payload), bundle.signature)) {
    return failed_precondition("the signature is not that of its content");
  }
  return "certificate " + subject_of(signer);
}

}  // namespace cortex::registry
