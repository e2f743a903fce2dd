// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <ostream>

#include "cli/detail/context.h"
#include "cli/detail/infer_wire.h"
#include "cli/detail/json.h"
#include "cli/detail/npy.h"
#include "config/loader.h"

namespace cortex::cli::detail {
namespace {

constexpr std::size_t kFileBytesMax = 4ull << 30;
constexpr std::size_t kShownElements = 8;

struct InferFlags {
  std::string model;
  std::vector<std::string> inputs;   // "name=@file.npy"
  std::vector<std::string> outputs;  // "name=@file.npy"
  std::string json_file;
};

struct NamedFile {
  std::string name;
  std::string file;
};

Result<NamedFile> parse_named_file(const std::string& text) {
  const std::size_t at = text.find("=@");
  if (at == 0 || at == std::string::npos || at + 2 == text.size()) {
    return invalid_argument("'" + text + "' is not NAME=@FILE.npy");
  }
  return NamedFile{text.substr(0, at), text.substr(at + 2)};
}

Result<std::string> read_text(const std::string& file) {
  if (file != "-") return config::read_file(file, kFileBytesMax);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

Status infer_json(Context& context, net::HttpClient& client, const InferFlags& flags) {
  CORTEX_ASSIGN_OR_RETURN(const std::string body, read_text(flags.json_file));
  const std::string target = infer_target(flags.model);
  net::HttpCall request;
  request.method = "POST";
  request.target = target;
  request.body = body;
  CORTEX_ASSIGN_OR_RETURN(const auto answer, call_json(client, request));
  context.out << pretty(answer);
  return {};
}

Result<std::vector<TensorValue>> read_inputs(const InferFlags& flags) {
  std::vector<TensorValue> out;
  for (const std::string& text : flags.inputs) {
    CORTEX_ASSIGN_OR_RETURN(const NamedFile named, parse_named_file(text));
    CORTEX_ASSIGN_OR_RETURN(const std::string file, config::read_file(named.file, kFileBytesMax));
    auto tensor = parse_npy(file);
    if (!tensor.ok()) return tensor.status().with_prefix(named.file + ": ");
    tensor->name = named.name;
    out.push_back(std::move(*tensor));
  }
  return out;
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string out;
  for (const std::int64_t dimension : shape)
    out += (out.empty() ? "" : ",") + std::to_string(dimension);
  return "[" + out + "]";
}

Status write_outputs(const InferFlags& flags, const std::vector<TensorValue>& outputs) {
  for (const std::string& text : flags.outputs) {
    CORTEX_ASSIGN_OR_RETURN(const NamedFile named, parse_named_file(text));
    const auto found = std::ranges::find(outputs, named.name, &TensorValue::name);
    if (found == outputs.end()) return not_found("the answer has no output '" + named.name + "'");
    CORTEX_ASSIGN_OR_RETURN(const std::string file, write_npy(*found));
    std::ofstream out(named.file, std::ios::binary);
    out.write(file.data(), static_cast<std::streamsize>(file.size()));
    if (!out.flush()) return failed_precondition("cannot write '" + named.file + "'");
  }
  return {};
}

Status infer_tensors(Context& context, net::HttpClient& client, const InferFlags& flags) {
  CORTEX_ASSIGN_OR_RETURN(const auto inputs, read_inputs(flags));
  const InferBody body = infer_body(inputs);
  const std::string target = infer_target(flags.model);
  CORTEX_ASSIGN_OR_RETURN(const net::HttpAnswer answer, call(client, body.call(target)));
  CORTEX_ASSIGN_OR_RETURN(const auto outputs, infer_outputs(answer));
  for (const TensorValue& output : outputs) {
    context.out << output.name << " " << output.datatype << shape_text(output.shape) << ": "
                << first_values(output, kShownElements) << "\n";
  }
  return write_outputs(flags, outputs);
}

Status infer(Context& context, const ServerFlags& server, const InferFlags& flags) {
  if (flags.json_file.empty() == flags.inputs.empty()) {
    return invalid_argument("infer needs either --input NAME=@FILE.npy or --json FILE");
  }
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(server));
  return flags.json_file.empty() ? infer_tensors(context, client, flags)
                                 : infer_json(context, client, flags);
}

}  // namespace

void add_infer_command(const Command& root) {
  const Command command = root.add("infer", "Run a model on tensors from files.");
  const auto server = add_server_flags(command);
  auto flags = std::make_shared<InferFlags>();
  command.option("model", flags->model, "The model; NAME@3 is version 3").required().type("NAME");
  command.option("--input", flags->inputs, "A tensor from a NumPy file. Can be repeated.")
      .one_value_a_time()
      .type("NAME=@FILE.npy");
  command.option("--output", flags->outputs, "Write an output to a NumPy file. Can be repeated.")
      .one_value_a_time()
      .type("NAME=@FILE.npy");
  command
      .option(
          "--json",
          flags->json_file,
          "A whole request in JSON, as the protocol has it; - is standard input"
      )
      .type("FILE");
  command.does([&context = root.context(), server, flags] {
    return infer(context, *server, *flags);
  });
}

}  // namespace cortex::cli::detail
