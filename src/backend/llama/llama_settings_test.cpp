// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_settings.h"

#include <gtest/gtest.h>

namespace cortex::backend {
namespace {

TEST(LlamaSettings, has_the_library_choose_where_nothing_is_said) {
  const auto settings = llama_settings({});
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->flash_attention, LLAMA_FLASH_ATTN_TYPE_AUTO);
  EXPECT_EQ(settings->cache_type_k, GGML_TYPE_F16);
  EXPECT_TRUE(settings->mmap);
}

TEST(LlamaSettings, reads_what_is_said) {
  const auto settings = llama_settings(
      {{"flash_attention", "on"},
       {"cache_type_k", "q8_0"},
       {"cache_type_v", "q4_0"},
       {"gpu_layers", "0"},
       {"mmap", "0"},
       {"step_rows", "256"}}
  );
  ASSERT_TRUE(settings.ok()) << settings.status().text();
  EXPECT_EQ(settings->flash_attention, LLAMA_FLASH_ATTN_TYPE_ENABLED);
  EXPECT_EQ(settings->cache_type_k, GGML_TYPE_Q8_0);
  EXPECT_EQ(settings->cache_type_v, GGML_TYPE_Q4_0);
  EXPECT_EQ(settings->gpu_layers, 0);
  EXPECT_FALSE(settings->mmap);
  EXPECT_EQ(settings->step_rows, 256u);
}

TEST(LlamaSettings, names_what_it_does_not_know) {
  for (const auto& [name, value] : std::map<std::string, std::string>{
           {"flash_attention", "maybe"},
           {"cache_type_k", "int8"},
           {"gpu_layers", "many"},
           {"mmap", "2"},
           {"step_rows", "8"},
           {"rope", "1"},
       }) {
    const auto settings = llama_settings({{name, value}});
    EXPECT_EQ(settings.status().code(), Code::kInvalidArgument);
    EXPECT_NE(settings.status().text().find(name), std::string::npos) << settings.status().text();
  }
}

}  // namespace
}  // namespace cortex::backend
