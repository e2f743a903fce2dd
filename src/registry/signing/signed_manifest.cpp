// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signed_manifest.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/json_text.h"
#include "registry/catalog/canonical_json.h"
#include "registry/signing/detail/strict_json.h"
#include "store/artifact_digest.h"

namespace cortex::registry {
namespace {

namespace json = boost::json;

constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
constexpr std::string_view kPredicateType = "https://model_signing/signature/v1.0";
constexpr auto kStandardIgnored =
    std::to_array<std::string_view>({".git", ".gitattributes", ".github", ".gitignore"});
constexpr std::size_t kPathBytesMax = 4096;
constexpr std::size_t kIgnoredMax = 1000;

Status refused_manifest(const std::string& why) {
  return invalid_argument("the signature: " + why);
}

std::size_t digest_digits(HashType hash) { return hash == HashType::kSha256 ? 64 : 128; }
std::string_view hash_name(HashType hash) {
  return hash == HashType::kSha256 ? "sha256" : "blake2b";
}

bool is_digest_of(HashType hash, std::string_view text) {
  return text.size() == digest_digits(hash) &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_inner_part(std::string_view part) { return !part.empty() && part != "." && part != ".."; }

// Relative, and nowhere out of its folder.
bool is_signed_path(std::string_view path) {
  if (path.size() > kPathBytesMax || path.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const std::size_t slash = path.find('/');
    if (!is_inner_part(path.substr(0, slash))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

// For messages: what cannot be shown is not.
std::string shown(std::string_view path) {
  std::string_view part = path.substr(0, 200);
  while (!is_utf8(part)) part.remove_suffix(1);  // the cut may have split a character
  std::string out = "'";
  for (const char c : part) out.push_back(static_cast<unsigned char>(c) < 0x20 ? '?' : c);
  return out + "'";
}

std::optional<std::uint64_t> read_number(std::string_view text) {
  std::uint64_t out = 0;
  const char* end = text.data() + text.size();
  const auto read = std::from_chars(text.data(), end, out);
  if (text.empty() || read.ec != std::errc() || read.ptr != end) return std::nullopt;
  return out;
}

// "weights.bin:0:1000": the range is the last two parts, since a name may hold colons.
Status split_shard(SignedResource& resource) {
  const std::string name = resource.path;
  const std::size_t second = name.rfind(':');
  const std::size_t first =
      second == std::string::npos || second == 0 ? second : name.rfind(':', second - 1);
  if (first == std::string::npos || first == second)
    return refused_manifest("a shard has no range");
  const auto begin = read_number(std::string_view(name).substr(first + 1, second - first - 1));
  const auto end = read_number(std::string_view(name).substr(second + 1));
  if (!begin || !end || *begin >= *end) return refused_manifest("a shard has no range");
  resource = {name.substr(0, first), *begin, *end, resource.digest};
  return {};
}

// As model-signing names it: "sha256", of shards "sha256-sharded-1000".
std::string algorithm_of(const SignedManifest& manifest) {
  std::string out(hash_name(manifest.hash));
  if (manifest.shard_size > 0) out += "-sharded-" + std::to_string(manifest.shard_size);
  return out;
}

Result<SignedResource> read_resource(const json::value& value, const SignedManifest& manifest) {
  const json::object* in = value.if_object();
  if (in == nullptr) return refused_manifest("a resource is not an object");
  const auto name = find_text(*in, "name");
  const auto digest = find_text(*in, "digest");
  if (!name || !digest || find_text(*in, "algorithm") != algorithm_of(manifest)) {
    return refused_manifest("a resource lacks its name, its digest or the algorithm of all");
  }
  SignedResource out{*name, 0, 0, *digest};
  if (manifest.shard_size > 0) CORTEX_RETURN_IF_ERROR(split_shard(out));
  if (out.path != kOneFile && !is_signed_path(out.path))
    return refused_manifest(shown(out.path) + " is no path inside a model");
  if (!is_digest_of(manifest.hash, out.digest)) {
    return refused_manifest("the digest of " + shown(out.path) + " is none");
  }
  return out;
}

// The raw bytes of all digests, as they were signed.
std::string root_of(std::span<const SignedResource> resources) {
  store::Digest root;
  std::vector<std::byte> raw;
  for (const SignedResource& resource : resources) {
    raw.clear();
    for (std::size_t i = 0; i + 1 < resource.digest.size(); i += 2) {
      unsigned byte = 0;
      std::from_chars(&resource.digest[i], &resource.digest[i] + 2, byte, 16);
      raw.push_back(static_cast<std::byte>(byte));
    }
    root.add(raw);
  }
  return root.finish();
}

Status read_resources(const json::object& predicate, SignedManifest& out) {
  const json::array* resources = find_array(predicate, "resources");
  if (resources == nullptr || resources->empty()) return refused_manifest("it signs no file");
  if (resources->size() > kSignedFilesMax) {
    return refused_manifest("it signs more than " + std::to_string(kSignedFilesMax) + " files");
  }
  std::set<std::pair<std::string_view, std::uint64_t>> seen;
  out.resources.reserve(resources->size());
  for (const json::value& value : *resources) {
    CORTEX_ASSIGN_OR_RETURN(SignedResource resource, read_resource(value, out));
    out.resources.push_back(std::move(resource));
    const SignedResource& last = out.resources.back();
    if (!seen.emplace(last.path, last.begin).second) {
      return refused_manifest("it names " + shown(last.path) + " twice");
    }
  }
  return {};
}

Status read_hash(const json::object& serialization, SignedManifest& out) {
  const auto name = find_text(serialization, "hash_type");
  for (const HashType hash : {HashType::kSha256, HashType::kBlake2b}) {
    if (name != hash_name(hash)) continue;
    out.hash = hash;
    return {};
  }
  return refused_manifest("only the digests sha256 and blake2b are known here");
}

// An integer, or a real without a fraction, as protobuf's JSON writes it.
std::optional<std::uint64_t> find_size(const json::object& in, std::string_view name) {
  const json::value* value = in.if_contains({name.data(), name.size()});
  if (value == nullptr) return std::nullopt;
  constexpr double kExact = 9007199254740992.0;
  json::error_code error;
  const double real = value->to_number<double>(error);
  if (error || !(real >= 1) || real > kExact) return std::nullopt;
  const auto whole = static_cast<std::uint64_t>(real);
  return static_cast<double>(whole) == real ? std::optional(whole) : std::nullopt;
}

Status read_method(const json::object& serialization, SignedManifest& out) {
  const auto method = find_text(serialization, "method");
  if (method == "files") return {};
  if (method != "shards")
    return refused_manifest("only the methods files and shards are known here");
  const auto size = find_size(serialization, "shard_size");
  if (!size) return refused_manifest("'shard_size' is no positive integer");
  out.shard_size = *size;
  return {};
}

Status read_ignored(const json::object& serialization, SignedManifest& out) {
  const json::value* value = serialization.if_contains("ignore_paths");
  if (value == nullptr) return {};
  const json::array* paths = value->if_array();
  if (paths == nullptr || paths->size() > kIgnoredMax) {
    return refused_manifest("'ignore_paths' is no list of paths, or too long");
  }
  for (const json::value& path : *paths) {
    const json::string* text = path.if_string();
    if (text == nullptr || !is_signed_path({text->data(), text->size()})) {
      return refused_manifest("'ignore_paths' holds what is no path inside a model");
    }
    out.ignored.emplace_back(text->data(), text->size());
  }
  return {};
}

Status read_serialization(const json::object& predicate, SignedManifest& out) {
  const json::object* serialization = find_object(predicate, "serialization");
  if (serialization == nullptr) return refused_manifest("'serialization' is missing");
  CORTEX_RETURN_IF_ERROR(read_method(*serialization, out));
  CORTEX_RETURN_IF_ERROR(read_hash(*serialization, out));
  CORTEX_RETURN_IF_ERROR(read_ignored(*serialization, out));
  const json::value* links = serialization->if_contains("allow_symlinks");
  if (links == nullptr || !links->is_bool()) return refused_manifest("'allow_symlinks' is missing");
  if (links->get_bool()) return refused_manifest("symbolic links are not followed here");
  return {};
}

Result<std::string> read_subject(const json::object& statement, SignedManifest& out) {
  const json::array* subjects = find_array(statement, "subject");
  const json::object* subject =
      subjects == nullptr || subjects->size() != 1 ? nullptr : subjects->front().if_object();
  const json::object* digest = subject == nullptr ? nullptr : find_object(*subject, "digest");
  auto root = digest == nullptr ? std::nullopt : find_text(*digest, "sha256");
  if (!root || !is_digest_of(HashType::kSha256, *root)) {
    return refused_manifest("it must have one subject with a SHA-256");
  }
  out.name = find_text(*subject, "name").value_or("");
  return std::move(*root);
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
  append_canonical_string(out, name);
  out.push_back(':');
  append_canonical_string(out, value);
}

std::string resource_text(const SignedResource& resource, HashType hash) {
  std::string out = "{";
  append_member(out, "algorithm", hash_name(hash));
  out.push_back(',');
  append_member(out, "digest", resource.digest);
  out.push_back(',');
  append_member(out, "name", resource.path);
  return out + "}";
}

std::string serialization_text(const SignedManifest& manifest) {
  std::string out = R"({"allow_symlinks":false,)";
  append_member(out, "hash_type", hash_name(manifest.hash));
  out += R"(,"ignore_paths":[)";
  for (std::size_t i = 0; i < manifest.ignored.size(); ++i) {
    if (i > 0) out.push_back(',');
    append_canonical_string(out, manifest.ignored[i]);
  }
  return out + R"(],"method":"files"})";
}

// Compares a manifest with what is there.
class Matching {
 public:
  Matching(const SignedManifest& manifest, const MatchOptions& options, const HashRange& hash)
      : manifest_(manifest), options_(options), hash_(hash) {
    for (const SignedResource& resource : manifest.resources) {
      by_path_[resource.path].push_back(&resource);
    }
  }

  Status run(std::span<const ModelFile> files) {
    std::set<std::string_view> there;
    for (const ModelFile& file : files) there.insert(file.path);
    for (const auto& [path, resources] : by_path_) {
      if (!there.contains(path)) return failed_precondition(shown(path) + " is missing");
    }
    for (const ModelFile& file : files) CORTEX_RETURN_IF_ERROR(check_signed(file));
    // The names first: bytes take long.
    for (const ModelFile& file : files) CORTEX_RETURN_IF_ERROR(check_bytes(file));
    return {};
  }

 private:
  Status check_signed(const ModelFile& file) const {
    if (by_path_.contains(file.path) || options_.ignore_unsigned) return {};
    if (is_ignored(file.path, manifest_.ignored) || is_ignored(file.path, options_.ignored)) {
      return {};
    }
    // An empty file has no shard.
    if (manifest_.shard_size > 0 && file.size == 0) return {};
    return failed_precondition(shown(file.path) + " is not signed");
  }

  Status check_bytes(const ModelFile& file) {
    const auto found = by_path_.find(file.path);
    if (found == by_path_.end()) return {};
    if (manifest_.shard_size == 0) return check_range(file, *found->second.front(), 0, file.size);
    auto& shards = found->second;
    std::sort(shards.begin(), shards.end(), [](const auto* a, const auto* b) {
      return a->begin < b->begin;
    });
    std::uint64_t at = 0;
    for (const SignedResource* shard : shards) {
      const std::uint64_t rest = file.size - std::min(at, file.size);
      const std::uint64_t end = at + std::min(manifest_.shard_size, rest);
      if (shard->begin != at || shard->end != end) return other_bytes(file);
      CORTEX_RETURN_IF_ERROR(check_range(file, *shard, at, end));
      at = end;
    }
    return at == file.size ? Status() : other_bytes(file);
  }

  Status check_range(
      const ModelFile& file, const SignedResource& resource, std::uint64_t begin, std::uint64_t end
  ) const {
    const bool whole = begin == 0 && end == file.size;
    if (whole && manifest_.hash == HashType::kSha256 && !file.digest.empty()) {
      return file.digest == resource.digest ? Status() : other_bytes(file);
    }
    CORTEX_ASSIGN_OR_RETURN(const std::string digest, hash_(file, manifest_.hash, begin, end));
    return digest == resource.digest ? Status() : other_bytes(file);
  }

  static Status other_bytes(const ModelFile& file) {
    return failed_precondition(shown(file.path) + " is not what was signed");
  }

  const SignedManifest& manifest_;
  const MatchOptions& options_;
  const HashRange& hash_;
  std::map<std::string_view, std::vector<const SignedResource*>> by_path_;
};

}  // namespace

std::span<const std::string_view> standard_ignored() { return kStandardIgnored; }

bool is_ignored(std::string_view path, std::span<const std::string> ignored) {
  const auto covers = [&](std::string_view above) {
    return path.starts_with(above) && (path.size() == above.size() || path[above.size()] == '/');
  };
  return std::any_of(kStandardIgnored.begin(), kStandardIgnored.end(), covers) ||
         std::any_of(ignored.begin(), ignored.end(), covers);
}

Result<SignedManifest> parse_statement(std::string_view payload) {
  CORTEX_ASSIGN_OR_RETURN(
      const json::object statement, parse_strict_object(payload, "the signature")
  );
  if (find_text(statement, "_type") != kStatementType) {
    return refused_manifest("its payload is not an in-toto statement of version 1");
  }
  if (find_text(statement, "predicateType") != kPredicateType) {
    return refused_manifest(
        "it signs something else than a model (" + std::string(kPredicateType) + ")"
    );
  }
  const json::object* predicate = find_object(statement, "predicate");
  if (predicate == nullptr) return refused_manifest("'predicate' is missing");
  SignedManifest out;
  CORTEX_ASSIGN_OR_RETURN(const std::string root, read_subject(statement, out));
  CORTEX_RETURN_IF_ERROR(read_serialization(*predicate, out));
  CORTEX_RETURN_IF_ERROR(read_resources(*predicate, out));
  out.root = root_of(out.resources);
  if (out.root != root) return refused_manifest("its root digest is not that of its files");
  return out;
}

Status match_files(
    const SignedManifest& manifest,
    std::span<const ModelFile> files,
    const MatchOptions& options,
    const HashRange& hash
) {
  return Matching(manifest, options, hash).run(files);
}

std::string statement_text(SignedManifest manifest) {
  CHECK(manifest.shard_size == 0, "whole files are signed here");
  std::sort(
      manifest.resources.begin(),
      manifest.resources.end(),
      [](const SignedResource& a, const SignedResource& b) { return a.path < b.path; }
  );
  std::string resources;
  for (const SignedResource& resource : manifest.resources) {
    if (!resources.empty()) resources.push_back(',');
    resources += resource_text(resource, manifest.hash);
  }
  std::string out = "{";
  append_member(out, "_type", kStatementType);
  out += R"(,"predicate":{"resources":[)" + resources + R"(],"serialization":)";
  out += serialization_text(manifest) + "},";
  append_member(out, "predicateType", kPredicateType);
  out += R"(,"subject":[{"digest":{"sha256":")" + root_of(manifest.resources) + R"("},)";
  append_member(out, "name", manifest.name);
  return out + "}]}";
}

}  // namespace cortex::registry
