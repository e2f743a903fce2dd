// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>

#include "frontend/codec/mlflow/transfer_pool.h"
#include "frontend/http/exchange.h"
#include "store/artifact_store.h"

namespace cortex::frontend::mlflow {

// Called on a thread of the pool's once the body is a blob, durable and whole: answers the
// exchange.
using Received = std::function<void(const std::shared_ptr<Exchange>&, store::Blob)>;

// Streams the body of a kStreamed route into the store, within two windows of memory whatever its
// size. What goes wrong is answered here. Of a client that leaves before the end of the body
// nothing stays. Thread: the connection's.
void receive_artifact(
    TransferPool::PlacePtr place,
    const std::shared_ptr<Exchange>& exchange,
    store::ArtifactStore& artifacts,
    Received received
);

}  // namespace cortex::frontend::mlflow
