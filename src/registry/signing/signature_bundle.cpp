// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signature_bundle.h"

#include <algorithm>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/base64.h"
#include "registry/catalog/canonical_json.h"
#include "registry/signing/detail/strict_json.h"

namespace cortex::registry {
namespace {

namespace json = boost::json;

constexpr std::string_view kMediaType = "application/vnd.dev.sigstore.bundle.v0.3+json";
constexpr std::string_view kPayloadType = "application/vnd.in-toto+json";
constexpr std::size_t kCertificatesMax = 16;
constexpr std::size_t kCertificateBytesMax = 64 << 10;
constexpr std::size_t kSignatureBytesMax = 1024;
constexpr std::size_t kHintDigits = 64;

Status refused(const std::string& why) { return invalid_argument("the signature: " + why); }

Result<std::string> read_base64(
    const json::object& in, std::string_view name, std::size_t bytes_max
) {
  const auto text = find_text(in, name);
  if (!text) return refused("'" + std::string(name) + "' is missing");
  auto bytes = base64_bytes(*text);
  if (!bytes) return refused("'" + std::string(name) + "' is not base64");
  if (bytes->empty() || bytes->size() > bytes_max) {
    return refused("'" + std::string(name) + "' is empty or too long");
  }
  return std::move(*bytes);
}

Status read_envelope(const json::object& envelope, SignatureBundle& out) {
  if (find_text(envelope, "payloadType") != kPayloadType) {
    return refused("its payload is not an in-toto statement");
  }
  CORTEX_ASSIGN_OR_RETURN(out.payload, read_base64(envelope, "payload", kBundleBytesMax));
  const json::array* signatures = find_array(envelope, "signatures");
  if (signatures == nullptr || signatures->size() != 1 || !signatures->front().is_object()) {
    return refused("it must hold exactly one signature");
  }
  CORTEX_ASSIGN_OR_RETURN(
      out.signature, read_base64(signatures->front().get_object(), "sig", kSignatureBytesMax)
  );
  return {};
}

Status read_chain(const json::object& chain, SignatureBundle& out) {
  const json::array* certificates = find_array(chain, "certificates");
  if (certificates == nullptr || certificates->empty()) return refused("it has no certificates");
  if (certificates->size() > kCertificatesMax) return refused("it has too many certificates");
  for (const json::value& certificate : *certificates) {
    if (!certificate.is_object()) return refused("a certificate is not an object");
    CORTEX_ASSIGN_OR_RETURN(
        std::string der, read_base64(certificate.get_object(), "rawBytes", kCertificateBytesMax)
    );
    out.certificates.push_back(std::move(der));
  }
  return {};
}

bool is_hint(std::string_view text) {
  return text.size() == kHintDigits &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Status read_material(const json::object& material, SignatureBundle& out) {
  const json::object* key = find_object(material, "publicKey");
  const json::object* chain = find_object(material, "x509CertificateChain");
  if (material.contains("certificate")) return refused("keyless signatures are not supported");
  if ((key == nullptr) == (chain == nullptr)) {
    return refused("it must name either a key or a chain of certificates");
  }
  if (chain != nullptr) return read_chain(*chain, out);
  out.key_hint = find_text(*key, "hint").value_or("");
  if (!out.key_hint.empty() && !is_hint(out.key_hint)) {
    return refused("its key's fingerprint is not a SHA-256");
  }
  return {};
}

std::string quoted(std::string_view text) {
  std::string out;
  append_canonical_string(out, text);
  return out;
}

std::string material_text(const SignatureBundle& bundle) {
  if (bundle.certificates.empty()) {
    return R"("publicKey":{"hint":)" + quoted(bundle.key_hint) + "}";
  }
  std::string out;
  for (const std::string& der : bundle.certificates) {
    out += (out.empty() ? R"({"rawBytes":)" : R"(,{"rawBytes":)") + quoted(base64_text(der)) + "}";
  }
  return R"("x509CertificateChain":{"certificates":[)" + out + "]}";
}

}  // namespace

Result<SignatureBundle> parse_bundle(std::string_view text) {
  if (text.size() > kBundleBytesMax) {
    return refused("it is longer than " + std::to_string(kBundleBytesMax) + " bytes");
  }
  CORTEX_ASSIGN_OR_RETURN(const json::object document, parse_strict_object(text, "the signature"));
  if (find_text(document, "mediaType") != kMediaType) {
    return refused("it is not a Sigstore bundle of version 0.3");
  }
  const json::object* material = find_object(document, "verificationMaterial");
  const json::object* envelope = find_object(document, "dsseEnvelope");
  if (material == nullptr || envelope == nullptr) {
    return refused("'verificationMaterial' and 'dsseEnvelope' must be there");
  }
  SignatureBundle out;
  CORTEX_RETURN_IF_ERROR(read_material(*material, out));
  CORTEX_RETURN_IF_ERROR(read_envelope(*envelope, out));
  return out;
}

std::string bundle_text(const SignatureBundle& bundle) {
  std::string out = R"({"mediaType":)" + quoted(kMediaType) + R"(,"verificationMaterial":{)";
  out += material_text(bundle) + R"(,"tlogEntries":[]},"dsseEnvelope":{"payload":)";
  out += quoted(base64_text(bundle.payload)) + R"(,"payloadType":)" + quoted(kPayloadType);
  out += R"(,"signatures":[{"sig":)" + quoted(base64_text(bundle.signature));
  return out + R"(,"keyid":""}]}})";
}

std::string signed_bytes(std::string_view payload) {
  std::string out = "DSSEv1 " + std::to_string(kPayloadType.size()) + " ";
  out.append(kPayloadType).append(" ").append(std::to_string(payload.size())).append(" ");
  return out.append(payload);
}

}  // namespace cortex::registry
