// SPDX-License-Identifier: Apache-2.0
#include "store/detail/wake_file.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace cortex::store {

WakeFile::WakeFile() : file_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  CHECK(file_ >= 0, "no file is left to wake a thread with");
}

WakeFile::~WakeFile() { ::close(file_); }

void WakeFile::wake() const {
  // Of no interest: it can fail only when it is readable already.
  [[maybe_unused]] const int ignored = ::eventfd_write(file_, 1);
}

}  // namespace cortex::store
