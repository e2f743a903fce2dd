// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "config/settings.h"

namespace cortex::cli {

// How every command ends; scripts rely on these.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,      // what was asked for failed: the server said no, a file is broken
  kUsage = 2,        // the command line or the configuration is wrong
  kUnreachable = 3,  // no server answers at the URL
};

// One input of a model with content, for the engine and for the wire.
struct TensorValue {
  std::string name;
  std::string datatype;  // as in the Open Inference Protocol: "FP32"
  std::vector<std::int64_t> shape;
  std::string bytes;  // little-endian, row-major
};

// The engine without a server around it: what `bench --vs-engine` compares with. Thread-safe.
class RawEngine {
 public:
  virtual ~RawEngine() = default;
  // One run over the inputs at `index` of those it was opened with.
  [[nodiscard]] virtual Status run(std::size_t index) = 0;
};

struct RawEngineOptions {
  std::string model_file;
  std::string library;      // of the engine; empty: found as the server finds it
  std::size_t threads = 1;  // of one run
  std::vector<std::vector<TensorValue>> inputs;
};

// What a server asks of the process that tries a version for it.
struct ProbeOrder {
  std::string repository;  // the folder that holds the model's folder
  bool stored = false;     // it was made from the store
  std::string model;
  std::size_t version = 0;
  bool has_override = false;  // a load request's configuration comes on standard input
  std::string onnx_library;
  std::size_t cores = 1;
  std::size_t cpu_seconds = 0;  // 0: no limit
  std::size_t parent = 0;       // the process that asks; 0: nobody
};

// `sign`: files of a model to a signature.
struct SignRequest {
  std::string model;  // a folder, or a file
  std::string key;    // PEM file
  std::string out;    // empty: model.sig in the folder, <file>.sig beside the file
  std::vector<std::string> certificates;  // PEM files, the key's own first
  std::vector<std::string> ignored;       // paths inside of the folder
};
// `verify`: a signature against the files of a model.
struct VerifyRequest {
  std::string model;
  std::string signature;          // empty: where `sign` puts it
  std::vector<std::string> keys;  // PEM files with public keys or certificates
  std::vector<std::string> ignored;
  bool ignore_unsigned = false;
};

// What the commands need from the rest of the program. Given by app, so that this room knows no
// engine and no server.
struct Hooks {
  // Serves until it is told to stop; the exit code of the program.
  std::function<int(const config::Settings&)> serve;
  std::function<Result<std::unique_ptr<RawEngine>>(RawEngineOptions)> open_raw_engine;
  // A model folder as JSON: its configuration completed, its versions. For `models inspect DIR`.
  std::function<Result<std::string>(const std::string& folder)> inspect_folder;
  // The process that tries a version. For the hidden command `probe-model`.
  std::function<int(const ProbeOrder&)> probe_model;
  // Makes a data folder of a backup and says what it found; kFailedPrecondition: the folder is in
  // use, or holds a database. Blocks.
  std::function<Result<std::string>(const std::string& file, const std::string& data)> restore;
  // What was done, to show. Blocks while all files are read.
  std::function<Result<std::string>(const SignRequest&)> sign_model;
  std::function<Result<std::string>(const VerifyRequest&)> verify_model;
  // "onnx 1.31.1 (/path)" and so on, one per line, for `version`.
  std::function<std::string()> engine_versions;
};

// Parses the command line, runs the command and gives the exit code. Writes results to `out`,
// everything else to `err`.
[[nodiscard]] int run(
    int argc, const char* const* argv, const Hooks& hooks, std::ostream& out, std::ostream& err
);

// The --help of every command, one behind the other: what the golden test compares.
[[nodiscard]] std::string all_help_texts();

}  // namespace cortex::cli
