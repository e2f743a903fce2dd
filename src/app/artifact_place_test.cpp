// SPDX-License-Identifier: Apache-2.0
#include "app/artifact_place.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::app {
namespace {

TEST(ArtifactPlace, reads_a_bucket_out_of_the_settings) {
  config::ArtifactSettings settings;
  settings.url = "s3://models/team/a";
  settings.region = "eu-west-1";
  settings.access_key = "key";
  settings.secret_key = "secret";
  const auto options = bucket_options(settings);
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->bucket, "models");
  EXPECT_EQ(options->prefix, "team/a");
  EXPECT_EQ(options->endpoint, "https://s3.eu-west-1.amazonaws.com");
  EXPECT_EQ(options->credentials.secret, "secret");
  settings.url = "models/team";
  EXPECT_EQ(bucket_options(settings).status().code(), Code::kInvalidArgument);
}

TEST(ArtifactPlace, reads_the_default_section_of_a_credentials_file) {
  const auto credentials = parse_credentials(
      "# mine\r\n[other]\naws_access_key_id = no\n[default]\n aws_access_key_id=key\r\n"
      "#aws_secret_access_key = old\naws_secret_access_key = a/b+c==\nregion = x\n"
      "[last]\naws_session_token = no"
  );
  EXPECT_EQ(credentials.key, "key");
  EXPECT_EQ(credentials.secret, "a/b+c==");
  EXPECT_EQ(credentials.token, "");
}

TEST(ArtifactPlace, names_a_credentials_file_that_is_not_there) {
  config::ArtifactSettings settings;
  settings.url = "s3://models";
  settings.credentials_file = "/nowhere/credentials";
  EXPECT_THAT(
      open_artifacts(settings, {}).status().text(), testing::HasSubstr("/nowhere/credentials")
  );
  settings.credentials_file.clear();
  EXPECT_THAT(open_artifacts(settings, {}).status().text(), testing::HasSubstr("no credentials"));
}

}  // namespace
}  // namespace cortex::app
