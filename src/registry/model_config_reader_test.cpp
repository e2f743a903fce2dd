// SPDX-License-Identifier: Apache-2.0
#include "registry/model_config_reader.h"

#include <fstream>
#include <iterator>
#include <sstream>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.pb.h>
#include <gtest/gtest.h>

#include "proto/model_config.pb.h"
#include "registry/config_fields.h"

namespace cortex::registry {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kPbtxt = R"(
  name: "bert"
  platform: "onnxruntime_onnx"
  max_batch_size: 16
  input [ { name: "ids" data_type: TYPE_INT64 dims: [ -1 ] }, { name: "t" data_type: TYPE_STRING dims: 1 optional: true } ]
  output { name: "y" data_type: TYPE_FP32 dims: [ 2, 3 ] label_filename: "labels.txt" }
  version_policy: { specific: { versions: [1, 3] } }
  instance_group [ { count: 2 kind: KIND_CPU }, { kind: KIND_AUTO } ]
  dynamic_batching {
    preferred_batch_size: [ 8, 4 ]
    max_queue_delay_microseconds: 100
    preserve_ordering: true
    priority_levels: 2
    default_priority_level: 1
    default_queue_policy { timeout_action: DELAY default_timeout_microseconds: 5 max_queue_size: 7 }
    priority_queue_policy { key: 2 value { allow_timeout_override: true } }
  }
  parameters { key: "intra_op_thread_count" value { string_value: "3" } }
  parameters { key: "mode" value { string_value: "fast" } }
  model_warmup { name: "w" batch_size: 4 inputs { key: "ids" value { data_type: TYPE_INT64 dims: 8 random_data: true } } }
  optimization { graph { level: 1 } }
)";

void check_bert(const ModelConfig& config) {
  EXPECT_EQ(config.name, "bert");
  EXPECT_EQ(config.backend, "onnx");
  EXPECT_EQ(config.max_batch_size, 16U);
  EXPECT_FALSE(config.open.batch_size);
  EXPECT_TRUE(config.open.pad_lengths);
  EXPECT_EQ(config.version_policy, VersionPolicy::kSpecific);
  EXPECT_THAT(config.specific_versions, ElementsAre(1, 3));
  EXPECT_EQ(config.instances, 3U);
  EXPECT_EQ(config.threads, 3U);
  EXPECT_THAT(config.parameters, ElementsAre(testing::Pair("mode", "fast")));
}

void check_bert_batching(const BatchingConfig& batching) {
  EXPECT_TRUE(batching.enabled);
  EXPECT_THAT(batching.preferred_sizes, ElementsAre(4, 8));
  EXPECT_EQ(batching.queue_delay_max.count(), 100);
  EXPECT_TRUE(batching.preserve_ordering);
  EXPECT_EQ(batching.priority_levels, 2U);
  EXPECT_EQ(batching.default_priority, 1U);
  EXPECT_TRUE(batching.default_policy.delay_on_timeout);
  EXPECT_EQ(batching.default_policy.timeout.count(), 5);
  EXPECT_EQ(batching.default_policy.queue_size_max, 7U);
  EXPECT_TRUE(batching.policies.at(2).allow_timeout_override);
}

TEST(ConfigPbtxt, reads_what_it_supports) {
  const auto read = parse_config_pbtxt(kPbtxt);
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  check_bert(read->config);
  check_bert_batching(read->config.batching);
  ASSERT_EQ(read->config.inputs.size(), 2U);
  EXPECT_EQ(read->config.inputs[0].shape, Shape{-1});
  EXPECT_EQ(read->config.inputs[1].datatype, DataType::kBytes);
  EXPECT_TRUE(read->config.inputs[1].optional);
  EXPECT_EQ(read->config.outputs.at(0).shape, (Shape{2, 3}));
  ASSERT_EQ(read->config.warmup.size(), 1U);
  EXPECT_EQ(read->config.warmup[0].batch_size, 4U);
  EXPECT_TRUE(read->config.warmup[0].random);
  EXPECT_THAT(read->without_effect, ElementsAre("optimization.graph", "output.label_filename"));
}

TEST(ConfigPbtxt, leaves_the_batch_size_open_when_it_says_nothing_of_it) {
  EXPECT_TRUE(parse_config_pbtxt("backend: \"onnxruntime\"")->config.open.batch_size);
  EXPECT_FALSE(parse_config_pbtxt("max_batch_size: 0")->config.open.batch_size);
  EXPECT_FALSE(parse_config_pbtxt("input { name: \"x\" data_type: TYPE_FP32 dims: 1 }")
                   ->config.open.batch_size);
}

TEST(ConfigPbtxt, names_the_line_of_an_unknown_field) {
  const auto read = parse_config_pbtxt("name: \"m\"\nmax_batch: 3\n");
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.status().text(), AllOf(HasSubstr("line 2"), HasSubstr("max_batch")));
}

TEST(ConfigPbtxt, names_everything_it_refuses_at_once) {
  const auto read = parse_config_pbtxt(R"(
    platform: "tensorrt_plan"
    max_batch_size: -1
    sequence_batching { max_sequence_idle_microseconds: 1 }
    instance_group { kind: KIND_GPU gpus: [ 0 ] }
    model_transaction_policy { decoupled: true }
    cc_model_filenames { key: "a" value: "b" }
    model_warmup { inputs { key: "x" value { data_type: TYPE_FP32 input_data_file: "f" } } }
    input { data_type: TYPE_FP32 dims: -2 }
  )");
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.status().code(), Code::kInvalidArgument);
  for (const char* part :
       {"platform: 'tensorrt_plan'",
        "max_batch_size: must be",
        "sequence_batching: not supported",
        "instance_group[0].kind: KIND_GPU",
        "instance_group.gpus: not supported",
        "model_transaction_policy.decoupled: not supported",
        "cc_model_filenames: not supported",
        "model_warmup.inputs.input_data_file: not supported",
        "input[0].name: must not be empty",
        "input[0].dims: must be -1 or more"}) {
    EXPECT_THAT(read.status().text(), HasSubstr(part));
  }
}

TEST(ConfigPbtxt, bounds_depth_and_size) {
  EXPECT_FALSE(parse_config_pbtxt(std::string(kConfigBytesMax + 1, ' ')).ok());
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "[{a";
  EXPECT_FALSE(parse_config_pbtxt(deep).ok());
  EXPECT_FALSE(parse_config_pbtxt("name: \"\xff\"").ok());
}

TEST(ConfigJson, reads_the_same_message) {
  const auto read = parse_config_json(R"({
    "name": "bert", "platform": "onnxruntime_onnx", "max_batch_size": 16,
    "version_policy": {"specific": {"versions": [1, "3"]}},
    "instance_group": [{"count": 2, "kind": "KIND_CPU"}, {}],
    "parameters": {"intra_op_thread_count": {"string_value": "3"}, "mode": {"string_value": "fast"}}})"
  );
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  check_bert(read->config);
}

TEST(ConfigJson, refuses_unknown_fields_and_what_is_no_json) {
  const auto unknown = parse_config_json(R"({"max_batch": 3})");
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.status().text(), HasSubstr("max_batch"));
  EXPECT_FALSE(parse_config_json("{").ok());
  EXPECT_FALSE(parse_config_json(std::string(100'000, '[')).ok());
  EXPECT_FALSE(parse_config_json("").ok());
}

TEST(ModelYaml, reads_all_keys) {
  const auto read = parse_model_yaml(R"(
backend: onnx
filename: net.onnx
max_batch_size: 16
tokenizer: vocab.txt
pooling: cls
normalize: false
context_length: 256
threads: 2
instances: 3
batching:
  delay_us: 100
  preferred_sizes: [8, 4]
  queue_size_max: 7
  timeout_us: 5
  on_timeout: delay
  allow_timeout_override: true
  preserve_ordering: true
  priority_levels: 2
  default_priority: 1
  priorities: {2: {queue_size_max: 1}}
  pad_lengths: false
  allow_variance: true
generation:
  context_length: 2048
  cells: 8192
  sequences_max: 8
  queue_requests_max: 9
  queue_tokens_max: 10000
  token_interval_us: 50000
  first_token_max_us: 2000000
  prefix_cache: false
  speculation: off
  speculation_tokens: 5
  draft_model: small.gguf
  prefix_memory_bytes: 1000000
  prefix_disk_bytes: 0
  chat_template: chat.jinja
version_policy: {specific: [1, 3]}
warmup: [{name: w, batch_size: 4, count: 2, random: true, inputs: [{name: ids, datatype: INT64, shape: [8]}]}]
parameters: {mode: fast}
inputs: [{name: ids, datatype: INT64, shape: [-1], optional: true}]
outputs: [{name: y, datatype: FP32, shape: [2, 3]}]
)");
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  const ModelConfig& config = read->config;
  EXPECT_EQ(config.backend, "onnx");
  EXPECT_EQ(config.default_filename, "net.onnx");
  EXPECT_EQ(config.max_batch_size, 16U);
  EXPECT_EQ(config.text.tokenizer, "vocab.txt");
  EXPECT_EQ(config.text.pooling, Pooling::kCls);
  EXPECT_FALSE(config.text.normalize);
  EXPECT_EQ(config.text.context_length, 256U);
  EXPECT_EQ(config.threads, 2U);
  EXPECT_EQ(config.instances, 3U);
  EXPECT_EQ(config.generation.context_length, 2048U);
  EXPECT_EQ(config.generation.cells, 8192U);
  EXPECT_EQ(config.generation.sequences_max, 8U);
  EXPECT_EQ(config.generation.queue_requests_max, 9U);
  EXPECT_EQ(config.generation.queue_tokens_max, 10000U);
  EXPECT_EQ(config.generation.token_interval, std::chrono::milliseconds(50));
  EXPECT_EQ(config.generation.first_token_max, std::chrono::seconds(2));
  EXPECT_FALSE(config.generation.prefix_cache);
  EXPECT_EQ(config.generation.speculation, Speculation::kOff);
  EXPECT_EQ(config.generation.draft_model, "small.gguf");
  EXPECT_EQ(config.generation.speculation_tokens, 5U);
  EXPECT_EQ(config.generation.prefix_memory_bytes, 1000000U);
  EXPECT_EQ(config.generation.prefix_disk_bytes, 0U);
  EXPECT_EQ(config.generation.chat_template, "chat.jinja");
  EXPECT_THAT(config.specific_versions, ElementsAre(1, 3));
  EXPECT_EQ(config.warmup.at(0).count, 2U);
  EXPECT_EQ(config.warmup.at(0).inputs.at(0).shape, Shape{8});
  EXPECT_TRUE(config.inputs.at(0).optional);
  EXPECT_EQ(config.outputs.at(0).shape, (Shape{2, 3}));
  EXPECT_EQ(config.parameters.at("mode"), "fast");
}

TEST(ModelYaml, reads_batching) {
  const auto read = parse_model_yaml(
      "max_batch_size: 8\nbatching: {delay_us: 100, preferred_sizes: [8, 4], timeout_us: 5, "
      "on_timeout: delay,\n"
      "  priority_levels: 2, default_priority: 1, priorities: {2: {queue_size_max: 1}}, "
      "pad_lengths: true}\n"
  );
  ASSERT_TRUE(read.ok()) << read.status().to_string();
  const BatchingConfig& batching = read->config.batching;
  EXPECT_TRUE(batching.enabled);
  EXPECT_THAT(batching.preferred_sizes, ElementsAre(4, 8));
  EXPECT_EQ(batching.queue_delay_max.count(), 100);
  EXPECT_EQ(batching.default_policy.timeout.count(), 5);
  EXPECT_TRUE(batching.default_policy.delay_on_timeout);
  EXPECT_EQ(batching.policies.at(2).queue_size_max, 1U);
  EXPECT_TRUE(batching.pad_lengths);
  EXPECT_FALSE(read->config.open.pad_lengths);
}

TEST(ModelYaml, batches_unless_it_says_otherwise) {
  EXPECT_TRUE(parse_model_yaml("max_batch_size: 8")->config.batching.enabled);
  EXPECT_FALSE(parse_model_yaml("max_batch_size: 8\nbatching: false")->config.batching.enabled);
  EXPECT_FALSE(parse_model_yaml("batching: {enabled: false}")->config.open.batch_size);
  EXPECT_TRUE(parse_model_yaml("")->config.open.batch_size);
}

TEST(ModelYaml, names_key_and_line_of_every_fault_at_once) {
  const auto read = parse_model_yaml(
      "backend: onnx\n"
      "max_batch_sise: 16\n"
      "normalize: maybe\n"
      "batching:\n"
      "  delay: 3\n"
      "  timeout_us: -1\n"
      "  preferred_sizes: [4, x]\n"
      "pooling: max\n"
      "tokenizer: ../vocab.txt\n"
      "inputs: [{name: x}]\n"
      "backend: twice\n"
  );
  ASSERT_FALSE(read.ok());
  for (const char* part :
       {"line 2: max_batch_sise: unknown key; known are backend",
        "line 3: normalize: must be true or false",
        "line 5: batching.delay: unknown key",
        "line 6: batching.timeout_us: must be a whole number from 0",
        "line 7: batching.preferred_sizes[1]: must be",
        "line 8: pooling: must be mean, cls, last, rank or none",
        "line 9: tokenizer: must be a file inside the folder",
        "line 10: inputs[0]: needs name, datatype and shape",
        "line 11: backend: stands here twice"}) {
    EXPECT_THAT(read.status().text(), HasSubstr(part));
  }
}

TEST(ModelYaml, refuses_what_could_unfold_or_nest_without_end) {
  EXPECT_THAT(parse_model_yaml("parameters: &a {x: y}\n").status().text(), HasSubstr("anchors"));
  EXPECT_THAT(parse_model_yaml("parameters: {x: *a}\n").status().text(), HasSubstr("line 1"));
  EXPECT_THAT(parse_model_yaml("backend: !!binary x\n").status().text(), HasSubstr("tags"));
  EXPECT_THAT(parse_model_yaml("a: 1\n---\nb: 2\n").status().text(), HasSubstr("more than one"));
  EXPECT_FALSE(parse_model_yaml(std::string(100'000, '[')).ok());
  EXPECT_FALSE(parse_model_yaml(std::string(40, '[') + std::string(40, ']')).ok());
  EXPECT_FALSE(parse_model_yaml("- a list\n").ok());
  EXPECT_FALSE(parse_model_yaml("? [a]\n: b\n").ok());
  EXPECT_FALSE(parse_model_yaml("\"unterminated").ok());
}

TEST(InnerPath, stays_in_its_folder) {
  for (const char* good : {"a", "a.onnx", "a/b", "a..b", "..a"})
    EXPECT_TRUE(is_inner_path(good)) << good;
  for (const char* bad : {"", "/a", "..", "../a", "a/../b", "a/..", "a\\b", "a\nb"}) {
    EXPECT_FALSE(is_inner_path(bad)) << bad;
  }
}

// Every field that a file can set is judged by a row, so that none can be ignored by mistake.
void check_rows(const Descriptor& message, const std::string& above, int depth) {
  ASSERT_LT(depth, 10);
  for (int i = 0; i < message.field_count(); ++i) {
    const FieldDescriptor& field = *message.field(i);
    if (message.options().map_entry() && field.number() == 1) continue;
    const std::string path = message.options().map_entry() ? above
                             : above.empty()               ? field.name()
                                                           : above + "." + field.name();
    if (find_config_field(path) != nullptr) continue;
    ASSERT_EQ(field.cpp_type(), FieldDescriptor::CPPTYPE_MESSAGE) << path << " is in no row";
    check_rows(*field.message_type(), path, depth + 1);
  }
}

TEST(ConfigFields, judge_every_field_of_the_message) {
  check_rows(*proto::ModelConfig::descriptor(), "", 0);
}

TEST(ConfigFields, name_fields_that_exist) {
  for (const ConfigField& row : config_fields()) {
    const Descriptor* message = proto::ModelConfig::descriptor();
    std::string_view rest = row.path;
    while (!rest.empty()) {
      const auto dot = std::min(rest.find('.'), rest.size());
      const FieldDescriptor* field = message->FindFieldByName(std::string(rest.substr(0, dot)));
      ASSERT_NE(field, nullptr) << row.path;
      rest.remove_prefix(std::min(dot + 1, rest.size()));
      message = field->message_type();
      if (field->is_map() && message->field(1)->message_type() != nullptr)
        message = message->field(1)->message_type();
    }
  }
}

std::string read_page(const std::string& path) {
  std::ifstream stream(std::string(CORTEX_SOURCE_DIR) + "/" + path);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(ConfigFields, stand_in_the_documentation) {
  const std::string page = read_page("docs/formats/model-folder.md");
  for (const ConfigField& row : config_fields()) {
    const std::string line = "| `" + std::string(row.path) + "` | " +
                             std::string(field_use_name(row.use)) + " | " + std::string(row.note) +
                             " |\n";
    EXPECT_THAT(page, HasSubstr(line));
  }
  const auto rows_of_page = page.substr(page.find("## config.pbtxt"));
  EXPECT_EQ(
      std::count(rows_of_page.begin(), rows_of_page.end(), '\n'),
      static_cast<std::ptrdiff_t>(config_fields().size()) + 8
  );
}

// The message of an unknown key lists the known ones: each has its row.
TEST(ModelYaml, has_every_key_in_the_documentation) {
  const std::string page = read_page("docs/formats/model-folder.md");
  for (const auto& [text, above] :
       {std::pair{"zzz: 1", ""},
        std::pair{"batching: {zzz: 1}", "batching."},
        std::pair{"generation: {zzz: 1}", "generation."}}) {
    std::string known = parse_model_yaml(text).status().text();
    known = known.substr(known.find("known are ") + 10);
    std::istringstream words(known);
    for (std::string word; words >> word;) {
      if (word.back() == ',') word.pop_back();
      EXPECT_THAT(page, HasSubstr("`" + (above + word) + "`"));
    }
  }
}

}  // namespace
}  // namespace cortex::registry
