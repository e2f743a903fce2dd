// SPDX-License-Identifier: Apache-2.0
#include "backend/llama/detail/adapter_check.h"

#include <cstring>
#include <functional>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backend/testing/gguf_writer.h"

namespace cortex::backend {
namespace {

using testing::GgufWriter;
using ::testing::HasSubstr;

constexpr std::uint32_t kF32 = 0;
constexpr std::uint32_t kNvFp4 = 40;

// A model of 8 x 4 matrices, with its own last one, and one for three experts.
AdapterBase base_of_the_table() {
  AdapterBase out;
  out.architecture = "llama";
  out.tensors["token_embd.weight"] = {{8, 20, 1, 1}, kF32};
  out.tensors["output.weight"] = {{8, 20, 1, 1}, kF32};
  out.tensors["blk.0.attn_q.weight"] = {{8, 4, 1, 1}, kF32};
  out.tensors["blk.0.ffn_up_exps.weight"] = {{8, 4, 3, 1}, kF32};
  out.tensors["blk.0.ffn_up.weight"] = {{8, 4, 1, 1}, kNvFp4};
  return out;
}

void add_facts(GgufWriter& out) {
  out.add("general.type", "adapter");
  out.add("general.architecture", "llama");
  out.add("adapter.type", "lora");
  out.add("adapter.lora.alpha", 2.0F);
}

void add_zeros(
    GgufWriter& out,
    const std::string& name,
    const std::vector<std::uint64_t>& shape,
    std::uint32_t type = kF32,
    std::size_t bytes_of_one = sizeof(float)
) {
  std::uint64_t count = 1;
  for (const std::uint64_t side : shape) count *= side;
  out.add_tensor(name, shape, type, std::string(count * bytes_of_one, '\0'));
}

void add_zero_pair(
    GgufWriter& out,
    const std::string& name,
    const std::vector<std::uint64_t>& a,
    const std::vector<std::uint64_t>& b
) {
  add_zeros(out, name + ".lora_a", a);
  add_zeros(out, name + ".lora_b", b);
}

Status check(const std::string& bytes, const AdapterBase& base = base_of_the_table()) {
  return check_adapter(bytes, bytes.size(), base);
}

std::string good() {
  GgufWriter out;
  add_facts(out);
  add_zero_pair(out, "blk.0.attn_q.weight", {8, 2}, {2, 4});
  return out.bytes();
}

struct Refusal {
  const char* what;
  std::function<void(GgufWriter&)> write;
  const char* says;
};

void expect_refusals(
    const std::vector<Refusal>& table, const std::function<void(GgufWriter&)>& begin
) {
  for (const Refusal& row : table) {
    GgufWriter out;
    begin(out);
    row.write(out);
    const Status status = check(out.bytes());
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << row.what;
    EXPECT_THAT(status.text(), HasSubstr(row.says)) << row.what;
  }
}

TEST(AdapterCheck, takes_adapters_of_the_model) {
  EXPECT_EQ(check(good()).to_string(), Status().to_string());
  GgufWriter out;
  add_facts(out);
  add_zero_pair(out, "token_embd.weight", {2, 20}, {2, 8});
  add_zero_pair(out, "output.weight", {8, 3}, {3, 20});
  add_zero_pair(out, "blk.0.ffn_up_exps.weight", {8, 2, 3}, {2, 4, 3});
  add_zeros(out, "blk.0.attn_norm.weight", {8});  // the library leaves it out
  EXPECT_EQ(check(out.bytes()).to_string(), Status().to_string());
}

TEST(AdapterCheck, takes_an_adapter_without_an_alpha_and_with_facts_of_every_kind) {
  GgufWriter out;
  out.add("general.type", "adapter");
  out.add("general.architecture", "llama");
  out.add("adapter.type", "lora");
  out.add("a.text", "x");
  out.add("a.flag", true);
  out.add("texts", std::vector<std::string>{"", "one", "two"});
  out.add("numbers", std::vector<float>{1, 2});
  out.add("adapter.lora.prompt_prefix", "query: ");
  add_zero_pair(out, "blk.0.attn_q.weight", {8, 2}, {2, 4});
  EXPECT_EQ(check(out.bytes()).to_string(), Status().to_string());
}

TEST(AdapterCheck, refuses_tensors_that_cannot_be_multiplied) {
  struct Row {
    std::uint32_t type;
    const char* name;
  };
  for (const Row& row : std::vector<Row>{
           {24, "I8"},
           {25, "I16"},
           {26, "I32"},
           {27, "I64"},
           {28, "F64"},
           {9, "Q8_1"},
           {15, "Q8_K"},
           {4, "type 4"},
           {43, "type 43"},
           {4000000000, "type 4000000000"}
       }) {
    for (const bool first : {true, false}) {
      GgufWriter out;
      add_facts(out);
      add_zeros(out, "blk.0.attn_q.weight.lora_a", {8, 2}, first ? row.type : kF32, 8);
      add_zeros(out, "blk.0.attn_q.weight.lora_b", {2, 4}, first ? kF32 : row.type, 8);
      const Status status = check(out.bytes());
      EXPECT_EQ(status.code(), Code::kInvalidArgument) << row.name;
      const std::string tensor = std::string("blk.0.attn_q.weight.lora_") + (first ? "a" : "b");
      EXPECT_THAT(status.text(), HasSubstr("'" + tensor + "'"));
      EXPECT_THAT(status.text(), HasSubstr(std::string(row.name) + ", which")) << status.text();
    }
  }
}

TEST(AdapterCheck, refuses_what_does_not_fit_the_model) {
  const std::string query = "blk.0.attn_q.weight";
  const std::string experts = "blk.0.ffn_up_exps.weight";
  expect_refusals(
      {
          {"nothing", [](GgufWriter&) {}, "adapts nothing"},
          {"a foreign name",
           [](GgufWriter& out) { add_zero_pair(out, "x.weight", {8, 2}, {2, 4}); },
           "'x.weight' is not in the model"},
          {"other columns",
           [&](GgufWriter& out) { add_zero_pair(out, query, {16, 2}, {2, 4}); },
           "lora_a is 16 x 2"},
          {"other rows",
           [&](GgufWriter& out) { add_zero_pair(out, query, {8, 2}, {2, 5}); },
           "lora_b 2 x 5"},
          {"two ranks",
           [&](GgufWriter& out) { add_zero_pair(out, query, {8, 2}, {3, 4}); },
           "one rank"},
          {"no rank",
           [&](GgufWriter& out) { add_zero_pair(out, query, {8, 0}, {0, 4}); },
           "has a side of 0"},
          {"layers where there are none",
           [&](GgufWriter& out) { add_zero_pair(out, query, {8, 2, 2}, {2, 4}); },
           "other layers"},
          {"a fourth side",
           [&](GgufWriter& out) { add_zero_pair(out, query, {8, 2}, {2, 4, 1, 2}); },
           "other layers"},
          {"less experts",
           [&](GgufWriter& out) { add_zero_pair(out, experts, {8, 2, 2}, {2, 4, 3}); },
           "other layers"},
          {"no experts",
           [&](GgufWriter& out) { add_zero_pair(out, experts, {8, 2}, {2, 4}); },
           "other layers"},
          {"an embedding of two ranks",
           [](GgufWriter& out) { add_zero_pair(out, "token_embd.weight", {2, 20}, {3, 8}); },
           "one rank"},
          {"an embedding the other way round",
           [](GgufWriter& out) { add_zero_pair(out, "token_embd.weight", {8, 2}, {2, 20}); },
           "lora_a is 8 x 2"},
          {"weights that no adapter is laid over",
           [](GgufWriter& out) { add_zero_pair(out, "blk.0.ffn_up.weight", {8, 2}, {2, 4}); },
           "NVFP4"},
          {"one half",
           [&](GgufWriter& out) { add_zeros(out, query + ".lora_a", {8, 2}); },
           "has no second one"},
          {"the other half",
           [&](GgufWriter& out) { add_zeros(out, query + ".lora_b", {2, 4}); },
           "has no second one"},
          {"a name with two ends",
           [&](GgufWriter& out) { add_zero_pair(out, query + ".lora_a", {8, 2}, {2, 4}); },
           "none of an adapter"},
          {"a whole matrix",
           [&](GgufWriter& out) { add_zeros(out, query, {8, 4}); },
           "none of an adapter"},
          {"a name twice",
           [&](GgufWriter& out) {
             add_zeros(out, query + ".lora_a", {8, 2});
             add_zero_pair(out, query, {8, 2}, {2, 4});
           },
           "comes twice"},
          {"a name that a zero ends",
           [&](GgufWriter& out) {
             add_zero_pair(out, query + std::string("\0x", 2), {8, 2}, {2, 4});
           },
           "name is none"},
          {"a long name",
           [&](GgufWriter& out) { add_zeros(out, std::string(57, 'x') + ".lora_a", {8, 2}); },
           "name is none, or too long"},
          {"no sides",
           [&](GgufWriter& out) { add_zeros(out, query + ".lora_a", {}); },
           "has no sides"},
          {"five sides",
           [&](GgufWriter& out) { add_zeros(out, query + ".lora_a", {8, 2, 1, 1, 1}); },
           "more than four sides"},
          {"rows that are no blocks",
           [&](GgufWriter& out) { add_zeros(out, query + ".lora_a", {8, 2}, 8); },
           "no multiple"},
          {"sides whose product is 0",
           [&](GgufWriter& out) {
             out.add_tensor(query + ".lora_a", {1ULL << 32, 1ULL << 32}, kF32, "");
           },
           "too many elements"},
          {"a negative side",
           [&](GgufWriter& out) { out.add_tensor(query + ".lora_a", {~0ULL, 2}, kF32, ""); },
           "too many elements"},
          {"numbers that are not there",
           [&](GgufWriter& out) {
             add_zeros(out, query + ".lora_b", {2, 4});
             out.add_tensor(query + ".lora_a", {8, 1ULL << 30}, kF32, "");
           },
           "'blk.0.attn_q.weight.lora_a' ends behind the file's end"},
          {"numbers in each other",
           [&](GgufWriter& out) {
             out.add_tensor(query + ".lora_a", {8, 2}, kF32, "");
             add_zeros(out, query + ".lora_b", {2, 40});
           },
           "lies where it should not"},
      },
      add_facts
  );
}

TEST(AdapterCheck, refuses_an_embedding_that_is_the_last_matrix_too) {
  AdapterBase base = base_of_the_table();
  base.tensors.erase("output.weight");
  GgufWriter out;
  add_facts(out);
  add_zero_pair(out, "token_embd.weight", {2, 20}, {2, 8});
  EXPECT_THAT(check(out.bytes(), base).text(), HasSubstr("last matrix"));
}

TEST(AdapterCheck, refuses_facts_of_another_file) {
  struct Row {
    const char* key;
    std::function<void(GgufWriter&, const char*)> write;
    const char* says;
  };
  const auto leave = [](GgufWriter&, const char*) {};
  const auto number = [](GgufWriter& out, const char* key) { out.add(key, std::uint32_t{1}); };
  const auto texts = [](GgufWriter& out, const char* key) {
    out.add(key, std::vector<std::string>{"adapter"});
  };
  const auto value = [](auto one) {
    return [one](GgufWriter& out, const char* key) { out.add(key, one); };
  };
  const std::vector<Row> table = {
      {"general.type", leave, "it has no general.type"},
      {"general.type", number, "general.type is no text"},
      {"general.type", texts, "general.type is no text"},
      {"general.type", value("model"), "general.type is not 'adapter'"},
      {"general.architecture", leave, "it has no general.architecture"},
      {"general.architecture", number, "general.architecture is no text"},
      {"general.architecture", value("qwen2"), "general.architecture is not 'llama'"},
      {"adapter.type", number, "adapter.type is no text"},
      {"adapter.type", value("ia3"), "adapter.type is not 'lora'"},
      {"adapter.lora.alpha", number, "adapter.lora.alpha"},
      {"adapter.lora.alpha", texts, "adapter.lora.alpha"},
      {"adapter.lora.alpha", value(std::vector<float>{1}), "adapter.lora.alpha"},
      {"adapter.lora.alpha", value(std::numeric_limits<float>::quiet_NaN()), "finite"},
      {"adapter.lora.alpha", value(-std::numeric_limits<float>::infinity()), "finite"},
      {"adapter.alora.invocation_tokens", value(std::vector<std::uint32_t>{5}), "aLoRA"},
      {"general.alignment", value(std::uint32_t{0}), "power of two"},
      {"general.alignment", value(std::uint32_t{24}), "power of two"},
      {"general.alignment", value("32"), "power of two"},
      {"general.alignment", value(std::vector<std::uint32_t>{32}), "power of two"},
      {"adapter.type",
       [](GgufWriter& out, const char* key) {
         out.add(key, "lora");
         out.add(key, "lora");
       },
       "'adapter.type' comes twice"},
      {"", value("x"), "no name"},
      {"a\nb", value("x"), "no name"},
  };
  for (const Row& row : table) {
    GgufWriter out;
    for (const char* key : {"general.type", "general.architecture", "adapter.type"}) {
      if (std::strcmp(key, row.key) == 0) continue;
      const bool type = std::strcmp(key, "adapter.type") == 0;
      out.add(key, type ? "lora" : std::strcmp(key, "general.type") == 0 ? "adapter" : "llama");
    }
    row.write(out, row.key);
    add_zero_pair(out, "blk.0.attn_q.weight", {8, 2}, {2, 4});
    const Status status = check(out.bytes());
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << row.key << " " << row.says;
    EXPECT_THAT(status.text(), HasSubstr(row.says)) << row.key;
  }
}

// Its numbers, too: what is missing of them is behind the file's end.
TEST(AdapterCheck, refuses_every_part_of_a_file) {
  const std::string whole = good();
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Status status = check(whole.substr(0, size));
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << size;
    EXPECT_FALSE(status.text().empty());
  }
}

TEST(AdapterCheck, refuses_counts_that_no_file_has) {
  const std::string whole = good();
  struct Row {
    std::size_t at;
    std::uint64_t value;
    const char* says;
  };
  constexpr std::size_t kFirstKey = 24;
  for (const Row& row : std::vector<Row>{
           {4, 1, "version 1"},
           {4, 4, "version 4"},
           {8, ~0ULL, "8192 tensors"},
           {8, 3, "name is none"},
           {16, ~0ULL, "1024 facts"},
           {16, 1ULL << 40, "1024 facts"},
           {kFirstKey, ~0ULL, "ends within its head"},
           {kFirstKey, 1ULL << 63, "ends within its head"},
       }) {
    std::string bytes = whole;
    std::memcpy(bytes.data() + row.at, &row.value, row.at == 4 ? 4 : 8);
    EXPECT_THAT(check(bytes).text(), HasSubstr(row.says)) << row.at << " " << row.value;
  }
  EXPECT_THAT(check("GGML" + whole.substr(4)).text(), HasSubstr("no GGUF file"));
}

TEST(AdapterCheck, refuses_lists_that_are_longer_than_the_file) {
  for (const std::uint64_t count : {~0ULL, 1ULL << 61, 1ULL << 30, 4ULL}) {
    GgufWriter out;
    add_facts(out);
    out.add("list", std::vector<std::uint32_t>{1, 2, 3});
    std::string bytes = out.bytes();
    const std::size_t at = bytes.find("list") + 4 + 4 + 4;
    bytes.resize(at + 8 + 12);
    std::memcpy(bytes.data() + at, &count, sizeof(count));
    EXPECT_THAT(check(bytes).text(), HasSubstr("ends within its head")) << count;
    const std::uint32_t texts = 8;
    std::memcpy(bytes.data() + at - 4, &texts, sizeof(texts));
    EXPECT_THAT(check(bytes).text(), HasSubstr("ends within its head")) << count;
    const std::uint32_t lists = 9;
    std::memcpy(bytes.data() + at - 4, &lists, sizeof(lists));
    EXPECT_FALSE(check(bytes).ok()) << count;
  }
}

TEST(AdapterCheck, says_that_a_head_is_too_long) {
  const std::string whole = good();
  const Status status = check_adapter(whole.substr(0, 60), 1 << 30, base_of_the_table());
  EXPECT_THAT(status.text(), HasSubstr("more than 16 MiB"));
}

TEST(AdapterCheck, a_file_that_cannot_be_read_is_refused) {
  const Status status = check_adapter_file("/nowhere/adapter.gguf", base_of_the_table());
  EXPECT_EQ(status.code(), Code::kInvalidArgument);
}

// Three tensors of halves, the second one with `value` behind a whole piece of the others.
std::string with_number(std::uint16_t value) {
  constexpr std::size_t kRank = 1 << 17;
  std::string second(kRank * 4 * sizeof value, '\0');
  std::memcpy(&second[second.size() - 6], &value, sizeof value);
  GgufWriter out;
  add_facts(out);
  out.add_tensor("blk.0.attn_q.weight.lora_a", {8, kRank}, 1, std::string(kRank * 16, '\0'));
  out.add_tensor("blk.0.attn_q.weight.lora_b", {kRank, 4}, 30, second);
  return out.bytes();
}

TEST(AdapterCheck, finds_the_tensor_whose_numbers_are_not_finite) {
  const auto numbers = [](const std::string& bytes) {
    const auto head = read_adapter_head(bytes, bytes.size());
    EXPECT_TRUE(head.ok()) << head.status().to_string();
    std::istringstream file(bytes);
    return check_adapter_numbers(*head, file);
  };
  const std::string fine = with_number(0x7F7F);  // the largest
  EXPECT_EQ(check(fine).to_string(), Status().to_string());
  EXPECT_EQ(numbers(fine).to_string(), Status().to_string());
  for (const int value : {0x7F80, 0xFF80, 0x7FC0, 0xFFFF}) {
    const Status status = numbers(with_number(static_cast<std::uint16_t>(value)));
    EXPECT_EQ(status.code(), Code::kInvalidArgument) << value;
    EXPECT_THAT(status.text(), HasSubstr("'blk.0.attn_q.weight.lora_b' has a number")) << value;
  }
}

TEST(AdapterCheck, numbers_that_are_not_there_are_no_numbers) {
  const std::string bytes = good();
  const auto head = read_adapter_head(bytes, bytes.size());
  ASSERT_TRUE(head.ok());
  std::istringstream file(bytes.substr(0, bytes.size() - 1));
  EXPECT_THAT(check_adapter_numbers(*head, file).text(), HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace cortex::backend
