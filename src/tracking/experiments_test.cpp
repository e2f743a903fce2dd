// SPDX-License-Identifier: Apache-2.0
#include "tracking/experiments.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tracking/runs.h"
#include "tracking/search.h"
#include "tracking/tracking_suite.h"

namespace cortex::tracking {
namespace {

using store::Transaction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class Experiments : public TrackingTest {
 protected:
  std::int64_t create(const std::string& name, std::vector<Tag> tags = {}, std::int64_t now = 5) {
    const auto id = try_create(name, std::move(tags), now);
    EXPECT_TRUE(id.ok()) << id.status().to_string();
    return id.ok() ? *id : -1;
  }
  Result<std::int64_t> try_create(
      const std::string& name, std::vector<Tag> tags = {}, std::int64_t now = 5
  ) {
    return make([&](Transaction& transaction) {
      return create_experiment(transaction, workspace_, {name, "", tags, "root:"}, now);
    });
  }
  Result<Experiment> find(std::int64_t id) {
    return read([&](Transaction& transaction) {
      return find_experiment(transaction, workspace_, id);
    });
  }
  Status set_active(std::int64_t id, bool active) {
    return try_write([&](Transaction& transaction) {
      return set_experiment_active(transaction, workspace_, id, active, 9);
    });
  }
  std::vector<std::string> names(const ExperimentQuery& query) {
    const auto page = read([&](Transaction& transaction) {
      return search_experiments(transaction, workspace_, query);
    });
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    std::vector<std::string> out;
    if (!page.ok()) return out;
    for (const Experiment& one : page->experiments) out.push_back(one.name);
    return out;
  }
  std::string fault(const ExperimentQuery& query) {
    return read([&](Transaction& transaction) {
             return search_experiments(transaction, workspace_, query);
           })
        .status()
        .text();
  }
};
INSTANTIATE_TEST_SUITE_P(
    Stores,
    Experiments,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

TEST_P(Experiments, the_default_one_is_always_there) {
  write([&](Transaction& transaction) {
    return ensure_default_experiment(transaction, workspace_, "other:", 2);
  });
  const auto standard = find(kDefaultExperiment);
  ASSERT_TRUE(standard.ok()) << standard.status().to_string();
  EXPECT_EQ(standard->name, "Default");
  EXPECT_EQ(standard->artifact_location, "root:/0");
}

TEST_P(Experiments, a_new_one_has_an_id_a_place_and_its_tags) {
  const std::int64_t id = create("vision", {{"team", "a"}, {"b", ""}});
  EXPECT_EQ(id, 1);
  const auto found = find(id);
  EXPECT_EQ(found->name, "vision");
  EXPECT_EQ(found->artifact_location, "root:/1");
  EXPECT_EQ(found->created_at, 5);
  EXPECT_TRUE(found->active);
  EXPECT_THAT(found->tags, ElementsAre(Tag{"b", ""}, Tag{"team", "a"}));
  EXPECT_EQ(create("speech"), 2);
}

TEST_P(Experiments, a_taken_name_is_refused_even_if_its_owner_is_deleted) {
  const std::int64_t id = create("vision");
  EXPECT_EQ(try_create("vision").status().code(), Code::kAlreadyExists);
  ASSERT_TRUE(set_active(id, false).ok());
  EXPECT_EQ(try_create("vision").status().text(), "Experiment(name=vision) already exists.");
  EXPECT_EQ(create("next"), 2);
}

TEST_P(Experiments, workspaces_do_not_see_each_other) {
  create("vision");
  const auto other = make([&](Transaction& transaction) {
    return create_experiment(transaction, "other", {"vision", "", {}, "root:"}, 1);
  });
  EXPECT_EQ(*other, 1);
  EXPECT_EQ(
      read([&](Transaction& t) { return find_experiment(t, "third", 1); }).status().code(),
      Code::kNotFound
  );
}

TEST_P(Experiments, names_and_tags_have_limits) {
  EXPECT_EQ(try_create("").status().text(), "Invalid experiment name: ''");
  EXPECT_EQ(try_create(" ").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(
      try_create(std::string(501, 'x')).status().text(),
      "'name' exceeds the maximum length of 500 characters"
  );
  std::string letters;
  for (int i = 0; i < 500; ++i) letters.append("ü");
  EXPECT_TRUE(try_create(letters).ok());
  EXPECT_THAT(try_create("a", {{"..", "x"}}).status().text(), HasSubstr("must not resolve"));
  EXPECT_THAT(try_create("a", {{"a?", "x"}}).status().text(), HasSubstr("Names may only contain"));
}

TEST_P(Experiments, renaming_takes_a_free_name) {
  const std::int64_t id = create("a");
  create("b");
  const auto rename = [&](std::int64_t which, const std::string& name) {
    return try_write([&](Transaction& transaction) {
      return rename_experiment(transaction, workspace_, which, name, 8);
    });
  };
  EXPECT_EQ(rename(id, "b").code(), Code::kAlreadyExists);
  EXPECT_EQ(rename(99, "c").text(), "No Experiment with id=99 exists");
  ASSERT_TRUE(rename(id, "c").ok());
  EXPECT_EQ(find(id)->name, "c");
  EXPECT_EQ(find(id)->updated_at, 8);
  ASSERT_TRUE(set_active(id, false).ok());
  EXPECT_EQ(rename(id, "d").text(), "Cannot rename a non-active experiment.");
}

TEST_P(Experiments, deleting_and_restoring_takes_the_runs_along) {
  const std::int64_t id = create("a");
  const auto run = make([&](Transaction& t) { return create_run(t, workspace_, {id, "r"}); });
  ASSERT_TRUE(run.ok()) << run.status().to_string();
  const auto active = [&] {
    return read([&](Transaction& t) { return find_run_info(t, workspace_, run->info.run_id); }
    )->active;
  };
  ASSERT_TRUE(set_active(id, false).ok());
  EXPECT_FALSE(active());
  EXPECT_EQ(set_active(id, false).code(), Code::kNotFound);
  EXPECT_EQ(
      make([&](Transaction& t) { return create_run(t, workspace_, {id, "r"}); }).status().text(),
      "The experiment 1 must be in the 'active' state. Current state is deleted."
  );
  ASSERT_TRUE(set_active(id, true).ok());
  EXPECT_TRUE(active());
  EXPECT_EQ(set_active(id, true).code(), Code::kNotFound);
}

TEST_P(Experiments, tags_are_overwritten_and_deleted) {
  const std::int64_t id = create("a");
  for (const char* value : {"1", "2"}) {
    write([&](Transaction& t) { return set_experiment_tag(t, workspace_, id, {"k", value}); });
  }
  EXPECT_THAT(find(id)->tags, ElementsAre(Tag{"k", "2"}));
  const auto remove = [&] {
    return try_write([&](Transaction& t) { return delete_experiment_tag(t, workspace_, id, "k"); });
  };
  EXPECT_TRUE(remove().ok());
  EXPECT_EQ(remove().text(), "No tag with name: k in experiment with id 1");
  EXPECT_THAT(find(id)->tags, IsEmpty());
}

TEST_P(Experiments, are_searched_by_attributes_and_tags) {
  create("alpha", {{"kind", "x"}}, 10);
  create("Beta", {{"kind", "y"}}, 20);
  create("gamma", {}, 30);
  const auto search = [&](std::string filter) { return names({std::move(filter)}); };
  EXPECT_THAT(search(""), ElementsAre("gamma", "Beta", "alpha", "Default"));
  EXPECT_THAT(search("name LIKE '%et%'"), ElementsAre("Beta"));
  EXPECT_THAT(search("name LIKE 'b%'"), IsEmpty());
  EXPECT_THAT(search("attribute.name ILIKE 'b%'"), ElementsAre("Beta"));
  EXPECT_THAT(search("tags.kind = 'x'"), ElementsAre("alpha"));
  EXPECT_THAT(search("tags.kind != 'x'"), ElementsAre("Beta"));
  EXPECT_THAT(search("tags.kind IS NULL"), ElementsAre("gamma", "Default"));
  EXPECT_THAT(search("creation_time > 10 AND last_update_time <= 20"), ElementsAre("Beta"));
  EXPECT_THAT(search("experiment_id IN ('1', '3')"), ElementsAre("gamma", "alpha"));
  EXPECT_THAT(search("experiment_id != '0' AND name = 'alpha'"), ElementsAre("alpha"));
}

TEST_P(Experiments, deleted_ones_are_found_on_demand) {
  create("a");
  ASSERT_TRUE(set_active(1, false).ok());
  EXPECT_THAT(names({"", {}, ViewType::kActiveOnly}), ElementsAre("Default"));
  EXPECT_THAT(names({"", {}, ViewType::kDeletedOnly}), ElementsAre("a"));
  EXPECT_THAT(names({"", {"name ASC"}, ViewType::kAll}), ElementsAre("Default", "a"));
}

TEST_P(Experiments, pages_continue_behind_the_last_one) {
  for (const char* name : {"a", "b", "c", "d"}) create(name, {}, 7);
  ExperimentQuery query;
  query.limit = 2;
  std::vector<std::string> seen;
  for (int pages = 0; pages < 4; ++pages) {
    const auto page =
        read([&](Transaction& t) { return search_experiments(t, workspace_, query); });
    ASSERT_TRUE(page.ok()) << page.status().to_string();
    for (const Experiment& one : page->experiments) seen.push_back(one.name);
    // What comes in between moves nothing.
    if (pages == 0) create("late", {}, 99);
    query.page_token = page->next_page_token;
    if (query.page_token.empty()) break;
  }
  EXPECT_THAT(seen, ElementsAre("a", "b", "c", "d", "Default"));
}

TEST_P(Experiments, wrong_searches_are_refused_in_words) {
  EXPECT_THAT(fault({"foo = 'x'"}), HasSubstr("Invalid attribute key 'foo' specified."));
  EXPECT_THAT(fault({"metrics.a = 1"}), HasSubstr("Invalid entity type 'metrics'."));
  EXPECT_THAT(fault({"name > 'x'"}), HasSubstr("Invalid comparator '>'"));
  EXPECT_THAT(fault({"name = 1"}), HasSubstr("Expected a quoted string value"));
  EXPECT_THAT(fault({"name = x"}), HasSubstr("not quoted"));
  EXPECT_THAT(fault({"creation_time = '1'"}), HasSubstr("Expected numeric value type"));
  EXPECT_THAT(fault({"creation_time > 1.5"}), HasSubstr("Invalid value for numeric attribute"));
  EXPECT_THAT(fault({"experiment_id = 'x'"}), HasSubstr("Invalid experiment ID 'x'."));
  EXPECT_THAT(fault({"experiment_id LIKE '1'"}), HasSubstr("Invalid comparator for experiment_id"));
  EXPECT_THAT(fault({"name IN ('a')"}), HasSubstr("Only ['experiment_id']"));
  EXPECT_THAT(fault({"name IS NULL"}), HasSubstr("IS NULL / IS NOT NULL"));
  EXPECT_THAT(fault({"", {"foo ASC"}}), HasSubstr("Invalid attribute key 'foo'"));
  EXPECT_THAT(fault({"", {"tags.a"}}), HasSubstr("Invalid order_by entity"));
  ExperimentQuery foreign;
  foreign.page_token = "AAAA";
  EXPECT_THAT(fault(foreign), HasSubstr("Invalid page token"));
}

}  // namespace
}  // namespace cortex::tracking
