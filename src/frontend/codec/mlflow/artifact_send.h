// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "frontend/codec/mlflow/transfer_pool.h"
#include "frontend/http/exchange.h"
#include "store/artifact_store.h"

namespace cortex::frontend::mlflow {

// Answers a GET or HEAD with a blob under the name of `path`, or with the part of it that the
// request asks for, within two windows of memory whatever its size. Any thread.
void send_artifact(
    TransferPool::PlacePtr place,
    const std::shared_ptr<Exchange>& exchange,
    store::ArtifactStore& artifacts,
    const store::Blob& blob,
    const std::string& path
);

}  // namespace cortex::frontend::mlflow
