// SPDX-License-Identifier: Apache-2.0
// The chat templates that model families carry, as the set-up brings them.
#include <cctype>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "text/chat_template.h"
#include "text/reply_parser.h"

namespace cortex::text {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

// 2025-11-21.
constexpr std::int64_t kNow = 1'763'755'260;

constexpr const char* kAlone = R"([{"role": "user", "content": "Hello"}])";
constexpr const char* kInstructed =
    R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}])";
constexpr const char* kCalled = R"([
    {"role": "user", "content": "How warm?"},
    {"role": "assistant", "content": "", "tool_calls": [{"id": "abc123def", "type": "function",
      "function": {"name": "weather", "arguments": "{\"city\": \"Köln\", \"days\": 2}"}}]},
    {"role": "tool", "tool_call_id": "abc123def", "name": "weather", "content": "21"}])";

struct FamilyFile {
  const char* file;
  const char* begin;
  const char* end;
  bool tools, tool_calls, system_role, thinking;
  ReplyFormat format;
  // What becomes of kInstructed, or of kAlone where there is no system role; null: not compared.
  const char* greeting;
  const char* call;  // what stands there for the call of kCalled and its answer; null: nothing
};

// The texts are the families' documented formats.
const FamilyFile kFiles[] = {
    {"meta-llama-Llama-3.1-8B-Instruct",
     "<|begin_of_text|>",
     "<|eot_id|>",
     true,
     true,
     true,
     false,
     ReplyFormat::kLlama3,
     "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
     "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\nBe brief.<|eot_id|>"
     "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
     "<|start_header_id|>assistant<|end_header_id|>\n\n",
     "<|start_header_id|>assistant<|end_header_id|>\n\n"
     R"({"name": "weather", "parameters": {"city": "Köln", "days": 2}}<|eot_id|>)"
     "<|start_header_id|>ipython<|end_header_id|>\n\n\"21\"<|eot_id|>"},
    {"meta-llama-Llama-3.2-3B-Instruct",
     "<|begin_of_text|>",
     "<|eot_id|>",
     true,
     true,
     true,
     false,
     ReplyFormat::kLlama3,
     "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n"
     "Cutting Knowledge Date: December 2023\nToday Date: 21 Nov 2025\n\nBe brief.<|eot_id|>"
     "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
     "<|start_header_id|>assistant<|end_header_id|>\n\n",
     R"({"name": "weather", "parameters": {"city": "Köln", "days": 2}}<|eot_id|>)"},
    {"microsoft-Phi-3.5-mini-instruct",
     "<s>",
     "<|endoftext|>",
     false,
     false,
     true,
     false,
     ReplyFormat::kHermes,  // it says nothing of calls
     "<|system|>\nBe brief.<|end|>\n<|user|>\nHello<|end|>\n<|assistant|>\n",
     nullptr},
    {"google-gemma-2-2b-it",
     "<bos>",
     "<eos>",
     false,
     false,
     false,
     false,
     ReplyFormat::kGemma,
     "<bos><start_of_turn>user\nHello<end_of_turn>\n<start_of_turn>model\n",
     nullptr},
    {"deepseek-ai-DeepSeek-R1-Distill-Llama-8B",
     "<｜begin▁of▁sentence｜>",
     "<｜end▁of▁sentence｜>",
     false,
     true,
     true,
     false,
     ReplyFormat::kDeepSeek,
     "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hello<｜Assistant｜><think>\n",
     "<｜Assistant｜><｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>weather\n"
     "```json\n{\"city\": \"Köln\", \"days\": 2}\n```<｜tool▁call▁end｜>"},
    {"deepseek-ai-DeepSeek-V3.1",
     "<｜begin▁of▁sentence｜>",
     "<｜end▁of▁sentence｜>",
     false,
     true,
     true,
     true,
     ReplyFormat::kDeepSeek,
     "<｜begin▁of▁sentence｜>Be brief.<｜User｜>Hello<｜Assistant｜><think></think>",
     "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>weather<｜tool▁sep｜>"
     "{\"city\": \"Köln\", \"days\": 2}<｜tool▁call▁end｜><｜tool▁calls▁end｜>"},
    {"mistralai-Mistral-Nemo-Instruct-2407",
     "<s>",
     "</s>",
     true,
     true,
     true,
     false,
     ReplyFormat::kMistral,
     "<s>[INST]Be brief.\n\nHello[/INST]",
     R"([TOOL_CALLS][{"name": "weather", "arguments": {"city": "Köln", "days": 2}, "id": "abc123def"}]</s>)"
     R"([TOOL_RESULTS]{"content": 21, "call_id": "abc123def"}[/TOOL_RESULTS])"},
    {"Mistral-Small-3.2-24B-Instruct-2506",
     "<s>",
     "</s>",
     true,
     true,
     true,
     false,
     ReplyFormat::kMistral,
     "<s>[SYSTEM_PROMPT]Be brief.[/SYSTEM_PROMPT][INST]Hello[/INST]",
     R"([TOOL_CALLS]weather[CALL_ID]abc123def[ARGS]{"city": "Köln", "days": 2}</s>)"
     R"([TOOL_RESULTS]abc123def[TOOL_CONTENT]21[/TOOL_RESULTS])"},
    {"Qwen-Qwen2.5-7B-Instruct",
     "",
     "<|im_end|>",
     true,
     true,
     true,
     false,
     ReplyFormat::kHermes,
     "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
     "<|im_start|>assistant\n",
     "<|im_start|>assistant\n<tool_call>\n"
     "{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\", \"days\": 2}}\n</tool_call>"
     "<|im_end|>\n<|im_start|>user\n<tool_response>\n21\n</tool_response><|im_end|>\n"},
    {"Qwen-Qwen3-0.6B",
     "",
     "<|im_end|>",
     true,
     true,
     true,
     true,
     ReplyFormat::kHermes,
     "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
     "<|im_start|>assistant\n",
     "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\", \"days\": 2}}\n"
     "</tool_call><|im_end|>\n<|im_start|>user\n<tool_response>\n21\n</tool_response><|im_end|>\n"},
    {"NousResearch-Hermes-3-Llama-3.1-8B-tool_use",
     "<|begin_of_text|>",
     "<|im_end|>",
     true,
     true,
     true,
     false,
     ReplyFormat::kHermes,
     nullptr,  // a page about tools, also where there are none
     "<tool_call>\n{\"name\": \"weather\", \"arguments\": {\"city\": \"Köln\", \"days\": 2}}\n"
     "</tool_call>"},
    {"HuggingFaceTB-SmolLM3-3B",
     "",
     "<|im_end|>",
     false,
     false,
     true,
     true,
     ReplyFormat::kSmolLm,
     "<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nReasoning Mode: "
     "/think\n\n"
     "## Custom Instructions\n\nBe brief.\n\n<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
     "<|im_start|>assistant\n",
     nullptr},
};

std::string template_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string template_of(const FamilyFile& family) {
  return template_text(fs::path(CORTEX_TEMPLATES) / (std::string(family.file) + ".jinja"));
}

std::string render_all(const ChatTemplate& compiled, const char* messages) {
  const auto text = compiled.render({.messages = messages, .now = kNow});
  EXPECT_TRUE(text.ok()) << text.status().text();
  return text.ok() ? *text : "";
}

class FamilyTemplates : public ::testing::TestWithParam<FamilyFile> {
 protected:
  void SetUp() override {
    const auto compiled = ChatTemplate::compile(text_, GetParam().begin, GetParam().end);
    ASSERT_TRUE(compiled.ok()) << "tools/deps brings it: " << compiled.status().text();
    ASSERT_FALSE(text_.empty()) << "tools/deps brings it";
    compiled_ = *compiled;
  }

  const std::string text_ = template_of(GetParam());
  std::shared_ptr<const ChatTemplate> compiled_;
};

TEST_P(FamilyTemplates, are_asked_what_they_can_do) {
  const ChatTemplate::Capabilities& found = compiled_->capabilities();
  EXPECT_EQ(found.tools, GetParam().tools);
  EXPECT_EQ(found.tool_calls, GetParam().tool_calls);
  EXPECT_EQ(found.system_role, GetParam().system_role);
  EXPECT_EQ(found.thinking, GetParam().thinking);
  EXPECT_EQ(reply_format_of(text_), GetParam().format);
}

TEST_P(FamilyTemplates, write_a_greeting_as_the_model_knows_it) {
  if (GetParam().greeting == nullptr) return;
  const char* messages = GetParam().system_role ? kInstructed : kAlone;
  EXPECT_EQ(render_all(*compiled_, messages), GetParam().greeting);
}

TEST_P(FamilyTemplates, write_a_call_and_its_answer_as_the_model_knows_them) {
  if (GetParam().call == nullptr) return;
  EXPECT_THAT(render_all(*compiled_, kCalled), HasSubstr(GetParam().call));
}

std::string name_of(const ::testing::TestParamInfo<FamilyFile>& family) {
  std::string out;
  for (const char c : std::string_view(family.param.file)) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) out += c;
  }
  return out;
}

INSTANTIATE_TEST_SUITE_P(Files, FamilyTemplates, ::testing::ValuesIn(kFiles), name_of);

TEST(FamilyTemplatesAll, are_compiled_and_ask_what_the_user_says) {
  std::size_t count = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(CORTEX_TEMPLATES)) {
    const auto compiled = ChatTemplate::compile(template_text(entry.path()), "<s>", "</s>");
    ASSERT_TRUE(compiled.ok()) << entry.path() << ": " << compiled.status().text();
    // One of them joins texts of these names.
    const auto text = (*compiled)->render(
        {.messages = kAlone, .arguments = R"({"datetime": "today", "functions": "[]"})", .now = kNow
        }
    );
    EXPECT_TRUE(text.ok()) << entry.path() << ": " << text.status().text();
    EXPECT_THAT(text.ok() ? *text : "", HasSubstr("Hello")) << entry.path();
    ++count;
  }
  EXPECT_GT(count, 50U);
}

}  // namespace
}  // namespace cortex::text
