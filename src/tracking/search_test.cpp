// SPDX-License-Identifier: Apache-2.0
#include "tracking/search.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tracking/logged_models.h"
#include "tracking/runs.h"
#include "tracking/tracking_suite.h"

namespace cortex::tracking {
namespace {

using store::Transaction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Four runs, named by their number, started one after another:
//   r1 loss 0.1, lr '0.1', FINISHED   r2 loss 0.2, lr '0.2'   r3 loss NaN   r4 nothing
class RunSearch : public TrackingTest {
 protected:
  void SetUp() override {
    TrackingTest::SetUp();
    if (IsSkipped()) return;
    add("r1", {{{"loss", 0.1, 1, 1}}, {{"lr", "0.1"}}, {{"a b", "X"}, {"mlflow.note", "one"}}});
    add("r2", {{{"loss", 0.2, 1, 1}}, {{"lr", "0.2"}}, {{"a b", "y"}}});
    add("r3", {{{"loss", kNan, 1, 1}}, {}, {}});
    add("r4", {});
    write([&](Transaction& t) {
      return update_run(t, workspace_, ids_[0], {RunStatus::kFinished, 500, ""}).status();
    });
    const DatasetInput data{{"train", "d1", "", "", "", ""}, {{"mlflow.data.context", "eval"}}};
    write([&](Transaction& t) { return log_inputs(t, workspace_, ids_[1], {{data}, {}}); });
  }

  void add(const std::string& name, LogBatch batch) {
    NewRun run;
    run.name = name;
    run.user_id = "ann";
    run.start_time = 100 + static_cast<std::int64_t>(ids_.size());
    const auto made = make([&](Transaction& t) { return create_run(t, workspace_, run); });
    ASSERT_TRUE(made.ok()) << made.status().to_string();
    ids_.push_back(made->info.run_id);
    write([&](Transaction& t) { return log_batch(t, workspace_, ids_.back(), batch); });
  }

  Result<RunPage> find(const RunQuery& query) {
    return read([&](Transaction& t) { return search_runs(t, workspace_, query); });
  }
  std::vector<std::string> names(const RunQuery& query) {
    const auto page = find(query);
    EXPECT_TRUE(page.ok()) << query.filter << ": " << page.status().to_string();
    std::vector<std::string> out;
    if (!page.ok()) return out;
    for (const tracking::Run& run : page->runs) out.push_back(run.info.name);
    return out;
  }
  std::vector<std::string> names(const std::string& filter) { return names(RunQuery{{0}, filter}); }
  std::vector<std::string> ordered(std::vector<std::string> order_by) {
    return names(RunQuery{{0}, "", std::move(order_by)});
  }
  std::string fault(const std::string& filter, std::vector<std::string> order_by = {}) {
    return find({{0}, filter, std::move(order_by)}).status().text();
  }

  std::vector<std::string> ids_;
};
INSTANTIATE_TEST_SUITE_P(
    Stores,
    RunSearch,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

TEST_P(RunSearch, finds_everything_newest_first) {
  EXPECT_THAT(names(""), ElementsAre("r4", "r3", "r2", "r1"));
  EXPECT_THAT(names(RunQuery{{7}}), IsEmpty());
  EXPECT_THAT(names(RunQuery{{}}), IsEmpty());
}

TEST_P(RunSearch, runs_come_whole) {
  const auto page = find({{0}, "attributes.run_name = 'r1'"});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->runs.size(), 1U);
  const tracking::Run& run = page->runs[0];
  EXPECT_EQ(run.metrics.size(), 1U);
  EXPECT_THAT(run.params, ElementsAre(Param{"lr", "0.1"}));
  EXPECT_EQ(run.tags.size(), 3U);
  EXPECT_EQ(run.info.end_time, 500);
}

TEST_P(RunSearch, compares_metrics_and_nan_is_unlike_every_number) {
  EXPECT_THAT(names("metrics.loss < 0.15"), ElementsAre("r1"));
  EXPECT_THAT(names("metric.loss >= 0.1"), ElementsAre("r2", "r1"));
  EXPECT_THAT(names("metrics.loss = 0"), IsEmpty());
  EXPECT_THAT(names("metrics.loss != 0.1"), ElementsAre("r3", "r2"));
  EXPECT_THAT(names("metrics.`loss` > 0 and metrics.\"loss\" < 1"), ElementsAre("r2", "r1"));
}

TEST_P(RunSearch, compares_params_and_tags) {
  EXPECT_THAT(names("params.lr = '0.1'"), ElementsAre("r1"));
  EXPECT_THAT(names("param.lr != '0.1'"), ElementsAre("r2"));
  EXPECT_THAT(names("tags.`a b` LIKE 'X%'"), ElementsAre("r1"));
  EXPECT_THAT(names("tags.`a b` LIKE 'x%'"), IsEmpty());
  EXPECT_THAT(names("tags.`a b` ILIKE 'x%'"), ElementsAre("r1"));
  EXPECT_THAT(names("tags.mlflow.note = \"one\""), ElementsAre("r1"));
  EXPECT_THAT(names("params.lr IS NULL"), ElementsAre("r4", "r3"));
  EXPECT_THAT(names("params.lr IS NOT NULL AND tags.x IS NULL"), ElementsAre("r2", "r1"));
}

TEST_P(RunSearch, compares_attributes) {
  EXPECT_THAT(names("attributes.status = 'FINISHED'"), ElementsAre("r1"));
  EXPECT_THAT(names("status != 'FINISHED'"), ElementsAre("r4", "r3", "r2"));
  EXPECT_THAT(names("start_time > 101 AND attr.start_time <= 102"), ElementsAre("r3"));
  EXPECT_THAT(names("end_time >= 1"), ElementsAre("r1"));
  EXPECT_THAT(names("run_id IN ('" + ids_[0] + "', '" + ids_[3] + "')"), ElementsAre("r4", "r1"));
  EXPECT_THAT(names("run_id NOT IN ('" + ids_[0] + "')"), ElementsAre("r4", "r3", "r2"));
  EXPECT_THAT(names("attributes.`run name` = 'r2' and user_id = 'ann'"), ElementsAre("r2"));
  EXPECT_THAT(names("artifact_uri LIKE '%" + ids_[2] + "%'"), ElementsAre("r3"));
}

TEST_P(RunSearch, compares_datasets) {
  EXPECT_THAT(names("datasets.name = 'train'"), ElementsAre("r2"));
  EXPECT_THAT(names("dataset.digest IN ('d1', 'd2')"), ElementsAre("r2"));
  EXPECT_THAT(names("datasets.context = 'eval'"), ElementsAre("r2"));
  EXPECT_THAT(names("datasets.context LIKE 'train%'"), IsEmpty());
}

TEST_P(RunSearch, what_a_run_lacks_comes_last_either_way) {
  EXPECT_THAT(ordered({"metrics.loss ASC"}), ElementsAre("r1", "r2", "r3", "r4"));
  EXPECT_THAT(ordered({"metrics.loss DESC"}), ElementsAre("r2", "r1", "r3", "r4"));
  EXPECT_THAT(ordered({"params.lr DESC"}), ElementsAre("r2", "r1", "r4", "r3"));
  EXPECT_THAT(ordered({"end_time"}), ElementsAre("r1", "r4", "r3", "r2"));
  EXPECT_THAT(ordered({"start_time ASC"}), ElementsAre("r1", "r2", "r3", "r4"));
  EXPECT_THAT(ordered({"tags.`a b`", "run_name"}), ElementsAre("r1", "r2", "r3", "r4"));
}

TEST_P(RunSearch, pages_fit_together_in_every_order) {
  const std::vector<std::vector<std::string>> orders = {
      {}, {"metrics.loss DESC"}, {"params.lr"}, {"end_time DESC", "run_name DESC"}, {"status"}
  };
  for (const auto& order : orders) {
    RunQuery query{{0}, "", order};
    const std::vector<std::string> whole = names(query);
    query.limit = 1;
    std::vector<std::string> seen;
    do {
      const auto page = find(query);
      ASSERT_TRUE(page.ok()) << page.status().to_string();
      for (const tracking::Run& run : page->runs) seen.push_back(run.info.name);
      query.page_token = page->next_page_token;
    } while (!query.page_token.empty() && seen.size() < 10);
    EXPECT_EQ(seen, whole);
  }
}

TEST_P(RunSearch, a_token_fits_its_own_search_alone) {
  RunQuery query{{0}};
  query.limit = 1;
  query.page_token = find(query)->next_page_token;
  query.filter = "status = 'RUNNING'";
  EXPECT_THAT(find(query).status().text(), HasSubstr("Invalid page token"));
}

TEST_P(RunSearch, deleted_ones_are_found_on_demand) {
  write([&](Transaction& t) { return set_run_active(t, workspace_, ids_[1], false, 1); });
  EXPECT_THAT(names(RunQuery{{0}, "", {}, ViewType::kActiveOnly}), ElementsAre("r4", "r3", "r1"));
  EXPECT_THAT(names(RunQuery{{0}, "", {}, ViewType::kDeletedOnly}), ElementsAre("r2"));
  EXPECT_EQ(names(RunQuery{{0}, "", {}, ViewType::kAll}).size(), 4U);
}

TEST_P(RunSearch, wrong_searches_are_refused_in_words) {
  EXPECT_THAT(fault("foo.a = 1"), HasSubstr("Invalid entity type 'foo'. Valid values are"));
  EXPECT_THAT(fault("foo = 'a'"), HasSubstr("Invalid attribute key 'foo' specified."));
  EXPECT_EQ(fault("metrics.a = 'x'"), "Expected numeric value type for metric. Found 'x'");
  EXPECT_THAT(fault("metrics.a LIKE 1"), HasSubstr("Invalid comparator 'LIKE'"));
  EXPECT_THAT(fault("metrics.a IS NULL"), HasSubstr("only supported for tags and params"));
  EXPECT_THAT(fault("params.a > 'x'"), HasSubstr("Invalid comparator '>'"));
  EXPECT_THAT(fault("params.a = 1"), HasSubstr("Expected a quoted string value for parameter"));
  EXPECT_THAT(fault("params.a IN ('x')"), HasSubstr("Expected a quoted string value"));
  EXPECT_THAT(fault("tags.a = x"), HasSubstr("either not quoted"));
  EXPECT_THAT(fault("status IN ('x')"), HasSubstr("Only ['run_id'] attributes"));
  EXPECT_THAT(fault("datasets.foo = 'x'"), HasSubstr("Invalid dataset key 'foo'"));
  EXPECT_THAT(fault("a = 1 OR b = 2"), HasSubstr("Invalid clause(s) in filter string"));
  EXPECT_THAT(fault("", {"metrics.a", "metric.a"}), HasSubstr("duplicate fields"));
  EXPECT_THAT(fault("", {"datasets.name"}), HasSubstr("Invalid identifier type"));
  EXPECT_THAT(
      fault("", std::vector<std::string>(kOrderingsLimit + 1, "status")), HasSubstr("at most 16")
  );
}

TEST_P(RunSearch, client_text_never_becomes_sql) {
  EXPECT_THAT(names("params.lr = '0.1'' OR 1=1 --'"), IsEmpty());
  EXPECT_THAT(names("tags.`x'); DROP TABLE run; --` = 'a'"), IsEmpty());
  EXPECT_EQ(ordered({"metrics.`x' DESC; --` DESC"}).size(), 4U);
  EXPECT_EQ(names("").size(), 4U);
}

class LoggedModels : public TrackingTest {
 protected:
  std::string add(const std::string& name, std::int64_t now, std::vector<Tag> tags = {}) {
    NewLoggedModel fresh;
    fresh.name = name;
    fresh.model_type = "net";
    fresh.params = {{"depth", name}};
    fresh.tags = std::move(tags);
    const auto made =
        make([&](Transaction& t) { return create_logged_model(t, workspace_, fresh, now); });
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    return made.ok() ? made->model_id : "";
  }
  Result<LoggedModel> find(const std::string& id, bool deleted_too = false) {
    return read([&](Transaction& t) { return find_logged_model(t, workspace_, id, deleted_too); });
  }
  void log(const std::string& model, double value, std::int64_t step, const std::string& dataset) {
    const auto run = make([&](Transaction& t) { return create_run(t, workspace_, {}); });
    ASSERT_TRUE(run.ok());
    const LogBatch batch{{{"acc", value, 1, step, model, dataset, "d", ""}}, {}, {}};
    write([&](Transaction& t) { return log_batch(t, workspace_, run->info.run_id, batch); });
  }
  std::vector<std::string> names(const LoggedModelQuery& query) {
    const auto page =
        read([&](Transaction& t) { return search_logged_models(t, workspace_, query); });
    EXPECT_TRUE(page.ok()) << query.filter << ": " << page.status().to_string();
    std::vector<std::string> out;
    if (!page.ok()) return out;
    for (const LoggedModel& model : page->models) out.push_back(model.name);
    return out;
  }
  std::vector<std::string> names(const std::string& filter) {
    return names(LoggedModelQuery{{0}, filter});
  }
};
INSTANTIATE_TEST_SUITE_P(
    Stores,
    LoggedModels,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

TEST_P(LoggedModels, a_new_one_is_pending_until_it_is_finalised) {
  const std::string id = add("a", 5, {{"t", "1"}});
  EXPECT_THAT(id, testing::MatchesRegex("m-[0-9a-f]{32}"));
  EXPECT_EQ(find(id)->status, ModelStatus::kPending);
  EXPECT_EQ(find(id)->artifact_uri, "root:/0/models/" + id + "/artifacts");
  EXPECT_THAT(find(id)->params, ElementsAre(Param{"depth", "a"}));
  EXPECT_THAT(find(id)->tags, ElementsAre(Tag{"t", "1"}));
  const auto done = make([&](Transaction& t) {
    return finalize_logged_model(t, workspace_, id, ModelStatus::kReady, 9);
  });
  EXPECT_EQ(done->status, ModelStatus::kReady);
  EXPECT_EQ(find(id)->updated_at, 9);
}

TEST_P(LoggedModels, tags_and_params_are_written_and_removed) {
  const std::string id = add("a", 5);
  write([&](Transaction& t) {
    return set_logged_model_tags(t, workspace_, id, {{"x", "1"}, {"x", "2"}});
  });
  EXPECT_THAT(find(id)->tags, ElementsAre(Tag{"x", "2"}));
  const auto remove = [&] {
    return try_write([&](Transaction& t) { return delete_logged_model_tag(t, workspace_, id, "x"); }
    );
  };
  EXPECT_TRUE(remove().ok());
  EXPECT_THAT(remove().text(), HasSubstr("No tag with key 'x' found for model with ID"));
  const auto log_params = [&](const std::string& value) {
    return try_write([&](Transaction& t) {
      return log_logged_model_params(t, workspace_, id, {{"p", value}});
    });
  };
  EXPECT_TRUE(log_params("1").ok());
  EXPECT_TRUE(log_params("1").ok());
  EXPECT_EQ(log_params("2").code(), Code::kInvalidArgument);
}

TEST_P(LoggedModels, deleted_ones_are_gone_unless_asked_for) {
  const std::string id = add("a", 5);
  write([&](Transaction& t) { return delete_logged_model(t, workspace_, id, 6); });
  EXPECT_EQ(find(id).status().text(), "Logged model with ID '" + id + "' not found.");
  EXPECT_TRUE(find(id, true).ok());
  EXPECT_THAT(names(""), IsEmpty());
}

TEST_P(LoggedModels, names_are_checked) {
  NewLoggedModel bad;
  bad.name = "a/b";
  EXPECT_THAT(
      make([&](Transaction& t) { return create_logged_model(t, workspace_, bad, 1); })
          .status()
          .text(),
      HasSubstr("Invalid model name ('a/b') provided.")
  );
}

TEST_P(LoggedModels, are_searched_by_attributes_params_tags_and_metrics) {
  const std::string a = add("a", 10, {{"t", "1"}});
  const std::string b = add("b", 20);
  add("c", 30);
  log(a, 0.5, 1, "train");
  log(a, 0.9, 2, "test");
  log(b, 0.7, 1, "train");
  EXPECT_THAT(names(""), ElementsAre("c", "b", "a"));
  EXPECT_THAT(names("name = 'a'"), ElementsAre("a"));
  EXPECT_THAT(names("creation_timestamp > 10"), ElementsAre("c", "b"));
  EXPECT_THAT(names("status = 'PENDING' AND model_type LIKE 'n%'"), ElementsAre("c", "b", "a"));
  EXPECT_THAT(names("params.depth IN ('a', 'b')"), ElementsAre("b", "a"));
  EXPECT_THAT(names("tags.t = '1'"), ElementsAre("a"));
  EXPECT_THAT(names("metrics.acc > 0.8"), ElementsAre("a"));
  LoggedModelQuery query{{0}};
  query.datasets = {{"train", ""}};
  EXPECT_THAT(names(query), ElementsAre("b", "a"));
  query.filter = "metrics.acc > 0.8";
  EXPECT_THAT(names(query), IsEmpty());
}

TEST_P(LoggedModels, are_ordered_by_metrics_page_by_page) {
  log(add("a", 10), 0.5, 1, "train");
  log(add("b", 20), 0.7, 1, "train");
  add("c", 30);
  LoggedModelQuery query{{0}};
  query.order_by = {{"metrics.acc", false, "train", ""}};
  EXPECT_THAT(names(query), ElementsAre("b", "a", "c"));
  query.limit = 2;
  const auto page =
      read([&](Transaction& t) { return search_logged_models(t, workspace_, query); });
  query.page_token = page->next_page_token;
  EXPECT_THAT(names(query), ElementsAre("c"));
  query = {{0}};
  query.order_by = {{"creation_timestamp", true, "", ""}};
  EXPECT_THAT(names(query), ElementsAre("a", "b", "c"));
}

TEST_P(LoggedModels, wrong_searches_are_refused) {
  const auto fault = [&](LoggedModelQuery query) {
    return read([&](Transaction& t) { return search_logged_models(t, workspace_, query); })
        .status()
        .text();
  };
  EXPECT_THAT(fault({{0}, "foo.a = 1"}), HasSubstr("Invalid entity type: 'foo'."));
  EXPECT_THAT(fault({{0}, "metrics.a LIKE 'x'"}), HasSubstr("Invalid comparison operator"));
  EXPECT_THAT(fault({{0}, "name > 'x'"}), HasSubstr("Invalid comparison operator"));
  EXPECT_THAT(fault({{0}, "status = 'x'"}), HasSubstr("Unknown model status"));
  LoggedModelQuery query{{0}};
  query.order_by = {{"foo", true, "", ""}};
  EXPECT_THAT(fault(query), HasSubstr("Invalid order by field name: foo"));
  query.order_by = {{"params.a", true, "", ""}};
  EXPECT_THAT(fault(query), HasSubstr("Only metrics are supported."));
  query.order_by.clear();
  query.datasets = {{"", "d"}};
  EXPECT_THAT(fault(query), HasSubstr("`dataset_name`"));
}

}  // namespace
}  // namespace cortex::tracking
