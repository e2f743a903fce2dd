// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "config/settings.h"
#include "request/request_record.h"

namespace cortex::app {

// One line per request, with its id. For all requests this costs several microseconds each, so that
// by default only the failed ones are written. Thread-safe.
class AccessLog final : public RecordSink {
 public:
  explicit AccessLog(config::AccessLog what) : what_(what) {}
  void record(const RequestRecord& record) override;

 private:
  const config::AccessLog what_;
};

// Hands every record to several sinks, which outlive it. Thread-safe as they are.
class RecordFan final : public RecordSink {
 public:
  explicit RecordFan(std::vector<RecordSink*> sinks) : sinks_(std::move(sinks)) {}
  void record(const RequestRecord& record) override {
    for (RecordSink* sink : sinks_) sink->record(record);
  }

 private:
  const std::vector<RecordSink*> sinks_;
};

}  // namespace cortex::app
