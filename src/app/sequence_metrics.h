// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "metrics/exposition.h"
#include "request/response_stream.h"
#include "scheduler/sequence_probe.h"

namespace cortex::app {

struct SequenceReading {
  ModelIdentity model;
  scheduler::SequenceCounts counts;
};

// What the lanes of language models counted: under vLLM's names, labels and all, so that dashboards
// and gateways made for it work, and under ours what it has no name for.
void write_sequence_metrics(metrics::Exposition& out, std::span<const SequenceReading> readings);

}  // namespace cortex::app
