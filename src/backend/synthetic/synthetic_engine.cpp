// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/synthetic_engine.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <iostream>
#include <system_error>
#include <utility>

#include "backend/synthetic/detail/key_reader.h"
#include "backend/synthetic/detail/synthetic_program.h"
#include "backend/synthetic/detail/synthetic_results.h"
#include "backend/synthetic/detail/wait_here.h"

namespace cortex::backend {
namespace {

const Tensor* find_input(const std::vector<Tensor>& inputs, std::string_view name) {
  const auto at = std::find_if(inputs.begin(), inputs.end(), [&](const Tensor& tensor) {
    return tensor.name == name;
  });
  return at == inputs.end() ? nullptr : &*at;
}

Status check_input(const TensorSpec& spec, const Tensor& input) {
  if (input.datatype != spec.datatype) {
    return invalid_argument(
        "the input '" + spec.name + "' is " + std::string(datatype_name(spec.datatype)) + ", not " +
        std::string(datatype_name(input.datatype))
    );
  }
  bool fits = input.shape.size() == spec.shape.size();
  for (std::size_t i = 0; fits && i < spec.shape.size(); ++i) {
    fits = spec.shape[i] < 0 || spec.shape[i] == input.shape[i];
  }
  if (fits) return validate(input);
  return invalid_argument(
      "the input '" + spec.name + "' has the shape " + shape_text(spec.shape) + ", not " +
      shape_text(input.shape)
  );
}

// The inputs in the signature's order.
Result<std::vector<Tensor>> in_order(
    const std::vector<TensorSpec>& specs, const std::vector<Tensor>& inputs
) {
  std::vector<Tensor> out;
  for (const TensorSpec& spec : specs) {
    const Tensor* input = find_input(inputs, spec.name);
    if (input == nullptr) return invalid_argument("the input '" + spec.name + "' is missing");
    CORTEX_RETURN_IF_ERROR(check_input(spec, *input));
    out.push_back(*input);
  }
  for (const Tensor& input : inputs) {
    if (find_spec(specs, input.name) == nullptr) {
      return invalid_argument("the model has no input '" + input.name + "'");
    }
  }
  return out;
}

template <typename T>
bool holds(const Tensor& tensor, double number) {
  for (std::size_t at = 0; at + sizeof(T) <= tensor.bytes.size(); at += sizeof(T)) {
    T value{};
    std::memcpy(&value, tensor.bytes.data() + at, sizeof(T));
    if (static_cast<double>(value) == number) return true;
  }
  return false;
}

bool any_holds(const std::vector<Tensor>& inputs, double number) {
  return std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& tensor) {
    if (tensor.datatype == DataType::kFp32) return holds<float>(tensor, number);
    return tensor.datatype == DataType::kInt64 && holds<std::int64_t>(tensor, number);
  });
}

Result<std::vector<Tensor>> chosen(
    std::vector<Tensor> results, const std::vector<std::string>& names
) {
  if (names.empty()) return results;
  std::vector<Tensor> out;
  for (const std::string& name : names) {
    const Tensor* result = find_input(results, name);
    if (result == nullptr) return invalid_argument("the model has no output '" + name + "'");
    out.push_back(*result);
  }
  return out;
}

// Thread-safe: nothing but the counter changes.
class SyntheticBackend final : public TensorBackend {
 public:
  SyntheticBackend(SyntheticProgram program, std::function<void(Duration)> wait)
      : program_(std::move(program)), wait_(std::move(wait)) {}

  [[nodiscard]] const ModelSignature& signature() const override { return program_.signature; }

  [[nodiscard]] Status run(const TensorRun& run, std::vector<Tensor>& outputs) override {
    outputs.clear();
    if (run.cancel != nullptr && run.cancel->load(std::memory_order_relaxed)) {
      return cancelled("cancelled before it ran");
    }
    CORTEX_ASSIGN_OR_RETURN(auto inputs, in_order(program_.signature.inputs, run.inputs));
    take_time(inputs);
    CORTEX_RETURN_IF_ERROR(fail(inputs));
    CORTEX_ASSIGN_OR_RETURN(auto results, synthetic_results(program_, inputs));
    CORTEX_ASSIGN_OR_RETURN(outputs, chosen(std::move(results), run.outputs));
    return {};
  }

 private:
  void take_time(const std::vector<Tensor>& inputs) {
    const std::int64_t rows = inputs[0].shape.empty() ? 1 : inputs[0].shape[0];
    const Duration delay = program_.delay + program_.delay_per_row * rows;
    if (delay > Duration::zero()) wait_(delay);
  }

  [[nodiscard]] Status told_failure(std::uint64_t run) const {
    std::string why = "run " + std::to_string(run) + " fails as told";
    if (program_.fail_code == Code::kInternal) return internal(std::move(why));
    return {program_.fail_code, std::move(why)};
  }

  Status fail(const std::vector<Tensor>& inputs) {
    const std::uint64_t number = runs_.fetch_add(1, std::memory_order_relaxed) + 1;
    const bool due = (program_.fail_every != 0 && number % program_.fail_every == 0) ||
                     number == program_.fail_at;
    if (due) return told_failure(number);
    if (program_.fail_on && any_holds(inputs, *program_.fail_on)) {
      return invalid_argument("an input holds the number that this model refuses");
    }
    return {};
  }

  const SyntheticProgram program_;
  const std::function<void(Duration)> wait_;
  std::atomic<std::uint64_t> runs_{0};
};

// Does what it says, and does not come back.
[[noreturn]] void crash(SyntheticCrash how, const std::function<void(Duration)>& wait) {
  std::cerr << "the model crashes as told" << std::endl;
  if (how == SyntheticCrash::kAbort) std::abort();
  if (how == SyntheticCrash::kSegfault) std::raise(SIGSEGV);
  if (how == SyntheticCrash::kExit) std::_Exit(3);
  constexpr std::size_t kStep = 16 << 20;
  std::deque<std::vector<char>> leaked;
  for (;;) {
    wait(std::chrono::milliseconds(5));
    if (how == SyntheticCrash::kLeak) leaked.emplace_back(kStep, '\1');
  }
}

}  // namespace

SyntheticEngine::SyntheticEngine(SyntheticOptions options)
    : wait_(options.wait ? std::move(options.wait) : wait_here), may_crash_(options.may_crash) {}

bool SyntheticEngine::may_crash(const TensorBackendOptions& options) {
  const auto keys = read_synthetic_keys(options.model_file, options.parameters);
  return keys.ok() && keys->contains("load_crash");
}

Result<std::unique_ptr<TensorBackend>> SyntheticEngine::load(const TensorBackendOptions& options) {
  CORTEX_ASSIGN_OR_RETURN(
      const SyntheticKeys keys, read_synthetic_keys(options.model_file, options.parameters)
  );
  CORTEX_ASSIGN_OR_RETURN(SyntheticProgram program, parse_synthetic_program(keys));
  if (program.load_delay > Duration::zero()) wait_(program.load_delay);
  if (!program.load_fails.empty()) return failed_precondition(program.load_fails);
  if (program.load_crash != SyntheticCrash::kNone) {
    if (may_crash_) crash(program.load_crash, wait_);
    return failed_precondition("load_crash: only on probation");
  }
  return std::unique_ptr<TensorBackend>(
      std::make_unique<SyntheticBackend>(std::move(program), wait_)
  );
}

}  // namespace cortex::backend
