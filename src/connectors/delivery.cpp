// SPDX-License-Identifier: Apache-2.0
#include "connectors/delivery.h"

#include <algorithm>
#include <array>
#include <span>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "base/base64.h"
#include "base/check.h"
#include "base/json_text.h"
#include "connectors/webhook_url.h"

namespace cortex::connectors {
namespace {

using std::chrono::milliseconds;

bool may_try_again(const AttemptResult& result) {
  if (result.final_fault) return false;
  return result.response_status == 0 || result.response_status == 429 ||
         result.response_status >= 500;
}

milliseconds wait_before_next(
    const RetryOptions& options, const AttemptResult& result, int attempts, double chance
) {
  milliseconds wait = options.first_wait;
  for (int i = 1; i < attempts && wait < options.wait_max; ++i) wait *= 2;
  const auto jitter =
      static_cast<milliseconds::rep>(static_cast<double>(wait.count()) / 2 * chance);
  return std::min(options.wait_max, std::max(wait + milliseconds(jitter), result.retry_after));
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string signature_of(std::string_view secret, std::string_view content) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned length = 0;
  const unsigned char* made = HMAC(
      EVP_sha256(),
      secret.data(),
      static_cast<int>(secret.size()),
      bytes_of(content),
      content.size(),
      raw.data(),
      &length
  );
  CHECK(made != nullptr, "HMAC-SHA256 is always there");
  std::string out = "v1,";
  append_base64(out, std::as_bytes(std::span(raw).first(length)));
  return out;
}

}  // namespace

std::string_view delivery_status_name(DeliveryStatus status) {
  constexpr std::array<std::string_view, 3> kNames = {"pending", "delivered", "failed"};
  return kNames[static_cast<std::size_t>(status)];
}

AfterAttempt after_attempt(
    const RetryOptions& options, const AttemptResult& result, int attempts, double chance
) {
  if (result.response_status >= 200 && result.response_status < 300) {
    return {DeliveryStatus::kDelivered, milliseconds(0)};
  }
  if (attempts >= options.attempts_max || !may_try_again(result)) {
    return {DeliveryStatus::kFailed, milliseconds(0)};
  }
  return {DeliveryStatus::kPending, wait_before_next(options, result, attempts, chance)};
}

std::string delivery_id(std::string_view webhook_id, std::int64_t seq) {
  const std::string text = std::string(webhook_id) + ":" + std::to_string(seq);
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned length = 0;
  const int made = EVP_Digest(text.data(), text.size(), raw.data(), &length, EVP_sha256(), nullptr);
  CHECK(made == 1 && length >= 16, "SHA-256 is always there");
  raw[6] = static_cast<unsigned char>((raw[6] & 0x0F) | 0x80);
  raw[8] = static_cast<unsigned char>((raw[8] & 0x3F) | 0x80);
  return uuid_text(std::span(raw).first<16>());
}

std::vector<std::pair<std::string, std::string>> delivery_headers(
    std::string_view id, std::int64_t timestamp, std::string_view secret, std::string_view body
) {
  const std::string time = std::to_string(timestamp);
  std::vector<std::pair<std::string, std::string>> out{
      {"X-MLflow-Delivery-Id", std::string(id)}, {"X-MLflow-Timestamp", time}
  };
  if (secret.empty()) return out;
  std::string content(id);
  content.append(".").append(time).append(".").append(body);
  out.emplace_back("X-MLflow-Signature", signature_of(secret, content));
  return out;
}

std::string response_head(std::string_view body) {
  std::string out(body.substr(0, kResponseHeadBytes));
  std::replace_if(
      out.begin(),
      out.end(),
      [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t'; },
      ' '
  );
  // The cut may have split a character; what is no text at all is left out.
  for (int i = 0; i < 4 && !is_utf8(out) && !out.empty(); ++i) out.pop_back();
  return is_utf8(out) ? out : std::string();
}

}  // namespace cortex::connectors
