// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/mailbox.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "base/thread_pool.h"
#include "connectors/delivery.h"
#include "connectors/delivery_log.h"
#include "connectors/secret_box.h"
#include "connectors/webhook.h"
#include "store/store.h"

namespace cortex::net {
class HttpPool;
}

namespace cortex::connectors {

struct WebhookSenderOptions {
  std::string
      holder;  // names this process among those on the same database; the same after a restart
  std::size_t threads = 4;
  std::chrono::milliseconds timeout{10'000};  // of one attempt, connecting included
  RetryOptions retry;
  LogLimits log;
  std::int64_t queue_events = 10'000;  // entries of the log that a hook may be behind
  bool allow_private = false;          // addresses that are not of the public internet
  std::string ca_file;                 // of https; empty: the system's certificates
};

struct WebhookCounts {
  std::uint64_t delivered = 0;
  std::uint64_t failed = 0;   // given up
  std::uint64_t retries = 0;  // attempts behind the first
  std::uint64_t switched_off = 0;
  std::uint64_t active = 0;  // hooks, as last seen
  std::uint64_t behind = 0;  // of the one that is furthest behind: entries since its next event
};

// Tells webhooks what happened. The log of events is the queue: a hook is told of one after the
// other, in their order, and of the next only when the one before was taken or given up, so nothing
// is lost by a restart, and an event may come twice, with the same delivery id. A hook is switched
// off, with its reason, when too many deliveries failed in a row or when it is too far behind. One
// process of those that share a database sends. Threads: "webhooks" decides, "webhook-N" send, at
// most one attempt of a hook at a time.
class WebhookSender {
 public:
  // The store outlives it; `feed` may be called on the store's threads until stop().
  WebhookSender(WebhookSenderOptions options, store::Store& store, SecretBox box, WebhookFeed feed);
  ~WebhookSender();

  // kFailedPrecondition: the file of CA certificates cannot be read.
  [[nodiscard]] Status start();
  // Waits for attempts that are under way. Idempotent.
  void stop();
  // Something changed in the store. Thread-safe, never blocks.
  void wake();

  [[nodiscard]] const SecretBox& secrets() const { return box_; }
  [[nodiscard]] const WebhookFeed& feed() const { return feed_; }
  // kInvalidArgument: it is no URL, or its address is written out and not one that may be told.
  [[nodiscard]] Status check_url(const std::string& url) const;

  // One attempt of an event at once, outside of the order and of the log. `done` is called on a
  // thread of its own, or at once with kResourceExhausted when too much is to be done already.
  struct Trial {
    std::string webhook_id;
    std::string url;
    std::string sealed_secret;
    WebhookEvent event;
  };
  // An example of the event, or of the first one that the hook is told of when `event` is empty.
  // kNotFound: no such hook.
  [[nodiscard]] Result<Trial> make_trial(
      store::Transaction& transaction,
      const std::string& workspace,
      const std::string& id,
      const std::string& event
  ) const;
  void try_out(Trial trial, std::function<void(Result<AttemptResult>)> done);

  [[nodiscard]] WebhookCounts counts() const;

 private:
  struct Work {
    ActiveWebhook hook;
    WebhookEvent event;
  };
  // What one look at the database found.
  struct View {
    std::vector<ActiveWebhook> hooks;
    std::vector<Work> due;
    std::vector<std::pair<ActiveWebhook, std::int64_t>> passed;  // nothing for them up to there
    std::vector<ActiveWebhook> overrun;
    std::int64_t next_at = 0;  // 0: nothing waits for its time
    std::int64_t behind = 0;
    bool again = false;  // there is more to read at once
  };

  void run();
  [[nodiscard]] std::chrono::milliseconds turn();
  [[nodiscard]] Result<bool> hold(std::int64_t now);
  [[nodiscard]] std::set<std::string> busy(std::int64_t now);
  [[nodiscard]] Result<View> look(std::int64_t now);
  [[nodiscard]] Status look_at(store::Transaction& transaction, ActiveWebhook hook, View& view);
  void take(ActiveWebhook hook, WebhookEvent event, std::int64_t head, View& view) const;
  [[nodiscard]] Status keep(const View& view, std::int64_t now);
  void send(const Work& work);
  [[nodiscard]] AttemptResult attempt(const Trial& trial) const;
  void conclude(const Work& work, AttemptResult result);
  void say_switched_off(const ActiveWebhook& hook, const std::string& why);

  const WebhookSenderOptions options_;
  store::Store& store_;
  const SecretBox box_;
  const WebhookFeed feed_;
  Mailbox<bool> inbox_{16};
  std::atomic<bool> stop_asked_{false};
  std::atomic<std::uint64_t> delivered_{0};
  std::atomic<std::uint64_t> failed_{0};
  std::atomic<std::uint64_t> retries_{0};
  std::atomic<std::uint64_t> switched_off_{0};
  std::atomic<std::uint64_t> active_{0};
  std::atomic<std::uint64_t> behind_{0};

  // Of the deciding thread.
  std::int64_t held_until_ = 0;

  // The hooks whose attempt is under way: taken by the deciding thread, given back by the senders.
  Mutex mutex_;
  std::set<std::string> busy_ GUARDED_BY(mutex_);
  // Hooks that wait because what came of their last attempt could not be kept; in wall time.
  std::map<std::string, std::int64_t> held_off_ GUARDED_BY(mutex_);

  std::unique_ptr<net::HttpPool> http_;
  std::unique_ptr<ThreadPool> pool_;
  Thread thread_;
};

}  // namespace cortex::connectors
