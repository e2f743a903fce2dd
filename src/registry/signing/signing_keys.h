// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "registry/signing/signature_bundle.h"

namespace cortex::registry {

inline constexpr std::size_t kKeyFileBytesMax = 1 << 20;

// The private key of a signer: ECDSA on P-256 with SHA-256, P-384 with SHA-384, P-521 with SHA-512.
// The key leaves memory with it. Thread: one at a time.
class SigningKey {
 public:
  // PEM, PKCS#8 or SEC1, without a passphrase. kInvalidArgument: no such key, or another curve.
  [[nodiscard]] static Result<SigningKey> read(std::string_view pem);
  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  // A bundle around the payload. `certificates`: PEM, the key's own first, then what leads to a
  // root; empty: the method "key". kInvalidArgument: the first is not of this key.
  [[nodiscard]] Result<SignatureBundle> sign(
      std::string payload, std::string_view certificates = {}
  ) const;
  // SHA-256 of the public key as PEM, as bundles name it.
  [[nodiscard]] std::string fingerprint() const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// Whose signatures count. Immutable after the last add(); then thread-safe.
class TrustedKeys {
 public:
  TrustedKeys();
  TrustedKeys(TrustedKeys&&) noexcept;
  TrustedKeys& operator=(TrustedKeys&&) noexcept;
  ~TrustedKeys();

  // Every public key and every certificate of a PEM text. kInvalidArgument: there is none, one that
  // cannot be read, or a key that no signature can be of.
  [[nodiscard]] Status add(std::string_view pem);
  [[nodiscard]] bool empty() const;

  // Who signed the payload: "key <fingerprint>" or "certificate <subject>". A public key counts for
  // the method "key"; a certificate for the method "certificate", as the signer's own or as an
  // authority that stands above it, whose whole chain is valid now and whose signer may sign (key
  // usage digitalSignature, or code signing). kFailedPrecondition: nobody of them, and why.
  [[nodiscard]] Result<std::string> verify(const SignatureBundle& bundle) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cortex::registry
