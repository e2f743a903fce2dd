// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/registry_codec.h"

#include <string>
#include <utility>
#include <vector>

#include <boost/json.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "frontend/codec/registry/codec_fixture.h"

namespace cortex::frontend::registry_api {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kModels = "/api/v2/registry/models";
constexpr std::string_view kChampion = "/api/v2/registry/models/churn/aliases/champion";

TEST_P(RegistryCodecTest, a_model_is_made_read_changed_and_deleted) {
  const Reply made = post(kModels, R"({"name":"churn","tags":{"team":"a"},"reason":"new"})");
  EXPECT_EQ(made.status(), 201);
  EXPECT_EQ(made.header("Location"), "/api/v2/registry/models/churn");
  EXPECT_EQ(made.at("/created_by"), "ada");
  EXPECT_EQ(post(kModels, R"({"name":"churn"})").status(), 409);

  const Reply read = get("/api/v2/registry/models/churn");
  EXPECT_EQ(read.at("/tags/team"), "a");
  EXPECT_EQ(read.header("ETag"), made.header("ETag"));
  EXPECT_EQ(
      get("/api/v2/registry/models/churn", {{"if-none-match", read.header("ETag")}}).status(), 304
  );

  const Reply changed = send(
      Method::kPatch,
      "/api/v2/registry/models/churn",
      R"({"description":"d","name":"attrition"})",
      {{"if-match", read.header("ETag")}}
  );
  EXPECT_EQ(changed.status(), 200) << changed.reply.body;
  EXPECT_EQ(changed.at("/name"), "attrition");
  EXPECT_EQ(changed.at("/description"), "d");
  const Reply stale =
      remove("/api/v2/registry/models/attrition", {{"if-match", read.header("ETag")}});
  EXPECT_EQ(stale.status(), 412);
  EXPECT_EQ(stale.header("ETag"), changed.header("ETag"));
  EXPECT_EQ(remove("/api/v2/registry/models/attrition").status(), 204);
  EXPECT_EQ(get("/api/v2/registry/models/attrition").status(), 404);
}

TEST_P(RegistryCodecTest, an_alias_asks_for_signatures) {
  constexpr std::string_view kPolicies = "/api/v2/registry/models/churn/signature-policies";
  const std::string policy = std::string(kChampion) + "/signature-policy";
  EXPECT_EQ(put(policy, R"({"policy":"require"})").status(), 404) << "there is no such model";
  ASSERT_EQ(post(kModels, R"({"name":"churn"})").status(), 201);
  EXPECT_EQ(get(kPolicies).body.at("policies").as_array().size(), 0u);

  const Reply set = put(policy, R"({"policy":"require","reason":"audit"})");
  EXPECT_EQ(set.status(), 200) << set.reply.body;
  EXPECT_EQ(set.at("/policy"), "require");
  EXPECT_EQ(get(kPolicies).at("/policies/0/alias"), "champion");
  EXPECT_EQ(get(kPolicies).at("/policies/0/policy"), "require");

  const Reply refused = put(policy, R"({"policy":"maybe"})");
  EXPECT_EQ(refused.status(), 400);
  EXPECT_NE(refused.reply.body.find("off, warn or require"), std::string::npos);
  EXPECT_EQ(put(policy, R"({})").status(), 400);

  EXPECT_EQ(put(policy, R"({"policy":"off"})").at("/policy"), "off");
  EXPECT_EQ(get(kPolicies).body.at("policies").as_array().size(), 0u);
}

TEST_P(RegistryCodecTest, no_change_ignores_a_condition) {
  make_versions();
  const std::string model = "/api/v2/registry/models/churn";
  const Headers stale{{"if-match", get(model).header("ETag")}};
  EXPECT_EQ(put(model + "/tags/a", R"({"value":"1"})", stale).status(), 204);
  EXPECT_EQ(put(model + "/tags/a", R"({"value":"2"})", stale).status(), 412);
  EXPECT_EQ(remove(model + "/tags/a", stale).status(), 412);
  const Reply read = get(model);
  EXPECT_EQ(read.at("/tags/a"), "1");
  EXPECT_EQ(remove(model + "/tags/a", {{"if-match", read.header("ETag")}}).status(), 204);
  // What is made was not there.
  EXPECT_EQ(post(kModels, R"({"name":"other"})", {{"if-match", "*"}}).status(), 412);
  EXPECT_EQ(post(kModels, R"({"name":"other"})", {{"if-none-match", "*"}}).status(), 201);
  const std::string source = json::serialize(json::object{{"source", sources_[0]}});
  EXPECT_EQ(post(model + "/versions", source, {{"if-match", "*"}}).status(), 412);
  // What has no tag.
  const std::string policy = std::string(kChampion) + "/signature-policy";
  const Reply untagged = put(policy, R"({"policy":"warn"})", {{"if-match", "*"}});
  EXPECT_EQ(untagged.status(), 400);
  EXPECT_THAT(untagged.reply.body, HasSubstr("has no entity tag"));
  const auto changes = R"({"changes":[{"model":"churn","alias":"champion","version":1}]})";
  const Reply several = post("/api/v2/registry/aliases", changes, {{"if-match", "*"}});
  EXPECT_EQ(several.status(), 400);
  EXPECT_THAT(several.reply.body, HasSubstr("has no entity tag"));
  EXPECT_EQ(get(kChampion).status(), 404);
  const Headers twice{{"if-match", "*"}, {"if-match", "*"}};
  EXPECT_EQ(put(model + "/tags/a", R"({"value":"1"})", twice).status(), 400);
}

TEST_P(RegistryCodecTest, a_description_is_taken_away) {
  make_versions();
  for (const std::string path :
       {"/api/v2/registry/models/churn", "/api/v2/registry/models/churn/versions/1"}) {
    const auto describe = [&](std::string_view body) {
      return send(Method::kPatch, path, body, {});
    };
    EXPECT_EQ(describe(R"({"description":"d"})").at("/description"), "d") << path;
    const Reply gone = describe(R"({"description":""})");
    EXPECT_EQ(gone.status(), 200) << path << gone.reply.body;
    EXPECT_EQ(gone.at("/description"), "") << path;
  }
  const Reply missing = send(Method::kPatch, "/api/v2/registry/models/churn/versions/1", "{}", {});
  EXPECT_EQ(missing.status(), 400);
  EXPECT_THAT(missing.reply.body, HasSubstr("description: is missing"));
}

TEST_P(RegistryCodecTest, names_travel_percent_encoded) {
  ASSERT_EQ(post(kModels, R"({"name":"a b%é@?"})").status(), 201);
  const Reply read = get("/api/v2/registry/models/a%20b%25%C3%A9%40%3F");
  EXPECT_EQ(read.status(), 200);
  EXPECT_EQ(read.at("/name"), "a b%é@?");
  // Reaches the registry, whose rule names it.
  EXPECT_EQ(get("/api/v2/registry/models/org%2Fmodel%3Atag").status(), 400);
}

TEST_P(RegistryCodecTest, versions_have_numbers_and_semantic_versions) {
  make_versions();
  EXPECT_EQ(get("/api/v2/registry/models/churn/versions/2").at("/semantic_version"), "1.1.0");
  EXPECT_EQ(get("/api/v2/registry/models/churn/versions/1.1.0").at("/version"), "2");
  EXPECT_EQ(get("/api/v2/registry/models/churn/versions/3").status(), 404);
  EXPECT_EQ(get("/api/v2/registry/models/churn/versions/x").status(), 400);
  const Reply list = get("/api/v2/registry/models/churn/versions?limit=1");
  EXPECT_EQ(list.at("/versions/0/version"), "2");
  const Reply rest =
      get("/api/v2/registry/models/churn/versions?limit=1&page_token=" + list.at("/next_page_token")
      );
  EXPECT_EQ(rest.at("/versions/0/version"), "1") << rest.reply.body;
  EXPECT_EQ(rest.at("/next_page_token"), "");

  EXPECT_EQ(remove("/api/v2/registry/models/churn/versions/2").status(), 204);
  EXPECT_EQ(get("/api/v2/registry/models/churn/versions/2").status(), 404);
  EXPECT_EQ(
      post("/api/v2/registry/models/churn/versions", R"({"source":"file:///etc/passwd"})").status(),
      400
  );
}

TEST_P(RegistryCodecTest, a_version_is_deprecated_staged_and_tagged) {
  make_versions();
  const std::string one = "/api/v2/registry/models/churn/versions/1";
  EXPECT_EQ(post(one + "/deprecate", R"({"reason":"old"})").at("/deprecated/reason"), "old");
  EXPECT_EQ(post(one + "/undeprecate", "").at("/deprecated"), "");
  EXPECT_EQ(post(one + "/stage", R"({"stage":"production"})").at("/stage"), "Production");
  EXPECT_EQ(post(one + "/stage", R"({"stage":"beta"})").status(), 400);
  EXPECT_EQ(put(one + "/tags/team%2Fx", R"({"value":"a"})").status(), 204);
  EXPECT_EQ(get(one).at("/tags/team~1x"), "a");
  EXPECT_EQ(remove(one + "/tags/team%2Fx").status(), 204);
  EXPECT_EQ(get(one).at("/tags"), "{}");
}

TEST_P(RegistryCodecTest, lineage_leads_from_the_oldest_baseline) {
  make_versions();
  const std::string two = "/api/v2/registry/models/churn/versions/2";
  EXPECT_EQ(put(two + "/baseline", R"({"version":1})").at("/baseline/version"), "1");
  EXPECT_EQ(
      post(two + "/datasets", R"({"datasets":[{"name":"d","digest":"1","context":"training"}]})")
          .status(),
      204
  );
  const Reply lineage = get(two + "/lineage");
  EXPECT_EQ(lineage.at("/chain/0/version"), "1");
  EXPECT_EQ(lineage.at("/chain/1/datasets/0/context"), "training");
  const Reply cycle = put("/api/v2/registry/models/churn/versions/1/baseline", R"({"version":2})");
  EXPECT_EQ(cycle.status(), 409) << cycle.reply.body;
}

TEST_P(RegistryCodecTest, an_alias_moves_only_for_who_knows_where_it_stands) {
  make_versions();
  const Reply set = put(kChampion, R"({"version":1,"reason":"first"})", {{"if-none-match", "*"}});
  EXPECT_EQ(set.status(), 200) << set.reply.body;
  EXPECT_EQ(put(kChampion, R"({"version":2})", {{"if-none-match", "*"}}).status(), 412);
  const Reply moved = put(kChampion, R"({"version":2})", {{"if-match", set.header("ETag")}});
  EXPECT_EQ(moved.status(), 200);
  const Reply stale = put(kChampion, R"({"version":1})", {{"if-match", set.header("ETag")}});
  EXPECT_EQ(stale.status(), 412);
  EXPECT_EQ(stale.header("ETag"), moved.header("ETag"));
  EXPECT_EQ(get(kChampion).header("ETag"), moved.header("ETag"));
  EXPECT_EQ(get(kChampion).at("/version"), "2");
  EXPECT_EQ(get(kChampion, {{"if-none-match", moved.header("ETag")}}).status(), 304);
  // Nobody must say what he expects.
  EXPECT_EQ(put(kChampion, R"({"version":1})").status(), 200);
  EXPECT_EQ(remove(kChampion, {{"if-match", moved.header("ETag")}}).status(), 412);
  EXPECT_EQ(remove(kChampion, {{"if-match", "*"}}).status(), 204);
  EXPECT_EQ(remove(kChampion).status(), 404);
  EXPECT_EQ(put(kChampion, R"({"version":1})", {{"if-match", "*"}}).status(), 412);
  EXPECT_EQ(get(kChampion).status(), 404);
  EXPECT_EQ(get("/api/v2/registry/models/churn/aliases/latest").at("/version"), "2");
}

TEST_P(RegistryCodecTest, a_rollback_is_one_call_and_everything_is_remembered) {
  make_versions();
  ASSERT_EQ(put(kChampion, R"({"version":1,"reason":"first"})").status(), 200);
  ASSERT_EQ(put(kChampion, R"({"version":2})", {{"x-cortex-reason", "better"}}).status(), 200);
  const std::string path = std::string(kChampion) + "/rollback";
  const Reply back = post(path, R"({"reason":"it was not"})");
  EXPECT_EQ(back.at("/to"), "1");
  EXPECT_EQ(back.at("/action"), "rolled_back");
  EXPECT_EQ(get(kChampion).at("/version"), "1");

  const Reply history = get(std::string(kChampion) + "/history?limit=2");
  EXPECT_EQ(history.at("/changes/0/reason"), "it was not");
  EXPECT_EQ(history.at("/changes/0/by"), "ada");
  EXPECT_EQ(history.at("/changes/1/reason"), "better");
  const Reply rest = get(std::string(kChampion) + "/history?before=" + history.at("/next_before"));
  EXPECT_EQ(rest.at("/changes/0/reason"), "first");
  EXPECT_EQ(rest.at("/next_before"), "");
  EXPECT_EQ(post("/api/v2/registry/models/churn/aliases/other/rollback", "").status(), 404);
}

TEST_P(RegistryCodecTest, several_aliases_change_all_or_none) {
  make_versions();
  const Reply both = post("/api/v2/registry/aliases", R"({"changes":[
      {"model":"churn","alias":"champion","version":2,"expected_version":0},
      {"model":"churn","alias":"previous","version":1}]})");
  EXPECT_EQ(both.status(), 200) << both.reply.body;
  EXPECT_EQ(both.at("/changes/1/to"), "1");
  const Reply conflict = post("/api/v2/registry/aliases", R"({"changes":[
      {"model":"churn","alias":"previous","version":2},
      {"model":"churn","alias":"champion","version":1,"expected_version":1}]})");
  EXPECT_EQ(conflict.status(), 409);
  EXPECT_EQ(get("/api/v2/registry/models/churn/aliases/previous").at("/version"), "1");
  EXPECT_EQ(
      post("/api/v2/registry/aliases", R"({"changes":[{"model":"churn","alias":"a"}]})").status(),
      400
  );
  const Reply gone = post(
      "/api/v2/registry/aliases",
      R"({"changes":[{"model":"churn","alias":"previous","version":null}]})"
  );
  EXPECT_EQ(gone.at("/changes/0/to"), "null");
}

TEST_P(RegistryCodecTest, a_request_with_a_key_is_done_once) {
  make_versions();
  ASSERT_EQ(put(kChampion, R"({"version":1})").status(), 200);
  ASSERT_EQ(put(kChampion, R"({"version":2})").status(), 200);
  const std::string path = std::string(kChampion) + "/rollback";
  const Headers key = {{"idempotency-key", "k-1"}};
  const Reply first = post(path, R"({"reason":"bad"})", key);
  const Reply second = post(path, R"({"reason":"bad"})", key);
  EXPECT_EQ(first.status(), 200);
  EXPECT_EQ(second.reply.body, first.reply.body);
  EXPECT_EQ(second.header("ETag"), first.header("ETag"));
  EXPECT_EQ(first.header("Idempotency-Replayed"), "");
  EXPECT_EQ(second.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(get(kChampion).at("/version"), "1");
  EXPECT_EQ(post(path, R"({"reason":"worse"})", key).status(), 422);
  // A failed request leaves its key free.
  const Headers other = {{"idempotency-key", "k-2"}};
  EXPECT_EQ(post(kModels, R"({"name":"churn"})", other).status(), 409);
  const Reply made = post(kModels, R"({"name":"new"})", other);
  EXPECT_EQ(made.status(), 201);
  const Reply again = post(kModels, R"({"name":"new"})", other);
  EXPECT_EQ(again.status(), 201);
  EXPECT_EQ(again.header("Location"), made.header("Location"));
  EXPECT_EQ(post(kModels, R"({"name":"x"})", {{"idempotency-key", "a b"}}).status(), 400);
}

TEST_P(RegistryCodecTest, compares_facts_and_files_of_two_versions) {
  make_versions();
  ASSERT_EQ(put(kChampion, R"({"version":2})").status(), 200);
  const Reply difference = get("/api/v2/registry/models/churn/compare?left=1&right=%40champion");
  EXPECT_EQ(difference.status(), 200) << difference.reply.body;
  EXPECT_EQ(difference.at("/parameters/0/right"), "8");
  EXPECT_EQ(difference.at("/metrics/0/name"), "auc");
  EXPECT_EQ(difference.at("/improved"), "true");
  EXPECT_EQ(difference.at("/aliases_right/0"), "champion");
  EXPECT_EQ(difference.at("/signature/0/left"), "[4]");
  EXPECT_EQ(difference.at("/config"), "[]");
  EXPECT_EQ(difference.at("/notes"), "[]");
  EXPECT_EQ(get("/api/v2/registry/models/churn/compare?left=1").status(), 400);
  EXPECT_EQ(get("/api/v2/registry/models/churn/compare?left=1&right=9").status(), 404);
}

TEST_P(RegistryCodecTest, the_audit_log_is_read_in_pages_and_verified) {
  make_versions();
  const Reply page = get("/api/v2/audit?limit=2");
  EXPECT_EQ(page.at("/events/0/seq"), "1");
  EXPECT_THAT(page.at("/events/0/event"), HasSubstr("model.created"));
  EXPECT_EQ(get("/api/v2/audit?after=" + page.at("/next_after")).at("/events/0/seq"), "3");
  const Reply verdict = get("/api/v2/audit/verify");
  EXPECT_EQ(verdict.at("/valid"), "true");
  EXPECT_EQ(verdict.at("/seq"), "3");
  const std::string known = "?seq=3&hash=" + verdict.at("/hash");
  EXPECT_EQ(get("/api/v2/audit/verify" + known).at("/valid"), "true");
  ASSERT_TRUE((*store_)
                  ->write_and_wait([](store::Transaction& transaction) {
                    return transaction.execute("DELETE FROM audit_event WHERE seq = 3").status();
                  })
                  .ok());
  EXPECT_EQ(get("/api/v2/audit/verify" + known).at("/valid"), "false");
  EXPECT_EQ(get("/api/v2/audit/verify?seq=3").status(), 400);
}

TEST_P(RegistryCodecTest, the_database_is_copied_and_fetched_in_pieces) {
  make_versions();
  const Reply copy = post("/api/v2/backups", "");
  if (GetParam() != "sqlite") {
    EXPECT_EQ(copy.status(), 501);
    return;
  }
  ASSERT_EQ(copy.status(), 201) << copy.reply.body;
  const std::string content = copy.header("Location") + "/content";
  const HttpReply head = get(content + "?limit=16").reply;
  EXPECT_EQ(head.body, std::string("SQLite format 3\0", 16));
  EXPECT_EQ(head.content_type, "application/octet-stream");
  EXPECT_EQ(get(content + "?offset=" + copy.at("/size")).reply.body, "");
  EXPECT_EQ(get(content + "?limit=100000000").status(), 400);

  const Reply blobs = get("/api/v2/blobs");
  const std::string blob = "/api/v2/blobs/" + blobs.at("/blobs/0/digest");
  EXPECT_EQ(get(blob + "?limit=6").reply.body, "run_id");
  EXPECT_EQ(get("/api/v2/blobs/" + std::string(64, '0')).status(), 404);
  EXPECT_EQ(get("/api/v2/blobs/..%2Fcortex.db").status(), 400);

  const Reply newer = post("/api/v2/backups", "");
  EXPECT_EQ(get(content).status(), 404);
  EXPECT_EQ(remove(newer.header("Location")).status(), 204);
  EXPECT_EQ(remove(newer.header("Location")).status(), 404);
}

TEST_P(RegistryCodecTest, every_change_asks_for_admin_and_every_read_for_read) {
  for (const Route& route : codec_->make_api().routes) {
    const bool guarded = route.pattern.starts_with("/backups") ||
                         route.pattern.starts_with("/blobs") ||
                         route.pattern.starts_with("/webhooks");
    const bool reads = route.method == Method::kGet && !guarded;
    const Scope expected = reads ? Scope::kRead : Scope::kAdmin;
    EXPECT_EQ(route.scope, expected) << method_name(route.method) << " " << route.pattern;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    RegistryCodecTest,
    ::testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::frontend::registry_api
