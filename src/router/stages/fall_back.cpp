// SPDX-License-Identifier: Apache-2.0
#include "router/stages/fall_back.h"

#include <utility>

#include "router/stages/fit.h"

namespace cortex::router {

Verdict FallBack::enter(const std::shared_ptr<Passage>& passage) const {
  const ModelReference& model = passage->request()->model;
  // What an adapter makes of one version says nothing of another.
  if (!model.version.empty() || !model.adapter.empty()) return Verdict::kContinue;
  passage->stream()->on_failure([this, passage](const Status& status) {
    return try_again(*passage, status);
  });
  return Verdict::kContinue;
}

bool FallBack::try_again(Passage& passage, const Status& status) const {
  if (status.code() != Code::kInternal && status.code() != Code::kUnavailable) return false;
  const Request& request = *passage.request();
  if (passage.stream()->cancelled() || clock_.now() >= request.deadline) return false;
  const ModelIdentity failed = passage.handle()->identity;
  auto previous = options_.previous(request.model, failed.version);
  if (!previous.ok() || !fits(**previous, request).ok()) return false;
  if (options_.on_fall_back) options_.on_fall_back(failed, (*previous)->identity);
  passage.choose(*previous);
  (*previous)->servable->submit(passage.request(), passage.stream());
  return true;
}

}  // namespace cortex::router
