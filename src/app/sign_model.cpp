// SPDX-License-Identifier: Apache-2.0
#include "app/sign_model.h"

#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include "config/loader.h"
#include "registry/signing/signed_folder.h"
#include "registry/signing/signing_keys.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

fs::path signature_of(const std::string& model, const std::string& asked) {
  if (!asked.empty()) return asked;
  std::error_code error;
  if (fs::is_directory(model, error)) return fs::path(model) / registry::kSignatureFile;
  return model + ".sig";
}

// Beside its place first: a signature is there as a whole or not at all.
Status write_signature(const fs::path& file, const std::string& text) {
  const fs::path beside = file.string() + ".part";
  {
    std::ofstream out(beside, std::ios::binary);
    out << text;
    out.close();
    if (!out) return failed_precondition("'" + file.string() + "' cannot be written");
  }
  std::error_code error;
  fs::rename(beside, file, error);
  return error ? failed_precondition("'" + file.string() + "' cannot be written") : Status();
}

}  // namespace

Result<std::string> sign_model(const cli::SignRequest& request) {
  CORTEX_ASSIGN_OR_RETURN(
      const std::string pem, config::read_file(request.key, registry::kKeyFileBytesMax)
  );
  CORTEX_ASSIGN_OR_RETURN(const registry::SigningKey key, registry::SigningKey::read(pem));
  registry::FolderToSign folder;
  folder.model = request.model;
  folder.out = signature_of(request.model, request.out);
  folder.ignored = request.ignored;
  for (const std::string& file : request.certificates) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::string certificate, config::read_file(file, registry::kKeyFileBytesMax)
    );
    folder.certificates += certificate + "\n";
  }
  CORTEX_ASSIGN_OR_RETURN(const std::string text, registry::sign_folder(key, folder));
  CORTEX_RETURN_IF_ERROR(write_signature(folder.out, text));
  return folder.out.string() + ": signed with the key " + key.fingerprint();
}

Result<std::string> verify_model(const cli::VerifyRequest& request) {
  registry::TrustedKeys trusted;
  for (const std::string& file : request.keys) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::string pem, config::read_file(file, registry::kKeyFileBytesMax)
    );
    const Status status = trusted.add(pem);
    if (!status.ok()) return status.with_prefix("'" + file + "': ");
  }
  registry::FolderToVerify folder;
  folder.model = request.model;
  folder.signature = signature_of(request.model, request.signature);
  folder.ignored = request.ignored;
  folder.ignore_unsigned = request.ignore_unsigned;
  const auto verified = registry::verify_folder(trusted, folder);
  // What a bad signature says is no fault of the command line.
  if (!verified.ok()) return failed_precondition(verified.status().text());
  return request.model + ": good, " + std::to_string(verified->files) + " files signed by " +
         verified->signer + ", digest " + verified->root;
}

}  // namespace cortex::app
