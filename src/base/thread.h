// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>
#include <thread>

namespace cortex {

// A named thread that is joined when it goes out of scope. The body must end by itself once its
// owner told it to (a closed mailbox, a stopped loop): the destructor waits for it. An exception
// that leaves the body ends the process.
class Thread {
 public:
  Thread() = default;
  // `name` is cut to the 15 characters the kernel shows.
  Thread(std::string name, std::function<void()> body);
  Thread(Thread&&) = default;
  Thread& operator=(Thread&& other) noexcept;
  ~Thread() { join(); }

  void join();
  [[nodiscard]] bool joinable() const { return thread_.joinable(); }

 private:
  std::thread thread_;
};

}  // namespace cortex
