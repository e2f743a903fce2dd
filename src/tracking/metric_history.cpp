// SPDX-License-Identifier: Apache-2.0
#include "tracking/metric_history.h"

#include <algorithm>
#include <limits>
#include <string_view>

#include "store/filter.h"
#include "store/keyset.h"
#include "tracking/detail/find.h"
#include "tracking/detail/rows.h"

namespace cortex::tracking {
namespace {

using store::Rows;
using store::SortKey;
using store::Transaction;
using store::Value;

const std::vector<SortKey>& history_order() {
  static const std::vector<SortKey> keys{{"at"}, {"step"}, {"value"}, {"is_nan"}};
  return keys;
}

std::string token_scope(const std::string& workspace, const HistoryQuery& query) {
  return "history\n" + workspace + "\n" + query.run_id + "\n" + query.key;
}

// Of the columns key, at, step, value, is_nan.
std::vector<Value> place_of(const Rows& rows, std::size_t row) {
  return {
      Value(rows.integer(row, 1)),
      Value(rows.integer(row, 2)),
      Value(rows.real(row, 3)),
      Value(rows.integer(row, 4))
  };
}

struct Sampled {
  std::vector<Metric> metrics;
  std::vector<Value> last;  // the place of the last one
};

void add_sample(Sampled& out, const Rows& rows, std::size_t row, const std::string& run_id) {
  out.metrics.push_back(detail::metric_of(rows, row, 0));
  out.metrics.back().run_id = run_id;
  out.last = place_of(rows, row);
}

Result<std::vector<Metric>> sample_run(
    Transaction& transaction, const detail::StoredRun& run, const SampleQuery& query
) {
  std::vector<Value> parameters{Value(run.number), Value(query.key)};
  std::string where = " FROM metric WHERE run = $1 AND key = $2";
  if (query.steps) {
    where.append(" AND step >= ").append(store::add_parameter(parameters, query.steps->first));
    where.append(" AND step <= ").append(store::add_parameter(parameters, query.steps->second));
  }
  const std::string columns = "key, at, step, value, is_nan";
  const std::string order = " ORDER BY step, at, value, is_nan";
  // The first of each of `limit` equal parts, which are as many as there are rows when those are
  // few.
  const std::string parts = "SELECT " + columns + ", NTILE(" + std::to_string(query.limit) +
                            ") OVER (" + order + ") AS part" + where;
  const std::string ranked = "SELECT " + columns + ", ROW_NUMBER() OVER (PARTITION BY part" +
                             order + ") AS place FROM (" + parts + ") parts";
  const std::string firsts =
      "SELECT " + columns + " FROM (" + ranked + ") ranked WHERE place = 1" + order;
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows, transaction.query(firsts, std::span<const Value>(parameters))
  );
  Sampled sampled;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    add_sample(sampled, rows, row, run.info.run_id);
  }
  if (rows.empty()) return sampled.metrics;
  const std::string last =
      "SELECT " + columns + where + " ORDER BY step DESC, at DESC, value DESC, is_nan DESC LIMIT 1";
  CORTEX_ASSIGN_OR_RETURN(
      const Rows end, transaction.query(last, std::span<const Value>(parameters))
  );
  if (end.empty() || place_of(end, 0) == sampled.last) return sampled.metrics;
  if (sampled.metrics.size() >= query.limit) sampled.metrics.pop_back();
  add_sample(sampled, end, 0, run.info.run_id);
  return sampled.metrics;
}

}  // namespace

Result<HistoryPage> metric_history(
    Transaction& transaction, const std::string& workspace, const HistoryQuery& query
) {
  auto run = detail::find_stored_run(transaction, workspace, query.run_id);
  if (run.status().code() == Code::kNotFound) return HistoryPage();
  if (!run.ok()) return run.status();
  std::vector<Value> parameters{Value(run->number), Value(query.key)};
  std::string sql = "SELECT key, at, step, value, is_nan FROM metric WHERE run = $1 AND key = $2";
  if (!query.page_token.empty()) {
    CORTEX_ASSIGN_OR_RETURN(
        const std::vector<Value> last,
        store::read_page_token(token_scope(workspace, query), query.page_token)
    );
    if (last.size() != history_order().size()) return invalid_argument("Invalid page token");
    sql.append(" AND ");
    store::append_behind(sql, parameters, history_order(), last);
  }
  sql.append(" ORDER BY ");
  store::append_order(sql, history_order());
  sql.append(" LIMIT ");
  sql.append(store::add_parameter(parameters, static_cast<std::int64_t>(query.limit + 1)));
  CORTEX_ASSIGN_OR_RETURN(
      const Rows rows, transaction.query(sql, std::span<const Value>(parameters))
  );
  HistoryPage page;
  const std::size_t count = std::min(rows.size(), query.limit);
  page.metrics.reserve(count);
  for (std::size_t row = 0; row < count; ++row) {
    page.metrics.push_back(detail::metric_of(rows, row, 0));
  }
  if (rows.size() > count && count > 0) {
    page.next_page_token =
        store::make_page_token(token_scope(workspace, query), place_of(rows, count - 1));
  }
  return page;
}

Result<std::vector<Metric>> metric_histories(
    Transaction& transaction,
    const std::string& workspace,
    const std::vector<std::string>& run_ids,
    const std::string& key,
    std::size_t limit
) {
  std::vector<std::string> sorted = run_ids;
  std::sort(sorted.begin(), sorted.end());
  sorted.erase(std::unique(sorted.begin(), sorted.end()), sorted.end());
  std::vector<Metric> all;
  for (const std::string& run_id : sorted) {
    if (all.size() >= limit) break;
    HistoryQuery query{run_id, key, limit - all.size(), {}};
    CORTEX_ASSIGN_OR_RETURN(HistoryPage page, metric_history(transaction, workspace, query));
    for (Metric& metric : page.metrics) {
      metric.run_id = run_id;
      all.push_back(std::move(metric));
    }
  }
  return all;
}

Result<std::vector<Metric>> sample_metrics(
    Transaction& transaction, const std::string& workspace, const SampleQuery& query
) {
  std::vector<Metric> all;
  for (const std::string& run_id : query.run_ids) {
    auto run = detail::find_stored_run(transaction, workspace, run_id);
    if (run.status().code() == Code::kNotFound) continue;
    if (!run.ok()) return run.status();
    CORTEX_ASSIGN_OR_RETURN(std::vector<Metric> sampled, sample_run(transaction, *run, query));
    all.insert(
        all.end(), std::make_move_iterator(sampled.begin()), std::make_move_iterator(sampled.end())
    );
  }
  return all;
}

}  // namespace cortex::tracking
