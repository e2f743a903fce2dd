// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/synthetic_program.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>
#include <utility>

namespace cortex::backend {
namespace {

constexpr std::uint64_t kDelayUsMax = 3'600'000'000;
constexpr std::uint64_t kWidthMax = 65536;

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

Status bad(std::string_view key, std::string_view value, std::string_view wanted) {
  return invalid_argument(
      "synthetic model: " + std::string(key) + ": '" + std::string(value) + "' is not " +
      std::string(wanted)
  );
}

template <typename T>
std::optional<T> number(std::string_view text) {
  T out{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return out;
}

// Reads the keys one by one; the first that is wrong is the program's error.
class Reader {
 public:
  explicit Reader(const SyntheticKeys& keys) : left_(keys) {}

  std::string text(const char* key, std::string otherwise) {
    const auto at = left_.find(key);
    if (at == left_.end()) return otherwise;
    std::string out = std::move(at->second);
    left_.erase(at);
    return out;
  }

  std::uint64_t count(const char* key, std::uint64_t otherwise, std::uint64_t most) {
    const std::string value = text(key, std::to_string(otherwise));
    const auto out = number<std::uint64_t>(value);
    if (out && *out <= most) return *out;
    fail(bad(key, value, "a number up to " + std::to_string(most)));
    return otherwise;
  }

  bool flag(const char* key) {
    const std::string value = text(key, "false");
    if (value != "true" && value != "false") fail(bad(key, value, "true or false"));
    return value == "true";
  }

  template <typename T>
  T choice(const char* key, std::initializer_list<std::pair<const char*, T>> choices) {
    const std::string value = text(key, choices.begin()->first);
    for (const auto& [name, out] : choices) {
      if (value == name) return out;
    }
    fail(bad(key, value, "one that is known"));
    return choices.begin()->second;
  }

  void fail(Status status) {
    if (error_.ok()) error_ = std::move(status);
  }

  Status finish() {
    if (!left_.empty()) fail(bad(left_.begin()->first, left_.begin()->second, "a known key"));
    return error_;
  }

 private:
  SyntheticKeys left_;
  Status error_;
};

Result<TensorSpec> parse_spec(std::string_view text) {
  std::istringstream words{std::string(text)};
  TensorSpec out;
  std::string type;
  std::string shape;
  words >> out.name >> type;
  std::getline(words, shape);
  const auto datatype = parse_datatype(type);
  std::string_view dimensions = trim(shape);
  if (!datatype || dimensions.size() < 2 || dimensions.front() != '[' || dimensions.back() != ']') {
    return bad("inputs", text, "NAME DATATYPE [shape]");
  }
  out.datatype = *datatype;
  dimensions = dimensions.substr(1, dimensions.size() - 2);
  while (!trim(dimensions).empty()) {
    const auto comma = std::min(dimensions.find(','), dimensions.size());
    const auto dimension = number<std::int64_t>(trim(dimensions.substr(0, comma)));
    if (!dimension || *dimension < -1) return bad("inputs", text, "NAME DATATYPE [shape]");
    out.shape.push_back(*dimension);
    dimensions.remove_prefix(std::min(comma + 1, dimensions.size()));
  }
  return out;
}

std::vector<TensorSpec> parse_specs(Reader& reader, const char* key, const std::string& otherwise) {
  std::vector<TensorSpec> out;
  std::istringstream entries(reader.text(key, otherwise));
  for (std::string entry; std::getline(entries, entry, ';');) {
    if (trim(entry).empty()) continue;
    auto spec = parse_spec(trim(entry));
    if (!spec.ok()) reader.fail(spec.status());
    if (spec.ok()) out.push_back(std::move(*spec));
  }
  if (out.empty()) reader.fail(bad(key, "", "a list of tensors"));
  return out;
}

std::string default_inputs(SyntheticResult result, bool token_types) {
  if (result == SyntheticResult::kSum) return "INPUT0 FP32 [-1,16]; INPUT1 FP32 [-1,16]";
  if (result != SyntheticResult::kText) return "INPUT0 FP32 [-1,16]";
  const std::string text = "input_ids INT64 [-1,-1]; attention_mask INT64 [-1,-1]";
  return token_types ? text + "; token_type_ids INT64 [-1,-1]" : text;
}

bool can_add(DataType type) {
  return type != DataType::kBool && type != DataType::kFp16 && type != DataType::kBf16 &&
         type != DataType::kBytes;
}

void check_sum(Reader& reader, const std::vector<TensorSpec>& inputs) {
  for (const TensorSpec& spec : inputs) {
    if (spec.datatype != inputs.front().datatype || !can_add(spec.datatype)) {
      reader.fail(bad("inputs", spec.name, "of the one datatype that `sum` adds up"));
    }
  }
}

std::vector<TensorSpec> outputs_of(Reader& reader, const SyntheticProgram& program) {
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

void read_fail_on(Reader& reader, SyntheticProgram& out) {
  const std::string value = reader.text("fail_on", "");
  if (value.empty()) return;
  out.fail_on = number<double>(value);
  if (!out.fail_on) reader.fail(bad("fail_on", value, "a number"));
}

}  // namespace

Result<SyntheticKeys> parse_synthetic_file(std::string_view text) {
  SyntheticKeys out;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    const std::string_view rest = trim(std::string_view(line).substr(0, line.find('#')));
    if (rest.empty()) continue;
    const auto colon = rest.find(':');
    if (colon == std::string_view::npos) return bad("line", rest, "key: value");
    out[std::string(trim(rest.substr(0, colon)))] = trim(rest.substr(colon + 1));
  }
  return out;
}

Result<SyntheticProgram> parse_synthetic_program(const SyntheticKeys& keys) {
  using std::chrono::microseconds;
  Reader reader(keys);
  SyntheticProgram out;
  out.result = reader.choice<SyntheticResult>(
      "result",
      {{"identity", SyntheticResult::kIdentity},
       {"sum", SyntheticResult::kSum},
       {"constant", SyntheticResult::kConstant},
       {"shape", SyntheticResult::kShape},
       {"text", SyntheticResult::kText}}
  );
  out.value = reader.text("value", "0");
  out.width = reader.count("width", 8, kWidthMax);
  out.delay = microseconds(reader.count("delay_us", 0, kDelayUsMax));
  out.delay_per_row = microseconds(reader.count("delay_per_row_us", 0, kDelayUsMax));
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
  out.load_delay = microseconds(1000 * reader.count("load_delay_ms", 0, kDelayUsMax / 1000));
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
