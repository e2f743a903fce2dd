// SPDX-License-Identifier: Apache-2.0
#include "backend/onnx/detail/session_settings.h"

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

TEST(SessionSettings, takes_the_budget_s_threads_unless_the_model_says_otherwise) {
  EXPECT_EQ(session_settings({}, 3)->intra_threads, 3);
  EXPECT_EQ(session_settings({}, 0)->intra_threads, 1);
  EXPECT_EQ(session_settings({{"intra_op_thread_count", "2"}}, 3)->intra_threads, 2);
  EXPECT_EQ(session_settings({{"intra_op_thread_count", "0"}}, 3)->intra_threads, 3);
}

TEST(SessionSettings, passes_the_library_s_own_keys_on) {
  const auto settings = session_settings({{"session.set_denormal_as_zero", "1"}}, 1);
  ASSERT_EQ(settings->entries.size(), 1u);
  EXPECT_EQ(settings->entries[0].first, "session.set_denormal_as_zero");
  EXPECT_TRUE(settings->unknown.empty());
}

TEST(SessionSettings, uses_an_arena_only_where_told_or_where_it_is_to_shrink) {
  EXPECT_FALSE(session_settings({}, 1)->memory_arena);
  EXPECT_TRUE(session_settings({{"enable_mem_arena", "1"}}, 1)->memory_arena);
  EXPECT_TRUE(session_settings({{"memory.enable_memory_arena_shrinkage", "cpu:0"}}, 1)->memory_arena
  );
}

TEST(SessionSettings, names_what_it_does_not_know) {
  const auto settings = session_settings({{"speed", "11"}}, 1);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->unknown, std::vector<std::string>{"speed"});
}

TEST(SessionSettings, refuses_values_that_are_none) {
  for (const auto& [name, value] : std::initializer_list<std::pair<const char*, const char*>>{
           {"intra_op_thread_count", "-1"},
           {"intra_op_thread_count", "many"},
           {"intra_op_thread_count", "2 "},
           {"intra_op_thread_count", "99999999999"},
           {"execution_mode", "2"},
           {"enable_mem_arena", ""},
           {"graph_optimization_level", "fast"},
       }) {
    const auto settings = session_settings({{name, value}}, 1);
    EXPECT_EQ(settings.status().code(), Code::kInvalidArgument) << name << " " << value;
    EXPECT_NE(settings.status().text().find(name), std::string::npos);
  }
}

}  // namespace
}  // namespace cortex::backend
