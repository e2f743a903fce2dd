// SPDX-License-Identifier: Apache-2.0
#include <array>

#include <gtest/gtest.h>

#include "request/adapter_choice.h"
#include "request/buffer.h"
#include "request/model_reference.h"
#include "request/response_stream.h"
#include "request/tensor.h"

namespace cortex {
namespace {

TEST(Buffer, aligns_the_byte_behind_the_skew) {
  for (const std::size_t skew : {0u, 1u, 63u, 64u, 117u}) {
    auto buffer = Buffer::make(200, skew);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer->data() + skew) % Buffer::kAlignment, 0u)
        << skew;
  }
}

TEST(Tensor, refuses_shapes_that_overflow) {
  const std::array<std::int64_t, 2> huge = {std::int64_t{1} << 40, std::int64_t{1} << 40};
  EXPECT_FALSE(element_count(huge).has_value());
  const std::array<std::int64_t, 2> negative = {2, -1};
  EXPECT_FALSE(element_count(negative).has_value());
  const std::array<std::int64_t, 3> empty = {2, 0, 3};
  EXPECT_EQ(element_count(empty), 0u);
}

TEST(Tensor, walks_string_elements_and_refuses_cut_ones) {
  const std::array<std::string, 3> values = {"a", "", "xyz"};
  Tensor tensor = tensor_of("text", {3}, std::span<const std::string>(values));
  EXPECT_TRUE(validate(tensor).ok());
  EXPECT_EQ(string_elements(tensor)[2], "xyz");
  tensor.bytes = tensor.bytes.first(tensor.bytes.size() - 1);
  EXPECT_EQ(validate(tensor).code(), Code::kInvalidArgument);
}

struct ReferenceCase {
  std::string_view text, name, version, alias, adapter;
};

TEST(ModelReference, knows_every_form) {
  for (const auto& [text, name, version, alias, adapter] : std::initializer_list<ReferenceCase>{
           {"minilm", "minilm", "", "", ""},
           {"minilm@3", "minilm", "3", "", ""},
           {"minilm@champion", "minilm", "", "champion", ""},
           {"base+style", "base", "", "", "style"},
           {"base@2+style", "base", "2", "", "style"},
           {"org/model:7b", "org/model:7b", "", "", ""},
           {"models:/minilm/3", "minilm", "3", "", ""},
           {"models:/minilm@champion", "minilm", "", "champion", ""},
           {"models:/minilm/Production", "minilm", "", "/Production", ""},
           {"models:/minilm/staging", "minilm", "", "/Staging", ""},
           {"models:/minilm/Latest", "minilm", "", "", ""},
           {"models:/org/minilm", "org/minilm", "", "", ""},
           {"minilm/Production", "minilm/Production", "", "", ""},
       }) {
    const auto parsed = ModelReference::parse(text);
    ASSERT_TRUE(parsed.ok()) << text;
    EXPECT_EQ(parsed->name, name);
    EXPECT_EQ(parsed->version, version);
    EXPECT_EQ(parsed->alias, alias);
    EXPECT_EQ(parsed->adapter, adapter);
  }
}

TEST(AdapterChoice, a_reference_may_say_how_strong_its_adapter_is) {
  const auto parsed = ModelReference::parse("base@2+style@-0.5");
  ASSERT_TRUE(parsed.ok());
  const auto choice = AdapterChoice::parse(parsed->adapter);
  ASSERT_TRUE(choice.ok());
  EXPECT_EQ(choice->name, "style");
  EXPECT_EQ(choice->scale, -0.5f);
  EXPECT_FALSE(AdapterChoice::parse("style")->scale.has_value());
  for (const char* text :
       {"b+", "b+@1", "b+a@", "b+a@x", "b+a@101", "b+a@nan", "b+a@1@1", "b+a+c"}) {
    EXPECT_EQ(ModelReference::parse(text).status().code(), Code::kInvalidArgument) << text;
  }
}

TEST(AdapterChoice, what_a_client_calls_the_scale_is_overwritten) {
  Parameters parameters = {{"adapter_scale", 7.0}, {"other", true}};
  set_adapter_scale(parameters, 0.5f);
  EXPECT_EQ(adapter_scale(parameters), 0.5f);
  EXPECT_EQ(parameters.size(), 2u);
  EXPECT_EQ(adapter_scale({}), 1.f);
}

TEST(ModelReference, refuses_paths_and_empty_parts) {
  for (const char* text :
       {"", "@3", "m@", "m@/Production", "m+", "../m", "/m", "a\\b", "a\nb", ".hidden"}) {
    EXPECT_FALSE(ModelReference::parse(text).ok()) << text;
  }
}

TEST(ResponseStream, asks_for_another_attempt_once_before_an_error_ends_it) {
  ResponseStream stream;
  int asked = 0;
  stream.on_failure([&](const Status& status) {
    EXPECT_EQ(status.code(), Code::kUnavailable);
    ++asked;
    return true;
  });
  stream.finish(unavailable("the first attempt failed"));
  EXPECT_FALSE(stream.finished());
  stream.finish(unavailable("so did the second"));
  EXPECT_TRUE(stream.finished());
  EXPECT_EQ(stream.status().text(), "so did the second");
  EXPECT_EQ(asked, 1);
}

TEST(ResponseStream, ends_where_no_other_attempt_is_made) {
  ResponseStream refused;
  refused.on_failure([](const Status&) { return false; });
  refused.finish(unavailable("no"));
  EXPECT_TRUE(refused.finished());
  ResponseStream begun(2);
  begun.on_failure([](const Status&) { return true; });
  EXPECT_TRUE(begun.write(EmbeddingOutput{2, {1, 2}}));
  begun.finish(unavailable("behind the first part"));
  EXPECT_TRUE(begun.read().has_value());
  EXPECT_TRUE(begun.finished());
  ResponseStream answered;
  answered.on_failure([](const Status&) { return true; });
  answered.finish(EmbeddingOutput{2, {1, 2}}, Timings{});
  EXPECT_TRUE(answered.read().has_value());
  EXPECT_TRUE(answered.finished());
}

TEST(ResponseStream, wakes_a_consumer_that_came_late) {
  ResponseStream stream;
  stream.finish(EmbeddingOutput{2, {1, 2}}, Timings{});
  int woken = 0;
  stream.on_ready([&] { ++woken; });
  EXPECT_EQ(woken, 1);
  EXPECT_FALSE(stream.finished());
  EXPECT_TRUE(stream.read().has_value());
  EXPECT_TRUE(stream.finished());
}

TEST(ResponseStream, tells_a_refused_producer_when_there_is_room) {
  ResponseStream stream(1);
  int told = 0;
  stream.on_room([&] { ++told; });
  EXPECT_TRUE(stream.write(InferOutput()));
  EXPECT_TRUE(stream.read().has_value());
  EXPECT_EQ(told, 0) << "nothing was refused";
  EXPECT_TRUE(stream.write(InferOutput()));
  EXPECT_FALSE(stream.write(InferOutput()));
  EXPECT_TRUE(stream.read().has_value());
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(stream.write(InferOutput()));
}

TEST(ResponseStream, refuses_parts_when_full_or_cancelled) {
  ResponseStream stream(1);
  EXPECT_TRUE(stream.write(EmbeddingOutput{}));
  EXPECT_FALSE(stream.write(EmbeddingOutput{}));
  EXPECT_TRUE(stream.read().has_value());
  stream.cancel();
  EXPECT_FALSE(stream.write(EmbeddingOutput{}));
  stream.finish(cancelled("the client left"));
  EXPECT_EQ(stream.status().code(), Code::kCancelled);
}

}  // namespace
}  // namespace cortex
