// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/responses/stored_book.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "frontend/codec/responses/response_table.h"

namespace cortex::frontend::responses {
namespace {

using Turns = std::vector<std::string>;

// The table is measured when so much of the budget has come in since the last time.
constexpr std::uint64_t kMeasureParts = 16;

}  // namespace

struct StoredBook::Inner : std::enable_shared_from_this<Inner> {
  Inner(store::Store& s, ResponseBookOptions o) : store(s), options(std::move(o)) {}

  using Responses = std::vector<std::shared_ptr<const KeptResponse>>;

  // On its way to the table; a removed one also on its way out of it, so that nobody finds it
  // there.
  struct Unwritten {
    std::shared_ptr<const KeptResponse> response;
    std::vector<std::string> waiting = {};  // those that go on from it: they are written behind it
    std::vector<std::function<void()>> behind = {};  // called when it is written or lost
    bool removed = false;
    bool in_table = false;

    [[nodiscard]] bool gone(std::int64_t now) const {
      return removed || response->expires_at <= now;
    }
  };

  [[nodiscard]] bool admit(const KeptResponse& response);
  void write(const std::shared_ptr<const KeptResponse>& response);
  void written(const std::string& id, const Status& status);
  void drop_written(const KeptResponse& response);
  void forget_locked(const std::string& id) REQUIRES_LOCK(mutex);
  // Takes it out of the table, behind those on their way that go on from it: the works of a store
  // may pass each other, and what nobody goes on from yet would be gone before them.
  void drop(const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then);
  // Null: nothing of that name is on its way.
  [[nodiscard]] const Unwritten* visible_locked(const ResponseOwner& owner, const std::string& id)
      REQUIRES_LOCK(mutex);
  [[nodiscard]] bool should_measure(std::uint64_t bytes);
  void measure();

  store::Store& store;
  const ResponseBookOptions options;
  mutable Mutex mutex;  // few and short holders: one for each request with state
  std::map<std::string, Unwritten> unwritten GUARDED_BY(mutex);
  std::size_t unwritten_bytes GUARDED_BY(mutex) = 0;
  std::uint64_t since_measure GUARDED_BY(mutex) = 0;
  ResponseCounts counts GUARDED_BY(mutex);
};

StoredBook::StoredBook(store::Store& store, ResponseBookOptions options)
    : inner_(std::make_shared<Inner>(store, std::move(options))) {
  CHECK(inner_->options.now != nullptr, "a book needs a clock");
}

StoredBook::~StoredBook() = default;

bool StoredBook::Inner::admit(const KeptResponse& response) {
  MutexLock lock(mutex);
  const std::size_t bytes = response.bytes();
  if (bytes > kKeptBytesMax || bytes > options.bytes_max ||
      unwritten_bytes + bytes > kUnwrittenBytesMax) {
    ++counts.refused;
    return false;
  }
  unwritten_bytes += bytes;
  return true;
}

bool StoredBook::keep(KeptResponse kept) {
  if (!inner_->admit(kept)) return false;
  const auto response = std::make_shared<const KeptResponse>(std::move(kept));
  {
    MutexLock lock(inner_->mutex);
    const bool fresh = inner_->unwritten.emplace(response->id, Inner::Unwritten{response}).second;
    CHECK(fresh, "ids of responses are drawn at random");
    const auto previous = inner_->unwritten.find(response->previous);
    if (previous != inner_->unwritten.end() && !previous->second.in_table) {
      previous->second.waiting.push_back(response->id);
      return true;
    }
  }
  inner_->write(response);
  return true;
}

bool StoredBook::Inner::should_measure(std::uint64_t bytes) {
  MutexLock lock(mutex);
  since_measure += bytes;
  if (since_measure <= options.bytes_max / kMeasureParts) return false;
  since_measure = 0;
  return true;
}

void StoredBook::Inner::write(const std::shared_ptr<const KeptResponse>& response) {
  store.write(
      [response](store::Transaction& transaction) {
        return insert_response(transaction, *response);
      },
      [self = shared_from_this(), id = response->id](const Status& status) {
        self->written(id, status);
      }
  );
}

void StoredBook::Inner::written(const std::string& id, const Status& status) {
  std::shared_ptr<const KeptResponse> response;
  Responses next;
  std::vector<std::function<void()>> behind;
  bool removed = false;
  {
    MutexLock lock(mutex);
    ++(status.ok() ? counts.kept : counts.lost);
    Unwritten& entry = unwritten.at(id);
    response = entry.response;
    for (const std::string& waiting : entry.waiting) {
      next.push_back(unwritten.at(waiting).response);
    }
    behind = std::move(entry.behind);
    removed = entry.removed && status.ok();
    if (removed) {
      entry.in_table = true;
    } else {
      forget_locked(id);
    }
  }
  if (!status.ok()) {
    log::warning("a response was not kept", {{"id", id}, {"error", status.to_string()}});
  }
  // Those that go on from a lost one are lost with it: the database will say so.
  for (const auto& waiting : next) write(waiting);
  for (const auto& call : behind) call();
  if (removed) drop_written(*response);
  if (status.ok() && should_measure(response->bytes())) measure();
}

void StoredBook::Inner::drop_written(const KeptResponse& response) {
  drop(response.owner, response.id, [self = shared_from_this(), id = response.id](const Status&) {
    MutexLock lock(self->mutex);
    self->forget_locked(id);
  });
}

void StoredBook::Inner::forget_locked(const std::string& id) {
  const auto found = unwritten.find(id);
  CHECK(found != unwritten.end(), "what was written was on its way");
  unwritten_bytes -= found->second.response->bytes();
  unwritten.erase(found);
}

const StoredBook::Inner::Unwritten* StoredBook::Inner::visible_locked(
    const ResponseOwner& owner, const std::string& id
) {
  const auto found = unwritten.find(id);
  if (found == unwritten.end()) return nullptr;
  return found->second.response->owner == owner ? &found->second : nullptr;
}

void StoredBook::find(const ResponseOwner& owner, const std::string& id, Then<KeptResponse> then) {
  std::optional<Result<KeptResponse>> here;
  {
    MutexLock lock(inner_->mutex);
    if (const Inner::Unwritten* entry = inner_->visible_locked(owner, id)) {
      here = entry->gone(inner_->options.now()) ? Result<KeptResponse>(no_such_response(id))
                                                : *entry->response;
    }
  }
  if (here) return then(std::move(*here));
  const auto out = std::make_shared<KeptResponse>();
  inner_->store.read(
      [out, owner, id, now = inner_->options.now()](store::Transaction& transaction) -> Status {
        CORTEX_ASSIGN_OR_RETURN(*out, find_response(transaction, owner, id, now));
        return {};
      },
      [out, then = std::move(then)](const Status& status) {
        if (!status.ok()) return then(status);
        then(std::move(*out));
      }
  );
}

void StoredBook::conversation(const ResponseOwner& owner, const std::string& id, Then<Turns> then) {
  Turns late;  // what is not in the table yet, the last first
  std::string next = id;
  bool gone = false;
  {
    MutexLock lock(inner_->mutex);
    while (const Inner::Unwritten* entry = inner_->visible_locked(owner, next)) {
      gone = gone || (late.empty() && entry->gone(inner_->options.now()));
      late.push_back(entry->response->output);
      late.push_back(entry->response->input);
      next = entry->response->previous;
    }
  }
  if (gone) return then(no_such_response(id));
  std::reverse(late.begin(), late.end());
  if (!late.empty() && next.empty()) return then(std::move(late));
  // Of what stands before those on their way it does not matter whether it was removed or is old.
  const bool whole = late.empty();
  const auto out = std::make_shared<Turns>();
  inner_->store.read(
      [out, owner, next, whole, now = inner_->options.now()](store::Transaction& transaction
      ) -> Status {
        CORTEX_ASSIGN_OR_RETURN(*out, read_conversation(transaction, owner, next, now, whole));
        return {};
      },
      [out, late = std::move(late), then = std::move(then)](const Status& status) {
        if (!status.ok()) return then(status);
        out->insert(out->end(), late.begin(), late.end());
        if (out->size() > 2 * kTurnsMax) return then(too_many_turns());
        then(std::move(*out));
      }
  );
}

void StoredBook::Inner::drop(
    const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then
) {
  {
    MutexLock lock(mutex);
    for (auto& [name, entry] : unwritten) {
      if (entry.in_table || entry.response->previous != id) continue;
      entry.behind.push_back([self = shared_from_this(), owner, id, then = std::move(then)] {
        self->drop(owner, id, then);
      });
      return;
    }
  }
  store.write(
      [owner, id, now = options.now()](store::Transaction& transaction) {
        return remove_response(transaction, owner, id, now);
      },
      std::move(then)
  );
}

void StoredBook::remove(
    const ResponseOwner& owner, const std::string& id, std::function<void(Status)> then
) {
  bool here = false;
  bool twice = false;
  {
    MutexLock lock(inner_->mutex);
    const auto found = inner_->unwritten.find(id);
    if (found != inner_->unwritten.end() && found->second.response->owner == owner) {
      here = true;
      twice = std::exchange(found->second.removed, true);
    }
  }
  if (here) return then(twice ? no_such_response(id) : Status());
  inner_->drop(owner, id, std::move(then));
}

std::size_t StoredBook::unwritten() const {
  MutexLock lock(inner_->mutex);
  return inner_->unwritten.size();
}

ResponseCounts StoredBook::counts() const {
  MutexLock lock(inner_->mutex);
  return inner_->counts;
}

void StoredBook::Inner::measure() {
  const auto out = std::make_shared<Trimmed>();
  store.write(
      [out, now = options.now(), bytes = options.bytes_max](store::Transaction& transaction
      ) -> Status {
        CORTEX_ASSIGN_OR_RETURN(*out, trim_responses(transaction, now, bytes));
        return {};
      },
      [self = shared_from_this(), out](const Status& status) {
        if (!status.ok()) {
          return log::warning("trimming responses", {{"error", status.to_string()}});
        }
        {
          MutexLock lock(self->mutex);
          self->counts.expired += out->expired;
          self->counts.evicted += out->evicted;
        }
        if (out->more) self->measure();
      }
  );
}

void StoredBook::trim() { inner_->measure(); }

}  // namespace cortex::frontend::responses
