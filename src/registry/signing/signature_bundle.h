// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::registry {

inline constexpr std::size_t kBundleBytesMax = 8 << 20;

// What a signature of OpenSSF Model Signing (OMS 1.0) holds: a Sigstore bundle around a DSSE
// envelope, for the methods "key" and "certificate". Nothing of it is to be believed before
// TrustedKeys::verify() took it.
struct SignatureBundle {
  std::string payload;    // the bytes that were signed: an in-toto statement
  std::string signature;  // DER
  // Method "key": the fingerprint of the public key; empty in bundles of old tools.
  std::string key_hint;
  std::vector<std::string> certificates;  // method "certificate": DER, the signer's first
};

// kInvalidArgument: longer than kBundleBytesMax, not JSON, a name twice in one object, another
// media type or payload type, not exactly one signature, neither or both methods, or no base64
// where it has to be. Keyless bundles (a certificate of Fulcio's with a log entry) are refused by
// name. Unknown fields are skipped. Pure.
[[nodiscard]] Result<SignatureBundle> parse_bundle(std::string_view json);

// The same bytes for the same bundle.
[[nodiscard]] std::string bundle_text(const SignatureBundle& bundle);

// What is signed for a payload: DSSE's encoding of its type, its length and its bytes.
[[nodiscard]] std::string signed_bytes(std::string_view payload);

}  // namespace cortex::registry
