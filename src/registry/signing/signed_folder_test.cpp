// SPDX-License-Identifier: Apache-2.0
#include "registry/signing/signed_folder.h"

#include <sys/stat.h>

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/signing/detail/test_signer.h"
#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SignedFolder : public ::testing::Test {
 protected:
  SignedFolder() {
    folder_.write("m/model.onnx", "weights");
    folder_.write("m/sub/tokenizer.json", "{}");
    folder_.write("m/.gitignore", "x");
  }

  [[nodiscard]] fs::path model() const { return folder_.path() / "m"; }
  [[nodiscard]] fs::path signature() const { return model() / "model.sig"; }

  std::string sign_fault(std::vector<std::string> ignored = {}) {
    const auto key = SigningKey::read(signer_.private_pem());
    const auto text = sign_folder(*key, {model(), signature(), std::move(ignored), ""});
    if (text.ok()) folder_.write("m/model.sig", *text);
    return text.status().text();
  }
  Result<VerifiedFolder> verify(FolderToVerify wanted = {}) {
    TrustedKeys trusted;
    CHECK(trusted.add(signer_.public_pem()).ok(), "the key is good");
    if (wanted.model.empty()) wanted.model = model();
    if (wanted.signature.empty()) wanted.signature = signature();
    return verify_folder(trusted, wanted);
  }
  std::string fault() { return verify().status().text(); }

  TestFolder folder_;
  Signer signer_;
};

TEST_F(SignedFolder, is_signed_and_verified) {
  ASSERT_EQ(sign_fault(), "");
  const auto verified = verify();
  ASSERT_TRUE(verified.ok()) << verified.status().text();
  EXPECT_EQ(verified->files, 2U);
  // The name of the folder and what is never signed do not matter.
  fs::rename(model(), folder_.path() / "other");
  folder_.write("other/.git/config", "y");
  FolderToVerify moved;
  moved.model = folder_.path() / "other";
  moved.signature = folder_.path() / "other" / "model.sig";
  EXPECT_EQ(verify(moved)->root, verified->root);
}

TEST_F(SignedFolder, says_which_file_is_not_what_was_signed) {
  ASSERT_EQ(sign_fault(), "");
  folder_.write("m/model.onnx", "weightz");
  EXPECT_EQ(fault(), "'model.onnx' is not what was signed");
  folder_.write("m/model.onnx", "weights");
  folder_.write("m/sub/more", "");
  EXPECT_EQ(fault(), "'sub/more' is not signed");
  FolderToVerify lenient;
  lenient.ignore_unsigned = true;
  EXPECT_TRUE(verify(lenient).ok());
  lenient = {};
  lenient.ignored = {"sub/more"};
  EXPECT_TRUE(verify(lenient).ok());
  folder_.remove("m/sub");
  EXPECT_EQ(fault(), "'sub/tokenizer.json' is missing");
}

TEST_F(SignedFolder, keeps_what_was_ignored_in_the_signature) {
  ASSERT_EQ(sign_fault({"sub"}), "");
  folder_.write("m/sub/new", "");
  EXPECT_EQ(fault(), "");
  for (const char* path : {"../m", "/etc", "sub/", "*.onnx", ".", "a/../b", ""}) {
    EXPECT_THAT(sign_fault({path}), HasSubstr("no path inside")) << path;
  }
}

TEST_F(SignedFolder, follows_no_symbolic_link) {
  ASSERT_EQ(sign_fault(), "");
  fs::create_symlink("/etc/hostname", model() / "link");
  EXPECT_THAT(fault(), HasSubstr("symbolic link"));
  EXPECT_THAT(sign_fault(), HasSubstr("symbolic link"));
  folder_.remove("m/link");
  fs::rename(model() / "model.onnx", folder_.path() / "weights");
  fs::create_symlink(folder_.path() / "weights", model() / "model.onnx");
  EXPECT_THAT(fault(), HasSubstr("symbolic link"));
}

TEST_F(SignedFolder, is_a_folder_with_files_and_nothing_else) {
  fs::create_directories(folder_.path() / "empty/deep");
  const auto key = SigningKey::read(signer_.private_pem());
  EXPECT_THAT(
      sign_folder(*key, {folder_.path() / "empty", "out", {}, ""}).status().text(),
      HasSubstr("no file")
  );
  EXPECT_FALSE(sign_folder(*key, {folder_.path() / "none", "out", {}, ""}).ok());
  ASSERT_EQ(::mkfifo((model() / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(sign_fault(), HasSubstr("is not a file"));
}

TEST_F(SignedFolder, may_be_one_file) {
  const fs::path file = model() / "model.onnx";
  const auto key = SigningKey::read(signer_.private_pem());
  const auto text = sign_folder(*key, {file, file.string() + ".sig", {}, ""});
  ASSERT_TRUE(text.ok()) << text.status().text();
  folder_.write("m/model.onnx.sig", *text);
  FolderToVerify wanted;
  wanted.model = file;
  wanted.signature = file.string() + ".sig";
  EXPECT_TRUE(verify(wanted).ok()) << verify(wanted).status().text();
}

TEST_F(SignedFolder, refuses_a_signature_that_is_none) {
  EXPECT_THAT(fault(), HasSubstr("cannot be read"));
  folder_.write("m/model.sig", "{}");
  EXPECT_THAT(fault(), HasSubstr("Sigstore bundle"));
  FolderToVerify wanted;
  wanted.signature = "/dev/zero";
  EXPECT_THAT(verify(wanted).status().text(), HasSubstr("cannot be read"));
}

}  // namespace
}  // namespace cortex::registry
