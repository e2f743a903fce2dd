// SPDX-License-Identifier: Apache-2.0
#include "frontend/http/io_loop.h"

#include <memory>
#include <vector>

#include <gtest/gtest.h>

namespace cortex::frontend {
namespace {

std::shared_ptr<ServerContext> make_context() {
  auto context = std::make_shared<ServerContext>();
  context->clock = &steady_clock();
  return context;
}

TEST(IoLoop, lets_go_of_what_is_posted_after_its_end) {
  const auto context = make_context();
  const auto loop = std::make_shared<IoLoop>(context, 0);
  loop->start();
  context->stopped = true;
  loop->stop();
  const auto held = std::make_shared<int>(1);
  loop->post([held] {});
  EXPECT_EQ(held.use_count(), 1);
}

TEST(IoLoop, lets_go_of_what_is_posted_while_it_ends) {
  for (int round = 0; round < 50; ++round) {
    const auto context = make_context();
    const auto loop = std::make_shared<IoLoop>(context, 0);
    loop->start();
    const auto held = std::make_shared<int>(1);
    std::vector<Thread> posters;
    for (int i = 0; i < 2; ++i) {
      posters.emplace_back("poster", [&] {
        for (int post = 0; post < 2000; ++post) loop->post([held] {});
      });
    }
    context->stopped = true;
    loop->stop();
    for (Thread& poster : posters) poster.join();
    EXPECT_EQ(held.use_count(), 1) << "in round " << round;
  }
}

}  // namespace
}  // namespace cortex::frontend
