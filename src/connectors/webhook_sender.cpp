// SPDX-License-Identifier: Apache-2.0
#include "connectors/webhook_sender.h"

#include <algorithm>
#include <charconv>
#include <random>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "connectors/webhook_url.h"
#include "net/http_pool.h"

namespace cortex::connectors {
namespace {

using std::chrono::milliseconds;

// How long the right to send lasts, and when it is asked for again.
constexpr std::int64_t kHoldMs = 30'000;
constexpr std::int64_t kHoldAgainMs = 10'000;
// After a fault of the database, and while another process sends.
constexpr milliseconds kPause{1'000};
constexpr milliseconds kIdle{60'000};
constexpr std::size_t kEntriesAtOnce = 200;
constexpr int kPagesAtOnce = 50;
// Entries without an event for a hook, before its cursor is written.
constexpr std::int64_t kPassedMax = 100;
constexpr std::size_t kAnswerBytesMax = 1 << 20;
constexpr std::size_t kQueueLimit = 1024;
constexpr milliseconds kRetryAfterMax{3'600'000};

double random_chance() {
  thread_local std::minstd_rand engine(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

milliseconds retry_after_of(const net::HttpResponse& answer) {
  const std::string_view text = answer.header("retry-after");
  std::int64_t seconds = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (text.empty() || read.ec != std::errc() || seconds < 0) return milliseconds(0);
  return std::min(kRetryAfterMax, milliseconds(std::min<std::int64_t>(seconds, 3'600) * 1'000));
}

AttemptResult faulty(const Status& status, bool final_fault) {
  AttemptResult out;
  out.error = status.text();
  out.final_fault = final_fault;
  return out;
}

}  // namespace

WebhookSender::WebhookSender(
    WebhookSenderOptions options, store::Store& store, SecretBox box, WebhookFeed feed
)
    : options_(std::move(options)), store_(store), box_(box), feed_(std::move(feed)) {}

WebhookSender::~WebhookSender() { stop(); }

Status WebhookSender::start() {
  net::HttpPoolOptions http;
  http.connections = options_.threads;
  http.idle = 0;
  http.connect_timeout = http.stall_timeout = http.timeout = options_.timeout;
  http.body_bytes_max = kAnswerBytesMax;
  http.tls.ca_file = options_.ca_file;
  if (!options_.allow_private) http.allowed = is_public_address;
  CORTEX_ASSIGN_OR_RETURN(http_, net::HttpPool::make(http));
  pool_ = std::make_unique<ThreadPool>("webhook", options_.threads, kQueueLimit);
  thread_ = Thread("webhooks", [this] { run(); });
  return {};
}

void WebhookSender::stop() {
  stop_asked_ = true;
  wake();
  thread_.join();
  pool_.reset();
}

void WebhookSender::wake() { static_cast<void>(inbox_.put(true)); }

WebhookCounts WebhookSender::counts() const {
  return {delivered_, failed_, retries_, switched_off_, active_, behind_};
}

Status WebhookSender::check_url(const std::string& url) const {
  CORTEX_ASSIGN_OR_RETURN(const WebhookUrl parsed, parse_webhook_url(url));
  if (options_.allow_private || may_be_public(parsed.host)) return {};
  return invalid_argument(
      "Invalid webhook URL: " + parsed.host +
      " is not a public address (connectors.webhooks.allow_private)."
  );
}

void WebhookSender::run() {
  std::vector<bool> wakes;
  while (!stop_asked_) {
    const milliseconds wait = turn();
    wakes.clear();
    inbox_.take_all(wakes, steady_clock().now() + wait);
  }
}

// How long until the next one, if nothing happens.
milliseconds WebhookSender::turn() {
  const std::int64_t now = unix_milliseconds();
  auto view = look(now);
  if (!view.ok()) {
    log::warning("webhooks wait for the database", {{"reason", view.status().to_string()}});
    return kPause;
  }
  active_ = view->hooks.size();
  behind_ = static_cast<std::uint64_t>(view->behind);
  if (view->hooks.empty()) return kIdle;
  const auto ours = hold(now);
  if (!ours.ok() || !*ours) return kPause;
  if (!keep(*view, now).ok()) return kPause;
  for (Work& work : view->due) {
    {
      MutexLock lock(mutex_);
      if (!busy_.insert(work.hook.id).second) continue;
    }
    const auto shared = std::make_shared<Work>(std::move(work));
    if (pool_->submit([this, shared] { send(*shared); })) continue;
    MutexLock lock(mutex_);
    busy_.erase(shared->hook.id);
  }
  if (view->again) return milliseconds(1);
  if (view->next_at == 0) return milliseconds(kHoldAgainMs);
  return milliseconds(std::clamp<std::int64_t>(view->next_at - now, 1, kHoldAgainMs));
}

Result<bool> WebhookSender::hold(std::int64_t now) {
  if (held_until_ - now > kHoldMs - kHoldAgainMs) return true;
  bool ours = false;
  CORTEX_RETURN_IF_ERROR(store_.write_and_wait(
      [&](store::Transaction& transaction) -> Status {
        CORTEX_ASSIGN_OR_RETURN(
            ours, hold_sender(transaction, options_.holder, now, now + kHoldMs)
        );
        return {};
      },
      store::Durability::kRelaxed
  ));
  held_until_ = ours ? now + kHoldMs : 0;
  return ours;
}

std::set<std::string> WebhookSender::busy(std::int64_t now) {
  MutexLock lock(mutex_);
  std::erase_if(held_off_, [now](const auto& held) { return held.second <= now; });
  std::set<std::string> out = busy_;
  for (const auto& [id, until] : held_off_) out.insert(id);
  return out;
}

Result<WebhookSender::View> WebhookSender::look(std::int64_t now) {
  View view;
  // Before the look: what was noted of an attempt that ended meanwhile would not be seen.
  const std::set<std::string> skipped = busy(now);
  const Status looked = store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    view = {};
    CORTEX_ASSIGN_OR_RETURN(view.hooks, active_webhooks(transaction));
    for (const ActiveWebhook& hook : view.hooks) {
      if (skipped.contains(hook.id)) continue;
      if (hook.pending_seq != 0 && hook.next_attempt_at > now) {
        if (view.next_at == 0 || hook.next_attempt_at < view.next_at) {
          view.next_at = hook.next_attempt_at;
        }
      } else {
        CORTEX_RETURN_IF_ERROR(look_at(transaction, hook, view));
      }
    }
    return {};
  });
  CORTEX_RETURN_IF_ERROR(looked);
  return view;
}

// Finds the event that a hook is to be told of next. Entries that it does not ask for cost nothing
// but their reading, and count for nothing.
Status WebhookSender::look_at(store::Transaction& transaction, ActiveWebhook hook, View& view) {
  CORTEX_ASSIGN_OR_RETURN(const std::int64_t head, feed_.head(transaction, hook.workspace));
  std::int64_t at = hook.cursor;
  for (int pages = 0; at < head; ++pages) {
    if (pages == kPagesAtOnce) {
      view.again = true;
      break;
    }
    CORTEX_ASSIGN_OR_RETURN(
        EventPage page, feed_.read(transaction, hook.workspace, at, kEntriesAtOnce)
    );
    for (WebhookEvent& event : page.events) {
      if (!hook.events.contains(event.name)) continue;
      take(std::move(hook), std::move(event), head, view);
      return {};
    }
    if (page.last <= at) break;
    at = page.last;
  }
  if (at - hook.cursor >= kPassedMax) view.passed.emplace_back(std::move(hook), at);
  return {};
}

void WebhookSender::take(ActiveWebhook hook, WebhookEvent event, std::int64_t head, View& view)
    const {
  const std::int64_t behind = head - event.seq + 1;
  view.behind = std::max(view.behind, behind);
  if (behind > options_.queue_events) {
    view.overrun.push_back(std::move(hook));
  } else {
    view.due.push_back({std::move(hook), std::move(event)});
  }
}

Status WebhookSender::keep(const View& view, std::int64_t now) {
  if (view.passed.empty() && view.overrun.empty()) return {};
  const std::string why = "switched off: it was more than " +
                          std::to_string(options_.queue_events) +
                          " events behind (connectors.webhooks.queue_events)";
  const Status status = store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    for (const auto& [hook, cursor] : view.passed) {
      CORTEX_RETURN_IF_ERROR(skip_to(transaction, hook, cursor));
    }
    for (const ActiveWebhook& hook : view.overrun) {
      CORTEX_RETURN_IF_ERROR(switch_off(transaction, hook, why, now));
    }
    return {};
  });
  CORTEX_RETURN_IF_ERROR(status);
  for (const ActiveWebhook& hook : view.overrun) say_switched_off(hook, why);
  return {};
}

void WebhookSender::say_switched_off(const ActiveWebhook& hook, const std::string& why) {
  ++switched_off_;
  log::warning(
      "a webhook was switched off", {{"id", hook.id}, {"name", hook.name}, {"reason", why}}
  );
}

void WebhookSender::send(const Work& work) {
  if (!stop_asked_) {
    const ActiveWebhook& hook = work.hook;
    conclude(work, attempt({hook.id, hook.url, hook.sealed_secret, work.event}));
  }
  {
    MutexLock lock(mutex_);
    busy_.erase(work.hook.id);
  }
  wake();
}

AttemptResult WebhookSender::attempt(const Trial& trial) const {
  const auto secret = box_.unseal(trial.sealed_secret, trial.webhook_id);
  if (!secret.ok()) return faulty(secret.status(), true);
  if (const Status bad = check_url(trial.url); !bad.ok()) return faulty(bad, true);
  net::HttpRequest request;
  request.method = "POST";
  request.url = trial.url.substr(0, trial.url.find('#'));
  request.body = trial.event.body;
  request.headers = delivery_headers(
      delivery_id(trial.webhook_id, trial.event.seq),
      unix_milliseconds() / 1000,
      *secret,
      trial.event.body
  );
  request.headers.emplace_back("Content-Type", "application/json");
  request.headers.emplace_back("User-Agent", "cortex-webhooks");
  request.deadline = steady_clock().now() + options_.timeout;
  const TimePoint begun = steady_clock().now();
  const auto answer = http_->send(request);
  const bool refused = answer.status().code() == Code::kPermissionDenied;
  AttemptResult out = answer.ok() ? AttemptResult{} : faulty(answer.status(), refused);
  out.duration_ms = std::chrono::duration_cast<milliseconds>(steady_clock().now() - begun).count();
  if (!answer.ok()) return out;
  out.response_status = answer->status;
  out.response_head = response_head(answer->body);
  out.retry_after = retry_after_of(*answer);
  return out;
}

void WebhookSender::conclude(const Work& work, AttemptResult result) {
  const ActiveWebhook& hook = work.hook;
  Delivery delivery;
  delivery.seq = work.event.seq;
  delivery.id = delivery_id(hook.id, work.event.seq);
  delivery.event = work.event.name;
  delivery.attempts = (hook.pending_seq == work.event.seq ? hook.attempts : 0) + 1;
  delivery.updated_at = unix_milliseconds();
  const AfterAttempt after =
      after_attempt(options_.retry, result, static_cast<int>(delivery.attempts), random_chance());
  delivery.status = after.status;
  const bool pending = after.status == DeliveryStatus::kPending;
  if (pending) delivery.next_attempt_at = delivery.updated_at + after.wait.count();
  delivery.last = std::move(result);
  bool off = false;
  const Status kept = store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(off, note_attempt(transaction, hook, delivery, options_.log));
    return {};
  });
  // Not kept: it comes again, which receivers can tell.
  if (!kept.ok()) {
    {
      MutexLock lock(mutex_);
      held_off_[hook.id] = delivery.updated_at + options_.retry.wait_max.count();
    }
    log::warning("a delivery could not be noted", {{"webhook", hook.id}, {"reason", kept.text()}});
  }
  if (delivery.attempts > 1) ++retries_;
  if (after.status == DeliveryStatus::kDelivered) ++delivered_;
  if (after.status == DeliveryStatus::kFailed) {
    ++failed_;
    log::warning(
        "a webhook's delivery was given up",
        {{"id", hook.id},
         {"name", hook.name},
         {"event", delivery.event},
         {"status", delivery.last.response_status},
         {"error", delivery.last.error}}
    );
  }
  if (off) say_switched_off(hook, "too many deliveries failed");
}

Result<WebhookSender::Trial> WebhookSender::make_trial(
    store::Transaction& transaction,
    const std::string& workspace,
    const std::string& id,
    const std::string& event
) const {
  CORTEX_ASSIGN_OR_RETURN(const Webhook hook, find_webhook(transaction, workspace, id));
  CORTEX_ASSIGN_OR_RETURN(
      std::string sealed_secret, find_sealed_secret(transaction, workspace, id)
  );
  return Trial{
      hook.id,
      hook.url,
      std::move(sealed_secret),
      feed_.example(event.empty() ? hook.events.at(0) : event, unix_milliseconds())
  };
}

void WebhookSender::try_out(Trial trial, std::function<void(Result<AttemptResult>)> done) {
  const auto shared = std::make_shared<Trial>(std::move(trial));
  const bool taken = pool_ && pool_->submit([this, shared, done] { done(attempt(*shared)); });
  if (!taken) done(resource_exhausted("Too many webhooks are to be told: try again later."));
}

}  // namespace cortex::connectors
