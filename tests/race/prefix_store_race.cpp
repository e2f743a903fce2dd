// SPDX-License-Identifier: Apache-2.0
// For ThreadSanitizer: many threads keep, find, load and forget states while budgets and queues are
// too small for them, and stores end under waiting loads. Every load is answered exactly once, with
// the bytes that were kept or a reason.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/thread.h"
#include "cache/prefix_store.h"

namespace cortex::cache {
namespace {

namespace fs = std::filesystem;

constexpr int kThreads = 4;
constexpr int kCallsPerThread = 300;
constexpr int kLives = 6;
constexpr int kPrompts = 12;

const PrefixSpace kSpaces[] = {{}, {"lora@1*1", "", ""}};

std::vector<Token> prompt_of(int number) { return std::vector<Token>(32, number); }

std::vector<std::byte> state_of(int number) {
  return std::vector<std::byte>(900 + static_cast<std::size_t>(number), std::byte(number));
}

class Life {
 public:
  explicit Life(const fs::path& folder) {
    PrefixStoreOptions options;
    options.model = "model";
    options.folder = folder;
    options.memory_bytes_max = 4'000;
    options.disk_bytes_max = 8'000;
    options.queue_max = 4;
    store_ = std::make_unique<PrefixStore>(options);
  }

  // True when every load was answered once, and well.
  bool live() {
    {
      std::vector<Thread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back("caller", [this, i] { call_all(i); });
      }
    }
    store_.reset();
    return answered_ == asked_ && wrong_ == 0;
  }

 private:
  void call_all(int thread) {
    for (int i = 0; i < kCallsPerThread; ++i) {
      const int number = (i * 7 + thread) % kPrompts;
      const PrefixSpace& space = kSpaces[i % 2];
      if (i % 3 == 0) store_->keep(space, prompt_of(number), state_of(number));
      if (i % 3 != 0) load(space, number);
      if (i % 97 == 0) store_->forget(space);
      if (i % 11 == 0) (void)store_->counts();
    }
  }

  void load(const PrefixSpace& space, int number) {
    const auto found = store_->find(space, prompt_of(number));
    if (!found) return;
    ++asked_;
    store_->load(*found, [this, number](Result<PrefixStore::State> state) {
      if (state.ok() && **state != state_of(number)) ++wrong_;
      if (!state.ok() && state.status().code() == Code::kDataLoss) ++wrong_;
      ++answered_;
    });
  }

  std::unique_ptr<PrefixStore> store_;
  std::atomic<int> asked_{0};
  std::atomic<int> answered_{0};
  std::atomic<int> wrong_{0};
};

}  // namespace
}  // namespace cortex::cache

int main() {
  namespace fs = std::filesystem;
  const fs::path folder =
      fs::temp_directory_path() / ("cortex-prefix-race-" + std::to_string(::getpid()));
  int failed = 0;
  for (int life = 0; life < cortex::cache::kLives; ++life) {
    if (!cortex::cache::Life(folder).live()) ++failed;
  }
  fs::remove_all(folder);
  std::printf("%d of %d lives failed\n", failed, cortex::cache::kLives);
  return failed == 0 ? 0 : 1;
}
