// SPDX-License-Identifier: Apache-2.0
// For ThreadSanitizer: many threads take, settle and read the quotas of few principals, and carry
// answers through metered streams. At the end every token is accounted for.
#include <atomic>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "router/local_limiter.h"
#include "router/metered_stream.h"

namespace cortex::router {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kRounds = 3'000;
constexpr QuotaLimits kLimits{0, 1'000'000, 3};

bool settles_every_token() {
  // Stands still: what is missing at the end was used.
  VirtualClock clock;
  LocalLimiter limiter(clock, 64);
  std::atomic<std::uint64_t> used{0};
  std::atomic<std::uint64_t> over{0};
  {
    std::vector<Thread> threads;
    for (std::size_t t = 0; t < kThreads; ++t) {
      threads.emplace_back("quota", [&, t] {
        for (std::size_t i = 0; i < kRounds; ++i) {
          const QuotaAsk ask{"p", kLimits, 1 + (i + t) % 5, 10, true};
          const QuotaAnswer answer = *limiter.take(ask, nullptr);
          if (answer.refusal) continue;
          if (limiter.running("p") > kLimits.concurrent_requests) ++over;
          const std::uint64_t real = (i * 7 + t) % (answer.reserved + 4);
          used += real;
          limiter.settle(ask, answer.reserved, real);
          static_cast<void>(limiter.state("p", kLimits));
        }
      });
    }
  }
  const QuotaState left = limiter.state("p", kLimits);
  const bool whole = left.tokens->remaining + used == kLimits.tokens_per_minute;
  if (!whole || over > 0) {
    std::fprintf(
        stderr,
        "used %llu, left %llu, %llu times too many at once\n",
        static_cast<unsigned long long>(used),
        static_cast<unsigned long long>(left.tokens->remaining),
        static_cast<unsigned long long>(over)
    );
  }
  return whole && over == 0 && limiter.running("p") == 0;
}

// A producer's thread writes as room allows, a consumer's reads: nothing is lost or doubled.
bool carries_every_part() {
  constexpr std::uint64_t kParts = 2'000;
  auto outer = std::make_shared<ResponseStream>(2);
  std::atomic<int> ends{0};
  auto inner = metered_stream(outer, [&ends](const Timings&) { ++ends; });
  std::uint64_t sum = 0;
  std::uint64_t count = 0;
  {
    Thread producer("producer", [&inner] {
      for (std::uint64_t i = 0; i < kParts;) {
        GenerationOutput part;
        part.sequence = static_cast<std::uint32_t>(i);
        if (inner->write(std::move(part))) ++i;
      }
      inner->finish(Status(), Timings{});
      inner.reset();
    });
    while (!outer->finished()) {
      const auto part = outer->read();
      if (!part) continue;
      if (std::get<GenerationOutput>(*part).sequence == count) ++sum;
      ++count;
    }
  }
  return ends == 1 && count == kParts && sum == kParts;
}

}  // namespace
}  // namespace cortex::router

int main() {
  for (int i = 0; i < 3; ++i) {
    if (!cortex::router::settles_every_token()) return 1;
    if (!cortex::router::carries_every_part()) return 2;
  }
  return 0;
}
