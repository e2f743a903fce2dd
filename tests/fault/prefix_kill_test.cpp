// SPDX-License-Identifier: Apache-2.0
// Kills a process in the middle of writing prefixes, again and again: prefix_kill_tests [ROUNDS
// [SEED]]
// What was said to be written must be there afterwards, and every file must be whole. The same
// program is the process that is killed.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "cache/prefix_store.h"

namespace cortex::cache {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStateBytes = 300'000;

TimePoint in_a_minute() { return steady_clock().now() + std::chrono::minutes(1); }

PrefixStoreOptions kill_options(const fs::path& folder) {
  PrefixStoreOptions out;
  out.model = "model";
  out.folder = folder;
  out.disk_bytes_max = std::uint64_t{1} << 32U;
  return out;
}

std::vector<Token> tokens_of(std::int32_t number) {
  std::vector<Token> out(40, number);
  return out;
}

std::vector<std::byte> state_of(std::int32_t number) {
  std::vector<std::byte> out(kStateBytes + static_cast<std::size_t>(number % 1000));
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::byte>(i * 31 + static_cast<std::size_t>(number));
  }
  return out;
}

// Writes states until it is killed, and says on standard output how many are on the disk.
int keep_until_killed(const fs::path& folder, std::int32_t first) {
  PrefixStore store(kill_options(folder));
  for (std::int32_t number = first;; number += 4) {
    for (std::int32_t i = 0; i < 4; ++i)
      store.keep({}, tokens_of(number + i), state_of(number + i));
    CHECK(store.settle(in_a_minute()), "the states are written");
    CHECK(store.counts().writes_failed == 0, "the disk has room");
    const std::string line = std::to_string(number + 4) + "\n";
    CHECK(::write(1, line.data(), line.size()) > 0, "the parent reads");
  }
}

pid_t start_writer(
    const std::string& program, const fs::path& folder, std::int32_t first, int output
) {
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  std::string name = program;
  std::string mode = "writer";
  std::string where = folder.string();
  std::string from = std::to_string(first);
  std::array<char*, 5> arguments = {name.data(), mode.data(), where.data(), from.data(), nullptr};
  pid_t child = 0;
  const int error =
      posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  CHECK(error == 0, "a child starts");
  posix_spawn_file_actions_destroy(&actions);
  return child;
}

// What a child that was killed after about `lines` lines said last.
std::int32_t write_and_kill(
    const std::string& program, const fs::path& folder, std::int32_t first, int lines
) {
  std::array<int, 2> pipe{};
  CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0, "there are pipes");
  const pid_t child = start_writer(program, folder, first, pipe[1]);
  ::close(pipe[1]);
  std::string text;
  std::array<char, 512> buffer{};
  bool killed = false;
  for (ssize_t got = 1; got > 0;) {
    got = ::read(pipe[0], buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    if (!killed && std::count(text.begin(), text.end(), '\n') >= lines) {
      killed = ::kill(child, SIGKILL) == 0;
    }
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself");
  if (text.empty()) return first;
  text.pop_back();
  const auto line = text.rfind('\n');
  return std::stoi(line == std::string::npos ? text : text.substr(line + 1));
}

PrefixStore::State read_state(PrefixStore& store, std::int32_t number) {
  const auto found = store.find({}, tokens_of(number));
  if (!found || !store.holds({}, tokens_of(number))) return nullptr;
  PrefixStore::State out;
  store.load(*found, [&](Result<PrefixStore::State> state) {
    CHECK(state.ok(), "a file that was found is whole");
    out = std::move(*state);
  });
  CHECK(store.settle(in_a_minute()), "the state is read");
  return out;
}

// The first number that is free.
std::int32_t check_after_kill(const fs::path& folder, std::int32_t said) {
  PrefixStore store(kill_options(folder));
  CHECK(store.settle(in_a_minute()), "the folder is read");
  CHECK(store.counts().files_broken == 0, "half a file");
  std::int32_t number = 0;
  while (const auto state = read_state(store, number)) {
    CHECK(*state == state_of(number), "the bytes are those that were kept");
    ++number;
  }
  CHECK(number >= said, "what was said to be written is there");
  for (const auto& entry : fs::directory_iterator(folder)) {
    CHECK(entry.path().extension() != ".part", "parts are cleared away");
  }
  return number;
}

void run_rounds(const std::string& program, int rounds, unsigned seed) {
  std::minstd_rand random(seed);
  const fs::path folder =
      fs::temp_directory_path() / ("cortex-prefix-kill-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  std::int32_t first = 0;
  for (int round = 0; round < rounds; ++round) {
    const int lines = std::uniform_int_distribution<int>(0, 6)(random);
    first = check_after_kill(folder, write_and_kill(program, folder, first, lines));
  }
  fs::remove_all(folder);
  std::printf("%d kills, %d states (seed %u)\n", rounds, first, seed);
}

}  // namespace
}  // namespace cortex::cache

int main(int argc, char** argv) {
  if (argc == 4 && std::string(argv[1]) == "writer") {
    return cortex::cache::keep_until_killed(argv[2], std::stoi(argv[3]));
  }
  const int rounds = argc > 1 ? std::stoi(argv[1]) : 5;
  const unsigned seed = argc > 2 ? static_cast<unsigned>(std::stoul(argv[2])) : 1;
  cortex::cache::run_rounds(argv[0], rounds, seed);
  return 0;
}
