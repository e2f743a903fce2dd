// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "request/model_reference.h"
#include "request/response_stream.h"
#include "router/stage.h"

namespace cortex::router {

struct FallBackOptions {
  // A lease on what to try after version `failed`. Empty: no other attempts. Thread-safe, never
  // blocks.
  std::function<Result<registry::Handle>(const ModelReference&, const std::string& failed)>
      previous;
  // Called before every other attempt; may be empty. Thread-safe, quick.
  std::function<void(const ModelIdentity& failed, const ModelIdentity& next)> on_fall_back;
};

// Gives a request another attempt, one, on the previous version when the run on the chosen one
// fails (kInternal, kUnavailable) before the first part of its answer. A request that names a
// version means that one and gets none; so does one with an adapter, and one that does not fit the
// other version. The
// request stays what it was; the answer names the version that gave it.
class FallBack final : public Stage {
 public:
  // The clock outlives the stage.
  FallBack(const Clock& clock, FallBackOptions options)
      : clock_(clock), options_(std::move(options)) {}

  [[nodiscard]] std::string_view name() const override { return "fall_back"; }
  [[nodiscard]] Verdict enter(const std::shared_ptr<Passage>& passage) const override;

 private:
  [[nodiscard]] bool try_again(Passage& passage, const Status& status) const;

  const Clock& clock_;
  const FallBackOptions options_;
};

}  // namespace cortex::router
