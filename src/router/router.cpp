// SPDX-License-Identifier: Apache-2.0
#include "router/router.h"

#include <utility>

namespace cortex::router {

Router::Router(Stages stages) : stages_(std::move(stages)) {
  CHECK(!stages_.empty(), "a router without stages answers nothing");
}

void Router::route(std::shared_ptr<const Request> request, std::shared_ptr<ResponseStream> stream)
    const {
  std::make_shared<Passage>(stages_, std::move(request), std::move(stream))->resume();
}

}  // namespace cortex::router
