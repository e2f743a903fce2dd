// SPDX-License-Identifier: Apache-2.0
#include "router/stages/resolve.h"

namespace cortex::router {

Verdict Resolve::enter(const std::shared_ptr<Passage>& passage) const {
  const ModelReference& model = passage->request()->model;
  Result<registry::Handle> handle = resolver_(model);
  if (!handle.ok()) {
    passage->stream()->finish(handle.status());
    return Verdict::kFinished;
  }
  passage->choose(std::move(handle).value());
  return Verdict::kContinue;
}

}  // namespace cortex::router
