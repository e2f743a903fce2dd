// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <map>
#include <ostream>
#include <set>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "cli/detail/plot.h"
#include "cli/detail/server_call.h"
#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::string_view kTrackingRoot = "/api/2.0/mlflow";
constexpr std::size_t kPlottedValues = 2500;

struct RunFlags {
  std::string experiment = "Default";
  std::string run;
  std::string other;
  std::string metric;
  std::string filter;
  std::string order_by;
  std::size_t limit = 100;
  bool as_json = false;
};

std::int64_t integer_of(const json::value* value) {
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// MLflow writes what JSON cannot as words.
double real(const json::value* value) {
  if (value == nullptr) return std::nan("");
  if (value->is_string()) {
    const std::string_view word(value->get_string().data(), value->get_string().size());
    const double huge = HUGE_VAL;
    return word == "Infinity" ? huge : word == "-Infinity" ? -huge : std::nan("");
  }
  boost::system::error_code error;
  const double out = value->to_number<double>(error);
  return error ? std::nan("") : out;
}

// A list of {key, value} by its keys.
std::map<std::string, std::string> pairs_of(const json::value& data, std::string_view name) {
  std::map<std::string, std::string> out;
  const json::value* list = member(data, name);
  if (list == nullptr || !list->is_array()) return out;
  for (const json::value& pair : list->get_array()) {
    out[cell(member(pair, "key"))] = cell(member(pair, "value"));
  }
  return out;
}

std::string metrics_text(const json::value& run) {
  std::string out;
  const json::value* data = member(run, "data");
  if (data == nullptr) return out;
  for (const auto& [name, value] : pairs_of(*data, "metrics")) {
    out += (out.empty() ? "" : ", ") + name + "=" + value;
  }
  return out;
}

class RunCalls {
 public:
  RunCalls(Context& context, net::HttpClient client, const RunFlags& flags)
      : context_(context), client_(std::move(client)), flags_(flags) {}

  Status experiments() {
    json::object body{{"max_results", flags_.limit}};
    if (!flags_.filter.empty()) body.emplace("filter", flags_.filter);
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, post("/experiments/search", body));
    if (flags_.as_json) return print(answer);
    Rows rows{{"ID", "NAME", "CREATED", "ARTIFACTS"}};
    for (const json::value& experiment : list_of(answer, "experiments")) {
      rows.push_back(
          {cell(member(experiment, "experiment_id")),
           cell(member(experiment, "name")),
           time_text(integer_of(member(experiment, "creation_time"))),
           cell(member(experiment, "artifact_location"))}
      );
    }
    print_table(context_.out, rows);
    return {};
  }

  Status experiment() {
    CORTEX_ASSIGN_OR_RETURN(const json::value found, find_experiment());
    return print(found);
  }

  Status runs() {
    CORTEX_ASSIGN_OR_RETURN(const json::value experiment, find_experiment());
    json::object body{
        {"experiment_ids", json::array{cell(member(experiment, "experiment_id"))}},
        {"max_results", flags_.limit}
    };
    if (!flags_.filter.empty()) body.emplace("filter", flags_.filter);
    if (!flags_.order_by.empty()) body.emplace("order_by", json::array{flags_.order_by});
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, post("/runs/search", body));
    if (flags_.as_json) return print(answer);
    Rows rows{{"RUN", "NAME", "STATUS", "STARTED", "METRICS"}};
    for (const json::value& run : list_of(answer, "runs")) {
      const json::value* info = member(run, "info");
      if (info == nullptr) continue;
      rows.push_back(
          {cell(member(*info, "run_id")),
           cell(member(*info, "run_name")),
           cell(member(*info, "status")),
           time_text(integer_of(member(*info, "start_time"))),
           metrics_text(run)}
      );
    }
    print_table(context_.out, rows);
    if (!text_member(answer, "next_page_token").empty()) {
      context_.err << "there are more; --limit shows up to 50000\n";
    }
    return {};
  }

  Status run() {
    CORTEX_ASSIGN_OR_RETURN(const json::value found, find_run(flags_.run));
    return print(found);
  }

  Status compare() {
    CORTEX_ASSIGN_OR_RETURN(const json::value left, find_run(flags_.run));
    CORTEX_ASSIGN_OR_RETURN(const json::value right, find_run(flags_.other));
    const json::object difference = difference_of(left, right);
    if (flags_.as_json) return print(difference);
    print_differences(context_.out, "params", difference.if_contains("params"));
    print_differences(context_.out, "tags", difference.if_contains("tags"));
    print_metrics(*difference.if_contains("metrics"));
    return {};
  }

  Status plot_metric() {
    const std::string target =
        "/metrics/get-history-bulk-interval?run_ids=" + net::path_segment(flags_.run) +
        "&metric_key=" + net::path_segment(flags_.metric) +
        "&max_results=" + std::to_string(kPlottedValues);
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, get(target));
    if (flags_.as_json) return print(answer);
    std::vector<PlotPoint> points;
    for (const json::value& value : list_of(answer, "metrics")) {
      points.push_back({real(member(value, "step")), real(member(value, "value"))});
    }
    const std::string drawing = plot(points);
    if (drawing.empty()) {
      return not_found("run '" + flags_.run + "' has no values of '" + flags_.metric + "'");
    }
    context_.out << cell_text(flags_.metric) << " by step, " << points.size() << " values\n"
                 << drawing;
    return {};
  }

 private:
  static std::string cell_text(const std::string& text) {
    const json::value value(text);
    return cell(&value);
  }

  static json::array list_of(const json::value& answer, std::string_view name) {
    const json::value* list = member(answer, name);
    return list == nullptr || !list->is_array() ? json::array() : list->get_array();
  }

  Result<json::value> get(const std::string& path) {
    const std::string target = std::string(kTrackingRoot) + path;
    net::HttpCall request;
    request.target = target;
    return call_json(client_, request);
  }
  Result<json::value> post(const std::string& path, const json::object& body) {
    const std::string target = std::string(kTrackingRoot) + path;
    const std::string text = json::serialize(body);
    net::HttpCall request;
    request.method = "POST";
    request.target = target;
    request.body = text;
    return call_json(client_, request);
  }

  // By its name, or by its id where no name is like that.
  Result<json::value> find_experiment() {
    const std::string name = net::path_segment(flags_.experiment);
    auto answer = get("/experiments/get-by-name?experiment_name=" + name);
    const bool digits = std::all_of(flags_.experiment.begin(), flags_.experiment.end(), [](char c) {
      return c >= '0' && c <= '9';
    });
    if (answer.status().code() == Code::kNotFound && digits) {
      answer = get("/experiments/get?experiment_id=" + name);
    }
    return inner(std::move(answer), "experiment");
  }
  Result<json::value> find_run(const std::string& id) {
    return inner(get("/runs/get?run_id=" + net::path_segment(id)), "run");
  }
  static Result<json::value> inner(Result<json::value> answer, std::string_view name) {
    if (!answer.ok()) return answer;
    const json::value* found = member(*answer, name);
    if (found == nullptr) return failed_precondition("the answer holds no " + std::string(name));
    return *found;
  }

  Status print(const json::value& value) {
    context_.out << pretty(value);
    return {};
  }

  static json::array differing(
      const json::value& left, const json::value& right, std::string_view name, bool equal_too
  ) {
    const json::value none;
    const json::value* left_data = member(left, "data");
    const json::value* right_data = member(right, "data");
    const auto one = pairs_of(left_data == nullptr ? none : *left_data, name);
    const auto two = pairs_of(right_data == nullptr ? none : *right_data, name);
    std::set<std::string> names;
    for (const auto& [key, value] : one) names.insert(key);
    for (const auto& [key, value] : two) names.insert(key);
    json::array out;
    for (const std::string& key : names) {
      const auto a = one.find(key);
      const auto b = two.find(key);
      const json::value left_text = a == one.end() ? json::value() : json::value(a->second);
      const json::value right_text = b == two.end() ? json::value() : json::value(b->second);
      if (!equal_too && left_text == right_text) continue;
      out.push_back(json::object{{"name", key}, {"left", left_text}, {"right", right_text}});
    }
    return out;
  }

  static json::object difference_of(const json::value& left, const json::value& right) {
    return {
        {"params", differing(left, right, "params", false)},
        {"tags", differing(left, right, "tags", false)},
        {"metrics", differing(left, right, "metrics", true)},
    };
  }

  void print_metrics(const json::value& metrics) {
    if (metrics.get_array().empty()) return;
    Rows rows{{"METRIC", "LEFT", "RIGHT"}};
    for (const json::value& metric : metrics.get_array()) {
      rows.push_back(
          {cell(member(metric, "name")), cell(member(metric, "left")), cell(member(metric, "right"))
          }
      );
    }
    print_table(context_.out, rows);
  }

  Context& context_;
  net::HttpClient client_;
  const RunFlags& flags_;
};

Command add_run_call(
    const Command& parent,
    const std::shared_ptr<RunFlags>& flags,
    const CommandText& text,
    Status (RunCalls::*call)()
) {
  const Command command = add_server_call(parent, flags, text, call);
  command.flag("--json", flags->as_json, "Print JSON");
  return command;
}

void add_run(const Command& command, RunFlags& flags) {
  command.option("run", flags.run, "The run's id").required().type("RUN");
}
void add_search(const Command& command, RunFlags& flags) {
  command.option("--filter", flags.filter, "As MLflow's search has it").type("TEXT");
  command.option("--limit", flags.limit, "How many at most").type("N");
}

}  // namespace

void add_experiments_command(const Command& root) {
  const Command group = root.add_group("experiments", "Experiments: the folders of runs.");
  auto flags = std::make_shared<RunFlags>();
  add_search(
      add_run_call(group, flags, {"list", "List the experiments."}, &RunCalls::experiments), *flags
  );
  const Command show =
      add_run_call(group, flags, {"show", "Print an experiment."}, &RunCalls::experiment);
  show.option("experiment", flags->experiment, "Its name or id").required();
}

void add_runs_command(const Command& root) {
  const Command group = root.add_group("runs", "Runs: what was tried, and what came of it.");
  auto flags = std::make_shared<RunFlags>();
  const Command list =
      add_run_call(group, flags, {"list", "List runs of an experiment."}, &RunCalls::runs);
  list.option("--experiment", flags->experiment, "Its name or id; Default without it");
  list.option("--order-by", flags->order_by, "As \"metrics.loss ASC\"").type("TEXT");
  add_search(list, *flags);
  add_run(add_run_call(group, flags, {"show", "Print a run."}, &RunCalls::run), *flags);
  const Command compare =
      add_run_call(group, flags, {"compare", "What differs between two runs."}, &RunCalls::compare);
  add_run(compare, *flags);
  compare.option("other", flags->other, "The other run's id").required().type("RUN");
  const Command drawing =
      add_run_call(group, flags, {"plot", "Draw a metric by step."}, &RunCalls::plot_metric);
  add_run(drawing, *flags);
  drawing.option("metric", flags->metric, "The metric's name").required().type("METRIC");
}

}  // namespace cortex::cli::detail
