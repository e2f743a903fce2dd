// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signature_gate.h"

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/catalog/alias.h"
#include "registry/catalog/audit_log.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "registry/signing/detail/test_signer.h"
#include "registry/signing/signature_bundle.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_store.h"

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// A registry with the model "m", whose versions have artifacts at "1/<number>".
class SignatureGateTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    store_ = std::make_unique<store::TemporaryStore>(
        GetParam(),
        std::vector<store::Schema>{store::artifact_schema(), catalog_schema(), signing_schema()}
    );
    auto artifacts = store::open_artifact_folder(store_->folder() / "artifacts");
    ASSERT_TRUE(artifacts.ok());
    artifacts_ = std::move(*artifacts);
    NewModel model;
    model.name = "m";
    write([&](store::Transaction& t) { return create_model(t, {}, model).status(); });
    trust(signer_.public_pem());
  }

  void write(const store::Store::Work& work) {
    const Status status = (*store_)->write_and_wait(work);
    ASSERT_TRUE(status.ok()) << status.to_string();
  }
  void trust(const std::string& pem) {
    TrustedKeys trusted;
    if (!pem.empty()) {
      ASSERT_TRUE(trusted.add(pem).ok());
    }
    gate_ = std::make_unique<SignatureGate>(**store_, *artifacts_, "default", std::move(trusted));
  }
  store::Blob add_file(const std::string& path, const std::string& text) {
    auto writer = artifacts_->begin();
    CHECK(writer.ok(), "a blob is begun");
    CHECK((*writer)->write(std::as_bytes(std::span<const char>(text))).ok(), "it is written");
    const auto blob = (*writer)->finish();
    CHECK(blob.ok(), "and finished");
    write([&](store::Transaction& t) { return store::put_artifact(t, "default", path, *blob); });
    return *blob;
  }
  // A version with one file and, if wished, its signature by `signer`.
  void add_version(std::int64_t number, const Signer* signer) {
    const std::string location = "1/" + std::to_string(number);
    const store::Blob blob = add_file(location + "/model.onnx", "weights " + location);
    if (signer != nullptr) {
      SignedManifest manifest;
      manifest.resources = {{"model.onnx", 0, 0, blob.digest}};
      const auto key = SigningKey::read(signer->private_pem());
      const auto bundle = key->sign(statement_text(manifest));
      add_file(location + "/model.sig", bundle_text(*bundle));
    }
    write([&](store::Transaction& t) {
      NewVersion version;
      version.model = "m";
      version.location = version.source = location;
      return create_version(t, {}, version).status();
    });
  }
  void point(const std::string& alias, std::int64_t version) {
    write([&](store::Transaction& t) {
      AliasChange change;
      change.model = "m";
      change.alias = alias;
      change.version = version;
      return set_aliases(t, {}, std::span(&change, 1)).status();
    });
  }
  void set_policy(const std::string& alias, SignaturePolicy policy) {
    write([&](store::Transaction& t) { return set_signature_policy(t, {}, "m", alias, policy); });
  }
  GatedAliases ask() {
    std::optional<ServedModel> model;
    PoliciesByModel policies;
    write([&](store::Transaction& t) -> Status {
      CORTEX_ASSIGN_OR_RETURN(model, serving_view(t, "default", "m"));
      CORTEX_ASSIGN_OR_RETURN(policies, signature_policies(t, "default"));
      return {};
    });
    const auto gated = gate_->ask(*model, policies[model->identity]);
    EXPECT_TRUE(gated.ok()) << gated.status().to_string();
    identity_ = model->identity;
    return gated.ok() ? *gated : GatedAliases{};
  }
  std::vector<std::string> audit() {
    std::vector<std::string> out;
    write([&](store::Transaction& t) -> Status {
      out.clear();
      CORTEX_ASSIGN_OR_RETURN(const auto rows, read_audit(t, "default", 0, 1000));
      for (const AuditRow& row : rows) {
        const bool ours = row.event.find("alias.refused") != std::string::npos ||
                          row.event.find("alias.warned") != std::string::npos;
        if (ours) out.push_back(row.event);
      }
      return {};
    });
    return out;
  }
  // What a load would ask with.
  std::vector<ModelFile> files(const std::string& location) {
    std::vector<ModelFile> out;
    write([&](store::Transaction& t) -> Status {
      out.clear();
      CORTEX_ASSIGN_OR_RETURN(
          const auto entries, store::walk_artifacts(t, "default", location, 100)
      );
      for (const auto& entry : entries) {
        out.push_back({entry.path.substr(location.size() + 1), entry.size, entry.digest});
      }
      return {};
    });
    return out;
  }
  Status admit(const std::string& location) {
    return gate_->admit(identity_, location, files(location));
  }

  std::unique_ptr<store::TemporaryStore> store_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  std::unique_ptr<SignatureGate> gate_;
  Signer signer_;
  std::int64_t identity_ = 0;
};

TEST_P(SignatureGateTest, leaves_aliases_without_a_policy_alone) {
  add_version(1, nullptr);
  point("a", 1);
  const GatedAliases gated = ask();
  EXPECT_THAT(gated.aliases, ElementsAre(Pair("a", 1)));
  EXPECT_THAT(gated.notes, IsEmpty());
  EXPECT_EQ(gate_->counts().verified, 0U);
}

TEST_P(SignatureGateTest, lets_an_alias_that_requires_it_serve_signed_versions_alone) {
  add_version(1, &signer_);
  add_version(2, nullptr);
  set_policy("a", SignaturePolicy::kRequire);
  point("a", 1);
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 1)));
  point("a", 2);
  const GatedAliases gated = ask();
  EXPECT_THAT(gated.aliases, ElementsAre(Pair("a", 1)));
  EXPECT_THAT(gated.permitted, ElementsAre(Pair("a", ElementsAre(1))));
  ASSERT_TRUE(gated.notes.contains(2));
  EXPECT_EQ(
      gated.notes.at(2),
      "'a' requires a signature: the version is not signed; it stays on version 1"
  );
  EXPECT_THAT(audit(), ElementsAre(HasSubstr("not signed")));
  // Asked again, it is the same, and nothing is added to the log.
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 1)));
  EXPECT_EQ(audit().size(), 1U);
  EXPECT_EQ(gate_->counts().refused, 2U);
  point("a", 1);
  EXPECT_THAT(ask().notes, IsEmpty());
}

TEST_P(SignatureGateTest, permits_what_was_good_while_an_alias_moves_on) {
  add_version(1, &signer_);
  add_version(2, &signer_);
  set_policy("a", SignaturePolicy::kRequire);
  point("a", 1);
  EXPECT_THAT(ask().permitted, ElementsAre(Pair("a", ElementsAre(1))));
  point("a", 2);
  for (int i = 0; i < 2; ++i) {
    const GatedAliases gated = ask();
    EXPECT_THAT(gated.aliases, ElementsAre(Pair("a", 2)));
    EXPECT_THAT(gated.permitted, ElementsAre(Pair("a", ElementsAre(1, 2))));
  }
}

TEST_P(SignatureGateTest, serves_nothing_where_no_version_was_ever_good) {
  add_version(1, nullptr);
  point("a", 1);
  set_policy("a", SignaturePolicy::kRequire);
  const GatedAliases gated = ask();
  EXPECT_THAT(gated.aliases, ElementsAre(Pair("a", 0)));
  EXPECT_THAT(gated.permitted, ElementsAre(Pair("a", IsEmpty())));
  EXPECT_THAT(gated.notes.at(1), HasSubstr("it serves nothing"));
  set_policy("a", SignaturePolicy::kOff);
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 1)));
}

TEST_P(SignatureGateTest, warns_and_goes_on) {
  add_version(1, nullptr);
  set_policy("a", SignaturePolicy::kWarn);
  point("a", 1);
  const GatedAliases gated = ask();
  EXPECT_THAT(gated.aliases, ElementsAre(Pair("a", 1)));
  EXPECT_EQ(gated.notes.at(1), "'a' asks for a signature: the version is not signed");
  EXPECT_THAT(audit(), ElementsAre(HasSubstr("alias.warned")));
  EXPECT_EQ(gate_->counts().warned, 1U);
}

TEST_P(SignatureGateTest, refuses_a_signature_by_somebody_else_and_one_for_other_files) {
  const Signer stranger;
  add_version(1, &stranger);
  add_version(2, &signer_);
  add_file("1/2/model.onnx", "other weights");
  set_policy("a", SignaturePolicy::kRequire);
  point("a", 1);
  EXPECT_THAT(ask().notes.at(1), HasSubstr("is not trusted here"));
  point("a", 2);
  EXPECT_THAT(ask().notes.at(2), HasSubstr("'model.onnx' is not what was signed"));
  add_version(3, nullptr);
  add_file("1/3/model.sig", "no bundle");
  point("a", 3);
  EXPECT_THAT(ask().notes.at(3), HasSubstr("the signature"));
}

TEST_P(SignatureGateTest, asks_anew_whose_signatures_count_after_a_restart) {
  add_version(1, &signer_);
  set_policy("a", SignaturePolicy::kRequire);
  point("a", 1);
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 1)));
  trust(Signer().public_pem());
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 0)));
  trust("");
  EXPECT_THAT(ask().notes.at(1), HasSubstr("nobody's signatures are trusted"));
  trust(signer_.public_pem());
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 1)));
}

TEST_P(SignatureGateTest, loads_no_signed_version_whose_files_were_changed) {
  add_version(1, &signer_);
  set_policy("a", SignaturePolicy::kRequire);
  point("a", 1);
  EXPECT_THAT(ask().aliases, ElementsAre(Pair("a", 1)));
  EXPECT_TRUE(admit("1/1").ok());
  add_file("1/1/model.onnx", "evil weights");
  EXPECT_THAT(admit("1/1").text(), HasSubstr("are not those"));
  add_file("1/1/model.onnx", "weights 1/1");
  EXPECT_TRUE(admit("1/1").ok());
  add_file("1/1/more", "x");
  EXPECT_FALSE(admit("1/1").ok());
}

TEST_P(SignatureGateTest, never_believes_a_signature_that_came_after_the_load) {
  add_version(1, nullptr);
  static_cast<void>(ask());
  EXPECT_TRUE(admit("1/1").ok());
  SignedManifest manifest;
  manifest.resources = {{"model.onnx", 0, 0, add_file("1/1/model.onnx", "good").digest}};
  const auto key = SigningKey::read(signer_.private_pem());
  add_file("1/1/model.sig", bundle_text(*key->sign(statement_text(manifest))));
  set_policy("a", SignaturePolicy::kRequire);
  point("a", 1);
  EXPECT_THAT(ask().notes.at(1), HasSubstr("not signed"));
  // Unsigned versions may be added to, as before.
  EXPECT_TRUE(admit("1/1").ok());
}

TEST_P(SignatureGateTest, refuses_policies_of_nothing) {
  const auto set = [&](const std::string& model, const std::string& alias) {
    return (*store_)
        ->write_and_wait([&](store::Transaction& t) {
          return set_signature_policy(t, {}, model, alias, SignaturePolicy::kRequire);
        })
        .code();
  };
  EXPECT_EQ(set("none", "a"), Code::kNotFound);
  EXPECT_EQ(set("m", ""), Code::kInvalidArgument);
  EXPECT_EQ(set("m", std::string(256, 'a')), Code::kInvalidArgument);
  EXPECT_FALSE(parse_policy("strict").ok());
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    SignatureGateTest,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
