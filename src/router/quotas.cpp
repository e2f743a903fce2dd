// SPDX-License-Identifier: Apache-2.0
#include "router/quotas.h"

#include <algorithm>
#include <chrono>
#include <utility>
#include <variant>

namespace cortex::router {
namespace {

constexpr std::uint64_t kBytesOfToken = 4;
// Reserved for an answer whose client names no bound.
constexpr std::uint64_t kAnswerTokens = 512;
// A place may come free at any time.
constexpr std::chrono::milliseconds kPlaceRetry{1000};

std::uint64_t tokens_of(std::size_t bytes) { return (bytes + kBytesOfToken - 1) / kBytesOfToken; }

std::uint64_t size_of(const Conversation& conversation) {
  std::size_t bytes = conversation.template_arguments.size();
  for (const Message& message : conversation.messages) {
    bytes += message.content.size() + message.reasoning.size() + message.name.size();
    for (const ToolCall& call : message.tool_calls)
      bytes += call.name.size() + call.arguments.size();
  }
  for (const Tool& tool : conversation.tools) {
    bytes += tool.name.size() + tool.description.size() + tool.parameters.size();
  }
  return tokens_of(bytes);
}

std::uint64_t size_of(const Prompt& prompt) {
  return prompt.tokens.empty() ? tokens_of(prompt.text.size()) : prompt.tokens.size();
}

std::uint64_t answer_of(std::uint64_t tokens_max, std::uint64_t sequences) {
  const std::uint64_t each = tokens_max == 0 ? kAnswerTokens : std::min(tokens_max, kQuotaMax);
  return each * std::clamp<std::uint64_t>(sequences, 1, kQuotaMax);
}

void add_input(const GenerationInput& input, QuotaAsk& out) {
  out.tokens_in = std::visit([](const auto& prompt) { return size_of(prompt); }, input.prompt);
  out.tokens_out = answer_of(input.tokens_max, std::max(input.sequences, input.best_of));
}

void add_input(const EmbeddingInput& input, QuotaAsk& out) {
  for (const std::string& text : input.texts) out.tokens_in += tokens_of(text.size());
  for (const auto& tokens : input.tokens) out.tokens_in += tokens.size();
}

// Each document is read, and where the model compares pairs, the query once more with each.
void add_input(const RerankInput& input, QuotaAsk& out) {
  const std::uint64_t query = tokens_of(input.query.size());
  for (const std::string& text : input.documents) out.tokens_in += query + tokens_of(text.size());
}

void add_input(const SequenceInput& input, QuotaAsk& out) {
  out.tokens_in = input.prompt.size();
  out.tokens_out = answer_of(input.tokens_max, input.sequences);
}

template <typename Other>
void add_input(const Other&, QuotaAsk&) {}

QuotaLimits limits_of(const config::KeyLimits& own, const QuotaLimits& defaults) {
  return {
      own.requests_per_minute.value_or(defaults.requests_per_minute),
      own.tokens_per_minute.value_or(defaults.tokens_per_minute),
      own.concurrent_requests.value_or(defaults.concurrent_requests)
  };
}

// "on tokens per min (TPM): Limit 100, Used 90, Requested 20." as clients of OpenAI's know it.
std::string account_of(const QuotaRefusal& refusal) {
  std::string out;
  switch (refusal.kind) {
    case QuotaKind::kRequests:
      out = "on requests per min (RPM)";
      break;
    case QuotaKind::kTokens:
    case QuotaKind::kTooLarge:
      out = "on tokens per min (TPM)";
      break;
    case QuotaKind::kConcurrency:
      out = "on concurrent requests";
      break;
    case QuotaKind::kPrincipals:
      out = "on principals at a time";
      break;
  }
  out.append(": Limit ").append(std::to_string(refusal.limit));
  out.append(", Used ").append(std::to_string(refusal.used));
  return out.append(", Requested ").append(std::to_string(refusal.asked)).append(".");
}

std::string_view reason_of(QuotaKind kind) {
  if (kind == QuotaKind::kTokens || kind == QuotaKind::kTooLarge) return kTokensReason;
  return kind == QuotaKind::kRequests ? kRequestsReason : kConcurrencyReason;
}

}  // namespace

Quotas::Quotas(const QuotaLimits& defaults, const std::vector<config::KeyEntry>& keys, bool open)
    : defaults_(defaults), open_(open) {
  for (const config::KeyEntry& key : keys) {
    by_key_.emplace(key.name, limits_of(key.limits, defaults));
  }
}

bool Quotas::none() const {
  return defaults_.none() && std::all_of(by_key_.begin(), by_key_.end(), [](const auto& entry) {
           return entry.second.none();
         });
}

const QuotaLimits& Quotas::of(const Principal& principal) const {
  if (principal.key.empty()) return open_ ? defaults_ : nobody_;
  const auto found = by_key_.find(principal.key);
  return found == by_key_.end() ? defaults_ : found->second;
}

QuotaAsk estimate(const Request& request, const QuotaLimits& limits) {
  QuotaAsk out;
  out.principal = request.principal.key;
  out.limits = limits;
  std::visit([&out](const auto& input) { add_input(input, out); }, request.input);
  return out;
}

Status refusal_status(const QuotaRefusal& refusal, std::string_view principal) {
  const bool too_large = refusal.kind == QuotaKind::kTooLarge;
  std::string text(too_large ? "Request too large" : "Rate limit reached");
  if (!principal.empty()) text.append(" for '").append(principal).append("'");
  text.append(" ").append(account_of(refusal));
  const auto millis = std::chrono::ceil<std::chrono::milliseconds>(refusal.wait);
  const auto wait = millis.count() > 0 ? millis : kPlaceRetry;
  if (too_large) {
    text.append(" The input must be reduced.");
  } else {
    text.append(" Please try again in ").append(std::to_string(wait.count())).append("ms.");
  }
  Status out =
      resource_exhausted(std::move(text)).with_reason(std::string(reason_of(refusal.kind)));
  return too_large ? out : out.with_retry_after(wait);
}

std::string_view kind_name(QuotaKind kind) {
  switch (kind) {
    case QuotaKind::kRequests:
      return kRequestsReason;
    case QuotaKind::kTokens:
      return kTokensReason;
    case QuotaKind::kConcurrency:
      return kConcurrencyReason;
    case QuotaKind::kTooLarge:
      return "request_tokens";
    case QuotaKind::kPrincipals:
      break;
  }
  return "principals";
}

}  // namespace cortex::router
