// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/flat_yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

TEST(FlatYaml, names_every_scalar_by_its_path) {
  const auto flat =
      flatten_yaml("flavors:\n  onnx:\n    data: model.onnx\ninputs: [{name: a}, 2]\n");
  ASSERT_TRUE(flat.ok()) << flat.status().to_string();
  EXPECT_THAT(
      *flat,
      ElementsAre(
          Pair("flavors.onnx.data", "model.onnx"),
          Pair("inputs[0].name", "a"),
          Pair("inputs[1]", "2")
      )
  );
}

TEST(FlatYaml, refuses_what_could_unfold_or_is_no_yaml) {
  EXPECT_FALSE(flatten_yaml("a: &x [1]\nb: *x\n").ok());
  EXPECT_FALSE(flatten_yaml("a: [").ok());
  EXPECT_FALSE(flatten_yaml("\xff").ok());
  EXPECT_FALSE(flatten_yaml(std::string(2 << 20, ' ')).ok());
  EXPECT_TRUE(flatten_yaml("")->empty());
}

}  // namespace
}  // namespace cortex::registry
