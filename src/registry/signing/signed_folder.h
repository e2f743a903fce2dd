// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "base/status.h"
#include "registry/signing/signed_manifest.h"
#include "registry/signing/signing_keys.h"

namespace cortex::registry {

struct FolderToSign {
  std::filesystem::path model;       // a folder, or one file
  std::filesystem::path out;         // where the signature will be; never signed itself
  std::vector<std::string> ignored;  // paths inside the folder, with all below them
  std::string certificates;          // PEM; empty: the method "key"
};

// The signature of every file of a model, as text. kInvalidArgument: no such model, a path to
// ignore that is none. kFailedPrecondition: it holds no file, a symbolic link, a name that is not
// UTF-8, something that is no file, or too much. Reads all of it; blocks.
[[nodiscard]] Result<std::string> sign_folder(const SigningKey& key, const FolderToSign& folder);

struct FolderToVerify {
  std::filesystem::path model;
  std::filesystem::path signature;
  std::vector<std::string> ignored;
  bool ignore_unsigned = false;
};

struct VerifiedFolder {
  std::string signer;
  std::string root;       // the digest that names the model
  std::size_t files = 0;  // that were signed
};

// kFailedPrecondition says what is wrong: who signed, what was signed, a file that is missing, has
// other bytes or is not signed. Reads all of it; blocks.
[[nodiscard]] Result<VerifiedFolder> verify_folder(
    const TrustedKeys& trusted, const FolderToVerify& folder
);

}  // namespace cortex::registry
