// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/synthetic_sequences.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <fstream>
#include <iterator>
#include <utility>

#include "backend/synthetic/detail/byte_vocabulary.h"
#include "backend/synthetic/detail/key_reader.h"
#include "backend/synthetic/detail/sequence_cells.h"
#include "backend/synthetic/detail/sequence_program.h"
#include "backend/synthetic/detail/synthetic_sampler.h"
#include "backend/synthetic/detail/wait_here.h"
#include "base/check.h"

namespace cortex::backend {
namespace {

class SyntheticAdapter final : public SequenceAdapter {
 public:
  explicit SyntheticAdapter(const std::string& text) : bytes_(text.size()) {
    for (const char c : text) identity_ = join_bits(identity_, static_cast<unsigned char>(c));
    digest_ = std::to_string(identity_);
  }
  [[nodiscard]] std::size_t memory_bytes() const override { return bytes_; }
  [[nodiscard]] const std::string& digest() const override { return digest_; }
  [[nodiscard]] std::uint64_t identity() const { return identity_; }

 private:
  std::size_t bytes_;
  std::uint64_t identity_ = 0;
  std::string digest_;
};

std::uint64_t adapter_of(const SequenceStep& step) {
  if (step.adapter == nullptr) return 0;
  const auto* adapter = dynamic_cast<const SyntheticAdapter*>(step.adapter);
  CHECK(adapter != nullptr, "the adapter is of this engine");
  return join_bits(adapter->identity(), std::bit_cast<std::uint32_t>(step.adapter_scale));
}

std::uint64_t join_text(std::uint64_t sum, std::string_view text) {
  sum = join_bits(sum, text.size());
  for (const char c : text) sum = join_bits(sum, static_cast<unsigned char>(c));
  return sum;
}

std::string digest_of(const SyntheticKeys& keys) {
  std::uint64_t sum = keys.size();
  for (const auto& [key, value] : keys) sum = join_text(join_text(sum, key), value);
  return "synthetic-" + std::to_string(sum);
}

SequenceModel describe(const SequenceProgram& program, std::string digest) {
  SequenceModel out;
  out.architecture = "synthetic";
  out.weights.architecture = out.architecture;
  out.description = "synthetic sequences";
  out.vocabulary_size = ByteVocabulary::kSize;
  out.context_length = program.context_length;
  out.cells = program.cells;
  out.sequences_max = program.sequences_max;
  out.step_rows_max = program.step_rows_max;
  out.bytes_per_cell = SequenceCells::saved_bytes_per_cell();
  out.memory_bytes = program.cells * out.bytes_per_cell;
  out.can_cut = program.can_cut;
  out.chat_template = program.chat_template;
  out.begin = ByteVocabulary::kBegin;
  out.ends = {ByteVocabulary::kEnd, ByteVocabulary::kMessageEnd};
  out.digest = std::move(digest);
  return out;
}

}  // namespace

struct SyntheticSequences::Inner {
  Inner(SequenceProgram what, std::string digest, std::function<void(Duration)> takes)
      : program(std::move(what)),
        wait(std::move(takes)),
        model(describe(program, std::move(digest))),
        cells({program.cells, program.sequences_max, program.can_cut, program.weights}) {}

  [[nodiscard]] bool fails(std::uint64_t step) const;
  [[nodiscard]] Status fail(const SequenceStep& step, std::uint64_t number);
  [[nodiscard]] Status compute_parts(const SequenceStep& step);
  void compute(const SequenceStep& step, std::size_t begin, std::size_t end);
  void check_rows(std::span<const StepRow> rows) const;
  void take_time(std::span<const StepRow> rows, Duration fixed) const;

  const SequenceProgram program;
  const std::function<void(Duration)> wait;
  const SequenceModel model;
  const ByteVocabulary vocabulary;
  SequenceCells cells;
  std::vector<float> logits;              // of the output rows, one after the other
  std::vector<std::ptrdiff_t> logits_at;  // for each row; -1: no output
  std::atomic<std::uint64_t> steps{0};
  std::atomic<std::uint64_t> tokens{0};
  std::atomic<std::uint64_t> saves{0};
  std::atomic<std::uint64_t> restores{0};
};

bool SyntheticSequences::Inner::fails(std::uint64_t step) const {
  return step == program.fail_at || (program.fail_every != 0 && step % program.fail_every == 0);
}

// Stores the rows that came first, and says what went wrong.
Status SyntheticSequences::Inner::fail(const SequenceStep& step, std::uint64_t number) {
  std::string why = "step " + std::to_string(number) + " fails as told";
  if (program.fail_code == Code::kResourceExhausted) return resource_exhausted(std::move(why));
  const auto stored = std::min<std::uint64_t>(program.fail_rows, step.rows.size());
  compute(step, 0, static_cast<std::size_t>(stored));
  if (program.fail_code == Code::kCancelled) return cancelled(std::move(why));
  return internal(std::move(why));
}

void SyntheticSequences::Inner::take_time(std::span<const StepRow> rows, Duration fixed) const {
  Duration takes = fixed + program.row_time * static_cast<std::int64_t>(rows.size());
  for (const StepRow& row : rows) takes += program.cell_time * (row.position + 1);
  if (takes > Duration::zero()) wait(takes);
}

void SyntheticSequences::Inner::compute(
    const SequenceStep& step, std::size_t begin, std::size_t end
) {
  const std::uint64_t adapter = adapter_of(step);
  for (std::size_t i = begin; i < end; ++i) {
    const StepRow& row = step.rows[i];
    const std::uint64_t state = cells.add(row.sequence, row.position, row.token, adapter);
    if (!row.output) continue;
    logits_at[i] = static_cast<std::ptrdiff_t>(logits.size());
    logits.resize(logits.size() + ByteVocabulary::kSize);
    const auto into = std::span(logits).last(ByteVocabulary::kSize);
    const bool script = program.reply == SyntheticReply::kScript;
    const auto before = script ? cells.tokens(row.sequence) : std::vector<Token>{};
    write_logits(program, state, before, into);
  }
  tokens.fetch_add(end - begin, std::memory_order_relaxed);
}

Status SyntheticSequences::Inner::compute_parts(const SequenceStep& step) {
  const std::size_t rows = step.rows.size();
  for (std::size_t begin = 0; begin < rows; begin += program.part_rows) {
    if (step.abort && step.abort()) return cancelled("the step was aborted");
    const std::size_t end = std::min(rows, begin + program.part_rows);
    const Duration fixed = begin == 0 ? program.step_time : Duration::zero();
    take_time(step.rows.subspan(begin, end - begin), fixed);
    compute(step, begin, end);
  }
  return {};
}

void SyntheticSequences::Inner::check_rows(std::span<const StepRow> rows) const {
  CHECK(!rows.empty() && rows.size() <= model.step_rows_max, "as many rows as a step takes");
  for (const StepRow& row : rows) {
    CHECK(
        row.token >= 0 && static_cast<std::size_t>(row.token) < ByteVocabulary::kSize,
        "a token of the vocabulary"
    );
    CHECK(
        row.position >= 0 && static_cast<std::size_t>(row.position) < model.context_length,
        "a position of the context"
    );
  }
}

Result<std::unique_ptr<SyntheticSequences>> SyntheticSequences::make(
    const Keys& keys, SyntheticOptions options
) {
  CORTEX_ASSIGN_OR_RETURN(SequenceProgram program, parse_sequence_program(keys));
  auto wait = options.wait ? std::move(options.wait) : wait_here;
  if (program.load_delay > Duration::zero()) wait(program.load_delay);
  if (!program.load_fails.empty()) return failed_precondition(program.load_fails);
  auto inner = std::make_unique<Inner>(std::move(program), digest_of(keys), std::move(wait));
  return std::unique_ptr<SyntheticSequences>(new SyntheticSequences(std::move(inner)));
}

SyntheticSequences::SyntheticSequences(std::unique_ptr<Inner> inner) : inner_(std::move(inner)) {}

SyntheticSequences::~SyntheticSequences() = default;

SyntheticSequences::Counts SyntheticSequences::counts() const {
  return {inner_->cells.used(), inner_->steps, inner_->tokens, inner_->saves, inner_->restores};
}

std::vector<Token> SyntheticSequences::tokens_of(SequenceId sequence) const {
  return inner_->cells.tokens(sequence);
}

const SequenceModel& SyntheticSequences::model() const { return inner_->model; }

const Vocabulary& SyntheticSequences::vocabulary() const { return inner_->vocabulary; }

Status SyntheticSequences::decode(const SequenceStep& step) {
  inner_->check_rows(step.rows);
  inner_->logits.clear();
  inner_->logits_at.assign(step.rows.size(), -1);
  const std::uint64_t number = inner_->steps.fetch_add(1, std::memory_order_relaxed) + 1;
  if (step.rows.size() > inner_->cells.free()) {
    return resource_exhausted("the memory of the model is full");
  }
  return inner_->fails(number) ? inner_->fail(step, number) : inner_->compute_parts(step);
}

std::span<const float> SyntheticSequences::logits(std::size_t row) const {
  CHECK(row < inner_->logits_at.size() && inner_->logits_at[row] >= 0, "it was an output row");
  const auto at = static_cast<std::size_t>(inner_->logits_at[row]);
  return std::span(inner_->logits).subspan(at, ByteVocabulary::kSize);
}

void SyntheticSequences::share(
    SequenceId from, SequenceId to, std::int32_t begin, std::int32_t end
) {
  inner_->cells.share(from, to, begin, end);
}

void SyntheticSequences::remove(SequenceId sequence, std::int32_t begin, std::int32_t end) {
  inner_->cells.remove(sequence, begin, end);
}

Result<std::vector<std::byte>> SyntheticSequences::save(SequenceId sequence) {
  inner_->saves.fetch_add(1, std::memory_order_relaxed);
  return inner_->cells.save(sequence);
}

Status SyntheticSequences::restore(SequenceId sequence, std::span<const std::byte> state) {
  inner_->restores.fetch_add(1, std::memory_order_relaxed);
  return inner_->cells.restore(sequence, state);
}

std::unique_ptr<TokenSampler> SyntheticSequences::make_sampler(
    const SamplingSettings& settings, std::uint64_t sequence_seed
) const {
  return std::make_unique<SyntheticSampler>(settings, sequence_seed);
}

Result<std::shared_ptr<const SequenceAdapter>> SyntheticSequences::load_adapter(
    const std::filesystem::path& file
) {
  std::ifstream in(file);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!text.starts_with("synthetic adapter\n")) {
    return invalid_argument("the file is no adapter of this engine");
  }
  return std::shared_ptr<const SequenceAdapter>(std::make_shared<SyntheticAdapter>(text));
}

SyntheticSequenceEngine::SyntheticSequenceEngine(SyntheticOptions options)
    : options_(std::move(options)) {}

Result<std::unique_ptr<SequenceBackend>> SyntheticSequenceEngine::load(
    const SequenceBackendOptions& options
) {
  CORTEX_ASSIGN_OR_RETURN(
      SyntheticKeys keys, read_synthetic_keys(options.model_file, options.parameters)
  );
  if (options.context_length > 0) keys["context_length"] = std::to_string(options.context_length);
  if (options.cells > 0) keys["cells"] = std::to_string(options.cells);
  CORTEX_ASSIGN_OR_RETURN(auto backend, SyntheticSequences::make(keys, options_));
  return std::unique_ptr<SequenceBackend>(std::move(backend));
}

}  // namespace cortex::backend
