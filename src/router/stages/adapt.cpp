// SPDX-License-Identifier: Apache-2.0
#include "router/stages/adapt.h"

#include <memory>
#include <utility>

#include "request/adapter_choice.h"

namespace cortex::router {

Verdict Adapt::enter(const std::shared_ptr<Passage>& passage) const {
  const ModelReference& model = passage->request()->model;
  const std::string& base = passage->handle()->identity.name;
  // Under another name than the version's own only an adapter leads to it.
  if (model.adapter.empty() && model.name == base) return Verdict::kContinue;
  lend_(
      model,
      passage->handle(),
      passage->request()->deadline,
      [passage](Result<registry::AdapterLease> lease) {
        if (!lease.ok()) return passage->stream()->finish(lease.status());
        auto adapted = std::make_shared<Request>(*passage->request());
        adapted->model.name = passage->handle()->identity.name;
        adapted->model.adapter = lease->identity;
        set_adapter_scale(adapted->parameters, lease->scale);
        passage->exchange(std::move(adapted), std::move(lease->hold));
        passage->resume();
      }
  );
  return Verdict::kSuspend;
}

}  // namespace cortex::router
