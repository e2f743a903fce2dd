// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/registry/registry_codec.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "base/clock.h"
#include "base/json_text.h"
#include "base/log.h"
#include "base/mutex.h"
#include "base/thread_pool.h"
#include "frontend/codec/registry/documents.h"
#include "frontend/codec/registry/registry_route.h"
#include "frontend/http/route_table.h"
#include "frontend/status_map.h"

namespace cortex::frontend::registry_api {
namespace {

constexpr std::string_view kName = "registry";
constexpr std::size_t kBodyBytesLimit = std::size_t{1} << 20;
constexpr std::size_t kReasonBytesMax = 1000;
constexpr std::size_t kReplayKeyBytesMax = 255;
constexpr std::size_t kFileReadsMax = 64;

using ExchangePtr = std::shared_ptr<Exchange>;

std::string error_text(int, const Status& status, std::string_view) {
  std::string out = R"({"error":)";
  append_json_string(out, status.text());
  return out.append("}");
}

int http_status_of(Code code) {
  return code == Code::kFailedPrecondition ? 409 : status_row(code).http;
}

void add_tag(HttpReply& reply, const std::string& tag) {
  if (!tag.empty()) reply.headers.emplace_back("ETag", "\"" + tag + "\"");
}

void fail(Exchange& exchange, const Answer& answer, const Status& status) {
  if (is_server_fault(status.code())) {
    log::error(
        "request failed",
        {{"request_id", exchange.request().id},
         {"path", exchange.request().path},
         {"error", status.to_string()}}
    );
  }
  exchange.record().status = status;
  HttpReply reply;
  reply.status = answer.status >= 400 ? answer.status : http_status_of(status.code());
  reply.body = error_text(reply.status, status, {});
  if (const auto seconds = retry_after_seconds(status)) {
    reply.headers.emplace_back("Retry-After", std::to_string(*seconds));
  }
  add_tag(reply, answer.tag);
  exchange.reply(std::move(reply));
}

void succeed(Exchange& exchange, Answer answer, bool replayed) {
  HttpReply reply;
  reply.status = answer.status;
  reply.body = std::move(answer.body);
  if (answer.binary) reply.content_type = "application/octet-stream";
  add_tag(reply, answer.tag);
  if (!answer.location.empty()) reply.headers.emplace_back("Location", std::move(answer.location));
  if (replayed) reply.headers.emplace_back("Idempotency-Replayed", "true");
  exchange.reply(std::move(reply));
}

// The header's text, cut to whole characters that a database keeps.
std::string header_reason(const HttpRequest& request) {
  std::string_view reason = request.header("x-cortex-reason").substr(0, kReasonBytesMax);
  while (!reason.empty() && !is_utf8(reason)) reason.remove_suffix(1);
  return reason.find('\0') == std::string_view::npos ? std::string(reason) : std::string();
}

std::string reason_of(const HttpRequest& request, const Fields& fields) {
  const auto in_body = fields.text_if("reason");
  if (!in_body) return header_reason(request);
  if (in_body->size() > kReasonBytesMax) {
    fields.refuse("reason", "is longer than " + std::to_string(kReasonBytesMax) + " bytes");
  }
  return *in_body;
}

Result<Plan> plan_request(const Planner& planner, const HttpRequest& http) {
  CORTEX_ASSIGN_OR_RETURN(const Fields fields, Fields::read(http));
  CORTEX_ASSIGN_OR_RETURN(Query query, Query::read(http.query));
  CORTEX_ASSIGN_OR_RETURN(Precondition precondition, Precondition::read(http));
  registry::Authorship author{
      http.principal.workspace, http.principal.key, reason_of(http, fields), unix_milliseconds()
  };
  const Call call{http, fields, query, std::move(author), std::move(precondition)};
  Result<Plan> plan = planner(call);
  CORTEX_RETURN_IF_ERROR(fields.finish());
  CORTEX_RETURN_IF_ERROR(query.finish());
  return plan;
}

bool is_replay_key(std::string_view key) {
  return key.size() <= kReplayKeyBytesMax &&
         std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7F; });
}

// All that makes the request what it is.
std::string digest_of(const HttpRequest& http) {
  std::string text(method_name(http.method));
  text.append(" ").append(http.path).append("?").append(http.query).append("\n");
  text.append(http.header("if-match")).append("\n").append(http.header("if-none-match"));
  text.append("\n").append(http.body->text());
  return tag_of(text);
}

// nullopt: the request has no key, or needs none.
Result<std::optional<store::ReplayKey>> read_replay_key(const HttpRequest& http) {
  const std::string_view key = http.header("idempotency-key");
  if (key.empty() || http.method != Method::kPost) return std::optional<store::ReplayKey>();
  if (!is_replay_key(key)) {
    return invalid_argument(
        "Idempotency-Key: 1 to " + std::to_string(kReplayKeyBytesMax) + " visible ASCII characters"
    );
  }
  const Principal& principal = http.principal;
  return std::optional(
      store::ReplayKey{principal.workspace, principal.key, std::string(key), digest_of(http)}
  );
}

store::KeptAnswer kept_form(const Answer& answer) {
  return {answer.status, answer.tag + "\n" + answer.location, answer.body};
}

Answer answer_of(const store::KeptAnswer& kept) {
  const std::size_t cut = std::min(kept.head.find('\n'), kept.head.size());
  Answer answer;
  answer.status = static_cast<int>(kept.status);
  answer.body = kept.body;
  answer.tag = kept.head.substr(0, cut);
  answer.location = kept.head.substr(std::min(cut + 1, kept.head.size()));
  return answer;
}

// What one run of the work found; shared with its end.
struct Outcome {
  Answer answer;
  bool replayed = false;
  std::int64_t evicted = 0;  // answers that gave way to this one
};

Status run_once(
    store::Transaction& transaction,
    const Plan::Work& work,
    const store::ReplayKey& key,
    const store::ReplayLimits& limits,
    Outcome& outcome
) {
  const auto kept = store::claim_replay(transaction, key, unix_milliseconds(), limits);
  if (kept.status().code() == Code::kFailedPrecondition) outcome.answer.status = 422;
  CORTEX_RETURN_IF_ERROR(kept.status());
  if (*kept) {
    outcome.answer = answer_of(**kept);
    outcome.replayed = true;
    return {};
  }
  CORTEX_RETURN_IF_ERROR(work(transaction, outcome.answer));
  CORTEX_ASSIGN_OR_RETURN(
      outcome.evicted, store::keep_answer(transaction, key, kept_form(outcome.answer), limits)
  );
  return {};
}

void finish_with_files(
    const Context& context,
    const ExchangePtr& exchange,
    const std::shared_ptr<Outcome>& outcome,
    Plan::Finish finish
) {
  const bool taken = context.read_files([&context, exchange, outcome, finish = std::move(finish)] {
    const Status finished = finish(context, outcome->answer);
    if (!finished.ok()) return fail(*exchange, outcome->answer, finished);
    succeed(*exchange, std::move(outcome->answer), false);
  });
  if (taken) return;
  const Status full = resource_exhausted("too many requests wait for files");
  fail(*exchange, {}, full.with_retry_after(std::chrono::seconds(1)));
}

void finish_later(const ExchangePtr& exchange, const Plan::Later& later) {
  later([exchange](const Status& status, Answer answer) {
    if (!status.ok()) return fail(*exchange, answer, status);
    succeed(*exchange, std::move(answer), false);
  });
}

store::Store::Done make_done(
    const Context& context,
    ExchangePtr exchange,
    std::shared_ptr<Outcome> outcome,
    Plan::Finish finish,
    Plan::Later later
) {
  return [&context,
          exchange = std::move(exchange),
          outcome = std::move(outcome),
          finish = std::move(finish),
          later = std::move(later)](const Status& status) {
    if (!status.ok()) return fail(*exchange, outcome->answer, status);
    context.replays_evicted += static_cast<std::uint64_t>(outcome->evicted);
    if (finish) return finish_with_files(context, exchange, outcome, finish);
    if (later) return finish_later(exchange, later);
    succeed(*exchange, std::move(outcome->answer), outcome->replayed);
  };
}

void run_plan(const Context& context, ExchangePtr exchange, Plan plan) {
  auto key = read_replay_key(exchange->request());
  if (!key.ok()) return fail(*exchange, {}, key.status());
  auto outcome = std::make_shared<Outcome>();
  if (!plan.work) return finish_with_files(context, exchange, outcome, std::move(plan.finish));
  store::Store::Done done = make_done(
      context, std::move(exchange), outcome, std::move(plan.finish), std::move(plan.later)
  );
  if (!plan.changes) {
    return context.store.read(
        [outcome, work = std::move(plan.work)](store::Transaction& transaction) {
          *outcome = {};
          return work(transaction, outcome->answer);
        },
        std::move(done)
    );
  }
  context.store.write(
      [outcome, work = std::move(plan.work), key = std::move(*key), limits = context.replays](
          store::Transaction& transaction
      ) {
        *outcome = {};
        if (!key) return work(transaction, outcome->answer);
        return run_once(transaction, work, *key, limits, *outcome);
      },
      std::move(done)
  );
}

Route mounted(const Context& context, RegistryRoute from) {
  Route route;
  route.method = from.method;
  route.pattern = from.pattern;
  const Scope usual = from.method == Method::kGet ? Scope::kRead : Scope::kAdmin;
  route.scope = from.scope == Scope::kNone ? usual : from.scope;
  route.api = kName;
  route.summary = from.summary;
  route.body_bytes_limit = kBodyBytesLimit;
  route.request_schema = from.request_schema;
  route.response_schema = from.response_schema;
  route.success_status = from.success_status;
  route.parameters = from.parameters;
  route.handler = [&context, planner = std::move(from.planner)](const ExchangePtr& exchange) {
    Result<Plan> plan = plan_request(planner, exchange->request());
    if (!plan.ok()) return fail(*exchange, {}, plan.status());
    run_plan(context, exchange, std::move(*plan));
  };
  return route;
}

}  // namespace

struct RegistryCodec::State {
  State(store::Store& store, store::ArtifactStore& artifacts, const RegistryOptions& options)
      : copies(store, options.backups),
        context{
            store,
            artifacts,
            options.replays,
            copies,
            [this](std::function<void()> read) { return submit(std::move(read)); },
            replays_evicted
        },
        webhooks(options.webhooks) {}

  bool submit(std::function<void()> read) {
    MutexLock lock(mutex);
    return files && files->submit(std::move(read));
  }

  BackupCopies copies;
  std::atomic<std::uint64_t> replays_evicted{0};
  const Context context;
  connectors::WebhookSender* const webhooks;
  Mutex mutex;  // stop() comes from another thread than the works
  std::unique_ptr<ThreadPool> files GUARDED_BY(mutex
  ) = std::make_unique<ThreadPool>("files", 1, kFileReadsMax);
};

RegistryCodec::RegistryCodec(
    store::Store& store, store::ArtifactStore& artifacts, const RegistryOptions& options
)
    : state_(std::make_unique<State>(store, artifacts, options)) {}

RegistryCodec::~RegistryCodec() = default;

void RegistryCodec::stop() {
  std::unique_ptr<ThreadPool> ending;
  MutexLock lock(state_->mutex);
  ending = std::move(state_->files);
}

std::uint64_t RegistryCodec::replays_evicted() const { return state_->replays_evicted; }

Api RegistryCodec::make_api() const {
  Api api;
  api.name = kName;
  api.prefix = "/api/v2";
  api.error_body = error_text;
  api.schemas = registry_schemas();
  std::vector<std::vector<RegistryRoute>> groups = {
      model_routes(),
      version_routes(),
      version_change_routes(),
      alias_routes(),
      policy_routes(),
      compare_routes(),
      audit_routes(),
      backup_routes()
  };
  if (state_->webhooks != nullptr) groups.push_back(webhook_routes(*state_->webhooks));
  for (std::vector<RegistryRoute>& routes : groups) {
    for (RegistryRoute& route : routes) {
      api.routes.push_back(mounted(state_->context, std::move(route)));
    }
  }
  return api;
}

}  // namespace cortex::frontend::registry_api
