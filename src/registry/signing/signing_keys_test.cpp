// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signing_keys.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "registry/signing/detail/test_signer.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

SignatureBundle sign(const Signer& signer, std::string payload, const std::string& chain = {}) {
  auto key = SigningKey::read(signer.private_pem());
  CHECK(key.ok(), "the key can be read");
  auto bundle = key->sign(std::move(payload), chain);
  CHECK(bundle.ok(), bundle.status().text().c_str());
  return *bundle;
}

TrustedKeys trust(const std::string& pem) {
  TrustedKeys out;
  const Status status = out.add(pem);
  CHECK(status.ok(), status.text().c_str());
  return out;
}

std::string fault(const TrustedKeys& trusted, const SignatureBundle& bundle) {
  return trusted.verify(bundle).status().text();
}

TEST(SigningKeys, sign_and_verify_on_every_curve) {
  for (const char* curve : {"P-256", "P-384", "P-521"}) {
    const Signer signer(curve);
    const SignatureBundle bundle = sign(signer, "payload");
    const auto by = trust(signer.public_pem()).verify(bundle);
    ASSERT_TRUE(by.ok()) << curve << ": " << by.status().text();
    EXPECT_EQ(*by, "key " + bundle.key_hint);
  }
}

TEST(SigningKeys, refuse_other_bytes_other_keys_and_other_signatures) {
  const Signer signer;
  const Signer other;
  const TrustedKeys trusted = trust(signer.public_pem());
  SignatureBundle bundle = sign(signer, "payload");
  EXPECT_THAT(fault(trust(other.public_pem()), bundle), HasSubstr("is not trusted here"));
  EXPECT_THAT(fault(TrustedKeys(), bundle), HasSubstr("nobody's signatures are trusted"));
  bundle.payload = "payload.";
  EXPECT_THAT(fault(trusted, bundle), HasSubstr("not that of its content"));
  bundle.payload = "payload";
  bundle.signature = "\x30\x06\x02\x01\x01\x02\x01\x01";
  EXPECT_THAT(fault(trusted, bundle), HasSubstr("not that of its content"));
  bundle.signature.clear();
  EXPECT_THAT(fault(trusted, bundle), HasSubstr("not that of its content"));
}

TEST(SigningKeys, ask_all_trusted_keys_when_an_old_bundle_names_none) {
  const Signer signer;
  SignatureBundle bundle = sign(signer, "payload");
  bundle.key_hint.clear();
  EXPECT_TRUE(trust(Signer().public_pem() + signer.public_pem()).verify(bundle).ok());
  EXPECT_FALSE(trust(Signer().public_pem()).verify(bundle).ok());
}

TEST(SigningKeys, refuse_keys_that_no_model_is_signed_with) {
  EXPECT_FALSE(SigningKey::read("").ok());
  EXPECT_FALSE(SigningKey::read(Signer().public_pem()).ok());
  EXPECT_THAT(
      SigningKey::read(Signer("secp256k1").private_pem()).status().text(), HasSubstr("P-256")
  );
  TrustedKeys trusted;
  EXPECT_FALSE(trusted.add("").ok());
  EXPECT_FALSE(trusted.add(Signer("secp256k1").public_pem()).ok());
  EXPECT_FALSE(trusted.add("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n").ok());
  EXPECT_TRUE(trusted.empty());
}

TEST(SigningKeys, follow_a_chain_of_certificates_to_one_that_is_trusted) {
  const Signer root;
  const Signer middle;
  const Signer signer("P-384");
  const auto root_certificate =
      root.certificate({.name = "root", .usage = "keyCertSign", .authority = true});
  const auto middle_certificate = middle.certificate(
      {.name = "middle", .usage = "keyCertSign", .authority = true}, root, root_certificate.get()
  );
  const auto own = signer.certificate({}, middle, middle_certificate.get());
  const SignatureBundle bundle =
      sign(signer, "payload", Signer::pem(own.get()) + Signer::pem(middle_certificate.get()));
  EXPECT_EQ(bundle.certificates.size(), 2U);
  for (X509* anchor : {root_certificate.get(), middle_certificate.get(), own.get()}) {
    const auto by = trust(Signer::pem(anchor)).verify(bundle);
    ASSERT_TRUE(by.ok()) << by.status().text();
    EXPECT_EQ(*by, "certificate CN=signer");
  }
  const auto stranger = Signer().certificate({.name = "root", .usage = "keyCertSign"});
  EXPECT_THAT(fault(trust(Signer::pem(stranger.get())), bundle), HasSubstr("is not trusted here"));
  // The methods do not stand for each other.
  EXPECT_FALSE(trust(signer.public_pem()).verify(bundle).ok());
  EXPECT_FALSE(trust(Signer::pem(own.get())).verify(sign(signer, "payload")).ok());
}

TEST(SigningKeys, refuse_a_certificate_out_of_its_time_or_for_something_else) {
  const Signer signer;
  const auto check = [&](const Signer::Wish& wish) {
    const auto own = signer.certificate(wish);
    return fault(trust(Signer::pem(own.get())), sign(signer, "payload", Signer::pem(own.get())));
  };
  EXPECT_EQ(check({}), "");
  EXPECT_THAT(check({.from = -7200, .until = -3600}), HasSubstr("expired"));
  EXPECT_THAT(check({.from = 3600, .until = 7200}), HasSubstr("not yet valid"));
  EXPECT_THAT(check({.usage = "keyEncipherment"}), HasSubstr("not meant for signing"));
  EXPECT_THAT(check({.usage = ""}), HasSubstr("not meant for signing"));
}

TEST(SigningKeys, refuse_a_certificate_of_another_key) {
  const Signer signer;
  const auto other = Signer().certificate({});
  const auto key = SigningKey::read(signer.private_pem());
  EXPECT_THAT(
      key->sign("payload", Signer::pem(other.get())).status().text(), StartsWith("the first")
  );
  EXPECT_FALSE(key->sign("payload", "nothing").ok());
}

TEST(SigningKeys, refuse_bytes_behind_a_certificate) {
  const Signer signer;
  const auto own = signer.certificate({});
  SignatureBundle bundle = sign(signer, "payload", Signer::pem(own.get()));
  bundle.certificates.front() += "x";
  EXPECT_THAT(fault(trust(Signer::pem(own.get())), bundle), HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace cortex::registry
