// SPDX-License-Identifier: Apache-2.0
#include "registry/catalog/version_difference.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

ModelVersion some_version() {
  ModelVersion version;
  version.id = {"m", 1};
  version.source = "runs:/r/model";
  version.location = "1/r/artifacts/model";
  version.run = "r";
  version.tags = {{"a", "1"}, {"b", "2"}};
  version.aliases = {"canary", "prod"};
  return version;
}

std::string text_of(const TextDifference& difference) {
  return difference.name + ": " + difference.left.value_or("-") + " > " +
         difference.right.value_or("-");
}

std::vector<std::string> texts_of(const std::vector<TextDifference>& differences) {
  std::vector<std::string> out;
  for (const TextDifference& difference : differences) out.push_back(text_of(difference));
  return out;
}

TEST(VersionDifference, of_a_version_with_itself_is_empty) {
  const VersionFacts facts{{{"lr", "0.1"}}, {{"loss", 1.5}}};
  const auto difference = compare_versions(some_version(), facts, some_version(), facts);
  EXPECT_THAT(difference.fields, IsEmpty());
  EXPECT_THAT(difference.tags, IsEmpty());
  EXPECT_THAT(difference.parameters, IsEmpty());
  EXPECT_THAT(difference.aliases_left, IsEmpty());
  EXPECT_THAT(difference.aliases_right, IsEmpty());
  ASSERT_EQ(difference.metrics.size(), 1U);
  EXPECT_EQ(difference.metrics[0].delta, 0);
  EXPECT_FALSE(difference.improved);
}

TEST(VersionDifference, names_what_is_not_the_same) {
  ModelVersion right = some_version();
  right.run = "r2";
  right.stage = LifecycleStage::kProduction;
  right.semantic = SemanticVersion{1, 2, 3};
  right.baseline = VersionId{"m", 1};
  right.deprecation = Deprecation{1, "ada", "old"};
  right.tags = {{"b", "3"}, {"c", "4"}};
  right.aliases = {"blue", "prod"};
  const auto difference = compare_versions(
      some_version(), {{{"lr", "0.1"}, {"same", "x"}}, {}}, right, {{{"same", "x"}}, {}}
  );
  EXPECT_THAT(
      texts_of(difference.fields),
      ElementsAre(
          "baseline: - > m/1",
          "deprecation: - > old",
          "run: r > r2",
          "semantic: - > 1.2.3",
          "stage: None > Production"
      )
  );
  EXPECT_THAT(texts_of(difference.tags), ElementsAre("a: 1 > -", "b: 2 > 3", "c: - > 4"));
  EXPECT_THAT(texts_of(difference.parameters), ElementsAre("lr: 0.1 > -"));
  EXPECT_THAT(difference.aliases_left, ElementsAre("canary"));
  EXPECT_THAT(difference.aliases_right, ElementsAre("blue"));
}

TEST(VersionDifference, a_missing_metric_counts_as_zero) {
  const auto difference = compare_versions(
      some_version(), {{}, {{"loss", 2.0}}}, some_version(), {{}, {{"accuracy", 0.5}}}
  );
  ASSERT_EQ(difference.metrics.size(), 2U);
  EXPECT_EQ(difference.metrics[0].name, "accuracy");
  EXPECT_FALSE(difference.metrics[0].left);
  EXPECT_EQ(difference.metrics[0].delta, 0.5);
  EXPECT_EQ(difference.metrics[1].delta, -2.0);
  EXPECT_TRUE(difference.improved);
}

TEST(VersionDifference, only_metrics_that_are_better_when_greater_improve) {
  const VersionFacts before{{}, {{"loss", 1.0}, {"auc", 0.5}}};
  const VersionFacts after{{}, {{"loss", 2.0}, {"auc", 0.4}}};
  EXPECT_FALSE(compare_versions(some_version(), before, some_version(), after).improved);
  EXPECT_TRUE(compare_versions(some_version(), after, some_version(), before).improved);
}

}  // namespace
}  // namespace cortex::registry
