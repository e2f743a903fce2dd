// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/detail/context.h"

namespace cortex::cli::detail {
namespace {

Status show(Context& context, const Result<std::string>& done) {
  if (done.ok()) context.out << *done << "\n";
  return done.status();
}

void add_ignored(const Command& command, std::vector<std::string>& into) {
  command
      .option(
          "--ignore", into, "A path inside the folder that needs no signature. Can be repeated."
      )
      .one_value_a_time()
      .type("PATH");
}

}  // namespace

void add_sign_command(const Command& root) {
  const Command command = root.add("sign", "Sign a model's files (OpenSSF Model Signing, ECDSA).");
  auto request = std::make_shared<SignRequest>();
  command.option("model", request->model, "The model's folder, or its one file")
      .required()
      .type("PATH");
  command.option("--key", request->key, "The private key, as PEM").required().type("FILE");
  command
      .option(
          "--out",
          request->out,
          "Where the signature goes; without it model.sig in the folder, or PATH.sig"
      )
      .type("FILE");
  command
      .option(
          "--certificate",
          request->certificates,
          "The key's certificate, then those that lead to a root, as PEM. Can be repeated."
      )
      .one_value_a_time()
      .type("FILE");
  add_ignored(command, request->ignored);
  command.does([&context = root.context(), request] {
    return show(context, context.hooks.sign_model(*request));
  });
}

void add_verify_command(const Command& root) {
  const Command command = root.add("verify", "Check a model's files against their signature.");
  auto request = std::make_shared<VerifyRequest>();
  command.option("model", request->model, "The model's folder, or its one file")
      .required()
      .type("PATH");
  command
      .option(
          "--signature",
          request->signature,
          "The signature; without it model.sig in the folder, or PATH.sig"
      )
      .type("FILE");
  command
      .option(
          "--key",
          request->keys,
          "Whose signature counts: public keys or certificates, as PEM. Can be repeated."
      )
      .required()
      .one_value_a_time()
      .type("FILE");
  add_ignored(command, request->ignored);
  command.flag(
      "--ignore-unsigned",
      request->ignore_unsigned,
      "Files that were not there when the model was signed do not matter"
  );
  command.does([&context = root.context(), request] {
    return show(context, context.hooks.verify_model(*request));
  });
}

}  // namespace cortex::cli::detail
