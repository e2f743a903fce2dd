// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "config/keys.h"
#include "request/principal.h"

namespace cortex::router {

// Tells who asks by the key that came with a request. Only digests are kept. Immutable,
// thread-safe.
class KeyRing {
 public:
  // `plain` are secrets that grant every scope in every workspace; their principals are named
  // "api-key-1" and so on.
  KeyRing(const std::vector<config::KeyEntry>& entries, const std::vector<std::string>& plain);

  // True without keys: everybody is the default principal, with every scope and workspace.
  [[nodiscard]] bool open() const { return entries_.empty(); }

  // `authorization` is the header's value ("Bearer KEY"), `x_api_key` the other header's; either
  // may be empty. The principal's workspace is what its key is bound to, kEveryWorkspace of
  // workspaces.h for one that may ask for any. kUnauthenticated when there is no key or no such
  // key.
  [[nodiscard]] Result<Principal> authenticate(
      std::string_view authorization, std::string_view x_api_key
  ) const;

 private:
  using Digest = std::array<std::uint8_t, 32>;
  struct Entry {
    Digest digest;
    Principal principal;
  };
  void add(const Digest& digest, Principal principal);

  // By the digest's first bytes. The time of this look-up tells about digests at most, from which
  // no key can be made; the digests themselves are compared in constant time.
  std::multimap<std::uint64_t, Entry> entries_;
};

}  // namespace cortex::router
