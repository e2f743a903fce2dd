// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_catalog.h"

#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "store/testing/temporary_store.h"

namespace cortex::registry {
namespace {

class AdapterCatalogTest : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    if (!store::TemporaryStore::available(GetParam())) GTEST_SKIP() << "no such store here";
    store_ = std::make_unique<store::TemporaryStore>(
        GetParam(), std::vector<store::Schema>{adapter_schema()}
    );
  }

  Status put(const AdapterRecord& adapter) {
    return (*store_)->write_and_wait([&](store::Transaction& t) { return put_adapter(t, adapter); }
    );
  }
  Status remove(const std::string& name) {
    return (*store_)->write_and_wait([&](store::Transaction& t) { return delete_adapter(t, name); }
    );
  }
  std::vector<AdapterRecord> read() {
    std::vector<AdapterRecord> out;
    const Status status = (*store_)->read_and_wait([&](store::Transaction& t) -> Status {
      CORTEX_ASSIGN_OR_RETURN(out, read_adapters(t));
      return {};
    });
    EXPECT_TRUE(status.ok()) << status.to_string();
    return out;
  }

  static AdapterRecord poet() {
    AdapterRecord out;
    out.name = "poet";
    out.base_model = "base";
    out.path = "poet.gguf";
    out.digest = "d1";
    out.bytes = 7;
    out.scale = 0.5;
    out.pinned = true;
    out.rank = 8;
    out.alpha = 16;
    out.training_method = "sft";
    out.tags = {{"dataset", "verses"}, {"run", "r1"}};
    out.description = "Writes verses.";
    out.created_at = 1;
    out.updated_at = 2;
    return out;
  }

  std::unique_ptr<store::TemporaryStore> store_;
};

TEST_P(AdapterCatalogTest, reads_back_what_was_put) {
  ASSERT_TRUE(put(poet()).ok());
  const auto all = read();
  ASSERT_EQ(all.size(), 1u);
  const AdapterRecord expected = poet();
  EXPECT_EQ(all[0].base_model, expected.base_model);
  EXPECT_EQ(all[0].path, expected.path);
  EXPECT_EQ(all[0].digest, expected.digest);
  EXPECT_EQ(all[0].bytes, expected.bytes);
  EXPECT_EQ(all[0].scale, expected.scale);
  EXPECT_EQ(all[0].pinned, expected.pinned);
  EXPECT_EQ(all[0].rank, expected.rank);
  EXPECT_EQ(all[0].alpha, expected.alpha);
  EXPECT_EQ(all[0].training_method, expected.training_method);
  EXPECT_EQ(all[0].tags, expected.tags);
  EXPECT_EQ(all[0].description, expected.description);
}

TEST_P(AdapterCatalogTest, a_second_put_replaces_all_but_the_birthday) {
  ASSERT_TRUE(put(poet()).ok());
  AdapterRecord next = poet();
  next.digest = "d2";
  next.pinned = false;
  next.tags = {{"run", "r2"}};
  next.created_at = 99;
  ASSERT_TRUE(put(next).ok());
  const auto all = read();
  ASSERT_EQ(all.size(), 1u);
  EXPECT_EQ(all[0].digest, "d2");
  EXPECT_FALSE(all[0].pinned);
  EXPECT_EQ(all[0].tags, next.tags);
  EXPECT_EQ(all[0].created_at, 1);
}

TEST_P(AdapterCatalogTest, what_is_deleted_is_gone_with_its_tags_and_noted) {
  ASSERT_TRUE(put(poet()).ok());
  const std::int64_t before = (*store_)->revision();
  ASSERT_TRUE(remove("poet").ok());
  EXPECT_GT((*store_)->revision(), before);
  EXPECT_TRUE(read().empty());
  EXPECT_EQ(remove("poet").code(), Code::kNotFound);
  AdapterRecord bare = poet();
  bare.tags.clear();
  ASSERT_TRUE(put(bare).ok());
  EXPECT_TRUE(read()[0].tags.empty());
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    AdapterCatalogTest,
    ::testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

}  // namespace
}  // namespace cortex::registry
