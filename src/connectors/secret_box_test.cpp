// SPDX-License-Identifier: Apache-2.0
#include "connectors/secret_box.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace cortex::connectors {
namespace {

namespace fs = std::filesystem;

TEST(SecretBox, gives_back_what_it_was_given_to_its_owner_alone) {
  const SecretBox box(SecretBox::Key{1, 2, 3});
  const std::string sealed = box.seal("secret", "hook-1");
  EXPECT_EQ(sealed.find("secret"), std::string::npos);
  EXPECT_NE(sealed, box.seal("secret", "hook-1"));
  EXPECT_EQ(*box.unseal(sealed, "hook-1"), "secret");
  EXPECT_FALSE(box.unseal(sealed, "hook-2").ok());
  EXPECT_FALSE(SecretBox(SecretBox::Key{9}).unseal(sealed, "hook-1").ok());
  EXPECT_EQ(box.seal("", "hook-1"), "");
  EXPECT_EQ(*box.unseal("", "hook-1"), "");
}

TEST(SecretBox, refuses_what_was_tampered_with) {
  const SecretBox box(SecretBox::Key{1});
  std::string sealed = box.seal("secret", "a");
  sealed[10] = sealed[10] == 'A' ? 'B' : 'A';
  for (const std::string& text :
       {sealed,
        std::string("v1:"),
        std::string("v1:AAAA"),
        std::string("secret"),
        std::string("v2:AAAA")}) {
    EXPECT_FALSE(box.unseal(text, "a").ok()) << text;
  }
}

TEST(SecretBox, makes_its_key_once_for_its_owner_alone) {
  std::string name = (fs::temp_directory_path() / "cortex-key-XXXXXX").string();
  ASSERT_NE(mkdtemp(name.data()), nullptr);
  const fs::path file = fs::path(name) / "webhooks.key";
  EXPECT_FALSE(SecretBox::open(file, false).ok());
  const auto first = SecretBox::open(file, true);
  ASSERT_TRUE(first.ok()) << first.status().text();
  EXPECT_EQ(fs::status(file).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  const auto second = SecretBox::open(file, true);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(*second->unseal(first->seal("secret", "a"), "a"), "secret");
  std::ofstream(file) << "short";
  EXPECT_FALSE(SecretBox::open(file, true).ok());
  fs::remove_all(name);
}

}  // namespace
}  // namespace cortex::connectors
