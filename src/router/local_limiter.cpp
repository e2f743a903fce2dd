// SPDX-License-Identifier: Apache-2.0
#include "router/local_limiter.h"

#include <algorithm>
#include <list>
#include <string>
#include <unordered_map>

#include "base/check.h"
#include "base/mutex.h"
#include "router/token_bucket.h"

namespace cortex::router {
namespace {

constexpr std::size_t kShards = 16;
// Of the longest unused principals so many are looked at for one that can be forgotten.
constexpr std::size_t kForgetProbes = 64;

// One principal's use.
struct Account {
  Account(std::string_view whose, const QuotaLimits& limits, TimePoint now)
      : principal(whose),
        requests(limits.requests_per_minute, now),
        tokens(limits.tokens_per_minute, now) {}

  void refill(TimePoint now) {
    requests.refill(now);
    tokens.refill(now);
  }
  // As one that was never there.
  [[nodiscard]] bool idle() const { return running == 0 && requests.full() && tokens.full(); }

  std::string principal;
  TokenBucket requests;
  TokenBucket tokens;
  std::uint64_t running = 0;
};

QuotaRefusal refused_by(QuotaKind kind, const TokenBucket& bucket, std::uint64_t asked) {
  return {kind, bucket.limit(), bucket.limit() - bucket.remaining(), asked, bucket.wait_for(asked)};
}

// Takes what is asked, or says why not.
QuotaAnswer draw(Account& account, const QuotaAsk& ask) {
  const std::uint64_t limit = ask.limits.tokens_per_minute;
  QuotaAnswer answer;
  if (limit > 0) {
    if (ask.tokens_in > limit) {
      answer.refusal = {QuotaKind::kTooLarge, limit, 0, ask.tokens_in, {}};
      return answer;
    }
    answer.reserved = ask.tokens_in + std::min(ask.tokens_out, limit - ask.tokens_in);
  }
  const std::uint64_t places = ask.limits.concurrent_requests;
  if (!account.requests.has(1)) {
    answer.refusal = refused_by(QuotaKind::kRequests, account.requests, 1);
  } else if (!account.tokens.has(answer.reserved)) {
    answer.refusal = refused_by(QuotaKind::kTokens, account.tokens, answer.reserved);
  } else if (ask.holds_place && places > 0 && account.running >= places) {
    answer.refusal = {QuotaKind::kConcurrency, places, account.running, 1, {}};
  }
  if (answer.refusal) {
    answer.reserved = 0;
    return answer;
  }
  account.requests.take(1);
  account.tokens.take(answer.reserved);
  if (ask.holds_place) ++account.running;
  return answer;
}

std::optional<QuotaLevel> level_of(const TokenBucket& bucket) {
  if (bucket.limit() == 0) return std::nullopt;
  return QuotaLevel{bucket.limit(), bucket.remaining(), bucket.wait_until_full()};
}

}  // namespace

class LocalLimiter::Shard {
 public:
  void set_capacity(std::size_t capacity) { capacity_ = capacity; }

  QuotaAnswer take(const QuotaAsk& ask, TimePoint now) {
    MutexLock lock(mutex_);
    Account* const account = open_locked(ask, now);
    if (account == nullptr) {
      return {QuotaRefusal{QuotaKind::kPrincipals, capacity_ * kShards, 0, 1, {}}, 0};
    }
    return draw(*account, ask);
  }

  void settle(const QuotaAsk& granted, std::uint64_t reserved, std::uint64_t used, TimePoint now) {
    MutexLock lock(mutex_);
    const auto found = by_name_.find(granted.principal);
    // With a place it is never forgotten; without one a forgotten account was full, and is again.
    if (found == by_name_.end()) return;
    Account& account = *found->second;
    account.refill(now);
    if (used > reserved) {
      account.tokens.take(used - reserved);
    } else {
      account.tokens.give_back(reserved - used);
    }
    if (!granted.holds_place) return;
    CHECK(account.running > 0, "a granted request is settled once");
    --account.running;
  }

  QuotaState state(std::string_view principal, const QuotaLimits& limits, TimePoint now) {
    MutexLock lock(mutex_);
    const auto found = by_name_.find(principal);
    if (found == by_name_.end()) {
      return {
          level_of(TokenBucket(limits.requests_per_minute, now)),
          level_of(TokenBucket(limits.tokens_per_minute, now))
      };
    }
    Account& account = *found->second;
    account.refill(now);
    return {level_of(account.requests), level_of(account.tokens)};
  }

  std::size_t size() {
    MutexLock lock(mutex_);
    return by_name_.size();
  }

  std::uint64_t running(std::string_view principal) {
    MutexLock lock(mutex_);
    const auto found = by_name_.find(principal);
    return found == by_name_.end() ? 0 : found->second->running;
  }

 private:
  using Accounts = std::list<Account>;

  // The principal's account, now the newest; null where there is no room for it.
  Account* open_locked(const QuotaAsk& ask, TimePoint now) REQUIRES_LOCK(mutex_) {
    const auto found = by_name_.find(ask.principal);
    if (found != by_name_.end()) {
      accounts_.splice(accounts_.begin(), accounts_, found->second);
      found->second->refill(now);
      return &*found->second;
    }
    if (accounts_.size() >= capacity_ && !forget_one_locked(now)) return nullptr;
    accounts_.emplace_front(ask.principal, ask.limits, now);
    by_name_.emplace(accounts_.front().principal, accounts_.begin());
    return &accounts_.front();
  }

  bool forget_one_locked(TimePoint now) REQUIRES_LOCK(mutex_) {
    std::size_t probes = 0;
    for (auto at = accounts_.end(); at != accounts_.begin() && probes < kForgetProbes; ++probes) {
      --at;
      at->refill(now);
      if (!at->idle()) continue;
      by_name_.erase(at->principal);
      accounts_.erase(at);
      return true;
    }
    return false;
  }

  Mutex mutex_;  // a look-up and some additions; io and lane threads meet here
  std::size_t capacity_ = 1;
  Accounts accounts_ GUARDED_BY(mutex_);  // the last used first
  // Names lie in the accounts.
  std::unordered_map<std::string_view, Accounts::iterator> by_name_ GUARDED_BY(mutex_);
};

LocalLimiter::LocalLimiter(const Clock& clock, std::size_t principals_max)
    : clock_(clock), shards_(std::make_unique<Shard[]>(kShards)) {
  CHECK(principals_max > 0, "a limiter remembers somebody");
  const std::size_t each = (principals_max + kShards - 1) / kShards;
  for (std::size_t i = 0; i < kShards; ++i) shards_[i].set_capacity(each);
}

LocalLimiter::~LocalLimiter() = default;

LocalLimiter::Shard& LocalLimiter::shard_of(std::string_view principal) const {
  return shards_[std::hash<std::string_view>()(principal) % kShards];
}

std::optional<QuotaAnswer>
LocalLimiter::take(const QuotaAsk& ask, std::function<void(const QuotaAnswer&)>) {
  return shard_of(ask.principal).take(ask, clock_.now());
}

void LocalLimiter::settle(const QuotaAsk& granted, std::uint64_t reserved, std::uint64_t used) {
  shard_of(granted.principal).settle(granted, reserved, used, clock_.now());
}

QuotaState LocalLimiter::state(std::string_view principal, const QuotaLimits& limits) const {
  return shard_of(principal).state(principal, limits, clock_.now());
}

std::size_t LocalLimiter::principals() const {
  std::size_t sum = 0;
  for (std::size_t i = 0; i < kShards; ++i) sum += shards_[i].size();
  return sum;
}

std::uint64_t LocalLimiter::running(std::string_view principal) const {
  return shard_of(principal).running(principal);
}

}  // namespace cortex::router
