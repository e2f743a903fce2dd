// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "registry/catalog/audit_log.h"
#include "registry/catalog/testing/test_catalog.h"

namespace cortex::registry {
namespace {

constexpr std::int64_t kVersions = 5;

// What an alias is, said naively: the list of where it has pointed, 0 first.
class NaiveAliases {
 public:
  // True when it is legal.
  bool set(const std::string& alias, std::int64_t version) {
    if (version != 0 && deleted_[version]) return false;
    if (at(alias) != version) moves_[alias].push_back(version);
    return true;
  }
  bool roll_back(const std::string& alias) {
    std::vector<std::int64_t>& moves = moves_[alias];
    if (moves.empty()) return false;
    const std::int64_t before = moves.size() < 2 ? 0 : moves[moves.size() - 2];
    if (deleted_[before]) return false;
    moves.push_back(before);
    return true;
  }
  bool remove(std::int64_t version) {
    if (deleted_[version]) return false;
    deleted_[version] = true;
    for (auto& [alias, moves] : moves_) {
      if (!moves.empty() && moves.back() == version) moves.push_back(0);
    }
    return true;
  }
  std::int64_t at(const std::string& alias) {
    return moves_[alias].empty() ? 0 : moves_[alias].back();
  }
  const std::vector<std::int64_t>& moves(const std::string& alias) { return moves_[alias]; }

 private:
  std::map<std::string, std::vector<std::int64_t>> moves_;
  std::map<std::int64_t, bool> deleted_;
};

class AliasHistoryProperty : public testing::TestWithParam<std::tuple<std::string, unsigned>> {
 protected:
  void SetUp() override {
    const std::string& kind = std::get<0>(GetParam());
    if (!store::TemporaryStore::available(kind)) GTEST_SKIP() << "no such store here";
    catalog_.emplace(kind);
    random_.seed(std::get<1>(GetParam()));
    ASSERT_TRUE(catalog_->make_models({"m"}, kVersions).ok());
  }

  std::int64_t draw(std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random_);
  }

  void step() {
    const std::string alias(1, static_cast<char>('a' + draw(0, 2)));
    const std::int64_t what = draw(0, 99);
    if (what < 60) {
      const std::int64_t version = draw(0, kVersions);
      const bool ok = catalog_->set_alias({"m", alias, version, {}}).ok();
      EXPECT_EQ(ok, naive_.set(alias, version)) << "set " << alias << " to " << version;
    } else if (what < 97) {
      EXPECT_EQ(catalog_->rollback("m", alias).ok(), naive_.roll_back(alias)) << alias;
    } else {
      const std::int64_t version = draw(1, kVersions);
      const bool ok = catalog_
                          ->write([&](store::Transaction& transaction) {
                            return delete_version(transaction, catalog_->author(), {"m", version});
                          })
                          .ok();
      EXPECT_EQ(ok, naive_.remove(version)) << "delete " << version;
    }
  }

  void expect_equal(const std::string& alias) {
    EXPECT_EQ(catalog_->alias("m", alias), naive_.at(alias));
    std::vector<AliasEntry> history = catalog_->history("m", alias);
    const std::vector<std::int64_t>& moves = naive_.moves(alias);
    ASSERT_EQ(history.size(), moves.size());
    std::int64_t from = 0;
    for (std::size_t i = 0; i < moves.size(); ++i) {
      const AliasEntry& entry = history[history.size() - 1 - i];
      EXPECT_EQ(entry.seq, static_cast<std::int64_t>(i) + 1);
      EXPECT_EQ(entry.from, from);
      EXPECT_EQ(entry.to, moves[i]);
      from = entry.to;
    }
  }

  std::mt19937 random_;
  std::optional<TestCatalog> catalog_;
  NaiveAliases naive_;
};

TEST_P(AliasHistoryProperty, does_what_a_list_of_moves_does) {
  for (int i = 0; i < 60 && !HasFailure(); ++i) step();
  for (const char* alias : {"a", "b", "c"}) expect_equal(alias);
  const auto verdict = catalog_->read([](store::Transaction& transaction) {
    return verify_audit(transaction, "default");
  });
  EXPECT_FALSE(verdict->broken.has_value());
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    AliasHistoryProperty,
    testing::Combine(testing::ValuesIn(store::TemporaryStore::kinds()), testing::Range(1U, 5U)),
    [](const auto& kind) {
      return std::get<0>(kind.param) + "_seed_" + std::to_string(std::get<1>(kind.param));
    }
);

}  // namespace
}  // namespace cortex::registry
