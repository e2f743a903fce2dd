// SPDX-License-Identifier: Apache-2.0
// The input is a signature bundle, and the statement in one. Whatever it says, it is read or
// refused with a reason; what was read can be written and read again, and names no file outside of
// a model.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "registry/signing/signature_bundle.h"
#include "registry/signing/signed_manifest.h"
#include "registry/signing/signing_keys.h"

namespace {

using cortex::registry::SignedResource;

bool leads_out(std::string_view path) {
  return path.empty() || path.starts_with('/') || path == ".." || path.starts_with("../") ||
         path.ends_with("/..") || path.find("/../") != std::string_view::npos ||
         path.find('\0') != std::string_view::npos;
}

void check_statement(std::string_view text) {
  const auto manifest = cortex::registry::parse_statement(text);
  if (!manifest.ok()) {
    CHECK(!manifest.status().text().empty(), "a refusal says why");
    return;
  }
  for (const SignedResource& resource : manifest->resources) {
    CHECK(!leads_out(resource.path), "files stay inside");
  }
  if (manifest->shard_size > 0 || manifest->hash != cortex::registry::HashType::kSha256) return;
  const auto again = cortex::registry::parse_statement(cortex::registry::statement_text(*manifest));
  CHECK(again.ok(), "what was read can be written");
  CHECK(again->resources.size() == manifest->resources.size(), "and holds the same");
}

void check_bundle(std::string_view text) {
  const auto bundle = cortex::registry::parse_bundle(text);
  if (!bundle.ok()) {
    CHECK(!bundle.status().text().empty(), "a refusal says why");
    return;
  }
  const auto again = cortex::registry::parse_bundle(cortex::registry::bundle_text(*bundle));
  CHECK(again.ok(), "what was read can be written");
  CHECK(again->payload == bundle->payload, "the payload stays");
  CHECK(again->signature == bundle->signature, "the signature stays");
  CHECK(again->certificates == bundle->certificates, "the certificates stay");
  // Certificates are read before anybody is asked whether they are trusted.
  static const cortex::registry::TrustedKeys trusted = [] {
    cortex::registry::TrustedKeys keys;
    const auto status = keys.add(
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXoZZTGvIS9c7waRJ05ALqVpOEQnJ\n"
        "ZQ7bCRgk2OGzs2xBTVEoNWn2Ki1y2I2N1vpSm64QF3Mvc57sC5nF8LcZDQ==\n"
        "-----END PUBLIC KEY-----\n"
    );
    CHECK(status.ok(), "the key is good");
    return keys;
  }();
  static_cast<void>(trusted.verify(*bundle));
  check_statement(bundle->payload);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_bundle(text);
  check_statement(text);
  return 0;
}
