// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signature_bundle.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64.h"
#include "registry/signing/signed_manifest.h"
#include "registry/signing/signing_keys.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;

// The vector of OMS 1.0 for the method "key": what was signed, by whom, and the signature.
constexpr std::string_view kPayload =
    R"({
  "_type": "https://in-toto.io/Statement/v1",
  "subject": [
    {
      "name": "model",
      "digest": {
        "sha256": "92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4"
      }
    }
  ],
  "predicateType": "https://model_signing/signature/v1.0",
  "predicate": {
    "resources": [
      {
        "digest": "bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc",
        "algorithm": "sha256",
        "name": "signme-1"
      },
      {
        "digest": "32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028",
        "algorithm": "sha256",
        "name": "signme-2"
      }
    ],
    "serialization": {
      "method": "files",
      "ignore_paths": [
        ".gitattributes",
        ".github",
        "ignore-me",
        ".gitignore",
        ".git"
      ],
      "hash_type": "sha256",
      "allow_symlinks": false
    }
  }
})";
constexpr std::string_view kSignature =
    "MGQCMDNHlJBKxhHVeSWQ+RWXT2LKSOcd3fF6jQLxRs8zdXnJI9Ff8zKrDeMLvprDzqzKZQIwQmpMu2WZsNmlfMD+"
    "5S0UqwBnJ3/xLPjO+bYmBn/c5fg80jHloGe9fmjR5d57Y1XM";
constexpr std::string_view kHint =
    "e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e";
constexpr std::string_view kPublicKey = R"(-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEsu6rZGBTjxtvRWPMixT+3HyndV0J0Ybt
aHZUcO4DEK+OJHO/4e32bb/fbJKSpRgcBsIpKLcVijUomyFOERbd7u+BTPSUjGZD
Qq6J7lTvp/EAXQGOKxW9RP0MGX3qAkvi
-----END PUBLIC KEY-----
)";
constexpr std::string_view kFirstDigest =
    "bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc";
constexpr std::string_view kSecondDigest =
    "32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028";

// What a bundle is made of, so that a test can spoil one part.
struct Parts {
  std::string media_type = "application/vnd.dev.sigstore.bundle.v0.3+json";
  std::string material = R"("publicKey":{"hint":")" + std::string(kHint) + R"("},"tlogEntries":[])";
  std::string payload = base64_text(kPayload);
  std::string payload_type = "application/vnd.in-toto+json";
  std::string signatures = R"([{"sig":")" + std::string(kSignature) + R"(","keyid":""}])";
};

std::string text_of(const Parts& parts) {
  return R"({"mediaType":")" + parts.media_type + R"(","verificationMaterial":{)" + parts.material +
         R"(},"dsseEnvelope":{"payload":")" + parts.payload + R"(","payloadType":")" +
         parts.payload_type + R"(","signatures":)" + parts.signatures + "}}";
}

std::string fault(const Parts& parts) { return parse_bundle(text_of(parts)).status().text(); }

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  const std::size_t at = text.find(from);
  CHECK(at != std::string::npos, "the test replaces what is there");
  return text.replace(at, from.size(), to);
}

std::string statement_fault(std::string_view from, std::string_view to) {
  return parse_statement(replaced(std::string(kPayload), from, to)).status().text();
}

Result<std::string> no_reading(const ModelFile&, HashType, std::uint64_t, std::uint64_t) {
  return failed_precondition("nothing is to be read");
}

std::vector<ModelFile> vector_files() {
  return {{"signme-1", 9, std::string(kFirstDigest)}, {"signme-2", 9, std::string(kSecondDigest)}};
}

TEST(SignatureBundle, verifies_the_published_vector) {
  const auto bundle = parse_bundle(text_of({}));
  ASSERT_TRUE(bundle.ok()) << bundle.status().text();
  TrustedKeys trusted;
  ASSERT_TRUE(trusted.add(kPublicKey).ok());
  const auto signer = trusted.verify(*bundle);
  ASSERT_TRUE(signer.ok()) << signer.status().text();
  EXPECT_EQ(*signer, "key " + std::string(kHint));
  const auto manifest = parse_statement(bundle->payload);
  ASSERT_TRUE(manifest.ok()) << manifest.status().text();
  EXPECT_EQ(manifest->root, "92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4");
  EXPECT_TRUE(match_files(*manifest, vector_files(), {}, no_reading).ok());
}

TEST(SignatureBundle, takes_what_older_tools_wrote) {
  Parts parts;
  parts.material = R"("publicKey":{"rawBytes":"AAAA","keyDetails":"PKIX_ECDSA_P384_SHA_256"})";
  parts.signatures = R"([{"sig":")" + std::string(kSignature) + R"(","keyid":null}])";
  const auto bundle = parse_bundle(text_of(parts));
  ASSERT_TRUE(bundle.ok()) << bundle.status().text();
  EXPECT_EQ(bundle->key_hint, "");
  TrustedKeys trusted;
  ASSERT_TRUE(trusted.add(kPublicKey).ok());
  EXPECT_TRUE(trusted.verify(*bundle).ok());
}

TEST(SignatureBundle, reads_what_it_writes) {
  const auto bundle = parse_bundle(text_of({}));
  const auto again = parse_bundle(bundle_text(*bundle));
  ASSERT_TRUE(again.ok()) << again.status().text();
  EXPECT_EQ(again->payload, bundle->payload);
  EXPECT_EQ(again->signature, bundle->signature);
  EXPECT_EQ(again->key_hint, bundle->key_hint);
  const SignatureBundle chain{"payload", "signature", "", {"one", "two"}};
  EXPECT_EQ(parse_bundle(bundle_text(chain))->certificates, chain.certificates);
}

TEST(SignatureBundle, refuses_what_is_no_bundle) {
  EXPECT_FALSE(parse_bundle("").ok());
  EXPECT_FALSE(parse_bundle("[]").ok());
  EXPECT_FALSE(parse_bundle("{}").ok());
  EXPECT_FALSE(parse_bundle(std::string(kBundleBytesMax + 1, ' ')).ok());
  EXPECT_FALSE(parse_bundle(std::string(100'000, '[')).ok());
  EXPECT_FALSE(parse_bundle(replaced(text_of({}), "mediaType", "verificationMaterial")).ok());
  Parts parts;
  parts.media_type = "application/vnd.dev.sigstore.bundle+json;version=0.2";
  EXPECT_THAT(fault(parts), HasSubstr("version 0.3"));
  parts = {};
  parts.payload_type = "application/json";
  EXPECT_THAT(fault(parts), HasSubstr("not an in-toto statement"));
  parts = {};
  parts.payload = "*";
  EXPECT_THAT(fault(parts), HasSubstr("'payload' is not base64"));
}

TEST(SignatureBundle, wants_exactly_one_signature_by_a_method_it_knows) {
  Parts parts;
  for (const char* signatures : {"[]", "null", "[1]", R"([{"sig":"AA=="},{"sig":"AA=="}])"}) {
    parts.signatures = signatures;
    EXPECT_THAT(fault(parts), HasSubstr("exactly one signature")) << signatures;
  }
  parts = {};
  parts.material = R"("tlogEntries":[])";
  EXPECT_THAT(fault(parts), HasSubstr("either a key or a chain"));
  parts.material = R"("publicKey":{},"x509CertificateChain":{"certificates":[]})";
  EXPECT_THAT(fault(parts), HasSubstr("either a key or a chain"));
  parts.material = R"("x509CertificateChain":{"certificates":[]})";
  EXPECT_THAT(fault(parts), HasSubstr("no certificates"));
  parts.material = R"("certificate":{"rawBytes":"AAAA"},"tlogEntries":[{}])";
  EXPECT_THAT(fault(parts), HasSubstr("keyless"));
  parts.material = R"("publicKey":{"hint":"../../key"})";
  EXPECT_THAT(fault(parts), HasSubstr("not a SHA-256"));
}

TEST(SignedManifest, refuses_a_statement_of_something_else) {
  EXPECT_THAT(statement_fault("Statement/v1", "Statement/v0.1"), HasSubstr("in-toto statement"));
  EXPECT_THAT(statement_fault("signature/v1.0", "Digests/v0.1"), HasSubstr("something else"));
  EXPECT_THAT(statement_fault("\"subject\"", "\"subjects\""), HasSubstr("one subject"));
  EXPECT_THAT(statement_fault("92745110", "92745111"), HasSubstr("root digest"));
  EXPECT_THAT(statement_fault("bc9a717d", "bc9a717e"), HasSubstr("root digest"));
}

TEST(SignedManifest, refuses_algorithms_and_methods_it_does_not_know) {
  EXPECT_THAT(
      statement_fault("\"hash_type\": \"sha256\"", "\"hash_type\": \"blake3\""),
      HasSubstr("sha256 and blake2b")
  );
  EXPECT_THAT(
      statement_fault("\"algorithm\": \"sha256\"", "\"algorithm\": \"md5\""), HasSubstr("algorithm")
  );
  EXPECT_THAT(statement_fault("\"files\"", "\"tensors\""), HasSubstr("files and shards"));
  EXPECT_THAT(statement_fault("\"files\"", "\"shards\""), HasSubstr("shard_size"));
  EXPECT_THAT(
      statement_fault("\"allow_symlinks\": false", "\"allow_symlinks\": true"),
      HasSubstr("symbolic links")
  );
}

TEST(SignedManifest, refuses_paths_that_lead_out_or_come_twice) {
  for (const char* path : {"../x", "/etc/passwd", "a/../../x", "a//b", "a/", "", "a/./b"}) {
    EXPECT_THAT(statement_fault("signme-1", path), HasSubstr("no path inside")) << path;
    EXPECT_THAT(statement_fault("ignore-me", path), HasSubstr("ignore_paths")) << path;
  }
  EXPECT_THAT(statement_fault("ignore-me", kOneFile), HasSubstr("ignore_paths"));
  EXPECT_THAT(statement_fault("signme-1", "signme-2"), HasSubstr("twice"));
  EXPECT_THAT(statement_fault("signme-1", "a\\u0000b"), HasSubstr("no path inside"));
  EXPECT_THAT(statement_fault("bc9a717d", "BC9A717D"), HasSubstr("is none"));
}

TEST(SignedManifest, names_the_file_that_does_not_fit) {
  const auto manifest = parse_statement(kPayload);
  const auto fault_of = [&](const std::vector<ModelFile>& files, const MatchOptions& options = {}) {
    return match_files(*manifest, files, options, no_reading).text();
  };
  auto files = vector_files();
  EXPECT_EQ(fault_of(files), "");
  files.push_back({"ignore-me/deep/file", 1, ""});
  files.push_back({".git/config", 1, ""});
  EXPECT_EQ(fault_of(files), "");
  files.push_back({"ignore-me-not", 1, ""});
  EXPECT_EQ(fault_of(files), "'ignore-me-not' is not signed");
  EXPECT_EQ(fault_of(files, {{}, true}), "");
  EXPECT_EQ(fault_of(files, {{"ignore-me-not"}, false}), "");
  files = vector_files();
  files.push_back({"sub/.git", 1, ""});
  EXPECT_EQ(fault_of(files), "'sub/.git' is not signed");
  files = vector_files();
  files.front().digest = std::string(kSecondDigest);
  EXPECT_EQ(fault_of(files), "'signme-1' is not what was signed");
  files.erase(files.begin());
  EXPECT_EQ(fault_of(files, {{}, true}), "'signme-1' is missing");
}

// A file of two shards.
SignedManifest sharded() {
  SignedManifest out;
  out.shard_size = 10;
  out.resources = {{"w:1", 0, 10, "first"}, {"w:1", 10, 15, "second"}};
  return out;
}

TEST(SignedManifest, compares_shard_by_shard) {
  const HashRange hash = [](const ModelFile&, HashType, std::uint64_t begin, std::uint64_t) {
    return Result<std::string>(begin == 0 ? "first" : "second");
  };
  SignedManifest manifest = sharded();
  const auto fault_of = [&](std::uint64_t size) {
    return match_files(manifest, std::vector<ModelFile>{{"w:1", size, ""}}, {}, hash).text();
  };
  EXPECT_EQ(fault_of(15), "");
  EXPECT_NE(fault_of(14), "");
  EXPECT_NE(fault_of(25), "");
  manifest.resources[1].digest = "other";
  EXPECT_NE(fault_of(15), "");
  manifest = sharded();
  manifest.resources.pop_back();
  EXPECT_NE(fault_of(15), "");
  EXPECT_EQ(fault_of(10), "");
}

TEST(SignedManifest, writes_what_it_reads) {
  SignedManifest manifest;
  manifest.name = "m\"1";
  manifest.ignored = {".git"};
  manifest.resources = {
      {"b", 0, 0, std::string(kSecondDigest)}, {"a/\xC3\xA9", 0, 0, std::string(kFirstDigest)}
  };
  const auto again = parse_statement(statement_text(manifest));
  ASSERT_TRUE(again.ok()) << again.status().text();
  EXPECT_EQ(again->name, manifest.name);
  EXPECT_EQ(again->ignored, manifest.ignored);
  ASSERT_EQ(again->resources.size(), 2U);
  EXPECT_EQ(again->resources.front().path, "a/\xC3\xA9");
  EXPECT_EQ(again->root, "92745110b1ab4368471cbe31664e10174e954b113a3df333db860317b2c6dec4");
}

}  // namespace
}  // namespace cortex::registry
