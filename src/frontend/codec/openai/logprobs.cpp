// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/openai/logprobs.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <vector>

#include "base/json_text.h"

namespace cortex::frontend::openai {
namespace {

// What OpenAI writes for what cannot be.
constexpr float kLeast = -9999;

void append_logprob(std::string& out, float logprob) {
  append_json_number(out, std::isfinite(logprob) ? std::max(logprob, kLeast) : kLeast);
}

void append_bytes(std::string& out, std::string_view bytes) {
  out.push_back('[');
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i > 0) out.push_back(',');
    out.append(std::to_string(static_cast<unsigned char>(bytes[i])));
  }
  out.push_back(']');
}

void append_chat_token(std::string& out, std::string_view bytes, float logprob) {
  out.append(R"({"token":)");
  append_json_string(out, bytes);
  out.append(R"(,"logprob":)");
  append_logprob(out, logprob);
  out.append(R"(,"bytes":)");
  append_bytes(out, bytes);
}

// A piece of a character as OpenAI's completions show it: "bytes:\xe2\x82".
std::string shown_token(std::string_view bytes) {
  if (is_utf8(bytes)) return std::string(bytes);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "bytes:";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out.append("\\x");
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

// Two tokens of one text would be one name twice; the likelier stays.
class TopNames {
 public:
  void append(std::string& out, std::string_view bytes, float logprob) {
    std::string name = shown_token(bytes);
    if (std::find(names_.begin(), names_.end(), name) != names_.end()) return;
    if (!names_.empty()) out.push_back(',');
    append_json_string(out, name);
    out.push_back(':');
    append_logprob(out, logprob);
    names_.push_back(std::move(name));
  }

 private:
  std::vector<std::string> names_;
};

// The drawn token is always among them.
void append_top(std::string& out, const TokenText& token) {
  if (std::isnan(token.logprob)) {
    out.append("null");
    return;
  }
  out.push_back('{');
  TopNames names;
  for (const auto& other : token.top) names.append(out, other.bytes, other.logprob);
  names.append(out, token.bytes, token.logprob);
  out.push_back('}');
}

// Calls `append(token)` for each, with commas between them and `name` before the list.
template <typename Append>
void append_list(
    std::string& out, std::string_view name, std::span<const TokenText> tokens, Append&& append
) {
  out.append(name);
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (i > 0) out.push_back(',');
    append(tokens[i]);
  }
  out.push_back(']');
}

// Characters that begin in it.
std::size_t characters(std::string_view bytes) {
  return static_cast<std::size_t>(std::count_if(bytes.begin(), bytes.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

}  // namespace

void append_token_list(std::string& out, std::span<const TokenText> tokens) {
  append_list(out, "[", tokens, [&](const TokenText& token) {
    append_chat_token(out, token.bytes, token.logprob);
    out.append(R"(,"top_logprobs":[)");
    for (std::size_t i = 0; i < token.top.size(); ++i) {
      if (i > 0) out.push_back(',');
      append_chat_token(out, token.top[i].bytes, token.top[i].logprob);
      out.push_back('}');
    }
    out.append("]}");
  });
}

void append_chat_logprobs(std::string& out, std::span<const TokenText> tokens) {
  out.append(R"({"content":)");
  append_token_list(out, tokens);
  out.append(R"(,"refusal":null})");
}

void append_completion_logprobs(
    std::string& out, std::span<const TokenText> tokens, std::size_t& offset
) {
  append_list(out, R"({"tokens":[)", tokens, [&](const TokenText& token) {
    append_json_string(out, shown_token(token.bytes));
  });
  append_list(out, R"(,"token_logprobs":[)", tokens, [&](const TokenText& token) {
    if (std::isnan(token.logprob)) {
      out.append("null");
    } else {
      append_logprob(out, token.logprob);
    }
  });
  append_list(out, R"(,"top_logprobs":[)", tokens, [&](const TokenText& token) {
    append_top(out, token);
  });
  append_list(out, R"(,"text_offset":[)", tokens, [&](const TokenText& token) {
    out.append(std::to_string(offset));
    offset += characters(token.bytes);
  });
  out.push_back('}');
}

}  // namespace cortex::frontend::openai
