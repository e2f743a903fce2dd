// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace cortex::registry {

// How a signature names the model itself, when that is one file and no folder.
inline constexpr std::string_view kOneFile = ".";

inline constexpr std::size_t kSignedFilesMax = 100'000;

// The name that a signature has beside the files it signs, unless somebody says another one.
inline constexpr std::string_view kSignatureFile = "model.sig";

enum class HashType : std::uint8_t { kSha256, kBlake2b };

// A range of a file and its digest.
struct SignedResource {
  std::string path;  // inside the model's folder, parts with '/' between
  std::uint64_t begin = 0;
  std::uint64_t end = 0;  // of manifests with shards alone
  std::string digest;     // lower-case hexadecimal digits
};

// What was signed: the files of a model with their digests (the predicate of OMS 1.0).
struct SignedManifest {
  std::string name;  // of the model; says nothing
  std::string root;  // SHA-256 over the digests, in the order of `resources`; set by the reader
  HashType hash = HashType::kSha256;
  std::uint64_t shard_size = 0;  // 0: whole files
  std::vector<SignedResource> resources;
  std::vector<std::string> ignored;  // paths that were left out, with all below them
};

// Reads the statement of a bundle whose signature was found good; it is bounded and checked all the
// same. kInvalidArgument: not the statement or the predicate of OMS 1.0, an algorithm other than
// SHA-256 and BLAKE2b, a digest that is none, a path twice or one that leads out, symbolic links
// that were followed, a root that is not that of the digests. Pure.
[[nodiscard]] Result<SignedManifest> parse_statement(std::string_view payload);

// The statement, in canonical JSON. Puts the resources in order and computes the root.
[[nodiscard]] std::string statement_text(SignedManifest manifest);

// A file that is there.
struct ModelFile {
  std::string path;
  std::uint64_t size = 0;
  std::string digest;  // SHA-256 of the whole, where it is known
};

struct MatchOptions {
  std::vector<std::string> ignored;  // more paths that need no digest, with all below them
  bool ignore_unsigned = false;  // files that the manifest does not know are none of its business
};

// The digest of the bytes [begin, end) of a file.
using HashRange = std::function<Result<std::string>(
    const ModelFile& file, HashType hash, std::uint64_t begin, std::uint64_t end
)>;

// kFailedPrecondition names a file that is missing, is not signed or has other bytes. A digest that
// `files` holds is used, others are asked of `hash`. .git, .gitignore, .gitattributes and .github
// at the top are ignored always.
[[nodiscard]] Status match_files(
    const SignedManifest& manifest,
    std::span<const ModelFile> files,
    const MatchOptions& options,
    const HashRange& hash
);

// True for a path at or below one of `ignored`, or what is ignored always.
[[nodiscard]] bool is_ignored(std::string_view path, std::span<const std::string> ignored);

// .git and so on.
[[nodiscard]] std::span<const std::string_view> standard_ignored();

}  // namespace cortex::registry
