// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/version_source.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "registry/catalog/alias.h"
#include "registry/catalog/model_version.h"
#include "store/artifact_path.h"

namespace cortex::registry {
namespace {

constexpr std::size_t kIdBytesMax = 256;
constexpr std::size_t kLoggedModelDigits = 32;

Status refused(std::string_view source, const std::string& why) {
  // Only what can be shown: it may be anything.
  std::string shown;
  for (const char c : source.substr(0, 256)) {
    shown.push_back(c >= 0x20 && c < 0x7F ? c : '?');
  }
  return invalid_argument("Invalid model version source: '" + shown + "'. " + why);
}

bool is_id_character(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         c == '-';
}

bool is_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax &&
         std::all_of(id.begin(), id.end(), is_id_character);
}

bool is_logged_model(std::string_view id) {
  if (!id.starts_with("m-") || id.size() != 2 + kLoggedModelDigits) return false;
  return id.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

// The text behind "<scheme>:/", when it is that scheme without a host.
std::optional<std::string_view> behind(std::string_view source, std::string_view scheme) {
  if (!source.starts_with(scheme)) return std::nullopt;
  source.remove_prefix(scheme.size());
  if (!source.starts_with(":/") || source.starts_with("://")) return std::nullopt;
  return source.substr(2);
}

// One '/' at the end of a folder is a habit of clients.
std::string_view without_trailing_slash(std::string_view path) {
  if (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

struct Resolver {
  store::Transaction& transaction;
  const ArtifactLocations& locations;
  const std::string& workspace;
  std::string_view source;

  Result<ResolvedSource> standing(ResolvedSource resolved) const {
    CORTEX_ASSIGN_OR_RETURN(
        const bool stands, locations.stands(transaction, workspace, resolved.location)
    );
    if (!stands) return refused(source, "No artifact stands there.");
    return resolved;
  }

  Result<ResolvedSource> path(std::string_view text) const {
    ResolvedSource resolved;
    resolved.location = without_trailing_slash(text);
    return checked(std::move(resolved));
  }

  Result<ResolvedSource> checked(ResolvedSource resolved) const {
    if (const Status fault = store::check_artifact_path(resolved.location); !fault.ok()) {
      return refused(source, fault.text());
    }
    return standing(std::move(resolved));
  }

  Result<ResolvedSource> run(std::string_view text) const {
    const std::size_t slash = std::min(text.find('/'), text.size());
    ResolvedSource resolved;
    resolved.run = text.substr(0, slash);
    if (!is_id(resolved.run)) return refused(source, "It names no run.");
    auto folder = locations.of_run(transaction, workspace, resolved.run);
    if (folder.status().code() == Code::kNotFound) return refused(source, "There is no such run.");
    CORTEX_ASSIGN_OR_RETURN(resolved.location, std::move(folder));
    const std::string_view below = without_trailing_slash(text.substr(slash));
    if (!below.empty()) resolved.location.append(below);
    return checked(std::move(resolved));
  }

  Result<ResolvedSource> logged_model(std::string_view id) const {
    ResolvedSource resolved;
    resolved.logged_model = id;
    auto place = locations.of_logged_model(transaction, workspace, resolved.logged_model);
    if (place.status().code() == Code::kNotFound) {
      return refused(source, "There is no such logged model.");
    }
    CORTEX_RETURN_IF_ERROR(place.status());
    resolved.location = place->location;
    resolved.run = place->run;
    return resolved;
  }

  Result<ResolvedSource> model(std::string_view text) const {
    if (is_logged_model(text)) return logged_model(text);
    auto id = version_named(text);
    CORTEX_RETURN_IF_ERROR(id.status());
    auto version = find_version(transaction, workspace, *id);
    if (version.status().code() == Code::kNotFound) {
      return refused(source, "There is no such model version.");
    }
    CORTEX_RETURN_IF_ERROR(version.status());
    return ResolvedSource{version->location, version->run, version->logged_model};
  }

  // "<name>/<version>" or "<name>@<alias>".
  Result<VersionId> version_named(std::string_view text) const {
    const Status malformed = refused(source, "It names neither a logged model nor a version.");
    if (const std::size_t slash = text.rfind('/'); slash != std::string_view::npos) {
      const std::string_view digits = text.substr(slash + 1);
      VersionId id{std::string(text.substr(0, slash)), 0};
      const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), id.version);
      if (read.ec != std::errc() || read.ptr != digits.data() + digits.size() || id.version < 1) {
        return malformed;
      }
      return id;
    }
    const std::size_t at = text.rfind('@');
    if (at == std::string_view::npos) return malformed;
    const std::string name(text.substr(0, at));
    const auto version =
        resolve_alias(transaction, workspace, name, std::string(text.substr(at + 1)));
    if (version.status().code() == Code::kNotFound) return malformed;
    CORTEX_RETURN_IF_ERROR(version.status());
    if (!*version) return refused(source, "There is no such alias.");
    return VersionId{name, **version};
  }
};

}  // namespace

Result<ResolvedSource> resolve_source(
    store::Transaction& transaction,
    const ArtifactLocations& locations,
    const std::string& workspace,
    std::string_view source
) {
  // No form needs them, and each has fooled a server before.
  if (source.find_first_of("%?#\\") != std::string_view::npos) {
    return refused(source, "Queries, fragments, backslashes and encoded characters are refused.");
  }
  const Resolver resolver{transaction, locations, workspace, source};
  if (const auto text = behind(source, "mlflow-artifacts")) return resolver.path(*text);
  if (const auto text = behind(source, "runs")) return resolver.run(*text);
  if (const auto text = behind(source, "models")) return resolver.model(*text);
  if (source.find(':') != std::string_view::npos) {
    return refused(
        source, "Only mlflow-artifacts:/, runs:/ and models:/ without a host are accepted."
    );
  }
  return resolver.path(source);
}

}  // namespace cortex::registry
