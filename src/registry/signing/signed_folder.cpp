// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signed_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include <openssl/evp.h>

#include "base/json_text.h"
#include "registry/signing/detail/openssl.h"
#include "registry/signing/signature_bundle.h"
#include "store/artifact_file.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kChunkBytes = 1 << 20;

Status cannot_read(const fs::path& path) {
  return failed_precondition("'" + path.string() + "' cannot be read");
}

// Only files that are files: no link is followed, also not one that came after the look.
Result<store::File> open_file(const fs::path& path) {
  store::File file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat entry{};
  if (!file.is_open() || ::fstat(file.get(), &entry) != 0 || !S_ISREG(entry.st_mode)) {
    return cannot_read(path);
  }
  return file;
}

Result<std::string> read_small(const fs::path& path, std::size_t limit) {
  CORTEX_ASSIGN_OR_RETURN(const store::File file, open_file(path));
  std::string out(limit + 1, '\0');
  CORTEX_ASSIGN_OR_RETURN(
      const std::size_t length,
      store::read_at(file, 0, std::as_writable_bytes(std::span<char>(out)))
  );
  if (length > limit) {
    return failed_precondition(
        "'" + path.string() + "' is longer than " + std::to_string(limit) + " bytes"
    );
  }
  out.resize(length);
  return out;
}

std::string hex(std::span<const unsigned char> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const unsigned char byte : bytes) {
    out.push_back(kDigits[byte >> 4]);
    out.push_back(kDigits[byte & 15]);
  }
  return out;
}

Result<std::string> hash_range(
    const fs::path& path, HashType type, std::uint64_t begin, std::uint64_t end
) {
  CORTEX_ASSIGN_OR_RETURN(const store::File file, open_file(path));
  const DigestContextPtr context(EVP_MD_CTX_new());
  const EVP_MD* kind = type == HashType::kSha256 ? EVP_sha256() : EVP_blake2b512();
  CHECK(EVP_DigestInit_ex(context.get(), kind, nullptr) == 1, "the digests are always there");
  std::vector<std::byte> chunk(kChunkBytes);
  for (std::uint64_t at = begin; at < end;) {
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, end - at));
    CORTEX_ASSIGN_OR_RETURN(
        const std::size_t length, store::read_at(file, at, std::span(chunk).first(wanted))
    );
    if (length != wanted) return cannot_read(path);
    CHECK(EVP_DigestUpdate(context.get(), chunk.data(), length) == 1, "a digest takes bytes");
    at += length;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> raw{};
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(context.get(), raw.data(), &size) == 1, "a digest ends once");
  return hex(std::span(raw).first(size));
}

// Lists the files below a folder.
class FolderListing {
 public:
  FolderListing(fs::path root, std::span<const std::string> ignored)
      : root_(std::move(root)), ignored_(ignored) {}

  Result<std::vector<ModelFile>> run() {
    CORTEX_RETURN_IF_ERROR(add_folder("", 0));
    if (files_.empty()) return failed_precondition("there is no file in the model");
    std::sort(files_.begin(), files_.end(), [](const ModelFile& a, const ModelFile& b) {
      return a.path < b.path;
    });
    return std::move(files_);
  }

 private:
  Status add_folder(const std::string& inner, std::size_t depth) {
    if (depth > kDepthMax) return failed_precondition("the model's folders are too deep");
    std::error_code error;
    const fs::path folder = root_ / inner;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      CORTEX_RETURN_IF_ERROR(add(inner.empty() ? name : inner + "/" + name, *it, depth));
    }
    return error ? cannot_read(folder) : Status();
  }

  Status add(const std::string& inner, const fs::directory_entry& entry, std::size_t depth) {
    if (is_ignored(inner, ignored_)) return {};
    if (!is_utf8(inner)) return failed_precondition("a file's name is not UTF-8");
    std::error_code error;
    const fs::file_status status = entry.symlink_status(error);
    if (fs::is_symlink(status)) {
      return failed_precondition("'" + inner + "' is a symbolic link: they are not followed");
    }
    if (fs::is_directory(status)) return add_folder(inner, depth + 1);
    if (!fs::is_regular_file(status)) return failed_precondition("'" + inner + "' is not a file");
    if (files_.size() == kSignedFilesMax) {
      return failed_precondition(
          "there are more than " + std::to_string(kSignedFilesMax) + " files in the model"
      );
    }
    const std::uintmax_t size = entry.file_size(error);
    if (error) return cannot_read(entry.path());
    files_.push_back({inner, size, ""});
    return {};
  }

  const fs::path root_;
  const std::span<const std::string> ignored_;
  std::vector<ModelFile> files_;
};

// A model on the disk: a folder, or one file.
struct ModelOnDisk {
  fs::path root;
  std::string name;
  std::vector<std::string> ignored;
  std::vector<ModelFile> files;
};

// Where a path lies inside of the folder; nothing: outside.
std::optional<std::string> inner_path(const fs::path& root, const fs::path& path) {
  std::error_code error;
  const fs::path inner = fs::weakly_canonical(path, error).lexically_relative(root);
  if (error || inner.empty() || *inner.begin() == ".." || inner == ".") return std::nullopt;
  return inner.generic_string();
}

// Of what is to be ignored: inside of the folder, without a pattern.
bool is_plain_path(const std::string& entry) {
  const fs::path path(entry);
  return !entry.empty() && path.is_relative() && path.lexically_normal() == path &&
         *path.begin() != ".." && entry != "." && !entry.ends_with('/') &&
         entry.find_first_of("*?[") == std::string::npos;
}

Result<ModelOnDisk> find_model(
    const fs::path& path, const fs::path& signature, std::vector<std::string> ignored
) {
  std::error_code error;
  const fs::path model = fs::canonical(path, error);
  if (error) return invalid_argument("there is no model '" + path.string() + "'");
  ModelOnDisk out{model, model.filename().string(), std::move(ignored), {}};
  if (!fs::is_directory(model, error)) {
    const std::uintmax_t size = fs::file_size(model, error);
    if (error) return cannot_read(path);
    out.files = {{std::string(kOneFile), size, ""}};
    return out;
  }
  for (const std::string& entry : out.ignored) {
    if (!is_plain_path(entry)) {
      return invalid_argument("'" + entry + "' is no path inside of the model");
    }
  }
  if (const auto inner = inner_path(out.root, signature)) out.ignored.push_back(*inner);
  CORTEX_ASSIGN_OR_RETURN(out.files, FolderListing(out.root, out.ignored).run());
  return out;
}

fs::path place_of(const fs::path& root, const std::string& file) {
  return file == kOneFile ? root : root / file;
}

HashRange hashing_below(const fs::path& root) {
  return [root](const ModelFile& file, HashType type, std::uint64_t begin, std::uint64_t end) {
    return hash_range(place_of(root, file.path), type, begin, end);
  };
}

}  // namespace

Result<std::string> sign_folder(const SigningKey& key, const FolderToSign& folder) {
  CORTEX_ASSIGN_OR_RETURN(
      const ModelOnDisk model, find_model(folder.model, folder.out, folder.ignored)
  );
  SignedManifest manifest;
  manifest.name = model.name;
  if (!is_utf8(manifest.name)) return failed_precondition("the model's name is not UTF-8");
  std::set<std::string> ignored(model.ignored.begin(), model.ignored.end());
  ignored.insert(standard_ignored().begin(), standard_ignored().end());
  manifest.ignored.assign(ignored.begin(), ignored.end());
  for (const ModelFile& file : model.files) {
    CORTEX_ASSIGN_OR_RETURN(
        std::string digest, hash_range(place_of(model.root, file.path), manifest.hash, 0, file.size)
    );
    manifest.resources.push_back({file.path, 0, 0, std::move(digest)});
  }
  CORTEX_ASSIGN_OR_RETURN(
      const SignatureBundle bundle,
      key.sign(statement_text(std::move(manifest)), folder.certificates)
  );
  return bundle_text(bundle);
}

Result<VerifiedFolder> verify_folder(const TrustedKeys& trusted, const FolderToVerify& folder) {
  CORTEX_ASSIGN_OR_RETURN(const std::string text, read_small(folder.signature, kBundleBytesMax));
  CORTEX_ASSIGN_OR_RETURN(const SignatureBundle bundle, parse_bundle(text));
  VerifiedFolder out;
  CORTEX_ASSIGN_OR_RETURN(out.signer, trusted.verify(bundle));
  CORTEX_ASSIGN_OR_RETURN(const SignedManifest manifest, parse_statement(bundle.payload));
  std::vector<std::string> ignored = folder.ignored;
  ignored.insert(ignored.end(), manifest.ignored.begin(), manifest.ignored.end());
  CORTEX_ASSIGN_OR_RETURN(
      const ModelOnDisk model, find_model(folder.model, folder.signature, std::move(ignored))
  );
  MatchOptions options;
  options.ignored = model.ignored;
  options.ignore_unsigned = folder.ignore_unsigned;
  CORTEX_RETURN_IF_ERROR(match_files(manifest, model.files, options, hashing_below(model.root)));
  out.root = manifest.root;
  out.files = model.files.size();
  return out;
}

}  // namespace cortex::registry
