// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/llama_tokenizer.h"

#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/llama/llama_engine.h"
#include "backend/testing/gguf_writer.h"
#include "backend/testing/sample_models.h"

namespace cortex::backend {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::kTinyBertBegin;
using testing::kTinyBertEnd;
using testing::kTinyBertUnknown;
using testing::kTinyBertWords;
using ::testing::SizeIs;

constexpr std::int64_t kWarm = kTinyBertWords;
constexpr std::int64_t kUp = kTinyBertWords + 1;
constexpr std::int64_t kHello = kTinyBertWords + 2;
constexpr std::int64_t kWorld = kTinyBertWords + 3;

// The begin of a word, and what goes on in one.
std::int64_t first_letter(char letter) { return testing::kTinyBertLetters + 2 * (letter - 'a'); }
std::int64_t letter(char letter) { return first_letter(letter) + 1; }

class LlamaTokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override { tokenizer_ = load(testing::tiny_bert_gguf()); }

  static std::shared_ptr<const text::Tokenizer> load(const std::string& bytes) {
    const fs::path file = fs::path(::testing::TempDir()) /
                          ("llama_tokenizer_test_" + std::to_string(getpid())) / "model.gguf";
    testing::write_file(file, bytes);
    TextModelOptions options;
    options.model_file = file;
    options.model_name = "tiny";
    auto model = LlamaEngine().load_text(options);
    EXPECT_TRUE(model.ok()) << model.status().to_string();
    fs::remove_all(file.parent_path());
    return model.ok() ? model->tokenizer : nullptr;
  }

  std::vector<std::int64_t> ids(std::string_view text, const text::EncodeOptions& options = {})
      const {
    const auto encoding = tokenizer_->encode(text, options);
    EXPECT_TRUE(encoding.ok()) << encoding.status().to_string();
    return encoding.ok() ? encoding->ids : std::vector<std::int64_t>();
  }

  std::shared_ptr<const text::Tokenizer> tokenizer_;
};

TEST_F(LlamaTokenizerTest, puts_the_special_tokens_around_a_text) {
  EXPECT_THAT(
      ids("Hello, world"),
      ElementsAre(kTinyBertBegin, kHello, kTinyBertUnknown, kWorld, kTinyBertEnd)
  );
  EXPECT_THAT(ids("hi"), ElementsAre(kTinyBertBegin, first_letter('h'), letter('i'), kTinyBertEnd));
  EXPECT_THAT(ids(""), ElementsAre(kTinyBertBegin, kTinyBertEnd));
  text::EncodeOptions bare;
  bare.add_special_tokens = false;
  EXPECT_THAT(ids("hello", bare), ElementsAre(kHello));
  EXPECT_THAT(ids("", bare), SizeIs(0));
}

TEST_F(LlamaTokenizerTest, has_one_type_and_counts_what_it_encodes) {
  const auto encoding = tokenizer_->encode("warm up", {});
  ASSERT_TRUE(encoding.ok());
  EXPECT_THAT(encoding->type_ids, ElementsAre(0, 0, 0, 0));
  EXPECT_FALSE(encoding->truncated);
  EXPECT_EQ(*tokenizer_->count("warm up"), 4u);
}

TEST_F(LlamaTokenizerTest, a_special_token_s_name_is_the_token) {
  EXPECT_THAT(
      ids("warm[SEP]up"), ElementsAre(kTinyBertBegin, kWarm, kTinyBertEnd, kUp, kTinyBertEnd)
  );
}

TEST_F(LlamaTokenizerTest, cuts_a_text_and_keeps_the_special_tokens) {
  text::EncodeOptions options;
  options.length_max = 4;
  const auto cut = tokenizer_->encode("hello world warm up", options);
  ASSERT_TRUE(cut.ok());
  EXPECT_TRUE(cut->truncated);
  EXPECT_THAT(cut->ids, ElementsAre(kTinyBertBegin, kHello, kWorld, kTinyBertEnd));
  EXPECT_FALSE(tokenizer_->encode("hello world", options)->truncated);
  options.length_max = 2;
  EXPECT_THAT(ids("hello", options), ElementsAre(kTinyBertBegin, kTinyBertEnd));
  options.length_max = 1;
  const Status none = tokenizer_->encode("hello", options).status();
  EXPECT_EQ(none.code(), Code::kInvalidArgument);
  EXPECT_THAT(none.text(), HasSubstr("no room for the 2 special tokens"));
}

TEST_F(LlamaTokenizerTest, a_pair_is_the_first_text_before_the_second) {
  const auto pair = tokenizer_->encode_pair("warm", "hello world", {});
  ASSERT_TRUE(pair.ok()) << pair.status().to_string();
  EXPECT_THAT(
      pair->ids, ElementsAre(kTinyBertBegin, kWarm, kTinyBertEnd, kHello, kWorld, kTinyBertEnd)
  );
  EXPECT_THAT(pair->type_ids, SizeIs(6));
  EXPECT_FALSE(pair->truncated);
}

TEST_F(LlamaTokenizerTest, a_special_token_s_name_in_a_pair_is_text) {
  const auto pair = tokenizer_->encode_pair("warm[SEP]", "up", {});
  ASSERT_TRUE(pair.ok());
  EXPECT_GT(pair->ids.size(), 6u);  // brackets and letters
  EXPECT_EQ(std::ranges::count(pair->ids, kTinyBertEnd), 2);
}

TEST_F(LlamaTokenizerTest, the_longer_text_of_a_pair_is_cut_first) {
  text::EncodeOptions options;
  options.length_max = 6;
  const auto pair = tokenizer_->encode_pair("warm", "hello world warm up", options);
  ASSERT_TRUE(pair.ok());
  EXPECT_TRUE(pair->truncated);
  EXPECT_THAT(
      pair->ids, ElementsAre(kTinyBertBegin, kWarm, kTinyBertEnd, kHello, kWorld, kTinyBertEnd)
  );
  options.length_max = 2;
  EXPECT_EQ(tokenizer_->encode_pair("a", "b", options).status().code(), Code::kInvalidArgument);
}

TEST_F(LlamaTokenizerTest, tokens_become_text) {
  const std::vector<std::int64_t> all = ids("hello world");
  EXPECT_EQ(*tokenizer_->decode(all, true), "hello world");
  EXPECT_EQ(*tokenizer_->decode(all, false), "[CLS] hello world[SEP]");
  EXPECT_EQ(*tokenizer_->decode(ids("warm zebra"), true), "warm zebra");
  EXPECT_EQ(*tokenizer_->decode({}, true), "");
  const std::vector<std::int64_t> beyond = {kHello, 1 << 20};
  EXPECT_EQ(*tokenizer_->decode(beyond, true), "hello");
  const std::vector<std::int64_t> wrong = {-1};
  EXPECT_EQ(tokenizer_->decode(wrong, true).status().code(), Code::kInvalidArgument);
}

TEST_F(LlamaTokenizerTest, knows_its_tokens) {
  EXPECT_EQ(tokenizer_->vocabulary_size(), static_cast<std::size_t>(testing::kTinyBertTokens));
  EXPECT_EQ(*tokenizer_->token_id("[SEP]"), kTinyBertEnd);
  EXPECT_EQ(*tokenizer_->token_id("\xE2\x96\x81hello"), kHello);
  EXPECT_EQ(tokenizer_->token_id("zebra").status().code(), Code::kNotFound);
}

TEST_F(LlamaTokenizerTest, refuses_what_is_no_text_or_too_long) {
  EXPECT_EQ(tokenizer_->encode("\xFF", {}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(tokenizer_->encode_pair("a", "\xFF", {}).status().code(), Code::kInvalidArgument);
  const std::string longest(text::kWholeTextBytesMax, 'a');
  EXPECT_TRUE(tokenizer_->encode(longest, {}).ok());
  const Status status = tokenizer_->encode(longest + "a", {}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr(std::to_string(text::kWholeTextBytesMax)));
}

TEST_F(LlamaTokenizerTest, outlives_its_model) {
  // load() let go of the model; what is left here is the tokenizer.
  EXPECT_THAT(ids("warm"), SizeIs(3));
}

TEST_F(LlamaTokenizerTest, a_language_model_s_begins_a_text_and_does_not_end_it) {
  tokenizer_ = load(testing::tiny_gguf());
  const auto plain = ids("ab");
  ASSERT_THAT(plain, SizeIs(3));
  EXPECT_EQ(plain.front(), 1);
  EXPECT_EQ(*tokenizer_->decode(plain, true), "ab");
  const auto pair = tokenizer_->encode_pair("a", "b", {});
  ASSERT_TRUE(pair.ok());
  EXPECT_EQ(pair->ids, plain);  // its file wants nothing between and behind
}

TEST_F(LlamaTokenizerTest, a_file_without_its_own_special_tokens_is_refused) {
  std::string bytes = testing::tiny_bert_gguf();
  const std::string key = "tokenizer.ggml.seperator_token_id";
  bytes.replace(bytes.find(key), key.size(), "tokenizer.ggml.sepErator_token_id");
  const fs::path file = fs::path(::testing::TempDir()) /
                        ("llama_tokenizer_test_" + std::to_string(getpid())) / "model.gguf";
  testing::write_file(file, bytes);
  TextModelOptions options;
  options.model_file = file;
  options.model_name = "tiny";
  const Status status = LlamaEngine().load_text(options).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr("lacks a token that it puts around a text"));
  fs::remove_all(file.parent_path());
}

TEST(ShareTokens, the_longer_gives_first_and_both_alike_then) {
  const auto share = [](std::size_t room, std::size_t first, std::size_t second) {
    const TokenShare out = share_tokens(room, first, second);
    return std::pair(out.first, out.second);
  };
  EXPECT_EQ(share(10, 4, 6), std::pair(std::size_t{4}, std::size_t{6}));
  EXPECT_EQ(share(10, 3, 20), std::pair(std::size_t{3}, std::size_t{7}));
  EXPECT_EQ(share(10, 20, 3), std::pair(std::size_t{7}, std::size_t{3}));
  EXPECT_EQ(share(11, 20, 30), std::pair(std::size_t{5}, std::size_t{6}));
  EXPECT_EQ(share(11, 30, 20), std::pair(std::size_t{6}, std::size_t{5}));
  EXPECT_EQ(share(0, 2, 2), std::pair(std::size_t{0}, std::size_t{0}));
}

}  // namespace
}  // namespace cortex::backend
