// SPDX-License-Identifier: Apache-2.0
#include "text/tokenizer.h"

#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/thread.h"

namespace cortex::text {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Shared = std::shared_ptr<const Tokenizer>;

// Ids:                              0      1      2      3      4     5     6    7    8
constexpr const char* kVocabulary =
    "[PAD]\n[UNK]\n[CLS]\n[SEP]\nhello\nwor\n##ld\n!\ncafe\n"
    "東\n##東\nHello\ncafé\n[MASK]\n#\ni\n";  // 9 … 15

constexpr std::string_view kByteLevelJson = R"({
  "version": "1.0", "truncation": null, "padding": null, "added_tokens": [
    {"id": 9, "content": "<end>", "single_word": false, "lstrip": false, "rstrip": false,
     "normalized": false, "special": true}],
  "normalizer": null,
  "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
  "post_processor": {"type": "TemplateProcessing",
    "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 1}}],
    "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
    "special_tokens": {"<end>": {"id": "<end>", "ids": [9], "tokens": ["<end>"]}}},
  "decoder": {"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true},
  "model": {"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
    "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4, "Ġab": 5, "Ã": 6, "©": 7, "abc": 8},
    "merges": ["a b", "Ġ ab", "ab c"]}})";

// A folder of its own for each test, gone afterwards.
class TokenizerFiles : public ::testing::Test {
 protected:
  TokenizerFiles() {
    std::string name = ::testing::TempDir() + "cortex_text_XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~TokenizerFiles() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const std::string& name, std::string_view content) {
    std::ofstream(folder_ / name, std::ios::binary) << content;
    return folder_ / name;
  }
  Shared load_vocabulary() { return *Tokenizer::load(write("vocab.txt", kVocabulary)); }

  std::filesystem::path folder_;
};

std::vector<std::int64_t> ids(
    const Shared& tokenizer, std::string_view text, const EncodeOptions& options = {}
) {
  auto encoding = tokenizer->encode(text, options);
  EXPECT_TRUE(encoding.ok()) << encoding.status().to_string();
  return encoding.ok() ? encoding->ids : std::vector<std::int64_t>{-1};
}

std::string json_with(std::string_view from, std::string_view to) {
  std::string json(kByteLevelJson);
  const auto at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return json.replace(at, from.size(), to);
}

std::vector<std::int64_t> pair_ids(
    const Shared& tokenizer, std::string_view first, std::string_view second, std::size_t length = 0
) {
  auto encoding = tokenizer->encode_pair(first, second, {.length_max = length});
  EXPECT_TRUE(encoding.ok()) << encoding.status().to_string();
  return encoding.ok() ? encoding->ids : std::vector<std::int64_t>{-1};
}

TEST_F(TokenizerFiles, two_texts_are_one_input_with_the_types_of_both) {
  const auto tokenizer = load_vocabulary();
  const auto encoding = tokenizer->encode_pair("hello", "cafe !", {});
  ASSERT_TRUE(encoding.ok()) << encoding.status().to_string();
  EXPECT_THAT(encoding->ids, ElementsAre(2, 4, 3, 8, 7, 3));
  EXPECT_THAT(encoding->type_ids, ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_FALSE(encoding->truncated);
  EXPECT_THAT(pair_ids(tokenizer, "", ""), ElementsAre(2, 3, 3));
  const auto bare = tokenizer->encode_pair("hello", "cafe", {.add_special_tokens = false});
  EXPECT_THAT(bare->ids, ElementsAre(4, 8));
  EXPECT_THAT(bare->type_ids, ElementsAre(0, 1));
}

TEST_F(TokenizerFiles, of_two_texts_the_longer_one_loses_its_end_first) {
  const auto tokenizer = load_vocabulary();
  EXPECT_THAT(pair_ids(tokenizer, "hello", "! ! ! !", 6), ElementsAre(2, 4, 3, 7, 7, 3));
  EXPECT_THAT(pair_ids(tokenizer, "! ! ! !", "hello", 6), ElementsAre(2, 7, 7, 3, 4, 3));
  EXPECT_THAT(pair_ids(tokenizer, "hello hello hello", "! ! !", 6), ElementsAre(2, 4, 3, 7, 7, 3));
  EXPECT_THAT(pair_ids(tokenizer, "! ! ! !", "hello hello", 6), ElementsAre(2, 7, 7, 3, 4, 3));
  EXPECT_THAT(pair_ids(tokenizer, "hello", "!", 3), ElementsAre(2, 3, 3));
  const auto cut = tokenizer->encode_pair("hello", "! !", {.length_max = 5});
  EXPECT_TRUE(cut->truncated);
  const auto none = tokenizer->encode_pair("hello", "!", {.length_max = 2});
  EXPECT_EQ(none.status().code(), Code::kInvalidArgument);
  const std::string broken = "\xff";
  EXPECT_EQ(tokenizer->encode_pair("a", broken, {}).status().code(), Code::kInvalidArgument);
  EXPECT_EQ(tokenizer->encode_pair(broken, "a", {}).status().code(), Code::kInvalidArgument);
}

TEST_F(TokenizerFiles, a_tokenizer_may_put_two_texts_in_no_order) {
  const auto tokenizer = *Tokenizer::from_bytes(json_with(
      R"([{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}])",
      R"([{"Sequence": {"id": "B", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 1}}])"
  ));
  EXPECT_THAT(ids(tokenizer, "abc"), ElementsAre(8, 9));
  const auto pair = tokenizer->encode_pair("abc", "abc", {});
  EXPECT_EQ(pair.status().code(), Code::kFailedPrecondition);
}

TEST_F(TokenizerFiles, a_vocabulary_is_read_by_the_rules_of_bert_uncased) {
  const auto tokenizer = load_vocabulary();
  EXPECT_THAT(ids(tokenizer, "Hello  WORLD!"), ElementsAre(2, 4, 5, 6, 7, 3));
  EXPECT_THAT(ids(tokenizer, "Café cafe\u0301"), ElementsAre(2, 8, 8, 3));
  EXPECT_THAT(ids(tokenizer, "東東hello"), ElementsAre(2, 9, 9, 4, 3));
  EXPECT_THAT(ids(tokenizer, "he\u200bllo\tworld\r\n"), ElementsAre(2, 4, 5, 6, 3));
  EXPECT_THAT(ids(tokenizer, "worldly"), ElementsAre(2, 1, 3));
  EXPECT_THAT(ids(tokenizer, "🙂"), ElementsAre(2, 1, 3));
  EXPECT_THAT(ids(tokenizer, "\u0130"), ElementsAre(2, 15, 3));
}

TEST_F(TokenizerFiles, type_ids_are_as_long_as_the_ids) {
  const auto encoding = load_vocabulary()->encode("hello", {});
  EXPECT_THAT(encoding->type_ids, ElementsAre(0, 0, 0));
  EXPECT_FALSE(encoding->truncated);
}

TEST_F(TokenizerFiles, an_empty_text_has_the_special_tokens_alone) {
  const auto tokenizer = load_vocabulary();
  EXPECT_THAT(ids(tokenizer, ""), ElementsAre(2, 3));
  EXPECT_THAT(ids(tokenizer, " \n\t"), ElementsAre(2, 3));
  EXPECT_THAT(ids(tokenizer, "", {.add_special_tokens = false}), IsEmpty());
}

TEST_F(TokenizerFiles, a_special_token_in_the_text_becomes_its_id) {
  const auto tokenizer = load_vocabulary();
  EXPECT_THAT(ids(tokenizer, "hello[MASK]world"), ElementsAre(2, 4, 13, 5, 6, 3));
  EXPECT_THAT(ids(tokenizer, "[SEP][SEP] hello"), ElementsAre(2, 3, 3, 4, 3));
  EXPECT_THAT(ids(tokenizer, "[mask]"), ElementsAre(2, 1, 1, 1, 3));
}

TEST_F(TokenizerFiles, truncation_counts_and_keeps_special_tokens) {
  const auto tokenizer = load_vocabulary();
  EXPECT_THAT(ids(tokenizer, "hello world", {.length_max = 5}), ElementsAre(2, 4, 5, 6, 3));
  EXPECT_THAT(ids(tokenizer, "hello world", {.length_max = 4}), ElementsAre(2, 4, 5, 3));
  EXPECT_THAT(ids(tokenizer, "hello world", {.length_max = 2}), ElementsAre(2, 3));
  EXPECT_THAT(
      ids(tokenizer, "hello world", {.add_special_tokens = false, .length_max = 2}),
      ElementsAre(4, 5)
  );
}

TEST_F(TokenizerFiles, truncated_tells_whether_tokens_were_left_out) {
  const auto tokenizer = load_vocabulary();
  EXPECT_TRUE(tokenizer->encode("hello world", {.length_max = 4})->truncated);
  EXPECT_FALSE(tokenizer->encode("hello world", {.length_max = 5})->truncated);
  EXPECT_FALSE(tokenizer->encode("hello world  \u0001", {.length_max = 5})->truncated);
  EXPECT_TRUE(tokenizer->encode("hello world[SEP]", {.length_max = 5})->truncated);
}

TEST_F(TokenizerFiles, a_length_without_room_for_the_special_tokens_is_refused) {
  const auto status = load_vocabulary()->encode("hello", {.length_max = 1}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_EQ(status.text(), "A length of 1 has no room for the 2 special tokens.");
}

TEST_F(TokenizerFiles, text_that_is_not_utf8_is_refused) {
  const auto tokenizer = load_vocabulary();
  for (const std::string_view text : {"\xff", "a\xc3", "\xed\xa0\x80", "\xc0\x80"}) {
    const auto status = tokenizer->encode(text, {}).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument);
    EXPECT_EQ(status.text(), "The text is not valid UTF-8.");
  }
}

TEST_F(TokenizerFiles, bad_utf8_behind_the_truncated_part_is_refused_too) {
  const auto status = load_vocabulary()->encode("hello hello \xff", {.length_max = 3}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
}

TEST_F(TokenizerFiles, a_text_beyond_the_limit_is_refused_and_the_limit_named) {
  const auto tokenizer = load_vocabulary();
  const std::string text(kTextBytesMax + 1, 'a');
  const auto status = tokenizer->encode(text, {.length_max = 8}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr(std::to_string(kTextBytesMax)));
  EXPECT_EQ(tokenizer->count(text).status().code(), Code::kInvalidArgument);
}

TEST_F(TokenizerFiles, a_text_at_the_limit_is_truncated) {
  const auto tokenizer = load_vocabulary();
  std::string text(kTextBytesMax, ' ');
  text.replace(0, 11, "hello world");
  EXPECT_THAT(ids(tokenizer, text, {.length_max = 3}), ElementsAre(2, 4, 3));
  EXPECT_THAT(ids(tokenizer, std::string(kTextBytesMax, 'a')), ElementsAre(2, 1, 3));
}

TEST_F(TokenizerFiles, a_word_is_unknown_beyond_a_hundred_characters) {
  const auto tokenizer = *Tokenizer::load(write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\né\n##é\n"));
  std::string word;
  for (int i = 0; i < 100; ++i) word += "é";
  write("tokenizer_config.json", R"({"do_lower_case": false})");
  const auto cased = *Tokenizer::load(folder_ / "vocab.txt");
  EXPECT_EQ(ids(cased, word).size(), 102U);
  EXPECT_THAT(ids(cased, word + "é"), ElementsAre(1, 0, 2));
  EXPECT_THAT(ids(tokenizer, word), ElementsAre(1, 0, 2));
}

TEST_F(TokenizerFiles, marks_that_change_places_give_the_ids_of_the_whole_text) {
  // U+302E stays in the text and stands behind U+0323 after decomposition, which is stripped.
  const auto tokenizer =
      *Tokenizer::load(write("vocab.txt", "[UNK]\n[CLS]\n[SEP]\na\n##\u302e\n##\U0001d165\n"));
  EXPECT_THAT(ids(tokenizer, "a\u302e\u0323"), ElementsAre(1, 3, 4, 2));
  // Class 216 goes before class 224, whatever their order in the text.
  EXPECT_THAT(ids(tokenizer, "a\u302e\U0001d165"), ElementsAre(1, 3, 5, 4, 2));
}

TEST_F(TokenizerFiles, a_config_beside_the_vocabulary_changes_the_rules) {
  write("tokenizer_config.json", R"({"do_lower_case": false, "strip_accents": null, "x": 1})");
  EXPECT_THAT(ids(load_vocabulary(), "Hello café"), ElementsAre(2, 11, 12, 3));
  write("tokenizer_config.json", R"({"do_lower_case": true, "strip_accents": false})");
  EXPECT_THAT(ids(load_vocabulary(), "Hello CAFÉ"), ElementsAre(2, 4, 12, 3));
  write("tokenizer_config.json", R"({"tokenize_chinese_chars": false})");
  EXPECT_THAT(ids(load_vocabulary(), "東東"), ElementsAre(2, 9, 10, 3));
}

TEST_F(TokenizerFiles, a_faulty_config_is_named) {
  const auto vocabulary = write("vocab.txt", kVocabulary);
  for (const char* config : {"{", "[]", R"({"do_lower_case": "yes"})"}) {
    write("tokenizer_config.json", config);
    const auto status = Tokenizer::load(vocabulary).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << config;
    EXPECT_THAT(status.text(), HasSubstr("tokenizer_config.json"));
  }
}

TEST_F(TokenizerFiles, a_missing_or_useless_file_is_named) {
  const auto missing = Tokenizer::load(folder_ / "tokenizer.json").status();
  EXPECT_EQ(missing.code(), Code::kNotFound);
  EXPECT_THAT(missing.text(), HasSubstr((folder_ / "tokenizer.json").string()));

  const auto useless = Tokenizer::load(write("vocab.txt", "a\nb\n")).status();
  EXPECT_EQ(useless.code(), Code::kInvalidArgument);
  EXPECT_THAT(useless.text(), HasSubstr("vocab.txt: not a usable tokenizer: the vocabulary lacks"));

  EXPECT_EQ(Tokenizer::load(folder_).status().code(), Code::kNotFound);
}

TEST_F(TokenizerFiles, decode_joins_the_pieces) {
  const auto tokenizer = load_vocabulary();
  const std::vector<std::int64_t> tokens = {2, 4, 5, 6, 7, 3};
  EXPECT_EQ(*tokenizer->decode(tokens, true), "hello world!");
  EXPECT_EQ(*tokenizer->decode(tokens, false), "[CLS] hello world! [SEP]");
  EXPECT_EQ(*tokenizer->decode({}, true), "");
}

TEST_F(TokenizerFiles, decode_refuses_ids_that_are_no_token_ids) {
  const auto tokenizer = load_vocabulary();
  for (const std::int64_t id : {std::int64_t{-1}, std::int64_t{1} << 32}) {
    const std::vector<std::int64_t> tokens = {id};
    EXPECT_EQ(tokenizer->decode(tokens, true).status().code(), Code::kInvalidArgument);
  }
}

TEST_F(TokenizerFiles, counts_looks_up_and_knows_its_size) {
  const auto tokenizer = load_vocabulary();
  EXPECT_EQ(*tokenizer->count("hello world"), 5U);
  EXPECT_EQ(tokenizer->vocabulary_size(), 16U);
  EXPECT_EQ(*tokenizer->token_id("hello"), 4);
  EXPECT_EQ(tokenizer->token_id("nobody").status().code(), Code::kNotFound);
}

TEST_F(TokenizerFiles, many_threads_share_one_tokenizer) {
  const auto tokenizer = load_vocabulary();
  std::vector<Thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back("encode", [&] {
      for (int k = 0; k < 200; ++k) {
        EXPECT_THAT(ids(tokenizer, "Hello wörld 東"), ElementsAre(2, 4, 5, 6, 9, 3));
      }
    });
  }
}

TEST(TokenizerJson, byte_level_bpe_goes_through_the_crate) {
  const auto tokenizer = *Tokenizer::from_bytes(kByteLevelJson);
  EXPECT_THAT(ids(tokenizer, "ab abcé"), ElementsAre(4, 5, 2, 6, 7, 9));
  EXPECT_THAT(tokenizer->encode("ab", {})->type_ids, ElementsAre(0, 1));
  EXPECT_THAT(ids(tokenizer, "ab<end>c", {.add_special_tokens = false}), ElementsAre(4, 9, 2));
  EXPECT_THAT(ids(tokenizer, "abcab", {.length_max = 2}), ElementsAre(8, 9));
  EXPECT_EQ(*tokenizer->decode(std::vector<std::int64_t>{4, 5, 6, 7, 9}, true), "ab abé");
}

TEST(TokenizerJson, refuses_what_would_have_to_be_read_to_its_end_and_is_too_long) {
  const auto tokenizer = *Tokenizer::from_bytes(kByteLevelJson);
  EXPECT_EQ(ids(tokenizer, std::string(kWholeTextBytesMax, 'a')).size(), kWholeTextBytesMax + 1);
  const auto status =
      tokenizer->encode(std::string(kWholeTextBytesMax + 1, 'a'), {.length_max = 8}).status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr(std::to_string(kWholeTextBytesMax)));
}

TEST(TokenizerJson, half_a_megabyte_of_spaces_is_one_stretch) {
  // The regex engine has a limit for stretches like this; the limit on the text is to stay below
  // it.
  const auto tokenizer = *Tokenizer::from_bytes(kByteLevelJson);
  const std::string text = std::string(kWholeTextBytesMax - 2, ' ') + "ab";
  const auto encoding = ids(tokenizer, text, {.add_special_tokens = false});
  ASSERT_EQ(encoding.size(), kWholeTextBytesMax - 2);
  EXPECT_EQ(encoding.front(), 3);
  EXPECT_EQ(encoding.back(), 5);
}

TEST(TokenizerJson, declared_padding_and_length_are_left_out) {
  const auto tokenizer = *Tokenizer::from_bytes(json_with(
      R"("truncation": null, "padding": null)",
      R"("truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0},
         "padding": {"strategy": {"Fixed": 64}, "direction": "Right", "pad_to_multiple_of": null,
                     "pad_id": 0, "pad_type_id": 0, "pad_token": "a"})"
  ));
  EXPECT_THAT(ids(tokenizer, "ab ab ab"), ElementsAre(4, 5, 5, 9));
}

TEST(TokenizerJson, the_side_of_truncation_is_kept) {
  const auto tokenizer = *Tokenizer::from_bytes(json_with(
      R"("truncation": null)",
      R"("truncation": {"direction": "Left", "max_length": 9, "strategy": "LongestFirst", "stride": 0})"
  ));
  EXPECT_THAT(ids(tokenizer, "ab ab c", {.length_max = 3}), ElementsAre(3, 2, 9));
}

TEST(TokenizerJson, a_post_processor_that_repeats_the_text_is_refused) {
  const auto status =
      Tokenizer::from_bytes(json_with(
                                R"({"SpecialToken": {"id": "<end>", "type_id": 1}}])",
                                R"({"Sequence": {"id": "A", "type_id": 0}}])"
                            ))
          .status();
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
  EXPECT_THAT(status.text(), HasSubstr("post-processor"));
}

TEST(TokenizerJson, whatever_is_no_tokenizer_is_refused) {
  for (const std::string_view json : {"", "{", "null", "{}", R"({"model": {"type": "BPE"}})"}) {
    const auto status = Tokenizer::from_bytes(json).status();
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << json;
    EXPECT_THAT(status.text(), HasSubstr("not a usable tokenizer"));
  }
  EXPECT_FALSE(Tokenizer::from_bytes(std::string(100'000, '[')).ok());
}

}  // namespace
}  // namespace cortex::text
