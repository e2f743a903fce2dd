// SPDX-License-Identifier: Apache-2.0
#include "connectors/secret_box.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <fstream>
#include <memory>
#include <span>
#include <vector>

#include <openssl/evp.h>

#include "base/base64.h"
#include "base/check.h"

namespace cortex::connectors {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kNonceBytes = 12;
constexpr std::size_t kTagBytes = 16;
constexpr std::string_view kPrefix = "v1:";

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

void fill_random(std::span<unsigned char> out) {
  CHECK(
      ::getrandom(out.data(), out.size(), 0) == static_cast<ssize_t>(out.size()),
      "the kernel gives random bytes"
  );
}

const unsigned char* raw_bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Status make_key(const fs::path& file) {
  SecretBox::Key key{};
  fill_random(key);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : key) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  text.push_back('\n');
  const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (descriptor < 0 && errno == EEXIST) return {};
  const bool written =
      descriptor >= 0 &&
      ::write(descriptor, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (written) return {};
  return failed_precondition("the key file '" + file.string() + "' cannot be made");
}

}  // namespace

Result<SecretBox> SecretBox::open(const fs::path& file, bool make) {
  std::error_code ignored;
  if (make && !fs::exists(file, ignored)) CORTEX_RETURN_IF_ERROR(make_key(file));
  std::ifstream in(file, std::ios::binary);
  std::string text(2 * sizeof(Key), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  Key key{};
  bool good = static_cast<bool>(in);
  for (std::size_t i = 0; good && i < key.size(); ++i) {
    const char* at = text.data() + 2 * i;
    const auto read = std::from_chars(at, at + 2, key[i], 16);
    good = read.ec == std::errc() && read.ptr == at + 2;
  }
  if (good) return SecretBox(key);
  return failed_precondition("'" + file.string() + "' is no key of 64 hexadecimal digits");
}

std::string SecretBox::seal(std::string_view secret, std::string_view owner) const {
  if (secret.empty()) return {};
  std::string out(kNonceBytes + secret.size() + kTagBytes, '\0');
  auto* nonce = reinterpret_cast<unsigned char*>(out.data());
  auto* body = nonce + kNonceBytes;
  fill_random({nonce, kNonceBytes});
  const Context context(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool good =
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
      EVP_EncryptUpdate(
          context.get(), nullptr, &length, raw_bytes(owner), static_cast<int>(owner.size())
      ) == 1 &&
      EVP_EncryptUpdate(
          context.get(), body, &length, raw_bytes(secret), static_cast<int>(secret.size())
      ) == 1 &&
      EVP_EncryptFinal_ex(context.get(), body + length, &length) == 1 &&
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, body + secret.size()) ==
          1;
  CHECK(good, "a secret can always be sealed");
  return std::string(kPrefix) + base64_text(out);
}

Result<std::string> SecretBox::unseal(std::string_view sealed, std::string_view owner) const {
  if (sealed.empty()) return std::string();
  const Status wrong = failed_precondition("its secret was sealed with another key");
  if (!sealed.starts_with(kPrefix)) return wrong;
  auto raw = base64_bytes(sealed.substr(kPrefix.size()));
  if (!raw || raw->size() < kNonceBytes + kTagBytes) return wrong;
  auto* nonce = reinterpret_cast<unsigned char*>(raw->data());
  const std::size_t size = raw->size() - kNonceBytes - kTagBytes;
  std::string out(size, '\0');
  auto* body = reinterpret_cast<unsigned char*>(out.data());
  const Context context(EVP_CIPHER_CTX_new());
  int length = 0;
  const bool good =
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key_.data(), nonce) == 1 &&
      EVP_DecryptUpdate(
          context.get(), nullptr, &length, raw_bytes(owner), static_cast<int>(owner.size())
      ) == 1 &&
      EVP_DecryptUpdate(
          context.get(), body, &length, nonce + kNonceBytes, static_cast<int>(size)
      ) == 1 &&
      EVP_CIPHER_CTX_ctrl(
          context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, nonce + kNonceBytes + size
      ) == 1 &&
      EVP_DecryptFinal_ex(context.get(), body + length, &length) == 1;
  if (!good) return wrong;
  return out;
}

}  // namespace cortex::connectors
