// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/token_draw.h"

#include <cmath>
#include <limits>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "backend/llama/detail/llama_library.h"

namespace cortex::backend {
namespace {

constexpr float kNever = -std::numeric_limits<float>::infinity();

// As a model gives them: a few tokens are likely, the sharper the fewer.
std::vector<float> model_like(std::size_t count, float sharpness, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, sharpness);
  std::vector<float> out(count);
  for (float& logit : out) logit = normal(random);
  return out;
}

SamplingSettings settings_of(float temperature, std::int32_t top_k, float top_p, float min_p) {
  SamplingSettings out;
  out.temperature = temperature;
  out.top_k = top_k;
  out.top_p = top_p;
  out.min_p = min_p;
  return out;
}

// The library's samplers of the same names, and what they leave and draw.
class LibraryDraw {
 public:
  LibraryDraw(const LlamaFunctions& api, const SamplingSettings& settings, std::uint32_t seed)
      : api_(api), chain_(api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())) {
    const auto add = [&](llama_sampler* one) { api.llama_sampler_chain_add(chain_, one); };
    if (settings.top_k > 0) add(api.llama_sampler_init_top_k(settings.top_k));
    if (settings.top_p < 1) add(api.llama_sampler_init_top_p(settings.top_p, 1));
    if (settings.min_p > 0) add(api.llama_sampler_init_min_p(settings.min_p, 1));
    if (settings.temperature != 1) add(api.llama_sampler_init_temp(settings.temperature));
    add(api.llama_sampler_init_dist(seed));
  }
  LibraryDraw(const LibraryDraw&) = delete;
  LibraryDraw& operator=(const LibraryDraw&) = delete;
  ~LibraryDraw() { api_.llama_sampler_free(chain_); }

  std::size_t draw(std::span<const float> logits) {
    std::vector<llama_token_data> data;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      data.push_back({static_cast<llama_token>(i), logits[i], 0});
    }
    llama_token_data_array array{data.data(), data.size(), -1, false};
    api_.llama_sampler_apply(chain_, &array);
    return static_cast<std::size_t>(array.data[array.selected].id);
  }

 private:
  const LlamaFunctions& api_;
  llama_sampler* const chain_;
};

void expect_drawn_alike(const SamplingSettings& settings, float sharpness) {
  const auto library = LlamaLibrary::open({});
  ASSERT_TRUE(library.ok()) << library.status().to_string();
  TokenDraw ours(settings, 77);
  LibraryDraw theirs((*library)->api(), settings, 77);
  for (std::uint32_t i = 0; i < 60; ++i) {
    const auto logits = model_like(3000 + i, sharpness, i);
    EXPECT_EQ(ours.draw(logits, largest_logit(logits)), theirs.draw(logits))
        << "draw " << i << " of sharpness " << sharpness << ", top_k " << settings.top_k
        << ", top_p " << settings.top_p << ", min_p " << settings.min_p;
  }
}

TEST(TokenDraw, draws_what_the_library_draws_with_the_same_seed) {
  const std::vector<SamplingSettings> all = {
      settings_of(1, 0, 1, 0),
      settings_of(0.7F, 0, 1, 0),
      settings_of(1.9F, 0, 1, 0),
      settings_of(0.7F, 40, 0.95F, 0),
      settings_of(1, 40, 1, 0.1F),
      settings_of(1.3F, 1000, 1, 0),
      settings_of(1.3F, 100'000, 0.99F, 0),
      settings_of(0.8F, 0, 0.9F, 0),
      settings_of(0.8F, 0, 0.9F, 0.02F),
      settings_of(1, 0, 0.999F, 0),
      settings_of(1, 0, 1, 0.05F),
      settings_of(1, 1, 1, 0)
  };
  for (const SamplingSettings& settings : all) {
    for (const float sharpness : {0.3F, 2.5F, 8.0F}) expect_drawn_alike(settings, sharpness);
  }
}

TEST(TokenDraw, nothing_impossible_is_drawn) {
  for (const SamplingSettings& settings :
       {settings_of(1, 0, 1, 0),
        settings_of(2, 500, 1, 0),
        settings_of(2, 30, 1, 0),
        settings_of(2, 0, 0.9999F, 0),
        settings_of(2, 0, 1, 1e-6F)}) {
    for (const std::size_t possible : {0U, 255U, 256U, 599U}) {
      std::vector<float> logits(600, kNever);
      logits[possible] = -3;
      TokenDraw draw(settings, 5);
      for (int i = 0; i < 50; ++i) EXPECT_EQ(draw.draw(logits, -3), possible);
    }
  }
}

TEST(TokenDraw, cuts_in_their_order) {
  std::vector<float> logits(400, kNever);
  const std::vector<float> chances = {0.5F, 0.25F, 0.15F, 0.1F};
  for (std::size_t i = 0; i < chances.size(); ++i) logits[i * 100] = std::log(chances[i]);
  const auto drawn = [&](const SamplingSettings& settings) {
    TokenDraw draw(settings, 1);
    std::size_t furthest = 0;
    for (int i = 0; i < 400; ++i) furthest = std::max(furthest, draw.draw(logits, logits[0]));
    return furthest;
  };
  EXPECT_EQ(drawn(settings_of(1, 0, 1, 0)), 300u);
  EXPECT_EQ(drawn(settings_of(1, 3, 1, 0)), 200u);
  EXPECT_EQ(drawn(settings_of(1, 0, 0.7F, 0)), 100u);
  EXPECT_EQ(drawn(settings_of(1, 2, 0.7F, 0)), 100u) << "two thirds and a third: one is too few";
  EXPECT_EQ(drawn(settings_of(1, 2, 0.6F, 0)), 0u) << "of what top_k left";
  EXPECT_EQ(drawn(settings_of(1, 0, 1, 0.25F)), 200u);
  EXPECT_EQ(drawn(settings_of(2, 0, 0.8F, 0.25F)), 200u) << "temperature comes last";
}

TEST(TokenDraw, what_others_do_is_left_to_them) {
  EXPECT_TRUE(TokenDraw::can(settings_of(0.7F, 40, 0.95F, 0.05F)));
  SamplingSettings settings;
  settings.mirostat = 2;
  EXPECT_FALSE(TokenDraw::can(settings));
  settings = {};
  settings.typical_p = 0.9F;
  EXPECT_FALSE(TokenDraw::can(settings));
  settings = {};
  settings.xtc_probability = 0.5F;
  EXPECT_FALSE(TokenDraw::can(settings));
}

}  // namespace
}  // namespace cortex::backend
