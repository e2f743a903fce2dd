// SPDX-License-Identifier: Apache-2.0
#include "tracking/runs.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tracking/logged_models.h"
#include "tracking/metric_history.h"
#include "tracking/tracking_suite.h"

namespace cortex::tracking {
namespace {

using store::Transaction;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

class Runs : public TrackingTest {
 protected:
  void SetUp() override {
    TrackingTest::SetUp();
    if (IsSkipped()) return;
    NewRun fresh;
    fresh.name = "first";
    fresh.user_id = "ann";
    fresh.start_time = 100;
    id_ = create(fresh);
  }

  std::string create(const NewRun& run) {
    const auto made = make([&](Transaction& t) { return create_run(t, workspace_, run); });
    EXPECT_TRUE(made.ok()) << made.status().to_string();
    return made.ok() ? made->info.run_id : "";
  }
  tracking::Run find() {
    const auto run = read([&](Transaction& t) { return find_run(t, workspace_, id_); });
    EXPECT_TRUE(run.ok()) << run.status().to_string();
    return run.ok() ? *run : tracking::Run();
  }
  Status log(LogBatch batch) {
    CORTEX_RETURN_IF_ERROR(check_batch(batch));
    return try_write([&](Transaction& t) { return log_batch(t, workspace_, id_, batch); });
  }
  Status log_metrics(std::vector<Metric> metrics) { return log({std::move(metrics), {}, {}}); }
  std::vector<double> history(const std::string& key, std::size_t limit = 100) {
    const auto page =
        read([&](Transaction& t) { return metric_history(t, workspace_, {id_, key, limit, ""}); });
    EXPECT_TRUE(page.ok()) << page.status().to_string();
    std::vector<double> values;
    if (!page.ok()) return values;
    for (const Metric& metric : page->metrics) values.push_back(metric.value);
    return values;
  }

  std::string id_;
};
INSTANTIATE_TEST_SUITE_P(
    Stores,
    Runs,
    testing::ValuesIn(store::TemporaryStore::kinds()),
    [](const auto& kind) { return kind.param; }
);

TEST_P(Runs, a_new_one_runs_and_carries_its_name_as_a_tag) {
  const tracking::Run run = find();
  EXPECT_THAT(run.info.run_id, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(run.info.name, "first");
  EXPECT_EQ(run.info.user_id, "ann");
  EXPECT_EQ(run.info.status, RunStatus::kRunning);
  EXPECT_EQ(run.info.start_time, 100);
  EXPECT_FALSE(run.info.end_time.has_value());
  EXPECT_EQ(run.info.artifact_uri, "root:/0/" + id_ + "/artifacts");
  EXPECT_THAT(run.tags, ElementsAre(Tag{"mlflow.runName", "first"}));
}

TEST_P(Runs, the_name_comes_from_the_tag_or_is_made_up) {
  NewRun tagged;
  tagged.tags = {{"mlflow.runName", "tagged"}, {"a", "1"}, {"a", "2"}};
  id_ = create(tagged);
  EXPECT_EQ(find().info.name, "tagged");
  EXPECT_THAT(find().tags, ElementsAre(Tag{"a", "2"}, Tag{"mlflow.runName", "tagged"}));
  id_ = create({});
  EXPECT_THAT(find().info.name, testing::MatchesRegex("[a-z]+-[a-z]+-[0-9]+"));
  NewRun both = tagged;
  both.name = "other";
  EXPECT_THAT(
      make([&](Transaction& t) { return create_run(t, workspace_, both); }).status().text(),
      HasSubstr("Both 'run_name' argument and 'mlflow.runName' tag are specified")
  );
}

TEST_P(Runs, unknown_ones_and_unknown_experiments_are_not_found) {
  EXPECT_EQ(
      read([&](Transaction& t) { return find_run(t, workspace_, "x"); }).status().text(),
      "Run with id=x not found"
  );
  EXPECT_EQ(
      read([&](Transaction& t) { return find_run(t, "other", id_); }).status().code(),
      Code::kNotFound
  );
  EXPECT_EQ(
      make([&](Transaction& t) { return create_run(t, workspace_, {7}); }).status().code(),
      Code::kNotFound
  );
}

TEST_P(Runs, an_update_changes_what_it_names) {
  const auto update = [&](const RunUpdate& what) {
    return make([&](Transaction& t) { return update_run(t, workspace_, id_, what); });
  };
  EXPECT_EQ(update({RunStatus::kFinished, 200, ""})->status, RunStatus::kFinished);
  EXPECT_EQ(find().info.end_time, 200);
  EXPECT_EQ(find().info.name, "first");
  EXPECT_EQ(update({std::nullopt, std::nullopt, "second"})->name, "second");
  EXPECT_EQ(find().info.status, RunStatus::kFinished);
  EXPECT_EQ(find().info.end_time, 200);
  EXPECT_THAT(find().tags, ElementsAre(Tag{"mlflow.runName", "second"}));
}

TEST_P(Runs, a_deleted_one_takes_no_writes_until_it_is_restored) {
  const auto set_active = [&](bool active) {
    return try_write([&](Transaction& t) { return set_run_active(t, workspace_, id_, active, 5); });
  };
  ASSERT_TRUE(set_active(false).ok());
  ASSERT_TRUE(set_active(false).ok());
  EXPECT_FALSE(find().info.active);
  EXPECT_EQ(
      log_metrics({{"a", 1, 1, 1}}).text(),
      "The run " + id_ + " must be in the 'active' state. Current state is deleted."
  );
  ASSERT_TRUE(set_active(true).ok());
  EXPECT_TRUE(log_metrics({{"a", 1, 1, 1}}).ok());
}

TEST_P(Runs, the_latest_value_is_that_of_the_greatest_step_then_time_then_value) {
  ASSERT_TRUE(log_metrics({{"a", 1, 10, 2}, {"a", 5, 10, 1}, {"b", 1, 1, 0}, {"b", 2, 1, 0}}).ok());
  ASSERT_TRUE(log_metrics({{"a", 7, 99, 1}, {"b", 1.5, 1, 0}}).ok());
  const tracking::Run run = find();
  ASSERT_THAT(run.metrics, SizeIs(2));
  EXPECT_EQ(run.metrics[0].value, 1);
  EXPECT_EQ(run.metrics[0].step, 2);
  EXPECT_EQ(run.metrics[1].value, 2);
  ASSERT_TRUE(log_metrics({{"a", -3, 10, 3}}).ok());
  EXPECT_EQ(find().metrics[0].value, -3);
}

TEST_P(Runs, a_replayed_batch_leaves_what_one_left) {
  const LogBatch batch{
      {{"a", 1, 1, 1}, {"a", kNan, 1, 1}, {"a", kNan, 1, 1}, {"a", 0, 1, 1}},
      {{"p", "1"}},
      {{"t", "1"}}
  };
  ASSERT_TRUE(log(batch).ok());
  ASSERT_TRUE(log(batch).ok());
  EXPECT_THAT(history("a"), SizeIs(3));
  EXPECT_THAT(find().params, ElementsAre(Param{"p", "1"}));
  EXPECT_THAT(find().tags, ElementsAre(Tag{"mlflow.runName", "first"}, Tag{"t", "1"}));
}

TEST_P(Runs, nan_and_infinities_come_back_as_they_were) {
  ASSERT_TRUE(log_metrics({{"a", kInfinity, 1, 1}, {"a", -kInfinity, 2, 1}, {"a", kNan, 3, 1}}).ok()
  );
  const std::vector<double> values = history("a");
  ASSERT_THAT(values, SizeIs(3));
  EXPECT_EQ(values[0], kInfinity);
  EXPECT_EQ(values[1], -kInfinity);
  EXPECT_TRUE(std::isnan(values[2]));
  EXPECT_TRUE(std::isnan(find().metrics[0].value));
}

TEST_P(Runs, a_param_keeps_its_first_value) {
  ASSERT_TRUE(log({{}, {{"p", "1"}, {"q", "x"}}, {}}).ok());
  ASSERT_TRUE(log({{}, {{"p", "1"}}, {}}).ok());
  const Status changed = log({{{"m", 1, 1, 1}}, {{"q", "x"}, {"p", "2"}}, {}});
  EXPECT_EQ(changed.code(), Code::kInvalidArgument);
  EXPECT_THAT(changed.text(), HasSubstr("Changing param values is not allowed."));
  EXPECT_THAT(find().params, ElementsAre(Param{"p", "1"}, Param{"q", "x"}));
  // All or nothing.
  EXPECT_THAT(find().metrics, IsEmpty());
}

TEST_P(Runs, tags_take_the_last_value_and_one_of_them_renames) {
  ASSERT_TRUE(log({{}, {}, {{"t", "1"}, {"t", "2"}, {"mlflow.runName", "new"}}}).ok());
  EXPECT_EQ(find().info.name, "new");
  EXPECT_THAT(find().tags, ElementsAre(Tag{"mlflow.runName", "new"}, Tag{"t", "2"}));
  const auto remove = [&] {
    return try_write([&](Transaction& t) { return delete_run_tag(t, workspace_, id_, "t"); });
  };
  EXPECT_TRUE(remove().ok());
  EXPECT_EQ(remove().text(), "No tag with name: t in run with id " + id_);
}

TEST_P(Runs, batches_have_limits) {
  LogBatch many;
  many.metrics.resize(1001, {"a", 1, 1, 1});
  EXPECT_THAT(log(many).text(), HasSubstr("can contain at most 1000 metrics. Got 1001 metrics."));
  many.metrics.resize(950);
  for (int i = 0; i < 51; ++i) many.params.push_back({"p" + std::to_string(i), ""});
  EXPECT_THAT(log(many).text(), HasSubstr("at most 1000 metrics, params, and tags. Got 1001"));
  EXPECT_THAT(
      log({{}, {{"a", "1"}, {"a", "1"}}, {}}).text(),
      HasSubstr("Duplicate parameter keys have been submitted: ['a']")
  );
  EXPECT_THAT(
      log({{{"a", 1, 1, 1}, {"b?", 1, 1, 1}}, {}, {}}).text(),
      HasSubstr("Invalid value \"b?\" for parameter 'metrics[1].name' supplied: Names may only")
  );
  EXPECT_THAT(log_metrics({{"a", 1, -1, 1}}).text(), HasSubstr("nonnegative long"));
  EXPECT_THAT(log({{}, {{std::string(251, 'k'), ""}}, {}}).text(), HasSubstr("250 characters"));
}

TEST_P(Runs, values_that_are_too_long_are_cut_between_characters) {
  std::string value(5999, 'x');
  value.append("üü");
  ASSERT_TRUE(log({{}, {{"p", value}}, {{"t", std::string(9000, 'y')}}}).ok());
  EXPECT_EQ(find().params[0].value, value.substr(0, 5999) + "ü");
  EXPECT_EQ(find().tags[1].value.size(), 8000U);
}

TEST_P(Runs, datasets_are_kept_once_and_linked_once) {
  const DatasetInput input{
      {"train", "d1", "local", "{}", "schema", "profile"}, {{"mlflow.data.context", "training"}}
  };
  const RunInputs inputs{{input, input}, {"m-1"}};
  for (int i = 0; i < 2; ++i) {
    write([&](Transaction& t) { return log_inputs(t, workspace_, id_, inputs); });
  }
  const tracking::Run run = find();
  ASSERT_THAT(run.datasets, SizeIs(1));
  EXPECT_EQ(run.datasets[0].dataset.name, "train");
  EXPECT_EQ(run.datasets[0].dataset.profile, "profile");
  EXPECT_EQ(run.datasets[0].tags, input.tags);
  EXPECT_THAT(run.model_inputs, ElementsAre("m-1"));
  const DatasetInput long_digest{{"a", std::string(37, 'd'), "", "", "", ""}, {}};
  EXPECT_EQ(
      try_write([&](Transaction& t) { return log_inputs(t, workspace_, id_, {{long_digest}, {}}); }
      ).text(),
      "'digest' exceeds the maximum length of 36 characters"
  );
}

TEST_P(Runs, outputs_are_linked_with_their_step) {
  for (int i = 0; i < 2; ++i) {
    write([&](Transaction& t) { return log_outputs(t, workspace_, id_, {{"m-1", 4}, {"m-2", 0}}); }
    );
  }
  const tracking::Run run = find();
  ASSERT_THAT(run.model_outputs, SizeIs(2));
  EXPECT_EQ(run.model_outputs[0].model_id, "m-1");
  EXPECT_EQ(run.model_outputs[0].step, 4);
}

TEST_P(Runs, old_clients_models_gather_in_a_tag) {
  const auto append = [&](const std::string& entry) {
    return try_write([&](Transaction& t) { return append_model_history(t, workspace_, id_, entry); }
    );
  };
  ASSERT_TRUE(append(R"({"a":1})").ok());
  ASSERT_TRUE(append(R"({"b":2})").ok());
  ASSERT_TRUE(append(R"({"b":2})").ok());
  EXPECT_EQ(find().tags[0], (Tag{"mlflow.log-model.history", R"([{"a":1}, {"b":2}])"}));
}

TEST_P(Runs, a_metric_of_a_logged_model_belongs_to_both) {
  const auto model =
      make([&](Transaction& t) { return create_logged_model(t, workspace_, {0, "net"}, 1); });
  ASSERT_TRUE(model.ok()) << model.status().to_string();
  Metric metric{"a", 1, 1, 1, model->model_id, "train", "d1", ""};
  ASSERT_TRUE(log_metrics({metric}).ok());
  ASSERT_TRUE(log_metrics({metric}).ok());
  const auto found =
      read([&](Transaction& t) { return find_logged_model(t, workspace_, model->model_id); });
  ASSERT_THAT(found->metrics, SizeIs(1));
  EXPECT_EQ(found->metrics[0].run_id, id_);
  EXPECT_EQ(found->metrics[0].dataset_name, "train");
  EXPECT_THAT(history("a"), SizeIs(1));
  metric.model_id = "m-unknown";
  EXPECT_EQ(log_metrics({metric}).code(), Code::kNotFound);
}

TEST_P(Runs, histories_come_by_time_page_by_page) {
  std::vector<Metric> metrics;
  for (int i = 0; i < 25; ++i) metrics.push_back({"a", double(i), 1000 - i, i});
  metrics.push_back({"b", 1, 1, 1});
  ASSERT_TRUE(log_metrics(metrics).ok());
  HistoryQuery query{id_, "a", 10, ""};
  std::vector<double> values;
  std::size_t pages = 0;
  do {
    const auto page = read([&](Transaction& t) { return metric_history(t, workspace_, query); });
    ASSERT_TRUE(page.ok()) << page.status().to_string();
    for (const Metric& metric : page->metrics) values.push_back(metric.value);
    query.page_token = page->next_page_token;
    ++pages;
  } while (!query.page_token.empty());
  EXPECT_EQ(pages, 3U);
  ASSERT_THAT(values, SizeIs(25));
  EXPECT_TRUE(std::is_sorted(values.rbegin(), values.rend()));
  EXPECT_THAT(history("none"), IsEmpty());
  id_ = "unknown";
  EXPECT_THAT(history("a"), IsEmpty());
}

TEST_P(Runs, samples_are_spread_evenly_and_hold_the_last_one) {
  std::vector<Metric> metrics;
  for (int i = 0; i < 100; ++i) metrics.push_back({"a", double(i), i, i});
  ASSERT_TRUE(log_metrics(metrics).ok());
  const auto sample = [&](std::size_t limit, auto steps) {
    const auto found = read([&](Transaction& t) {
      return sample_metrics(t, workspace_, {{id_}, "a", limit, steps});
    });
    EXPECT_TRUE(found.ok()) << found.status().to_string();
    std::vector<std::int64_t> out;
    if (found.ok()) {
      for (const Metric& metric : *found) out.push_back(metric.step);
    }
    return out;
  };
  const std::optional<std::pair<std::int64_t, std::int64_t>> all;
  EXPECT_THAT(sample(4, all), ElementsAre(0, 25, 50, 99));
  EXPECT_THAT(sample(1, all), ElementsAre(99));
  EXPECT_THAT(sample(1000, all), SizeIs(100));
  EXPECT_THAT(
      sample(10, std::optional(std::pair<std::int64_t, std::int64_t>(5, 7))), ElementsAre(5, 6, 7)
  );
}

TEST_P(Runs, histories_of_several_runs_come_run_by_run) {
  ASSERT_TRUE(log_metrics({{"a", 1, 1, 1}, {"a", 2, 2, 2}}).ok());
  const std::string first = id_;
  id_ = create({});
  ASSERT_TRUE(log_metrics({{"a", 3, 1, 1}}).ok());
  const auto found = read([&](Transaction& t) {
    return metric_histories(t, workspace_, {id_, first, "gone"}, "a", 2);
  });
  ASSERT_TRUE(found.ok());
  ASSERT_THAT(*found, SizeIs(2));
  EXPECT_LE((*found)[0].run_id, (*found)[1].run_id);
}

}  // namespace
}  // namespace cortex::tracking
