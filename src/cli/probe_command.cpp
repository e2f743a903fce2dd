// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include "cli/detail/command.h"
#include "cli/detail/context.h"

namespace cortex::cli::detail {

// Not for people: a server runs it, and only that server knows what to do with what it says.
void add_probe_command(const Command& root) {
  const Command command = root.add_hidden("probe-model", "Try a model version for a server.");
  auto order = std::make_shared<ProbeOrder>();
  command.option("--repository", order->repository, "").required();
  command.flag("--stored", order->stored, "");
  command.option("--model", order->model, "").required();
  command.option("--number", order->version, "").required();
  command.flag("--override", order->has_override, "");
  command.option("--onnx-library", order->onnx_library, "");
  command.option("--cores", order->cores, "");
  command.option("--cpu-seconds", order->cpu_seconds, "");
  command.option("--parent", order->parent, "");
  command.does([&context = root.context(), order] {
    context.exit_code =
        context.hooks.probe_model ? context.hooks.probe_model(*order) : int{kFailure};
    return Status();
  });
}

}  // namespace cortex::cli::detail
