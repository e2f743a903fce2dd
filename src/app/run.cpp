// SPDX-License-Identifier: Apache-2.0
#include "app/run.h"

#include <iostream>

#include "app/inspect_folder.h"
#include "app/probe_model.h"
#include "app/raw_engine.h"
#include "app/restore.h"
#include "app/serve.h"
#include "app/sign_model.h"
#include "backend/llama/llama_engine.h"
#include "backend/onnx/onnx_engine.h"
#include "cli/command_line.h"

namespace cortex::app {
namespace {

std::string onnx_version() {
  const backend::OnnxEngine onnx;
  if (!onnx.status().ok()) return "onnxruntime: " + onnx.status().text() + "\n";
  return "onnxruntime " + onnx.version() + " (" + onnx.library() + ")\n";
}

std::string llama_version() {
  backend::LlamaEngine llama;
  const Status status = llama.open();
  if (!status.ok()) return "libllama: " + status.text() + "\n";
  std::string out = "libllama " + llama.version() + " (" + llama.library() + ")\n";
  for (const auto& device : llama.devices()) {
    out += "  " + device.name + ": " + device.description + ", " + std::string(device.kind) + "\n";
  }
  for (const auto& library : llama.unused_device_libraries())
    out += "  not used: " + library + "\n";
  return out;
}

std::string engine_versions() { return onnx_version() + llama_version(); }

}  // namespace

int run(int argc, const char* const* argv) {
  const cli::Hooks hooks{
      .serve = serve,
      .open_raw_engine = open_raw_engine,
      .inspect_folder = inspect_folder,
      .probe_model = probe_model,
      .restore = restore,
      .sign_model = sign_model,
      .verify_model = verify_model,
      .engine_versions = engine_versions,
  };
  return cli::run(argc, argv, hooks, std::cout, std::cerr);
}

}  // namespace cortex::app
