// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "store/artifact_s3.h"
#include "store/artifact_store.h"

namespace cortex::store {

// An artifact store for one test, emptied with it: "folder", or "s3" below a fresh prefix of the
// bucket that the environment variable CORTEX_TEST_S3 names (http://KEY:SECRET@HOST:PORT/BUCKET).
// CHECKs that everything works. Used as TemporaryStore is.
class TemporaryArtifacts {
 public:
  [[nodiscard]] static std::vector<std::string> kinds();
  [[nodiscard]] static bool available(const std::string& kind);
  // The bucket with a prefix that nobody else has. REQUIRES: available("s3").
  [[nodiscard]] static S3Options s3_options();
  [[nodiscard]] static S3Options s3_options(const std::string& address);

  explicit TemporaryArtifacts(const std::string& kind);
  ~TemporaryArtifacts();
  TemporaryArtifacts(const TemporaryArtifacts&) = delete;
  TemporaryArtifacts& operator=(const TemporaryArtifacts&) = delete;

  ArtifactStore& operator*() const { return *store_; }
  ArtifactStore* operator->() const { return store_.get(); }

  // As a restart does.
  void reopen();
  // A second one on the same bytes, as another process has.
  [[nodiscard]] std::unique_ptr<ArtifactStore> open_another() const;
  // What open() makes another one of, in another process: a folder, or "s3:" and a prefix.
  [[nodiscard]] std::string place() const;
  [[nodiscard]] static Result<std::unique_ptr<ArtifactStore>> open(const std::string& place);
  // A folder that goes with it.
  [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
  std::string prefix_;  // in the bucket; empty: a folder
  std::unique_ptr<ArtifactStore> store_;
};

}  // namespace cortex::store
