// SPDX-License-Identifier: Apache-2.0
#include "backend/synthetic/detail/sequence_program.h"

#include <algorithm>
#include <utility>

#include "backend/synthetic/detail/byte_vocabulary.h"
#include "backend/synthetic/detail/sequence_cells.h"

namespace cortex::backend {
namespace {

constexpr std::uint64_t kTokensMax = 1 << 24;
constexpr std::uint64_t kSequencesMax = 1 << 16;
constexpr float kLogitRange = 8;
constexpr float kUnlikely = -20;
constexpr float kCertain = 30;

constexpr const char* kChatMl =
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n' }}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
}

void read_sizes(KeyReader& reader, SequenceProgram& out) {
  const auto size = [&](const char* key, std::uint64_t otherwise, std::uint64_t most) {
    const std::uint64_t value = reader.count(key, otherwise, most);
    if (value == 0) reader.fail(bad_key(key, "0", "a number from 1 on"));
    return static_cast<std::size_t>(value);
  };
  out.context_length = size("context_length", 1024, kTokensMax);
  out.cells = size("cells", 4096, kTokensMax);
  out.sequences_max = size("sequences_max", 64, kSequencesMax);
  out.step_rows_max = size("step_rows_max", 512, kTokensMax);
  out.part_rows = size("part_rows", 32, kTokensMax);
}

void read_times(KeyReader& reader, SequenceProgram& out) {
  using std::chrono::microseconds;
  using std::chrono::milliseconds;
  using std::chrono::nanoseconds;
  out.step_time = microseconds(reader.count("step_us", 0, kSyntheticDelayUsMax));
  out.row_time = microseconds(reader.count("row_us", 0, kSyntheticDelayUsMax));
  out.cell_time = nanoseconds(reader.count("cell_ns", 0, kSyntheticDelayUsMax));
  out.load_delay = milliseconds(reader.count("load_delay_ms", 0, kSyntheticDelayUsMax / 1000));
}

std::string text_of(std::span<const Token> tokens) {
  std::string out;
  for (const Token token : tokens) {
    if (token < ByteVocabulary::kBegin) out.push_back(static_cast<char>(token));
  }
  return out;
}

using TokenIterator = std::span<const Token>::iterator;

// What the last message of a user says: behind the mark and "user\n", up to the end's mark.
std::string last_user_text(std::span<const Token> tokens) {
  constexpr std::string_view kUser = "user\n";
  auto end = tokens.end();
  while (end != tokens.begin()) {
    const auto mark =
        std::find(std::make_reverse_iterator(end), tokens.rend(), ByteVocabulary::kMessage);
    if (mark == tokens.rend()) return {};
    const TokenIterator begin = mark.base();
    const TokenIterator close = std::find(begin, end, ByteVocabulary::kMessageEnd);
    std::string said = text_of({begin, close});
    if (said.starts_with(kUser)) return said.substr(kUser.size());
    end = begin - 1;
  }
  return {};
}

// How much of `answer` was said, or npos when the text is another.
std::size_t said_in_message(std::string_view message, std::string_view answer) {
  const auto line = message.find('\n');
  if (line == std::string_view::npos) return std::string_view::npos;
  const std::string_view said = message.substr(line + 1);
  return answer.starts_with(said) ? said.size() : std::string_view::npos;
}

// The longest beginning of `answer` that `text` ends with.
std::size_t said_at_end(std::string_view text, std::string_view answer) {
  for (std::size_t said = std::min(text.size(), answer.size()); said > 0; --said) {
    if (text.ends_with(answer.substr(0, said))) return said;
  }
  return 0;
}

Token next_of_script(const SequenceProgram& program, std::span<const Token> tokens) {
  std::string answer = program.answer;
  replace_all(answer, "{}", last_user_text(tokens));
  const auto mark = std::find(tokens.rbegin(), tokens.rend(), ByteVocabulary::kMessage);
  const bool in_message = mark != tokens.rend();
  const std::string text = text_of(in_message ? std::span(mark.base(), tokens.end()) : tokens);
  const std::size_t said = in_message ? said_in_message(text, answer) : said_at_end(text, answer);
  if (said >= answer.size()) return in_message ? ByteVocabulary::kMessageEnd : ByteVocabulary::kEnd;
  return static_cast<unsigned char>(answer[said]);
}

bool is_likely(const SequenceProgram& program, Token token) {
  return program.any_byte ? token < ByteVocabulary::kBegin : token >= ' ' && token <= '~';
}

}  // namespace

Result<SequenceProgram> parse_sequence_program(const SyntheticKeys& keys) {
  KeyReader reader(keys);
  SequenceProgram out;
  out.reply = reader.choice<SyntheticReply>(
      "reply", {{"hash", SyntheticReply::kHash}, {"script", SyntheticReply::kScript}}
  );
  out.answer = reader.text("answer", "{}");
  replace_all(out.answer, "\\n", "\n");
  out.any_byte = reader.choice<bool>("text", {{"printable", false}, {"bytes", true}});
  out.end_every = reader.count("end_every", 0, UINT64_MAX);
  out.weights = reader.count("weights", 0, UINT64_MAX);
  read_sizes(reader, out);
  out.can_cut = reader.flag("can_cut", true);
  out.chat_template = reader.text("chat_template", kChatMl);
  if (out.chat_template == "none") out.chat_template.clear();
  read_times(reader, out);
  out.fail_at = reader.count("fail_at", 0, UINT64_MAX);
  out.fail_every = reader.count("fail_every", 0, UINT64_MAX);
  out.fail_rows = reader.count("fail_rows", 0, UINT64_MAX);
  out.fail_code = reader.choice<Code>(
      "fail_code",
      {{"internal", Code::kInternal},
       {"cancelled", Code::kCancelled},
       {"resource_exhausted", Code::kResourceExhausted}}
  );
  out.load_fails = reader.text("load_fails", "");
  CORTEX_RETURN_IF_ERROR(reader.finish());
  return out;
}

void write_logits(
    const SequenceProgram& program,
    std::uint64_t state,
    std::span<const Token> tokens,
    std::span<float> logits
) {
  constexpr std::uint64_t kSteps = 1 << 24;  // what a float tells apart
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const auto part = static_cast<float>(join_bits(state, i) % kSteps) / float{kSteps};
    logits[i] = part * kLogitRange;
    if (!is_likely(program, static_cast<Token>(i))) logits[i] += kUnlikely;
  }
  if (program.reply == SyntheticReply::kScript) {
    logits[static_cast<std::size_t>(next_of_script(program, tokens))] = kCertain;
  } else if (program.end_every != 0 && state % program.end_every == 0) {
    logits[static_cast<std::size_t>(ByteVocabulary::kMessageEnd)] = kCertain;
  }
}

}  // namespace cortex::backend
