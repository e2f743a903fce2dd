// SPDX-License-Identifier: Apache-2.0
// Kills a process in the middle of its uploads, again and again: artifact_kill_tests [ROUNDS
// [SEED]] What it had finished is there and whole, and so is whatever else can be seen. The same
// program is the process that is killed. In a folder always; in an S3 store where CORTEX_TEST_S3 is
// set.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/check.h"
#include "store/artifact_index.h"
#include "store/testing/temporary_artifacts.h"
#include "store/testing/temporary_store.h"

namespace cortex::store {
namespace {

namespace fs = std::filesystem;

// Far longer than the way from a finished upload to its reference, even on a slow machine.
constexpr Duration kGrace = std::chrono::seconds(3);

using Lines = std::vector<std::string>;

void say(const std::string& line) {
  const std::string text = line + "\n";
  CHECK(::write(1, text.data(), text.size()) > 0, "the parent reads");
}

void must(const Status& status) { CHECK(status.ok(), status.to_string().c_str()); }

std::unique_ptr<ArtifactStore> open_place(const std::string& place) {
  auto opened = TemporaryArtifacts::open(place);
  must(opened.status());
  return std::move(opened).value();
}

// Every eighth needs a multipart upload.
std::string content(int number) {
  const std::size_t size = number % 8 == 7 ? 5'400'000 : 100'000;
  return std::to_string(number) + std::string(size, static_cast<char>('a' + number % 26));
}

// `step` is called before every piece.
Blob upload(ArtifactStore& artifacts, const std::string& text, const std::function<void()>& step) {
  auto writer = artifacts.begin();
  must(writer.status());
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  const std::size_t piece = bytes.size() / 10 + 1;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    step();
    must((*writer)->write(bytes.subspan(at, std::min(piece, bytes.size() - at))));
  }
  auto blob = (*writer)->finish();
  must(blob.status());
  return *blob;
}

// The child's parts. They end by a kill.
int upload_until_killed(const std::string& place, int first) {
  const auto artifacts = open_place(place);
  for (int number = first;; ++number) {
    const Blob blob = upload(*artifacts, content(number), [] { say("piece"); });
    say(blob.digest + " " + std::to_string(blob.size));
  }
}

// A few contents under a few paths, put and removed, so that the collector takes what comes again.
int refer_until_killed(const std::string& place, const std::string& database) {
  const auto artifacts = open_place(place);
  StoreOptions options;
  options.address = database;
  const auto store = open_store(options, std::array{artifact_schema()});
  must(store.status());
  for (int number = 0;; ++number) {
    const std::string path = "runs/" + std::to_string(number % 3);
    const std::string text(50'000, static_cast<char>('a' + number % 5));
    const Blob blob = upload(*artifacts, text, [] {});
    must((*store)->write_and_wait([&](Transaction& transaction) {
      return put_artifact(transaction, "default", path, blob);
    }));
    say(blob.digest);
    if (number % 2 == 0) continue;
    must((*store)->write_and_wait([&](Transaction& transaction) {
      return remove_artifacts(transaction, "default", path).status();
    }));
  }
}

// A disk that takes no more: files of this process end at a size.
int write_on_full_disk(const std::string& place) {
  ::signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{64 * 1024, 64 * 1024};
  if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) return 2;
  const auto artifacts = open_place(place);
  const auto put = [&](const std::string& text) -> Status {
    CORTEX_ASSIGN_OR_RETURN(const auto writer, artifacts->begin());
    CORTEX_RETURN_IF_ERROR(writer->write(std::as_bytes(std::span(text.data(), text.size()))));
    return writer->finish().status();
  };
  if (put(std::string(200'000, 'x')).code() != Code::kResourceExhausted) return 3;
  return put("small").ok() ? 0 : 4;
}

struct Child {
  pid_t pid = 0;
  int output = -1;
};

Child start(const std::string& program, std::vector<std::string> arguments) {
  std::array<int, 2> pipe{};
  CHECK(::pipe2(pipe.data(), O_CLOEXEC) == 0, "there are pipes");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe[1], 1);
  arguments.insert(arguments.begin(), program);
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  Child child;
  CHECK(
      posix_spawn(&child.pid, program.c_str(), &actions, nullptr, pointers.data(), environ) == 0,
      "a child starts"
  );
  posix_spawn_file_actions_destroy(&actions);
  ::close(pipe[1]);
  child.output = pipe[0];
  return child;
}

int wait_for(const Child& child) {
  ::close(child.output);
  int status = 0;
  CHECK(::waitpid(child.pid, &status, 0) == child.pid, "a child is waited for");
  return status;
}

// The whole lines of a child that was killed after `enough` of them.
Lines run_and_kill(const Child& child, std::size_t enough) {
  std::string text;
  std::array<char, 512> buffer{};
  bool killed = false;
  for (ssize_t got = 1; got > 0;) {
    got = ::read(child.output, buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    if (!killed && lines >= enough) killed = ::kill(child.pid, SIGKILL) == 0;
  }
  const int status = wait_for(child);
  CHECK(killed && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "the child ended by itself");
  Lines lines;
  for (std::size_t at = 0, end = 0; (end = text.find('\n', at)) != std::string::npos;
       at = end + 1) {
    lines.push_back(text.substr(at, end - at));
  }
  return lines;
}

// All that can be seen is whole.
void check_visible(ArtifactStore& artifacts) {
  const auto all = artifacts.list("", 100'000);
  must(all.status());
  for (const StoredBlob& one : *all) must(check_blob(artifacts, one.blob));
}

void check_answered(ArtifactStore& artifacts, const Lines& lines) {
  for (const std::string& line : lines) {
    if (line == "piece") continue;
    must(check_blob(artifacts, {line.substr(0, 64), std::stoull(line.substr(65))}));
  }
}

std::size_t files_in(const fs::path& folder) {
  std::size_t count = 0;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    count += entry.is_regular_file();
  return count;
}

void kill_uploads(const std::string& program, const std::string& kind, int rounds, unsigned seed) {
  std::minstd_rand random(seed);
  TemporaryArtifacts artifacts(kind);
  int first = 0;
  std::size_t left = 0;
  for (int round = 0; round < rounds; ++round) {
    const auto enough = std::uniform_int_distribution<std::size_t>(1, 100)(random);
    const Child child = start(program, {"uploader", artifacts.place(), std::to_string(first)});
    const Lines lines = run_and_kill(child, enough);
    first += static_cast<int>(lines.size());
    if (kind == "folder") left += files_in(fs::path(artifacts.place()) / "incoming");
    artifacts.reopen();
    check_visible(*artifacts);
    check_answered(*artifacts, lines);
    must(artifacts->sweep({}).status());
    check_visible(*artifacts);
    check_answered(*artifacts, lines);
    if (kind == "folder") {
      CHECK(files_in(fs::path(artifacts.place()) / "incoming") == 0, "dead uploads are removed");
    }
  }
  CHECK(left > 0 || kind != "folder", "some were killed in the middle");
  std::printf(
      "%s: %d kills within uploads (seed %u), %zu files of dead ones removed\n",
      kind.c_str(),
      rounds,
      seed,
      left
  );
}

// What rows name is there and whole.
void check_referred(Store& store, ArtifactStore& artifacts) {
  std::vector<ArtifactEntry> entries;
  must(store.read_and_wait([&](Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(entries, walk_artifacts(transaction, "default", "", 1000));
    return {};
  }));
  for (const ArtifactEntry& entry : entries) {
    must(check_blob(artifacts, {entry.digest, entry.size}));
  }
  const auto strays = find_strays(store, artifacts, kGrace);
  must(strays.status());
  CHECK(strays->without_bytes.empty(), "bytes are lost that a row names");
}

void collect_once(Store& store, ArtifactStore& artifacts) {
  must(collect_artifacts(store, artifacts, kGrace).status());
  must(remove_strays(store, artifacts, kGrace).status());
}

void kill_beside_collector(const std::string& program, const std::string& kind, int rounds) {
  TemporaryArtifacts artifacts(kind);
  TemporaryStore database("sqlite", {artifact_schema()});
  for (int round = 0; round < rounds; ++round) {
    const Child child = start(program, {"referrer", artifacts.place(), database.address()});
    // Long enough that what came first is collected while it comes again.
    const TimePoint end = steady_clock().now() + kGrace + std::chrono::seconds(1);
    while (steady_clock().now() < end) collect_once(*database, *artifacts);
    const Lines lines = run_and_kill(child, 1);
    CHECK(!lines.empty(), "the child came to an upload");
    check_referred(*database, *artifacts);
    check_visible(*artifacts);
  }
  // In the end only what rows name is left.
  const TimePoint late = steady_clock().now() + std::chrono::seconds(60);
  for (std::size_t kept = 100; kept > 3;) {
    CHECK(steady_clock().now() < late, "unused bytes are collected");
    collect_once(*database, *artifacts);
    const auto all = artifacts->list("", 1000);
    must(all.status());
    kept = all->size();
  }
  check_referred(*database, *artifacts);
  std::printf("%s: %d kills beside the collector\n", kind.c_str(), rounds);
}

void fill_disk(const std::string& program) {
  TemporaryArtifacts artifacts("folder");
  const Child child = start(program, {"full", artifacts.place()});
  const int status = wait_for(child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a full disk is told, and passes");
  CHECK(
      files_in(fs::path(artifacts.place()) / "incoming") == 0, "nothing is left of a refused upload"
  );
  CHECK(files_in(fs::path(artifacts.place()) / "sha256") == 1, "what is small enough is there");
  std::printf("folder: a file that may not grow\n");
}

int run(const std::string& program, int rounds, unsigned seed) {
  for (const std::string& kind : TemporaryArtifacts::kinds()) {
    if (!TemporaryArtifacts::available(kind)) continue;
    kill_uploads(program, kind, rounds, seed);
    kill_beside_collector(program, kind, std::max(1, rounds / 5));
  }
  fill_disk(program);
  return 0;
}

}  // namespace
}  // namespace cortex::store

int main(int argc, char** argv) {
  namespace store = cortex::store;
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "uploader") {
    return store::upload_until_killed(arguments[1], std::stoi(arguments[2]));
  }
  if (arguments.size() == 3 && arguments[0] == "referrer") {
    return store::refer_until_killed(arguments[1], arguments[2]);
  }
  if (arguments.size() == 2 && arguments[0] == "full") {
    return store::write_on_full_disk(arguments[1]);
  }
  const int rounds = arguments.empty() ? 5 : std::stoi(arguments[0]);
  const unsigned seed = arguments.size() > 1 ? static_cast<unsigned>(std::stoul(arguments[1])) : 1;
  return store::run(argv[0], rounds, seed);
}
