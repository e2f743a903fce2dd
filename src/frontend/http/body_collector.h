// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "frontend/http/body_budget.h"
#include "frontend/http/http_fault.h"
#include "frontend/http/inflater.h"
#include "request/buffer.h"

namespace cortex::frontend {

// Puts one body together in one Buffer, within its limit and the server's budget. A body of known
// size is read straight into its place; any other one grows. Memory is counted as it fills, so a
// client that announces much and sends nothing holds nothing of the budget.
class BodyCollector {
 public:
  struct Plan {
    std::optional<std::size_t> exact;  // bytes to come, when known and not packed
    std::size_t limit = 0;             // of the body, unpacked
    std::size_t skew = 0;              // see Buffer::make
    ContentCoding coding = ContentCoding::kIdentity;
  };

  BodyCollector(std::shared_ptr<BodyBudget> budget, const Plan& plan);

  // For an exact body: where its next bytes belong; empty when it is whole.
  [[nodiscard]] std::span<char> space();
  [[nodiscard]] std::optional<HttpFault> commit(std::size_t bytes);

  // For any body: takes the next bytes as they came. REQUIRES for an exact body: they fit into
  // space().
  [[nodiscard]] std::optional<HttpFault> append(std::string_view bytes);

  // The body, when it is whole. Not to be used afterwards.
  [[nodiscard]] std::optional<HttpFault> finish(std::shared_ptr<const Buffer>& out);

 private:
  [[nodiscard]] std::optional<HttpFault> reserve(std::size_t bytes);
  [[nodiscard]] std::optional<HttpFault> inflate(std::string_view bytes);

  const Plan plan_;
  BudgetShare share_;
  std::unique_ptr<Inflater> inflater_;
  std::shared_ptr<Buffer> buffer_;
  std::size_t used_ = 0;
  std::size_t packed_ = 0;  // bytes taken before unpacking
};

}  // namespace cortex::frontend
