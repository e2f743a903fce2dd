// SPDX-License-Identifier: Apache-2.0
// Kills a process in the middle of its writes, again and again: store_kill_tests [ROUNDS [SEED]]
// Every work that was answered well must be there afterwards, whole and in order. The same program
// is the process that is killed. SQLite always; PostgreSQL where CORTEX_TEST_POSTGRESQL is set.
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/mutex.h"
#include "store/store.h"
#include "store/testing/store_calls.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

constexpr std::array<std::string_view, 1> kSteps = {R"(
CREATE TABLE left_half (number BIGINT PRIMARY KEY);
CREATE TABLE right_half (number BIGINT PRIMARY KEY, filling {text} NOT NULL);
)"};
constexpr Schema kHalves = {"halves", kSteps};
constexpr std::size_t kInFlight = 8;

Status write_number(Transaction& transaction, std::int64_t number) {
  CORTEX_RETURN_IF_ERROR(
      transaction.execute("INSERT INTO left_half (number) VALUES ($1)", {number}).status()
  );
  CORTEX_RETURN_IF_ERROR(transaction
                             .execute(
                                 "INSERT INTO right_half (number, filling) VALUES ($1, $2)",
                                 {number, std::string(700, 'x')}
                             )
                             .status());
  return transaction.note_change("number", std::to_string(number)).status();
}

// Lets a few works run at a time.
class Window {
 public:
  void enter() {
    MutexLock lock(mutex_);
    while (inside_ == kInFlight) condition_.wait_until(mutex_, kNoDeadline);
    ++inside_;
  }
  void leave() {
    MutexLock lock(mutex_);
    --inside_;
    condition_.notify_one();
  }

 private:
  Mutex mutex_;
  Condition condition_;
  std::size_t inside_ GUARDED_BY(mutex_) = 0;
};

// Writes numbers until it is killed, and says on standard output which were answered well.
int write_until_killed(const std::string& address, std::int64_t first) {
  Window window;
  StoreOptions options;
  options.address = address;
  const auto store = open_store(options, std::array{kHalves});
  CHECK(store.ok(), store.status().to_string().c_str());
  for (std::int64_t number = first;; ++number) {
    window.enter();
    (*store)->write(
        [number](Transaction& transaction) { return write_number(transaction, number); },
        [number, &window](const Status& status) {
          CHECK(status.ok(), status.to_string().c_str());
          const std::string line = std::to_string(number) + "\n";
          CHECK(::write(1, line.data(), line.size()) > 0, "the parent reads");
          window.leave();
        },
        number % 3 == 0 ? Durability::kStrict : Durability::kRelaxed
    );
  }
}

// The answered numbers of a child that was killed after about `answers` of them.
std::vector<std::int64_t> run_and_kill(
    const std::string& program, const std::string& address, std::int64_t first, int answers
) {
  std::array<int, 2> pipe{};
  CHECK(::pipe(pipe.data()) == 0, "there are pipes");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
  posix_spawn_file_actions_addclose(&actions, pipe[0]);
  std::string name = program;
  std::string mode = "writer";
  std::string where = address;
  std::string from = std::to_string(first);
  std::array<char*, 5> arguments = {name.data(), mode.data(), where.data(), from.data(), nullptr};
  pid_t child = 0;
  CHECK(
      posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ) == 0,
      "a child starts"
  );
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  std::string text;
  std::array<char, 512> buffer{};
  bool killed = false;
  for (ssize_t got = 1; got > 0;) {
    got = ::read(pipe[0], buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    if (!killed && std::count(text.begin(), text.end(), '\n') >= answers) {
      killed = ::kill(child, SIGKILL) == 0;
    }
  }
  ::close(pipe[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself");
  std::vector<std::int64_t> numbers;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
       at = end + 1) {
    numbers.push_back(std::stoll(text.substr(at, end - at)));
  }
  return numbers;
}

// The first number that is free.
std::int64_t check_after_kill(
    TemporaryStore& temporary, const std::vector<std::int64_t>& answered, bool ordered
) {
  temporary.reopen();
  Store& store = *temporary;
  const std::int64_t count = read_integer(store, "SELECT count(*) FROM left_half");
  const std::int64_t highest =
      read_integer(store, "SELECT COALESCE(max(number), -1) FROM left_half");
  CHECK(read_integer(store, "SELECT count(*) FROM right_half") == count, "half a work");
  CHECK(
      read_integer(store, "SELECT count(*) FROM left_half JOIN right_half USING (number)") == count,
      "half a work"
  );
  for (const std::int64_t number : answered) {
    CHECK(
        read_integer(store, "SELECT count(*) FROM left_half WHERE number = $1", {number}) == 1,
        "an answer was given for a work that is gone"
    );
  }
  CHECK(!ordered || highest + 1 == count, "a gap in the order of works");
  CHECK(
      read_integer(store, "SELECT count(*) FROM store_change") == count, "a change without a work"
  );
  CHECK(store.revision() == count, "the counter of changes");
  CHECK(store.check_integrity().ok(), "the database is whole");
  return highest + 1;
}

void run_rounds(const std::string& program, const std::string& kind, int rounds, unsigned seed) {
  std::minstd_rand random(seed);
  TemporaryStore temporary(kind, {kHalves});
  std::int64_t first = 0;
  for (int round = 0; round < rounds; ++round) {
    const int answers = std::uniform_int_distribution<int>(0, 60)(random);
    const auto answered = run_and_kill(program, temporary.address(), first, answers);
    first = check_after_kill(temporary, answered, kind == "sqlite");
  }
  std::printf(
      "%s: %d kills, %ld works (seed %u)\n", kind.c_str(), rounds, static_cast<long>(first), seed
  );
}

}  // namespace
}  // namespace cortex::store

int main(int argc, char** argv) {
  using cortex::store::TemporaryStore;
  if (argc == 4 && std::string(argv[1]) == "writer") {
    return cortex::store::write_until_killed(argv[2], std::stoll(argv[3]));
  }
  const int rounds = argc > 1 ? std::stoi(argv[1]) : 5;
  const unsigned seed = argc > 2 ? static_cast<unsigned>(std::stoul(argv[2])) : 1;
  for (const std::string& kind : TemporaryStore::kinds()) {
    if (TemporaryStore::available(kind)) cortex::store::run_rounds(argv[0], kind, rounds, seed);
  }
  return 0;
}
