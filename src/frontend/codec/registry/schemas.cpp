// SPDX-License-Identifier: Apache-2.0
#include <span>
#include <string_view>

#include "frontend/codec/registry/registry_route.h"

namespace cortex::frontend::registry_api {
namespace {

constexpr Schema json_schema(std::string_view name, std::string_view text) {
  return {name, "application/json", false, text};
}

constexpr Schema kSchemas[] = {
    json_schema("RegistryTags", R"({"type":"object","additionalProperties":{"type":"string"}})"),
    json_schema(
        "RegistryVersionId",
        R"({"type":"object","required":["model","version"],"properties":{
      "model":{"type":"string"},"version":{"type":"integer","minimum":1}}})"
    ),
    json_schema(
        "RegistryModel",
        R"({"type":"object","required":["name","tags","aliases","created_at","updated_at","revision"],"properties":{
      "name":{"type":"string"},"description":{"type":"string"},"tags":{"$ref":"#/components/schemas/RegistryTags"},
      "aliases":{"type":"object","additionalProperties":{"type":"integer"}},
      "created_at":{"type":"integer","description":"Milliseconds since the epoch."},"created_by":{"type":"string"},
      "updated_at":{"type":"integer"},"revision":{"type":"integer"}}})"
    ),
    json_schema(
        "RegistryModelPage",
        R"({"type":"object","required":["models","next_page_token"],"properties":{
      "models":{"type":"array","items":{"$ref":"#/components/schemas/RegistryModel"}},
      "next_page_token":{"type":"string","description":"Empty on the last page."}}})"
    ),
    json_schema(
        "RegistryNewModel",
        R"({"type":"object","required":["name"],"additionalProperties":false,"properties":{
      "name":{"type":"string"},"description":{"type":"string"},"tags":{"$ref":"#/components/schemas/RegistryTags"},
      "reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryModelChange", R"({"type":"object","additionalProperties":false,"properties":{
      "name":{"type":"string"},"description":{"type":"string"},"reason":{"type":"string"}}})"
    ),
    json_schema("RegistryTagValue", R"({"type":"object","additionalProperties":false,"properties":{
      "value":{"type":"string"},"reason":{"type":"string"}}})"),
    json_schema("RegistryReason", R"({"type":"object","additionalProperties":false,"properties":{
      "reason":{"type":"string","maxLength":1000}}})"),
    json_schema(
        "RegistryVersion",
        R"({"type":"object","required":["model","version","status","stage","source","tags","aliases","created_at",
      "updated_at"],"properties":{"model":{"type":"string"},"version":{"type":"integer"},
      "semantic_version":{"type":"string"},"status":{"enum":["pending","failed","ready"]},
      "status_message":{"type":"string"},"stage":{"enum":["None","Staging","Production","Archived"]},
      "description":{"type":"string"},"source":{"type":"string"},"run":{"type":"string"},
      "run_link":{"type":"string"},"logged_model":{"type":"string"},
      "tags":{"$ref":"#/components/schemas/RegistryTags"},"aliases":{"type":"array","items":{"type":"string"}},
      "baseline":{"$ref":"#/components/schemas/RegistryVersionId"},
      "deprecated":{"type":"object","properties":{"at":{"type":"integer"},"by":{"type":"string"},
        "reason":{"type":"string"}}},
      "created_at":{"type":"integer"},"created_by":{"type":"string"},"updated_at":{"type":"integer"}}})"
    ),
    json_schema(
        "RegistryVersionPage",
        R"({"type":"object","required":["versions","next_page_token"],"properties":{
      "versions":{"type":"array","items":{"$ref":"#/components/schemas/RegistryVersion"}},
      "next_page_token":{"type":"string"}}})"
    ),
    json_schema("RegistryDataset", R"({"type":"object","required":["name","digest"],"properties":{
      "name":{"type":"string"},"digest":{"type":"string"},"context":{"type":"string"}}})"),
    json_schema(
        "RegistryNewVersion",
        R"({"type":"object","required":["source"],"additionalProperties":false,"properties":{
      "source":{"type":"string","description":"runs:/, models:/ or mlflow-artifacts:/ of this server."},
      "run_link":{"type":"string"},"description":{"type":"string"},
      "tags":{"$ref":"#/components/schemas/RegistryTags"},
      "semantic_version":{"type":"string","description":"X.Y.Z, or increment."},
      "increment":{"enum":["major","minor","patch"]},
      "baseline":{"type":"object","required":["version"],"properties":{
        "model":{"type":"string"},"version":{"type":"integer"}}},
      "datasets":{"type":"array","items":{"$ref":"#/components/schemas/RegistryDataset"}},
      "reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryVersionChange",
        R"({"type":"object","required":["description"],"additionalProperties":false,"properties":{
      "description":{"type":"string"},"reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryStage",
        R"({"type":"object","required":["stage"],"additionalProperties":false,"properties":{
      "stage":{"enum":["None","Staging","Production","Archived"]},"archive_existing":{"type":"boolean"},
      "reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryBaseline",
        R"({"type":"object","required":["version"],"additionalProperties":false,"properties":{
      "model":{"type":"string","description":"The version's own where it is left out."},
      "version":{"type":"integer"},"reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryDatasets",
        R"({"type":"object","required":["datasets"],"additionalProperties":false,"properties":{
      "datasets":{"type":"array","items":{"$ref":"#/components/schemas/RegistryDataset"}},
      "reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryLineage",
        R"({"type":"object","required":["chain"],"properties":{"chain":{"type":"array",
      "description":"From the oldest ancestor to the version.","items":{"type":"object","properties":{
        "model":{"type":"string"},"version":{"type":"integer"},"run":{"type":"string"},
        "logged_model":{"type":"string"},
        "datasets":{"type":"array","items":{"$ref":"#/components/schemas/RegistryDataset"}},
        "baseline":{"$ref":"#/components/schemas/RegistryVersionId"},"deleted":{"type":"boolean"}}}}}})"
    ),
    json_schema(
        "RegistryAliasList",
        R"({"type":"object","required":["aliases"],"properties":{"aliases":{"type":"array",
      "items":{"type":"object","properties":{"alias":{"type":"string"},"version":{"type":"integer"}}}}}})"
    ),
    json_schema(
        "RegistryAlias", R"({"type":"object","required":["model","alias","version"],"properties":{
      "model":{"type":"string"},"alias":{"type":"string"},"version":{"type":"integer"},
      "revision":{"type":"integer","description":"Of its last change; the entity tag."},
      "changed_at":{"type":"integer"},"changed_by":{"type":"string"},"reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistrySignaturePolicy", R"({"type":"object","required":["alias","policy"],"properties":{
      "alias":{"type":"string"},"policy":{"enum":["off","warn","require"]},
      "verified_version":{"type":"integer","description":"The last version with a good signature."},
      "refused_version":{"type":"integer","description":"What the alias points to, where it has none."},
      "refused_because":{"type":"string"}}})"
    ),
    json_schema(
        "RegistrySignaturePolicies",
        R"({"type":"object","required":["policies"],"properties":{"policies":{"type":"array",
      "items":{"$ref":"#/components/schemas/RegistrySignaturePolicy"}}}})"
    ),
    json_schema(
        "RegistrySignaturePolicyName",
        R"({"type":"object","required":["policy"],"additionalProperties":false,
      "properties":{"policy":{"enum":["off","warn","require"]},"reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryAliasTarget",
        R"({"type":"object","required":["version"],"additionalProperties":false,
      "properties":{"version":{"type":"integer","minimum":1},"reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryAliasEntry",
        R"({"type":"object","required":["model","alias","seq","action","from","to","at","revision"],"properties":{
      "model":{"type":"string"},"alias":{"type":"string"},"seq":{"type":"integer"},
      "action":{"enum":["set","deleted","rolled_back","version_deleted"]},
      "from":{"type":["integer","null"]},"to":{"type":["integer","null"]},"at":{"type":"integer"},
      "revision":{"type":"integer"},"by":{"type":"string"},"reason":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryAliasHistory", R"({"type":"object","required":["changes"],"properties":{
      "changes":{"type":"array","items":{"$ref":"#/components/schemas/RegistryAliasEntry"}},
      "next_before":{"type":"integer","description":"Where the next page begins; missing on the last."}}})"
    ),
    json_schema(
        "RegistryAliasChanges",
        R"({"type":"object","required":["changes"],"additionalProperties":false,"properties":{
      "changes":{"type":"array","minItems":1,"maxItems":1000,"items":{"type":"object",
        "required":["model","alias","version"],"additionalProperties":false,"properties":{
        "model":{"type":"string"},"alias":{"type":"string"},
        "version":{"type":["integer","null"],"description":"null deletes the alias."},
        "expected_version":{"type":"integer","description":"0: that it does not stand. Else 409."},
        "expected_revision":{"type":"integer","description":"Of its last change. Else 409."}}}},
      "reason":{"type":"string"}}})"
    ),
    json_schema("RegistryAliasEntries", R"({"type":"object","required":["changes"],"properties":{
      "changes":{"type":"array","items":{"$ref":"#/components/schemas/RegistryAliasEntry"}}}})"),
    json_schema(
        "RegistryTextDifferences", R"({"type":"array","items":{"type":"object","properties":{
      "name":{"type":"string"},"left":{"type":["string","null"]},"right":{"type":["string","null"]}}}})"
    ),
    json_schema(
        "RegistryDifference",
        R"({"type":"object","required":["left","right","fields","tags","parameters","metrics","aliases_left",
      "aliases_right","improved","signature","config","notes"],"properties":{
      "left":{"$ref":"#/components/schemas/RegistryVersionId"},
      "right":{"$ref":"#/components/schemas/RegistryVersionId"},
      "fields":{"$ref":"#/components/schemas/RegistryTextDifferences"},
      "tags":{"$ref":"#/components/schemas/RegistryTextDifferences"},
      "parameters":{"$ref":"#/components/schemas/RegistryTextDifferences"},
      "metrics":{"type":"array","items":{"type":"object","properties":{"name":{"type":"string"},
        "left":{"type":["number","null"]},"right":{"type":["number","null"]},"delta":{"type":["number","null"]}}}},
      "aliases_left":{"type":"array","items":{"type":"string"}},
      "aliases_right":{"type":"array","items":{"type":"string"}},"improved":{"type":"boolean"},
      "signature":{"$ref":"#/components/schemas/RegistryTextDifferences"},
      "config":{"$ref":"#/components/schemas/RegistryTextDifferences"},
      "notes":{"type":"array","items":{"type":"string"},"description":"Files that could not be read."}}})"
    ),
    json_schema(
        "BackupCopy", R"({"type":"object","required":["id","size","digest"],"properties":{
      "id":{"type":"string"},"size":{"type":"integer"},"digest":{"type":"string","description":"SHA-256."}}})"
    ),
    json_schema("BlobPage", R"({"type":"object","required":["blobs"],"properties":{
      "blobs":{"type":"array","items":{"type":"object","properties":{"digest":{"type":"string"},
        "size":{"type":"integer"}}}},"next_after":{"type":"string"}}})"),
    Schema{"Octets", "application/octet-stream", false, R"({"type":"string","format":"binary"})"},
    json_schema(
        "RegistryWebhook",
        R"({"type":"object","required":["id","name","url","events","active","created_at","updated_at"],"properties":{
      "id":{"type":"string"},"name":{"type":"string"},"description":{"type":"string"},"url":{"type":"string"},
      "events":{"type":"array","items":{"type":"string"}},"active":{"type":"boolean"},
      "status_message":{"type":"string","description":"Why it was switched off."},
      "created_at":{"type":"integer"},"updated_at":{"type":"integer"}}})"
    ),
    json_schema(
        "RegistryWebhookPage",
        R"({"type":"object","required":["webhooks","next_page_token"],"properties":{
      "webhooks":{"type":"array","items":{"$ref":"#/components/schemas/RegistryWebhook"}},
      "next_page_token":{"type":"string"}}})"
    ),
    json_schema(
        "RegistryNewWebhook",
        R"({"type":"object","required":["name","url","events"],"additionalProperties":false,"properties":{
      "name":{"type":"string"},"url":{"type":"string"},"description":{"type":"string"},
      "events":{"type":"array","minItems":1,"items":{"type":"string"},
        "description":"Such as model_version_alias.created."},
      "secret":{"type":"string","maxLength":1000,"description":"Signs what is sent; never given out."},
      "active":{"type":"boolean","default":true}}})"
    ),
    json_schema(
        "RegistryWebhookChange", R"({"type":"object","additionalProperties":false,"properties":{
      "name":{"type":"string"},"url":{"type":"string"},"description":{"type":"string"},
      "events":{"type":"array","minItems":1,"items":{"type":"string"}},
      "secret":{"type":"string","maxLength":1000,"description":"Empty: no longer signed."},
      "active":{"type":"boolean"}}})"
    ),
    json_schema("RegistryDeliveryPage", R"({"type":"object","required":["deliveries"],"properties":{
      "deliveries":{"type":"array","items":{"type":"object","properties":{"id":{"type":"string"},
        "seq":{"type":"integer"},"event":{"type":"string"},"status":{"enum":["pending","delivered","failed"]},
        "attempts":{"type":"integer"},"first_attempt_at":{"type":"integer"},"last_attempt_at":{"type":"integer"},
        "next_attempt_at":{"type":"integer"},"response_status":{"type":"integer"},
        "response_body":{"type":"string","description":"Its first KiB."},"error":{"type":"string"},
        "duration_ms":{"type":"integer"}}}},
      "next_before":{"type":"integer"}}})"),
    json_schema(
        "RegistryWebhookTest", R"({"type":"object","additionalProperties":false,"properties":{
      "event":{"type":"string","description":"The first one of the webhook unless it is named."}}})"
    ),
    json_schema(
        "RegistryWebhookTrial",
        R"({"type":"object","required":["delivered","duration_ms"],"properties":{
      "delivered":{"type":"boolean","description":"The receiver answered with 2xx."},
      "response_status":{"type":"integer"},"response_body":{"type":"string"},"error":{"type":"string"},
      "duration_ms":{"type":"integer"}}})"
    ),
    json_schema("AuditPage", R"({"type":"object","required":["events"],"properties":{
      "events":{"type":"array","items":{"type":"object","properties":{"seq":{"type":"integer"},
        "prev_hash":{"type":"string"},"hash":{"type":"string"},
        "event":{"type":"string","description":"Canonical JSON; hash is of prev_hash and these bytes."}}}},
      "next_after":{"type":"integer"}}})"),
    json_schema(
        "AuditVerdict", R"({"type":"object","required":["valid","seq","hash"],"properties":{
      "valid":{"type":"boolean"},"seq":{"type":"integer"},"hash":{"type":"string"},
      "broken":{"type":"object","properties":{"seq":{"type":"integer"},"reason":{"type":"string"}}}}})"
    ),
};

constexpr std::string_view kText = R"({"type":"string"})";
constexpr std::string_view kLimitSchema =
    R"({"type":"integer","minimum":1,"maximum":1000,"default":100})";
constexpr std::string_view kSeqSchema = R"({"type":"integer","minimum":0})";

constexpr RouteParameter kLimit{"limit", "query", "Entries of a page.", kLimitSchema};
constexpr RouteParameter kReason{"x-cortex-reason", "header", "Why; kept with the change.", kText};
constexpr RouteParameter kIfMatch{
    "If-Match", "header", "Only if the entity tag is among these, else 412.", kText
};
constexpr RouteParameter kIfNoneMatch{
    "If-None-Match", "header", "*: only if there is none yet, else 412.", kText
};

constexpr RouteParameter kToken{
    "page_token", "query", "next_page_token of the page before.", kText
};
constexpr RouteParameter kOnce{
    "Idempotency-Key",
    "header",
    "The same request with the same key is done once; another request is 422.",
    R"({"type":"string","maxLength":255})"
};

constexpr RouteParameter kPageParameters[] = {
    {"filter", "query", "Comparisons in MLflow's language, joined by AND.", kText},
    {"order_by",
     "query",
     "Repeated: a column, then ASC or DESC.",
     R"({"type":"array","items":{"type":"string"}})"},
    kLimit,
    kToken,
};
constexpr RouteParameter kTokenParameters[] = {kLimit, kToken};
constexpr RouteParameter kMatchParameters[] = {kIfMatch, kIfNoneMatch};
constexpr RouteParameter kOnceParameters[] = {kOnce};
constexpr RouteParameter kKnownParameters[] = {
    {"If-None-Match", "header", "Entity tags that the client has: 304.", kText},
};
constexpr RouteParameter kChangeParameters[] = {kIfMatch, kIfNoneMatch, kReason};
constexpr RouteParameter kReplayParameters[] = {kOnce, kIfMatch, kReason};
constexpr RouteParameter kTaglessParameters[] = {kOnce, kReason};
constexpr RouteParameter kReasonParameters[] = {kReason};
constexpr RouteParameter kHistoryParameters[] = {
    {"before", "query", "Changes before this one; next_before of the page before.", kSeqSchema},
    kLimit,
};
constexpr RouteParameter kCompareParameters[] = {
    {"left", "query", "A version: a number, X.Y.Z or @alias.", kText},
    {"right", "query", "The other one.", kText},
    {"right_model", "query", "The other one's model; the same unless it is named.", kText},
};
constexpr RouteParameter kAuditParameters[] = {
    {"after", "query", "Events behind this one; next_after of the page before.", kSeqSchema},
    kLimit,
};
constexpr RouteParameter kVerifyParameters[] = {
    {"seq", "query", "A head that was seen before and must still be in the chain.", kSeqSchema},
    {"hash", "query", "Its hash.", kText},
};

constexpr RouteParameter kPieceParameters[] = {
    {"offset", "query", "Where the piece begins.", kSeqSchema},
    {"limit",
     "query",
     "Bytes of the piece.",
     R"({"type":"integer","minimum":1,"maximum":8388608,"default":8388608})"},
};
constexpr RouteParameter kBlobParameters[] = {
    {"after", "query", "Blobs behind this digest; next_after of the page before.", kText},
    {"limit", "query", "Entries of a page.", kLimitSchema},
};

}  // namespace

std::span<const Schema> registry_schemas() { return kSchemas; }
std::span<const RouteParameter> page_parameters() { return kPageParameters; }
std::span<const RouteParameter> token_parameters() { return kTokenParameters; }
std::span<const RouteParameter> match_parameters() { return kMatchParameters; }
std::span<const RouteParameter> once_parameters() { return kOnceParameters; }
std::span<const RouteParameter> known_parameters() { return kKnownParameters; }
std::span<const RouteParameter> change_parameters() { return kChangeParameters; }
std::span<const RouteParameter> replay_parameters() { return kReplayParameters; }
std::span<const RouteParameter> tagless_parameters() { return kTaglessParameters; }
std::span<const RouteParameter> reason_parameters() { return kReasonParameters; }
std::span<const RouteParameter> history_parameters() { return kHistoryParameters; }
std::span<const RouteParameter> compare_parameters() { return kCompareParameters; }
std::span<const RouteParameter> audit_parameters() { return kAuditParameters; }
std::span<const RouteParameter> verify_parameters() { return kVerifyParameters; }
std::span<const RouteParameter> piece_parameters() { return kPieceParameters; }
std::span<const RouteParameter> blob_parameters() { return kBlobParameters; }

}  // namespace cortex::frontend::registry_api
