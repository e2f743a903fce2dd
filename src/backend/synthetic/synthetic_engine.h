// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "backend/tensor_backend.h"
#include "base/clock.h"

namespace cortex::backend {

struct SyntheticOptions {
  // Lets a load or a run take time. Empty: the thread waits. A simulation moves its clock instead.
  std::function<void(Duration)> wait;
  // Lets load_crash bring the process down. For one that is made to be brought down alone.
  bool may_crash = false;
};

// An engine for tests: what a model answers, how long it takes and when it fails are written down.
// No file of weights.
//
// A model is the text file model.synthetic of its version folder, `key: value` on each line and #
// before remarks, or the parameters of its configuration, which win. Both may be empty. The keys:
//   result           identity (default): OUTPUTi is INPUTi · sum: OUTPUT0 adds up all inputs ·
//   constant: every output
//                    is full of `value` · shape: OUTPUT0 INT64 [-1,rank], each row the shape that
//                    INPUT0 had in this run, so that a test sees batches and padding · text:
//                    input_ids, attention_mask INT64 [-1,-1] -> last_hidden_state FP32
//                    [-1,-1,width], a function of token and position alone; far off under a mask of
//                    0 · pair: those and token_type_ids -> logits FP32 [-1,1], how many tokens of
//                    type 1 stand among those of type 0, too
//   inputs, outputs  "INPUT0 FP32 [-1,16]; INPUT1 BOOL [-1]"; outputs with `constant` alone, all
//   others follow value            number or text, 0 width            8 token_types      true:
//   `text` takes token_type_ids too delay_us, delay_per_row_us   of a run; rows are INPUT0's first
//   dimension fail_every, fail_at          every n-th run fails; the n-th run fails (counted from 1
//   over all threads) fail_code        internal (default), invalid_argument, unavailable,
//   resource_exhausted fail_on          a run fails with kInvalidArgument when an FP32 or INT64
//   input holds this number load_delay_ms    load_fails (the reason) batch_changes_answers true:
//   the signature says so
//   load_crash       abort, segfault, exit, hang, leak: what loading it does to the process on
//   probation; fails to load elsewhere
// Thread-safe.
class SyntheticEngine final : public TensorEngine {
 public:
  explicit SyntheticEngine(SyntheticOptions options = {});

  [[nodiscard]] std::string_view name() const override { return "synthetic"; }
  [[nodiscard]] std::string_view platform() const override { return "synthetic"; }
  [[nodiscard]] std::string version() const override { return "1"; }
  [[nodiscard]] std::string_view default_filename() const override { return "model.synthetic"; }
  // True where the model says load_crash.
  [[nodiscard]] static bool may_crash(const TensorBackendOptions& options);
  // kInvalidArgument names a key or value that is none; kFailedPrecondition with load_fails.
  [[nodiscard]] Result<std::unique_ptr<TensorBackend>> load(const TensorBackendOptions& options
  ) override;

 private:
  std::function<void(Duration)> wait_;
  const bool may_crash_;
};

}  // namespace cortex::backend
