// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signature_gate.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "registry/signing/signature_bundle.h"
#include "store/artifact_digest.h"
#include "store/artifact_index.h"

namespace cortex::registry {

// What the first look at a version found.
struct SignatureGate::Examined {
  std::string files_digest;
  std::string bundle;  // empty: it has no signature
  std::string fault;   // why its signature cannot be good; empty: it fits its files
};

namespace {

constexpr std::size_t kFilesMax = 1'000;
// In the place of one that cannot be good: the version is signed, and bound, all the same.
constexpr std::string_view kNoBundle = "?";

std::string sha256(std::span<const std::byte> bytes) {
  store::Digest digest;
  digest.add(bytes);
  return digest.finish();
}

// One text for what lies in a folder.
std::string digest_of(std::span<const ModelFile> files) {
  std::vector<const ModelFile*> sorted;
  for (const ModelFile& file : files) sorted.push_back(&file);
  std::sort(sorted.begin(), sorted.end(), [](const ModelFile* a, const ModelFile* b) {
    return a->path < b->path;
  });
  std::string text;
  for (const ModelFile* file : sorted) {
    text += file->digest + " " + std::to_string(file->size) + " " + file->path + '\0';
  }
  return sha256(std::as_bytes(std::span(text)));
}

const ModelFile* find_signature(std::span<const ModelFile> files) {
  const auto found = std::find_if(files.begin(), files.end(), [](const ModelFile& file) {
    return file.path == kSignatureFile;
  });
  return found == files.end() ? nullptr : &*found;
}

Result<std::string> read_blob(store::ArtifactStore& artifacts, const ModelFile& file) {
  CORTEX_ASSIGN_OR_RETURN(const auto reader, artifacts.open(file.digest));
  std::string out(file.size, '\0');
  const auto bytes = std::as_writable_bytes(std::span<char>(out));
  CORTEX_ASSIGN_OR_RETURN(const std::size_t length, reader->read(0, bytes));
  if (length != out.size() || sha256(bytes) != file.digest) {
    return Status(Code::kDataLoss, "'" + file.path + "' is not what its digest says");
  }
  return out;
}

Result<std::string> no_other_digest(const ModelFile&, HashType, std::uint64_t, std::uint64_t) {
  return failed_precondition("it is signed by other digests than SHA-256 of whole files");
}

// Whether a bundle speaks of these files; who signed it is another question.
Status check_content(const std::string& text, std::span<const ModelFile> files) {
  CORTEX_ASSIGN_OR_RETURN(const SignatureBundle bundle, parse_bundle(text));
  CORTEX_ASSIGN_OR_RETURN(const SignedManifest manifest, parse_statement(bundle.payload));
  MatchOptions options;
  options.ignored = {std::string(kSignatureFile)};
  return match_files(manifest, files, options, no_other_digest);
}

const ServedVersion* find_served(const ServedModel& model, std::int64_t number) {
  for (const ServedVersion& version : model.versions) {
    if (version.version == number) return &version;
  }
  return nullptr;
}

std::string refusal_text(const std::string& alias, const AliasPolicy& outcome, std::int64_t stays) {
  const bool required = outcome.policy == SignaturePolicy::kRequire;
  std::string out =
      "'" + alias + "' " + (required ? "requires" : "asks for") + " a signature: " + outcome.reason;
  if (!required) return out;
  return out +
         (stays == 0 ? "; it serves nothing" : "; it stays on version " + std::to_string(stays));
}

}  // namespace

SignatureGate::SignatureGate(
    store::Store& store, store::ArtifactStore& artifacts, std::string workspace, TrustedKeys trusted
)
    : store_(store),
      artifacts_(artifacts),
      workspace_(std::move(workspace)),
      trusted_(std::move(trusted)) {}

SignatureCounts SignatureGate::counts() const { return {verified_, warned_, refused_}; }

Status SignatureGate::admit(
    std::int64_t identity, const std::string& location, std::span<const ModelFile> files
) {
  CORTEX_ASSIGN_OR_RETURN(const Examined examined, examine(identity, location, files));
  if (examined.bundle.empty() || examined.files_digest == digest_of(files)) return {};
  return failed_precondition("its files are not those that it had when its signature was examined");
}

Status SignatureGate::find(
    store::Transaction& transaction,
    std::int64_t identity,
    const std::string& location,
    std::optional<Examined>& found
) const {
  found.reset();
  CORTEX_ASSIGN_OR_RETURN(
      const store::Rows rows,
      transaction.query(
          "SELECT files_digest, bundle, fault FROM version_signature "
          "WHERE workspace = $1 AND model_id = $2 AND location = $3",
          {workspace_, identity, location}
      )
  );
  if (!rows.empty()) found = Examined{rows.text(0, 0), rows.text(0, 1), rows.text(0, 2)};
  return {};
}

Result<SignatureGate::Examined> SignatureGate::look(std::span<const ModelFile> files) {
  Examined seen{digest_of(files), "", ""};
  const ModelFile* file = find_signature(files);
  if (file == nullptr) return seen;
  seen.bundle = kNoBundle;
  if (file->size == 0 || file->size > kStoredBundleBytesMax) {
    seen.fault =
        "model.sig is empty, or longer than " + std::to_string(kStoredBundleBytesMax) + " bytes";
    return seen;
  }
  auto text = read_blob(artifacts_, *file);
  const Code code = text.status().code();
  const bool lost = code == Code::kNotFound || code == Code::kDataLoss;
  if (!text.ok() && !lost) return text.status();
  seen.fault = (lost ? text.status() : check_content(*text, files)).text();
  if (seen.fault.empty()) seen.bundle = std::move(*text);
  return seen;
}

// Who comes first decides, on all nodes: the row is never changed.
Result<SignatureGate::Examined> SignatureGate::examine(
    std::int64_t identity, const std::string& location, std::span<const ModelFile> files
) {
  std::optional<Examined> found;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) {
    return find(transaction, identity, location, found);
  }));
  if (found) return std::move(*found);
  CORTEX_ASSIGN_OR_RETURN(const Examined seen, look(files));
  const Status kept = store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_RETURN_IF_ERROR(
        transaction
            .execute(
                "INSERT INTO version_signature (workspace, model_id, location, files_digest, "
                "bundle, fault, examined_at) VALUES ($1, $2, $3, $4, $5, $6, $7) "
                "ON CONFLICT (workspace, model_id, location) DO NOTHING",
                {workspace_,
                 identity,
                 location,
                 seen.files_digest,
                 seen.bundle,
                 seen.fault,
                 unix_milliseconds()}
            )
            .status()
    );
    return find(transaction, identity, location, found);
  });
  CORTEX_RETURN_IF_ERROR(kept);
  CHECK(found.has_value(), "a row that was just written is there");
  return std::move(*found);
}

Result<SignatureGate::Examined> SignatureGate::find_or_examine(
    std::int64_t identity, const std::string& location
) {
  std::vector<ModelFile> files;
  bool more = false;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    files.clear();
    CORTEX_ASSIGN_OR_RETURN(
        const auto entries, store::walk_artifacts(transaction, workspace_, location, kFilesMax + 1)
    );
    more = entries.size() > kFilesMax;
    for (const store::ArtifactEntry& entry : entries) {
      if (entry.is_folder || !entry.path.starts_with(location + "/")) continue;
      files.push_back({entry.path.substr(location.size() + 1), entry.size, entry.digest});
    }
    return {};
  }));
  if (more) return failed_precondition("it has more than " + std::to_string(kFilesMax) + " files");
  return examine(identity, location, files);
}

Status SignatureGate::check(const ServedModel& model, std::int64_t version) {
  const ServedVersion* served = find_served(model, version);
  if (served == nullptr) return failed_precondition("the version is not ready");
  CORTEX_ASSIGN_OR_RETURN(
      const Examined examined, find_or_examine(model.identity, served->location)
  );
  if (examined.bundle.empty()) return failed_precondition("the version is not signed");
  if (!examined.fault.empty()) return failed_precondition(examined.fault);
  const auto bundle = parse_bundle(examined.bundle);
  const Status status = bundle.ok() ? trusted_.verify(*bundle).status() : bundle.status();
  return status.ok() ? status : failed_precondition(status.text());
}

Result<std::int64_t> SignatureGate::fall_back(
    const ServedModel& model, const AliasPolicy& policy, std::int64_t target
) {
  if (policy.allowed == 0 || policy.allowed == target) return 0;
  const Status status = check(model, policy.allowed);
  if (!status.ok() && status.code() != Code::kFailedPrecondition) return status;
  return status.ok() ? policy.allowed : 0;
}

Status SignatureGate::keep(
    const ServedModel& model,
    const std::string& alias,
    const AliasPolicy& before,
    const AliasPolicy& now
) {
  if (before == now) return {};
  if (now.refused != 0) {
    log::warning(
        "a version's signature is not good",
        {{"model", model.name},
         {"alias", alias},
         {"version", now.refused},
         {"policy", policy_name(now.policy)},
         {"reason", now.reason}}
    );
  }
  return store_.write_and_wait([&](store::Transaction& transaction) {
    return note_policy_outcome(
        transaction, {workspace_, model.identity, model.name, alias}, now, unix_milliseconds()
    );
  });
}

void SignatureGate::count(const AliasPolicy& outcome) {
  if (outcome.refused == 0) {
    ++verified_;
  } else if (outcome.policy == SignaturePolicy::kRequire) {
    ++refused_;
  } else {
    ++warned_;
  }
}

// What an alias may go on with, or go back to, while it leads elsewhere.
Result<std::set<std::int64_t>> SignatureGate::permitted(
    const ServedModel& model, const std::string& alias, std::int64_t leads, std::int64_t allowed
) {
  std::set<std::int64_t> candidates{allowed};
  const auto previous = model.previous.find(alias);
  if (previous != model.previous.end()) candidates.insert(previous->second);
  std::set<std::int64_t> out;
  if (leads == 0) return out;
  out.insert(leads);
  for (const std::int64_t version : candidates) {
    if (version == 0 || version == leads) continue;
    const Status status = check(model, version);
    if (!status.ok() && status.code() != Code::kFailedPrecondition) return status;
    if (status.ok()) out.insert(version);
  }
  return out;
}

// Asks one policy; where the alias leads then, 0 for nowhere.
Result<std::int64_t> SignatureGate::ask_one(
    const ServedModel& model, const std::string& alias, const AliasPolicy& before, GatedAliases& out
) {
  const std::int64_t target = model.aliases.at(alias);
  const Status status = check(model, target);
  if (!status.ok() && status.code() != Code::kFailedPrecondition) return status;
  AliasPolicy now{before.policy, status.ok() ? target : before.allowed, 0, ""};
  const bool required = now.policy == SignaturePolicy::kRequire;
  std::int64_t leads = target;
  if (!status.ok()) {
    now.refused = target;
    now.reason = status.text();
    if (required) {
      CORTEX_ASSIGN_OR_RETURN(leads, fall_back(model, before, target));
    }
    std::string& note = out.notes[target];
    note += (note.empty() ? "" : "; ") + refusal_text(alias, now, leads);
  }
  if (required) {
    CORTEX_ASSIGN_OR_RETURN(out.permitted[alias], permitted(model, alias, leads, before.allowed));
  }
  count(now);
  CORTEX_RETURN_IF_ERROR(keep(model, alias, before, now));
  return leads;
}

Result<GatedAliases> SignatureGate::ask(
    const ServedModel& model, const std::map<std::string, AliasPolicy>& policies
) {
  GatedAliases out{model.aliases, {}, {}};
  for (const auto& [alias, before] : policies) {
    if (!model.aliases.contains(alias)) continue;
    CORTEX_ASSIGN_OR_RETURN(out.aliases[alias], ask_one(model, alias, before, out));
  }
  return out;
}

}  // namespace cortex::registry
