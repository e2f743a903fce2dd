// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "app/lane_directory.h"
#include "backend/sequence_backend.h"
#include "backend/tensor_backend.h"
#include "base/clock.h"
#include "base/core_budget.h"
#include "base/thread_pool.h"
#include "registry/registry.h"

namespace cortex::app {

// Engines by the name that model configurations use. Thread-safe.
using Engines = std::map<std::string, std::shared_ptr<backend::TensorEngine>, std::less<>>;
using SequenceEngines =
    std::map<std::string, std::shared_ptr<backend::SequenceEngine>, std::less<>>;

// Everything that loading needs; the references outlive the loader and every model it loaded.
struct LoaderParts {
  const Engines& engines;
  const CoreBudget& cores;
  LaneDirectory& lanes;
  ThreadPool& cpu;
  const Clock& clock;
  std::size_t queue_requests = 512;  // where a model's configuration says nothing
  // A model without a warm-up of its own is run once, whatever comes of it: on probation a run may
  // crash, and takes memory.
  bool run_once = false;
  const SequenceEngines* sequences = nullptr;  // null: there are no language models
  std::filesystem::path prefixes{};  // computed prefixes of language models; empty: none on disk
};

// Turns a version folder into a servable: engine, lane, tokeniser or template, warm-up. The
// configuration that comes back is the one in force: file, instances and threads included. A
// declared warm-up that fails fails the load. Thread-safe; runs on loader threads.
[[nodiscard]] registry::Loader make_loader(LoaderParts parts);

}  // namespace cortex::app
