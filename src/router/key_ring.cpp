// SPDX-License-Identifier: Apache-2.0
#include "router/key_ring.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "router/workspaces.h"

namespace cortex::router {
namespace {

constexpr std::string_view kBearer = "bearer ";

// The key of "Bearer KEY"; the scheme's case does not matter. Empty for other schemes.
std::string_view bearer_key(std::string_view authorization) {
  if (authorization.size() <= kBearer.size()) return {};
  const bool bearer =
      std::equal(kBearer.begin(), kBearer.end(), authorization.begin(), [](char a, char b) {
        return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
      });
  if (!bearer) return {};
  authorization.remove_prefix(kBearer.size());
  while (authorization.starts_with(' ')) authorization.remove_prefix(1);
  return authorization;
}

std::array<std::uint8_t, 32> digest_of(std::string_view key) {
  std::array<std::uint8_t, 32> out{};
  SHA256(reinterpret_cast<const unsigned char*>(key.data()), key.size(), out.data());
  return out;
}

std::uint64_t prefix_of(const std::array<std::uint8_t, 32>& digest) {
  std::uint64_t out = 0;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

ScopeSet scopes_of(const std::vector<std::string>& names) {
  ScopeSet out = 0;
  for (const std::string& name : names) {
    if (name == "read") out |= static_cast<ScopeSet>(Scope::kRead);
    if (name == "infer") out |= static_cast<ScopeSet>(Scope::kInfer);
    if (name == "admin") out |= static_cast<ScopeSet>(Scope::kAdmin);
  }
  return out;
}

PriorityClass class_of(std::string_view name) {
  if (name == "high") return PriorityClass::kHigh;
  if (name == "low") return PriorityClass::kLow;
  if (name == "background") return PriorityClass::kBackground;
  return PriorityClass::kNormal;
}

}  // namespace

KeyRing::KeyRing(
    const std::vector<config::KeyEntry>& entries, const std::vector<std::string>& plain
) {
  for (const config::KeyEntry& entry : entries) {
    Principal principal;
    principal.tenant = entry.tenant;
    principal.workspace = entry.workspace;
    principal.every_workspace = entry.workspace == kEveryWorkspace;
    principal.key = entry.name;
    principal.scopes = scopes_of(entry.scopes);
    principal.priority_class = class_of(entry.priority_class);
    principal.weight = entry.weight;
    add(entry.sha256, std::move(principal));
  }
  std::size_t number = 0;
  for (const std::string& key : plain) {
    Principal principal;
    principal.workspace = kEveryWorkspace;
    principal.key = "api-key-" + std::to_string(++number);
    add(digest_of(key), std::move(principal));
  }
}

void KeyRing::add(const Digest& digest, Principal principal) {
  entries_.emplace(prefix_of(digest), Entry{digest, std::move(principal)});
}

Result<Principal> KeyRing::authenticate(std::string_view authorization, std::string_view x_api_key)
    const {
  if (open()) {
    Principal everybody;
    everybody.workspace = kEveryWorkspace;
    return everybody;
  }
  const std::string_view key = authorization.empty() ? x_api_key : bearer_key(authorization);
  if (key.empty())
    return unauthenticated("a key is needed: Authorization: Bearer KEY, or x-api-key");
  const Digest digest = digest_of(key);
  const auto [first, last] = entries_.equal_range(prefix_of(digest));
  for (auto at = first; at != last; ++at) {
    const Entry& entry = at->second;
    if (CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0)
      return entry.principal;
  }
  return unauthenticated("the key is not known");
}

}  // namespace cortex::router
