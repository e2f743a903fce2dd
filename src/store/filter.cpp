// SPDX-License-Identifier: Apache-2.0
#include "store/filter.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

namespace cortex::store {
namespace {

constexpr std::array<std::string_view, 12> kComparatorTexts = {
    "=",
    "!=",
    "<",
    "<=",
    ">",
    ">=",
    "LIKE",
    "ILIKE",
    "IN",
    "NOT IN",
    "IS NULL",
    "IS NOT NULL",
};

enum class TokenKind : std::uint8_t { kEnd, kIdentifier, kText, kNumber, kOperator, kMark };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  // as it is written, quotes included
};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
// Bytes above ASCII are letters of some language.
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

bool equals_ignoring_case(std::string_view text, std::string_view upper) {
  const auto same = [](char a, char b) {
    return (a >= 'a' && a <= 'z' ? static_cast<char>(a - 'a' + 'A') : a) == b;
  };
  return std::equal(text.begin(), text.end(), upper.begin(), upper.end(), same);
}

// Length of the quoted text at the front, both quotes included; 0 when it does not end. A doubled
// quote stands for one.
std::size_t quoted_length(std::string_view text) {
  const char quote = text.front();
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] != quote) continue;
    if (i + 1 == text.size() || text[i + 1] != quote) return i + 1;
    ++i;
  }
  return 0;
}

bool is_quoted(std::string_view text) {
  return text.size() >= 2 && (text.front() == '"' || text.front() == '`' || text.front() == '\'') &&
         text.back() == text.front();
}

std::string unquoted(std::string_view text) {
  if (!is_quoted(text)) return std::string(text);
  const char quote = text.front();
  std::string out;
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    out.push_back(text[i]);
    if (text[i] == quote) ++i;
  }
  return out;
}

Status bad_clause(std::string_view text) {
  return invalid_argument("Invalid clause(s) in filter string: '" + std::string(text) + "'");
}

class Lexer {
 public:
  explicit Lexer(std::string_view text) : rest_(text) {}

  // The next token; an error for a quote that does not end.
  Result<Token> next() {
    while (!rest_.empty() && is_space(rest_.front())) rest_.remove_prefix(1);
    if (rest_.empty()) return Token{};
    const char c = rest_.front();
    if (c == '\'') return take_text();
    if (starts_number()) return take(TokenKind::kNumber, number_length());
    if (is_word(c) || c == '"' || c == '`') return take_identifier();
    if (const std::size_t length = operator_length()) return take(TokenKind::kOperator, length);
    return take(TokenKind::kMark, 1);
  }

 private:
  Token take(TokenKind kind, std::size_t length) {
    const Token token{kind, rest_.substr(0, length)};
    rest_.remove_prefix(length);
    return token;
  }

  Result<Token> take_text() {
    const std::size_t length = quoted_length(rest_);
    if (length == 0) return bad_clause(rest_);
    return take(TokenKind::kText, length);
  }

  // Words, quoted parts and dots without a space between them.
  Result<Token> take_identifier() {
    std::size_t length = 0;
    while (length < rest_.size()) {
      const char c = rest_[length];
      if (c == '"' || c == '`') {
        const std::size_t quoted = quoted_length(rest_.substr(length));
        if (quoted == 0) return bad_clause(rest_);
        length += quoted;
      } else if (is_word(c) || c == '.') {
        ++length;
      } else {
        break;
      }
    }
    return take(TokenKind::kIdentifier, length);
  }

  bool starts_number() const {
    std::size_t at = rest_.front() == '-' || rest_.front() == '+' ? 1 : 0;
    if (at < rest_.size() && rest_[at] == '.') ++at;
    return at < rest_.size() && is_digit(rest_[at]);
  }

  std::size_t number_length() const {
    std::size_t length = 1;
    while (length < rest_.size()) {
      const char c = rest_[length];
      const bool sign = (c == '-' || c == '+') && (rest_[length - 1] | 0x20) == 'e';
      if (!is_word(c) && c != '.' && !sign) break;
      ++length;
    }
    return length;
  }

  std::size_t operator_length() const {
    const std::string_view two = rest_.substr(0, 2);
    for (const std::string_view known : {"!=", "<=", ">=", "<>", "=="}) {
      if (two == known) return 2;
    }
    return std::string_view("=<>").find(rest_.front()) == std::string_view::npos ? 0 : 1;
  }

  std::string_view rest_;
};

std::optional<Comparator> symbol(std::string_view text) {
  for (std::size_t i = 0; i <= static_cast<std::size_t>(Comparator::kGreaterOrEqual); ++i) {
    if (kComparatorTexts[i] == text) return static_cast<Comparator>(i);
  }
  return std::nullopt;
}

// Splits at the first dot that is not inside quotes.
void split_identifier(std::string_view text, std::string& entity, std::string& key) {
  std::size_t at = 0;
  while (at < text.size() && text[at] != '.') {
    const bool quote = text[at] == '"' || text[at] == '`';
    at += quote ? quoted_length(text.substr(at)) : 1;
  }
  if (at >= text.size()) {
    key = unquoted(text);
    return;
  }
  entity = unquoted(text.substr(0, at));
  key = unquoted(text.substr(at + 1));
}

class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  Result<std::vector<Comparison>> comparisons() {
    std::vector<Comparison> all;
    CORTEX_RETURN_IF_ERROR(advance());
    while (token_.kind != TokenKind::kEnd) {
      if (all.size() == kComparisonsLimit) {
        return invalid_argument(
            "a filter may hold at most " + std::to_string(kComparisonsLimit) + " comparisons"
        );
      }
      Comparison comparison;
      CORTEX_RETURN_IF_ERROR(read_comparison(comparison));
      all.push_back(std::move(comparison));
      if (token_.kind == TokenKind::kEnd) break;
      if (!is_keyword("AND")) return bad_clause(token_.text);
      CORTEX_RETURN_IF_ERROR(advance());
      if (token_.kind == TokenKind::kEnd) return bad_clause("AND");
    }
    return all;
  }

  Result<Ordering> ordering(std::string_view clause) {
    const Status malformed = invalid_argument(
        "Invalid order_by clause '" + std::string(clause) + "'. Could not be parsed."
    );
    if (!advance().ok() || token_.kind != TokenKind::kIdentifier) return malformed;
    Ordering ordering;
    split_identifier(token_.text, ordering.entity, ordering.key);
    if (!advance().ok()) return malformed;
    if (token_.kind == TokenKind::kEnd) return ordering;
    if (!is_keyword("ASC") && !is_keyword("DESC")) {
      return invalid_argument(
          "Invalid ordering key in order_by clause '" + std::string(clause) + "'."
      );
    }
    ordering.ascending = is_keyword("ASC");
    if (!advance().ok() || token_.kind != TokenKind::kEnd) return malformed;
    return ordering;
  }

 private:
  Status advance() {
    CORTEX_ASSIGN_OR_RETURN(token_, lexer_.next());
    return {};
  }

  bool is_keyword(std::string_view upper) const {
    return token_.kind == TokenKind::kIdentifier && equals_ignoring_case(token_.text, upper);
  }

  Status expect_keyword(std::string_view upper) {
    if (!is_keyword(upper)) return bad_clause(token_.text);
    return advance();
  }

  Status read_comparison(Comparison& out) {
    if (token_.kind != TokenKind::kIdentifier) return bad_clause(token_.text);
    split_identifier(token_.text, out.entity, out.key);
    const std::string_view name = token_.text;
    CORTEX_RETURN_IF_ERROR(advance());
    if (token_.kind == TokenKind::kEnd) return bad_clause(name);
    CORTEX_RETURN_IF_ERROR(read_comparator(out.comparator));
    return read_value(out);
  }

  Status read_comparator(Comparator& out) {
    if (token_.kind == TokenKind::kOperator) return read_symbol(out);
    if (is_keyword("LIKE") || is_keyword("ILIKE") || is_keyword("IN")) {
      out = is_keyword("IN")     ? Comparator::kIn
            : is_keyword("LIKE") ? Comparator::kLike
                                 : Comparator::kIlike;
      return advance();
    }
    if (is_keyword("NOT")) {
      CORTEX_RETURN_IF_ERROR(advance());
      out = Comparator::kNotIn;
      return expect_keyword("IN");
    }
    CORTEX_RETURN_IF_ERROR(expect_keyword("IS"));
    out = is_keyword("NOT") ? Comparator::kIsNotNull : Comparator::kIsNull;
    if (is_keyword("NOT")) CORTEX_RETURN_IF_ERROR(advance());
    return expect_keyword("NULL");
  }

  Status read_symbol(Comparator& out) {
    const auto known = symbol(token_.text);
    if (!known) {
      return invalid_argument("Invalid comparator '" + std::string(token_.text) + "'");
    }
    out = *known;
    return advance();
  }

  Status read_value(Comparison& out) {
    if (out.comparator == Comparator::kIsNull || out.comparator == Comparator::kIsNotNull) {
      return {};
    }
    const bool list = out.comparator == Comparator::kIn || out.comparator == Comparator::kNotIn;
    if (list) return read_list(out);
    if (token_.kind == TokenKind::kEnd) return bad_clause(comparator_text(out.comparator));
    const bool text =
        token_.kind == TokenKind::kText || (token_.kind == TokenKind::kIdentifier &&
                                            token_.text.front() == '"' && is_quoted(token_.text));
    if (!text && token_.kind == TokenKind::kNumber) return read_number(out);
    if (!text && token_.kind != TokenKind::kIdentifier) return bad_clause(token_.text);
    out.kind = text ? Comparison::Kind::kText : Comparison::Kind::kWord;
    out.text = text ? unquoted(token_.text) : std::string(token_.text);
    return advance();
  }

  Status read_number(Comparison& out) {
    out.text = token_.text;
    std::string_view digits = token_.text;
    if (digits.front() == '+') digits.remove_prefix(1);
    const char* const end = digits.data() + digits.size();
    const auto real = std::from_chars(digits.data(), end, out.real);
    if (real.ptr != end || real.ec != std::errc() || !std::isfinite(out.real)) {
      return bad_clause(token_.text);
    }
    const auto integer = std::from_chars(digits.data(), end, out.integer);
    const bool whole = integer.ptr == end && integer.ec == std::errc();
    out.kind = whole ? Comparison::Kind::kInteger : Comparison::Kind::kReal;
    return advance();
  }

  Status read_list(Comparison& out) {
    const Status malformed = invalid_argument(
        "While parsing a list in the query, expected a non-empty list of string values, but got "
        "ill-formed list."
    );
    const Status empty = invalid_argument(
        "While parsing a list in the query, expected a non-empty list of string values, but got "
        "empty list"
    );
    if (token_.text != "(") return malformed;
    do {
      CORTEX_RETURN_IF_ERROR(advance());
      if (token_.text == ")" && out.list.empty()) return empty;
      // A comma may stand behind the last one too.
      if (token_.text == ")" && !out.list.empty()) break;
      const bool text = token_.kind == TokenKind::kText ||
                        (token_.kind == TokenKind::kIdentifier && is_quoted(token_.text));
      if (!text) return malformed;
      if (out.list.size() == kListLimit) {
        return invalid_argument(
            "a list in a filter may hold at most " + std::to_string(kListLimit) + " values"
        );
      }
      out.list.push_back(unquoted(token_.text));
      CORTEX_RETURN_IF_ERROR(advance());
    } while (token_.text == ",");
    if (token_.text != ")") return malformed;
    out.kind = Comparison::Kind::kList;
    return advance();
  }

  Lexer lexer_;
  Token token_;
};

std::string escaped_pattern(std::string_view pattern) {
  std::string out;
  for (const char c : pattern) {
    if (c == '\\') out.push_back(c);
    out.push_back(c);
  }
  return out;
}

}  // namespace

std::string_view comparator_text(Comparator comparator) {
  return kComparatorTexts.at(static_cast<std::size_t>(comparator));
}

Result<std::vector<Comparison>> parse_filter(std::string_view filter) {
  if (filter.size() > kFilterBytesLimit) {
    return invalid_argument(
        "a filter may be at most " + std::to_string(kFilterBytesLimit) + " bytes long"
    );
  }
  return Parser(filter).comparisons();
}

Result<Ordering> parse_ordering(std::string_view clause) {
  if (clause.size() > kFilterBytesLimit) return invalid_argument("an order_by clause is too long");
  return Parser(clause).ordering(clause);
}

std::string add_parameter(std::vector<Value>& parameters, Value value) {
  parameters.push_back(std::move(value));
  return "$" + std::to_string(parameters.size());
}

bool is_text_comparison(const Comparison& comparison) {
  switch (comparison.comparator) {
    case Comparator::kIn:
    case Comparator::kNotIn:
      return comparison.kind == Comparison::Kind::kList;
    case Comparator::kEqual:
    case Comparator::kNotEqual:
    case Comparator::kLike:
    case Comparator::kIlike:
      return comparison.kind == Comparison::Kind::kText;
    default:
      return false;
  }
}

bool is_number_comparison(const Comparison& comparison) {
  return comparison.comparator <= Comparator::kGreaterOrEqual &&
         (comparison.kind == Comparison::Kind::kInteger ||
          comparison.kind == Comparison::Kind::kReal);
}

void append_condition(
    std::string& sql,
    std::vector<Value>& parameters,
    std::string_view column,
    const Comparison& comparison
) {
  CHECK(
      is_text_comparison(comparison) || is_number_comparison(comparison),
      "the room looks at the type of a comparison first"
  );
  const std::string_view op = comparator_text(comparison.comparator);
  if (comparison.kind == Comparison::Kind::kList) {
    sql.append(column).append(" ").append(op).append(" (");
    for (const std::string& value : comparison.list) {
      if (&value != &comparison.list.front()) sql.append(", ");
      sql.append(add_parameter(parameters, value));
    }
    sql.append(")");
  } else if (comparison.comparator == Comparator::kLike) {
    sql.append(column).append(" LIKE ");
    sql.append(add_parameter(parameters, escaped_pattern(comparison.text))).append(" ESCAPE '\\'");
  } else if (comparison.comparator == Comparator::kIlike) {
    sql.append("lower(").append(column).append(") LIKE lower(CAST(");
    sql.append(add_parameter(parameters, escaped_pattern(comparison.text)));
    sql.append(" AS TEXT)) ESCAPE '\\'");
  } else {
    sql.append(column).append(" ").append(op).append(" ");
    const bool text = comparison.kind == Comparison::Kind::kText;
    const bool whole = comparison.kind == Comparison::Kind::kInteger;
    sql.append(add_parameter(
        parameters,
        text    ? Value(comparison.text)
        : whole ? Value(comparison.integer)
                : Value(comparison.real)
    ));
  }
}

}  // namespace cortex::store
