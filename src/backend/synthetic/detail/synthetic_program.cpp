// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/synthetic_program.h"

#include <algorithm>
#include <sstream>
#include <utility>

#include "backend/synthetic/detail/key_reader.h"

namespace cortex::backend {
namespace {

constexpr std::uint64_t kWidthMax = 65536;

Result<TensorSpec> parse_spec(std::string_view text) {
  std::istringstream words{std::string(text)};
  TensorSpec out;
  std::string type;
  std::string shape;
  words >> out.name >> type;
  std::getline(words, shape);
  const auto datatype = parse_datatype(type);
  std::string_view dimensions = trim_text(shape);
  if (!datatype || dimensions.size() < 2 || dimensions.front() != '[' || dimensions.back() != ']') {
    return bad_key("inputs", text, "NAME DATATYPE [shape]");
  }
  out.datatype = *datatype;
  dimensions = dimensions.substr(1, dimensions.size() - 2);
  while (!trim_text(dimensions).empty()) {
    const auto comma = std::min(dimensions.find(','), dimensions.size());
    const auto dimension = parse_number<std::int64_t>(trim_text(dimensions.substr(0, comma)));
    if (!dimension || *dimension < -1) return bad_key("inputs", text, "NAME DATATYPE [shape]");
    out.shape.push_back(*dimension);
    dimensions.remove_prefix(std::min(comma + 1, dimensions.size()));
  }
  return out;
}

std::vector<TensorSpec> parse_specs(
    KeyReader& reader, const char* key, const std::string& otherwise
) {
  std::vector<TensorSpec> out;
  std::istringstream entries(reader.text(key, otherwise));
  for (std::string entry; std::getline(entries, entry, ';');) {
    if (trim_text(entry).empty()) continue;
    auto spec = parse_spec(trim_text(entry));
    if (!spec.ok()) reader.fail(spec.status());
    if (spec.ok()) out.push_back(std::move(*spec));
  }
  if (out.empty()) reader.fail(bad_key(key, "", "a list of tensors"));
  return out;
}

std::string default_inputs(SyntheticResult result, bool token_types) {
  if (result == SyntheticResult::kSum) return "INPUT0 FP32 [-1,16]; INPUT1 FP32 [-1,16]";
  const bool pair = result == SyntheticResult::kPair;
  if (result != SyntheticResult::kText && !pair) return "INPUT0 FP32 [-1,16]";
  const std::string text = "input_ids INT64 [-1,-1]; attention_mask INT64 [-1,-1]";
  return token_types || pair ? text + "; token_type_ids INT64 [-1,-1]" : text;
}

bool can_add(DataType type) {
  return type != DataType::kBool && type != DataType::kFp16 && type != DataType::kBf16 &&
         type != DataType::kBytes;
}

void check_sum(KeyReader& reader, const std::vector<TensorSpec>& inputs) {
  for (const TensorSpec& spec : inputs) {
    if (spec.datatype != inputs.front().datatype || !can_add(spec.datatype)) {
      reader.fail(bad_key("inputs", spec.name, "of the one datatype that `sum` adds up"));
    }
  }
}

std::vector<TensorSpec> outputs_of(KeyReader& reader, const SyntheticProgram& program) {
  const std::vector<TensorSpec>& inputs = program.signature.inputs;
  if (inputs.empty()) return {};
  switch (program.result) {
    case SyntheticResult::kConstant:
      return parse_specs(reader, "outputs", "OUTPUT0 FP32 [-1,1]");
    case SyntheticResult::kShape:
      return {{"OUTPUT0", DataType::kInt64, {-1, static_cast<std::int64_t>(inputs[0].shape.size())}}
      };
    case SyntheticResult::kText:
      return {
          {"last_hidden_state", DataType::kFp32, {-1, -1, static_cast<std::int64_t>(program.width)}}
      };
    case SyntheticResult::kPair:
      return {{"logits", DataType::kFp32, {-1, 1}}};
    case SyntheticResult::kSum:
      check_sum(reader, inputs);
      return {{"OUTPUT0", inputs[0].datatype, inputs[0].shape}};
    case SyntheticResult::kIdentity:
      break;
  }
  std::vector<TensorSpec> out = inputs;
  for (std::size_t i = 0; i < out.size(); ++i) out[i].name = "OUTPUT" + std::to_string(i);
  return out;
}

void read_fail_on(KeyReader& reader, SyntheticProgram& out) {
  const std::string value = reader.text("fail_on", "");
  if (value.empty()) return;
  out.fail_on = parse_number<double>(value);
  if (!out.fail_on) reader.fail(bad_key("fail_on", value, "a number"));
}

}  // namespace

Result<SyntheticProgram> parse_synthetic_program(const SyntheticKeys& keys) {
  using std::chrono::microseconds;
  KeyReader reader(keys);
  SyntheticProgram out;
  out.result = reader.choice<SyntheticResult>(
      "result",
      {{"identity", SyntheticResult::kIdentity},
       {"sum", SyntheticResult::kSum},
       {"constant", SyntheticResult::kConstant},
       {"shape", SyntheticResult::kShape},
       {"text", SyntheticResult::kText},
       {"pair", SyntheticResult::kPair}}
  );
  out.value = reader.text("value", "0");
  out.width = reader.count("width", 8, kWidthMax);
  out.delay = microseconds(reader.count("delay_us", 0, kSyntheticDelayUsMax));
  out.delay_per_row = microseconds(reader.count("delay_per_row_us", 0, kSyntheticDelayUsMax));
  out.fail_every = reader.count("fail_every", 0, UINT64_MAX);
  out.fail_at = reader.count("fail_at", 0, UINT64_MAX);
  out.fail_code = reader.choice<Code>(
      "fail_code",
      {{"internal", Code::kInternal},
       {"invalid_argument", Code::kInvalidArgument},
       {"unavailable", Code::kUnavailable},
       {"resource_exhausted", Code::kResourceExhausted}}
  );
  read_fail_on(reader, out);
  out.load_delay =
      microseconds(1000 * reader.count("load_delay_ms", 0, kSyntheticDelayUsMax / 1000));
  out.load_fails = reader.text("load_fails", "");
  out.load_crash = reader.choice<SyntheticCrash>(
      "load_crash",
      {{"none", SyntheticCrash::kNone},
       {"abort", SyntheticCrash::kAbort},
       {"segfault", SyntheticCrash::kSegfault},
       {"exit", SyntheticCrash::kExit},
       {"hang", SyntheticCrash::kHang},
       {"leak", SyntheticCrash::kLeak}}
  );
  out.signature.batch_changes_answers = reader.flag("batch_changes_answers");
  const bool token_types = reader.flag("token_types");
  out.signature.inputs = parse_specs(reader, "inputs", default_inputs(out.result, token_types));
  out.signature.outputs = outputs_of(reader, out);
  CORTEX_RETURN_IF_ERROR(reader.finish());
  return out;
}

}  // namespace cortex::backend
