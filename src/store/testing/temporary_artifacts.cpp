// SPDX-License-Identifier: Apache-2.0
#include "store/testing/temporary_artifacts.h"

#include <cstdlib>
#include <string_view>
#include <system_error>

#include "base/check.h"
#include "store/detail/random_name.h"

namespace cortex::store {
namespace {

constexpr std::string_view kS3 = "s3:";

std::string bucket_address() {
  const char* address = std::getenv("CORTEX_TEST_S3");
  return address == nullptr ? std::string() : std::string(address);
}

}  // namespace

std::vector<std::string> TemporaryArtifacts::kinds() { return {"folder", "s3"}; }

bool TemporaryArtifacts::available(const std::string& kind) {
  return kind == "folder" || !bucket_address().empty();
}

S3Options TemporaryArtifacts::s3_options() { return s3_options(bucket_address()); }

S3Options TemporaryArtifacts::s3_options(const std::string& address) {
  const std::size_t scheme = address.find("://");
  const std::size_t at = address.rfind('@');
  const std::size_t colon = address.find(':', scheme + 3);
  const std::size_t slash = address.find('/', at);
  CHECK(
      scheme != std::string::npos && at != std::string::npos && colon < at &&
          slash != std::string::npos,
      "CORTEX_TEST_S3 holds http://KEY:SECRET@HOST:PORT/BUCKET"
  );
  S3Options options;
  options.endpoint = address.substr(0, scheme + 3) + address.substr(at + 1, slash - at - 1);
  options.bucket = address.substr(slash + 1);
  options.prefix = "test/" + random_name();
  options.path_style = true;
  options.credentials.key = address.substr(scheme + 3, colon - scheme - 3);
  options.credentials.secret = address.substr(colon + 1, at - colon - 1);
  options.part_bytes = 5ull << 20;
  return options;
}

TemporaryArtifacts::TemporaryArtifacts(const std::string& kind) {
  std::string name = (std::filesystem::temp_directory_path() / "cortex-artifacts-XXXXXX").string();
  CHECK(mkdtemp(name.data()) != nullptr, "a test needs a folder");
  folder_ = name;
  if (kind == "s3") prefix_ = s3_options().prefix;
  reopen();
}

TemporaryArtifacts::~TemporaryArtifacts() {
  if (!prefix_.empty()) {
    const auto blobs = store_->list("", 100'000);
    CHECK(blobs.ok(), blobs.status().to_string().c_str());
    for (const StoredBlob& one : *blobs) (void)store_->remove(one.blob.digest, {});
  }
  store_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void TemporaryArtifacts::reopen() {
  store_.reset();
  store_ = open_another();
}

std::unique_ptr<ArtifactStore> TemporaryArtifacts::open_another() const {
  auto opened = open(place());
  CHECK(opened.ok(), opened.status().to_string().c_str());
  return std::move(opened).value();
}

std::string TemporaryArtifacts::place() const {
  return prefix_.empty() ? (folder_ / "artifacts").string() : std::string(kS3) + prefix_;
}

Result<std::unique_ptr<ArtifactStore>> TemporaryArtifacts::open(const std::string& place) {
  if (!place.starts_with(kS3)) return open_artifact_folder(place);
  S3Options options = s3_options();
  options.prefix = place.substr(kS3.size());
  return open_artifact_s3(options);
}

}  // namespace cortex::store
