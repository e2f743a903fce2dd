// SPDX-License-Identifier: Apache-2.0
#include "text/reply_parser.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "text/detail/json_scan.h"
#include "text/detail/reply_syntax.h"

namespace cortex::text {
namespace {

using Kind = ReplyPiece::Kind;

constexpr std::string_view kWhiteSpace = " \n\r\t";

// What stands before the arguments of a call is shorter. It is read again where it turns out to be
// no call, so that without a bound marks in marks would take quadratic time.
constexpr std::size_t kUncertainBytesMax = 8U << 10U;

// Bytes at the end of `text` that `mark` begins with.
std::size_t begun_mark(std::string_view text, std::string_view mark) {
  std::size_t size = std::min(text.size(), mark.size() - 1);
  while (size > 0 && !mark.starts_with(text.substr(text.size() - size))) --size;
  return size;
}

bool may_become(std::string_view text, std::string_view mark) {
  return text.size() < mark.size() && mark.starts_with(text);
}

// Whether the arguments of a call came to their end.
class ArgumentsEnd {
 public:
  void feed(std::string_view part) {
    for (const char c : part) ended_ = scan_.feed(c) == JsonScan::Step::kLast || ended_;
  }
  // Of a number or a word it is what would follow that ends it.
  [[nodiscard]] bool reached() const {
    JsonScan scan = scan_;
    return ended_ || scan.feed(' ') == JsonScan::Step::kBehind;
  }

 private:
  JsonScan scan_;
  bool ended_ = false;
};

}  // namespace

struct ReplyParser::Inner {
  explicit Inner(ReplyParserOptions given)
      : options(given),
        syntax(syntax_of(given.tools ? given.format : ReplyFormat::kPlain)),
        state(given.starts_in_reasoning ? State::kBeforeThought : State::kStart) {}

  // kStart: nothing was said yet. kPrelude: between a mark and its call. kBetween: behind a call.
  enum class State : std::uint8_t {
    kStart,
    kBeforeThought,
    kThought,
    kText,
    kPrelude,
    kCall,
    kBetween,
  };

  void run();
  bool step();
  bool step_start();
  bool step_before_thought();
  bool step_thought();
  bool step_text();
  bool step_prelude();
  bool step_call();
  bool step_between();

  // Bytes of `held` up to the first that is no white space.
  std::size_t white_space() const {
    return std::min(held.find_first_not_of(kWhiteSpace), held.size());
  }
  const CallMark* mark_at(std::size_t from) const;
  bool may_become_mark(std::string_view text) const;
  bool drop_glue();
  bool may_become_glue() const;
  void begin_call(const CallMark* found, std::size_t from);
  void fail_call();
  void end_call();
  void report_call();
  std::size_t settled() const { return fed - held.size(); }
  void give(Kind kind, std::string_view text);
  void give_front(Kind kind, std::size_t size);

  ReplyParserOptions options;
  const ReplySyntax& syntax;
  State state;
  bool ending = false;        // nothing more will come
  bool thought_over = false;  // only the beginning of a reply is reasoning
  bool in_list = false;       // of calls
  bool reported = false;      // the call was given out
  std::size_t fed = 0;        // bytes
  std::string held;
  std::size_t at = 0;        // in `held`: how far the call was read
  std::size_t mark_end = 0;  // in `held`
  const CallMark* mark = nullptr;
  std::optional<CallReader> reader;
  ArgumentsEnd arguments_end;
  std::uint32_t calls = 0;
  std::uint32_t whole_calls = 0;
  std::vector<ReplyPiece> out;
};

void ReplyParser::Inner::run() {
  while (step()) {
  }
}

// False when it needs more text.
bool ReplyParser::Inner::step() {
  switch (state) {
    case State::kStart:
      return step_start();
    case State::kBeforeThought:
      return step_before_thought();
    case State::kThought:
      return step_thought();
    case State::kText:
      return step_text();
    case State::kPrelude:
      return step_prelude();
    case State::kCall:
      return step_call();
    case State::kBetween:
      return step_between();
  }
  return false;
}

void ReplyParser::Inner::give(Kind kind, std::string_view text) {
  if (text.empty()) return;
  const bool joins = !out.empty() && out.back().kind == kind && kind != Kind::kCall;
  if (joins) {
    out.back().text += text;
  } else {
    out.push_back({kind, std::string(text), kind >= Kind::kCall ? calls : 0, settled()});
  }
}

void ReplyParser::Inner::give_front(Kind kind, std::size_t size) {
  give(kind, std::string_view(held).substr(0, size));
  held.erase(0, size);
}

const CallMark* ReplyParser::Inner::mark_at(std::size_t from) const {
  const auto text = std::string_view(held).substr(from);
  for (const CallMark& candidate : syntax.marks) {
    if (text.starts_with(candidate.text)) return &candidate;
  }
  return nullptr;
}

bool ReplyParser::Inner::may_become_mark(std::string_view text) const {
  return std::any_of(syntax.marks.begin(), syntax.marks.end(), [&](const CallMark& candidate) {
    return may_become(text, candidate.text);
  });
}

// White space before a call or a thought is nobody's text.
bool ReplyParser::Inner::step_start() {
  if (thought_over) held.erase(0, white_space());
  const std::size_t begin = white_space();
  const auto rest = std::string_view(held).substr(begin);
  if (rest.empty()) {
    if (ending) give_front(Kind::kText, held.size());
    return false;
  }
  const bool may_think = options.reasoning && !thought_over;
  if (may_think && rest.starts_with(kThinkBegin)) {
    held.erase(0, begin + kThinkBegin.size());
    state = State::kBeforeThought;
    return true;
  }
  if (const CallMark* found = mark_at(begin); found != nullptr) {
    begin_call(found, begin + found->text.size());
    return true;
  }
  if (syntax.bare && rest.front() == '{') {
    begin_call(nullptr, begin);
    return true;
  }
  const bool open = may_become_mark(rest) || (may_think && may_become(rest, kThinkBegin));
  if (open && !ending) return false;
  state = State::kText;
  return true;
}

bool ReplyParser::Inner::step_before_thought() {
  held.erase(0, white_space());
  if (held.empty()) return false;
  if (held.starts_with(kThinkBegin)) {
    held.erase(0, kThinkBegin.size());
    return true;
  }
  if (may_become(held, kThinkBegin) && !ending) return false;
  state = State::kThought;
  return true;
}

bool ReplyParser::Inner::step_thought() {
  const auto end = held.find(kThinkEnd);
  const bool ends = end != held.npos;
  if (!ends && ending) {
    give_front(Kind::kReasoning, held.size());
    return false;
  }
  const std::size_t size = ends ? end : held.size() - begun_mark(held, kThinkEnd);
  // White space before the end is nobody's.
  const auto last = std::string_view(held).substr(0, size).find_last_not_of(kWhiteSpace);
  const std::size_t given = last == held.npos ? 0 : last + 1;
  give_front(Kind::kReasoning, given);
  if (!ends) return false;
  held.erase(0, end - given + kThinkEnd.size());
  thought_over = true;
  state = State::kStart;
  return true;
}

bool ReplyParser::Inner::step_text() {
  std::size_t first = held.npos;
  const CallMark* found = nullptr;
  std::size_t begun = 0;
  for (const CallMark& candidate : syntax.marks) {
    const auto place = held.find(candidate.text);
    if (place < first) {
      first = place;
      found = &candidate;
    }
    begun = std::max(begun, begun_mark(held, candidate.text));
  }
  if (found != nullptr) {
    give_front(Kind::kText, first);
    begin_call(found, found->text.size());
    return true;
  }
  give_front(Kind::kText, held.size() - (ending ? 0 : begun));
  return false;
}

// `from`: where in `held` the call begins, behind its mark. Without a mark it is an object.
void ReplyParser::Inner::begin_call(const CallMark* found, std::size_t from) {
  mark = found;
  at = mark_end = from;
  reported = false;
  state = State::kPrelude;
  if (found != nullptr) return;
  state = State::kCall;
  reader.emplace(CallReader::Options{.without_arguments = syntax.names_alone});
}

bool ReplyParser::Inner::step_prelude() {
  at = std::min(held.find_first_not_of(kWhiteSpace, at), held.size());
  if (at == held.size()) {
    if (ending) fail_call();
    return ending;
  }
  const char c = held[at];
  if (c == '[' && syntax.lists && !in_list) {
    in_list = true;
    ++at;
    return true;
  }
  const bool object = c == '{';
  if (!object && (in_list || mark->form == CallReader::Form::kObject)) {
    fail_call();
    return true;
  }
  CallReader::Options how{.without_arguments = syntax.names_alone};
  if (!object) {
    how.form = mark->form;
    how.separator = mark->separator;
  }
  reader.emplace(how);
  state = State::kCall;
  return true;
}

bool ReplyParser::Inner::step_call() {
  for (; at < held.size(); ++at) {
    const auto step = reader->feed(held[at]);
    const bool endless = !reader->certain() && at - mark_end >= kUncertainBytesMax;
    if (step == CallReader::Step::kMore && !endless) continue;
    if (step == CallReader::Step::kFailed || endless) {
      fail_call();
    } else {
      if (step == CallReader::Step::kLast) ++at;
      end_call();
    }
    return true;
  }
  if (!ending) {
    report_call();
    return false;
  }
  if (reader->certain()) {
    end_call();
  } else {
    fail_call();
  }
  return true;
}

void ReplyParser::Inner::report_call() {
  if (!reader->certain()) return;
  if (!reported) give(Kind::kCall, reader->name());
  reported = true;
  const std::string arguments = reader->take_arguments();
  arguments_end.feed(arguments);
  give(Kind::kArguments, arguments);
  held.erase(0, at);
  at = 0;
}

void ReplyParser::Inner::end_call() {
  report_call();
  reader.reset();
  if (whole_calls == calls && arguments_end.reached()) ++whole_calls;
  arguments_end = {};
  ++calls;
  state = State::kBetween;
}

// The mark is text, and what follows it is read once more.
void ReplyParser::Inner::fail_call() {
  reader.reset();
  in_list = false;
  state = State::kText;
  give_front(Kind::kText, mark != nullptr ? mark_end : mark_end + 1);
}

bool ReplyParser::Inner::drop_glue() {
  for (const std::string_view glue : syntax.glue) {
    const bool of_list = syntax.lists && (glue == "," || glue == "]");
    if (!held.starts_with(glue) || (of_list && !in_list)) continue;
    if (of_list && glue == "]") in_list = false;
    held.erase(0, glue.size());
    return true;
  }
  return false;
}

bool ReplyParser::Inner::may_become_glue() const {
  return std::any_of(syntax.glue.begin(), syntax.glue.end(), [&](std::string_view glue) {
    return may_become(held, glue);
  });
}

// A mark is looked for first: "```json" begins as a block ends.
bool ReplyParser::Inner::step_between() {
  held.erase(0, white_space());
  if (held.empty()) return false;
  if (const CallMark* found = mark_at(0); found != nullptr) {
    begin_call(found, found->text.size());
    return true;
  }
  if (!ending && may_become_mark(held)) return false;
  if (drop_glue()) return true;
  if (!ending && may_become_glue()) return false;
  if (held.front() == '{' && (in_list || syntax.bare_after)) {
    begin_call(nullptr, 0);
    return true;
  }
  in_list = false;
  state = State::kText;
  return true;
}

ReplyParser::ReplyParser(ReplyParserOptions options) : inner_(std::make_unique<Inner>(options)) {}

ReplyParser::~ReplyParser() = default;

std::vector<ReplyPiece> ReplyParser::feed(std::string_view text) {
  inner_->held += text;
  inner_->fed += text.size();
  inner_->run();
  return std::exchange(inner_->out, {});
}

std::vector<ReplyPiece> ReplyParser::finish() {
  inner_->ending = true;
  inner_->run();
  return std::exchange(inner_->out, {});
}

std::size_t ReplyParser::settled() const { return inner_->settled(); }

std::uint32_t ReplyParser::whole_calls() const { return inner_->whole_calls; }

}  // namespace cortex::text
