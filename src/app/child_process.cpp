// SPDX-License-Identifier: Apache-2.0
#include "app/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
extern "C" {  // glibc 2.36 forgot to say so itself
#include <sys/pidfd.h>
}
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

namespace cortex::app {
namespace {

constexpr std::chrono::milliseconds kLook{50};

Status system_error(std::string_view what, int number) {
  return unavailable(std::string(what) + ": " + std::generic_category().message(number));
}

class File {
 public:
  File() = default;
  explicit File(int number) : number_(number) {}
  File(File&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  File& operator=(File&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~File() {
    if (number_ >= 0) ::close(number_);
  }
  [[nodiscard]] int get() const { return number_; }

 private:
  int number_ = -1;
};

struct Pipe {
  File read;
  File write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return system_error("a pipe", errno);
  Pipe out{File(ends[0]), File(ends[1])};
  if (fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return system_error("a pipe", errno);
  return out;
}

// In memory, so that nobody waits for a child that does not read.
Result<File> make_input(const std::string& text) {
  File out(memfd_create("input", MFD_CLOEXEC));
  if (out.get() < 0) return system_error("the input", errno);
  std::string_view left = text;
  while (!left.empty()) {
    const ssize_t written = ::write(out.get(), left.data(), left.size());
    if (written <= 0) return system_error("the input", errno);
    left.remove_prefix(static_cast<std::size_t>(written));
  }
  if (lseek(out.get(), 0, SEEK_SET) != 0) return system_error("the input", errno);
  return out;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// What a spawn is told; freed with it.
class Spawn {
 public:
  Spawn() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
  }
  Spawn(const Spawn&) = delete;
  Spawn& operator=(const Spawn&) = delete;
  ~Spawn() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }

  Result<pid_t> run(const ChildOptions& options, int input, int output, int log) {
    posix_spawn_file_actions_adddup2(&actions_, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, log, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(
        &attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP
    );
    std::vector<std::string> words{options.name.empty() ? options.program : options.name};
    words.insert(words.end(), options.arguments.begin(), options.arguments.end());
    const auto arguments = pointers(words);
    const auto environment = pointers(options.environment);
    pid_t pid = 0;
    const int error = posix_spawn(
        &pid, options.program.c_str(), &actions_, &attributes_, arguments.data(), environment.data()
    );
    if (error != 0) return system_error("'" + options.program + "' cannot be started", error);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

std::uint64_t resident_bytes(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/statm");
  std::uint64_t pages = 0;
  std::uint64_t resident = 0;
  in >> pages >> resident;
  return resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

// Waits for one child and takes what it says meanwhile.
class Watch {
 public:
  Watch(const ChildOptions& options, pid_t pid, File output, File log)
      : options_(options),
        pid_(pid),
        end_(pidfd_open(pid, 0)),
        output_(std::move(output)),
        log_(std::move(log)) {}
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  // Whoever leaves early leaves no process behind.
  ~Watch() {
    if (!reaped_) static_cast<void>(reap());
  }

  Result<ChildOutcome> run() {
    if (end_.get() < 0) return system_error("a process cannot be watched", errno);
    while (!ended()) {
      if (const auto why = why_kill()) {
        outcome_.end = *why;
        break;
      }
    }
    const siginfo_t info = reap();
    // What it still wrote; a grandchild that holds the pipe open is waited for no longer.
    read_all();
    if (outcome_.end == ChildEnd::kExited) {
      if (info.si_code != CLD_EXITED) outcome_.end = ChildEnd::kSignalled;
      outcome_.code = info.si_status;
    }
    return std::move(outcome_);
  }

 private:
  bool ended() {
    std::array<pollfd, 3> files{
        {{end_.get(), POLLIN, 0},
         {output_open_ ? output_.get() : -1, POLLIN, 0},
         {log_open_ ? log_.get() : -1, POLLIN, 0}}
    };
    const TimePoint now = steady_clock().now();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(options_.deadline - now);
    const auto wait = std::clamp(left, std::chrono::milliseconds(0), kLook);
    static_cast<void>(poll(files.data(), files.size(), static_cast<int>(wait.count())));
    outcome_.resident_bytes = std::max(outcome_.resident_bytes, resident_bytes(pid_));
    read_all();
    return (files[0].revents & POLLIN) != 0;
  }

  [[nodiscard]] std::optional<ChildEnd> why_kill() const {
    if (options_.stop != nullptr && options_.stop->load()) return ChildEnd::kStopped;
    if (steady_clock().now() >= options_.deadline) return ChildEnd::kTimedOut;
    const std::uint64_t most = options_.resident_bytes_max;
    if (most != 0 && outcome_.resident_bytes > most) return ChildEnd::kTooLarge;
    return std::nullopt;
  }

  void read_all() {
    const std::size_t most = options_.output_bytes_max;
    output_open_ = output_open_ && read(output_, [&](std::string_view bytes) {
                     outcome_.output += bytes.substr(0, most - outcome_.output.size());
                   });
    log_open_ = log_open_ && read(log_, [&](std::string_view bytes) {
                  outcome_.log += bytes;
                  const std::size_t length = outcome_.log.size();
                  if (length > options_.log_bytes_max)
                    outcome_.log.erase(0, length - options_.log_bytes_max);
                });
  }

  // What is there, one buffer after the other; false at the end of the stream.
  template <typename Take>
  static bool read(const File& file, Take take) {
    std::array<char, 4096> chunk;
    // A child that writes without end must not keep us from looking at the clock.
    for (int i = 0; i < 64; ++i) {
      const ssize_t length = ::read(file.get(), chunk.data(), chunk.size());
      if (length < 0) return errno == EAGAIN || errno == EINTR;
      if (length == 0) return false;
      take(std::string_view(chunk.data(), static_cast<std::size_t>(length)));
    }
    return true;
  }

  siginfo_t reap() {
    ::kill(-pid_, SIGKILL);
    siginfo_t info{};
    while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED) != 0 && errno == EINTR) {
    }
    reaped_ = true;
    return info;
  }

  const ChildOptions& options_;
  const pid_t pid_;
  const File end_;
  const File output_;
  const File log_;
  bool output_open_ = true;
  bool log_open_ = true;
  bool reaped_ = false;
  ChildOutcome outcome_;
};

}  // namespace

Result<ChildOutcome> run_child(const ChildOptions& options) {
  CORTEX_ASSIGN_OR_RETURN(const File input, make_input(options.input));
  CORTEX_ASSIGN_OR_RETURN(Pipe output, make_pipe());
  CORTEX_ASSIGN_OR_RETURN(Pipe log, make_pipe());
  CORTEX_ASSIGN_OR_RETURN(
      const pid_t pid, Spawn().run(options, input.get(), output.write.get(), log.write.get())
  );
  // Our copies would keep the streams open.
  output.write = File();
  log.write = File();
  return Watch(options, pid, std::move(output.read), std::move(log.read)).run();
}

}  // namespace cortex::app
