// SPDX-License-Identifier: Apache-2.0
#include "store/detail/caller.h"

#include <pthread.h>

#include <array>
#include <string_view>

#include "base/check.h"

namespace cortex::store {

void check_may_wait() {
  std::array<char, 16> buffer{};
  if (pthread_getname_np(pthread_self(), buffer.data(), buffer.size()) != 0) return;
  const std::string_view name(buffer.data());
  CHECK(!name.starts_with("io-"), "an io thread waits for the database");
  CHECK(!name.starts_with("lane-"), "a lane thread waits for the database");
  CHECK(!name.starts_with("store-"), "a thread of the store's waits for itself");
}

}  // namespace cortex::store
