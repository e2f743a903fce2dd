// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "frontend/http/body_budget.h"
#include "frontend/http/http_fault.h"
#include "frontend/http/inflater.h"

namespace cortex::frontend {

// Hands one body on in parts, within its limit. It never holds more than one part, so it takes a
// fixed share of the server's budget, whatever the body's size.
class BodyStream {
 public:
  // `limit`: of the whole body, unpacked and packed.
  BodyStream(std::shared_ptr<BodyBudget> budget, std::size_t limit, ContentCoding coding);

  // Takes its share for a body of `bytes`, or of unknown size. Once, before anything else.
  [[nodiscard]] std::optional<HttpFault> open(std::optional<std::uint64_t> bytes);
  // Cuts what it used from `input`. `part` is what that unpacks to, perhaps nothing; it stays valid
  // up to the next call and as long as `input`.
  [[nodiscard]] std::optional<HttpFault> next(std::string_view& input, std::string_view& part);
  // True when there may be more parts without more input.
  [[nodiscard]] bool holds_back() const { return holds_back_; }
  // What is wrong with a body that ends here.
  [[nodiscard]] std::optional<HttpFault> finish() const;

 private:
  [[nodiscard]] std::optional<HttpFault> unpack(std::string_view& input, std::string_view& part);

  const std::size_t limit_;
  BudgetShare share_;
  std::unique_ptr<Inflater> inflater_;
  std::vector<std::byte> block_;  // of unpacked bytes
  std::size_t used_ = 0;
  std::size_t packed_ = 0;
  bool holds_back_ = false;
};

}  // namespace cortex::frontend
