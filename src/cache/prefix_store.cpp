// SPDX-License-Identifier: Apache-2.0
#include "cache/prefix_store.h"

#include <algorithm>
#include <deque>
#include <map>
#include <set>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/thread.h"
#include "cache/detail/prefix_entry.h"
#include "cache/detail/prefix_index.h"
#include "cache/detail/state_folder.h"

namespace cortex::cache {
namespace {

// Spaces that were forgotten before the folder could be read; beyond, the whole folder is.
constexpr std::size_t kForgottenMax = 1024;

struct StateWrite {
  EntryPtr entry;
  PrefixStore::State state;
};

struct StateLoad {
  EntryPtr entry;
  PrefixStore::Loaded loaded;
};

// What the store's thread does next.
struct DiskWork {
  bool ends = false;
  std::vector<std::string> remove;
  std::optional<StateLoad> load;
  std::optional<StateWrite> write;
};

}  // namespace

struct PrefixStore::Inner {
  explicit Inner(PrefixStoreOptions what)
      : options(std::move(what)), folder(options.folder, options.write) {}

  // On the store's thread.
  void run();
  DiskWork next();
  bool open_folder();
  void take_in(StateFolder::Scan scan);
  void read(const StateLoad& load);
  void write(const StateWrite& write);
  std::vector<std::string> make_disk_room(std::uint64_t bytes) REQUIRES_LOCK(mutex);

  EntryPtr find_exactly(const std::string& file, const PrefixKey& key) const REQUIRES_LOCK(mutex);
  void add(const EntryPtr& entry) REQUIRES_LOCK(mutex);
  void drop(const EntryPtr& entry) REQUIRES_LOCK(mutex);
  void drop_if_nowhere(const EntryPtr& entry) REQUIRES_LOCK(mutex);
  bool put_in_memory(const EntryPtr& entry, State state) REQUIRES_LOCK(mutex);
  void leave_memory(const EntryPtr& entry) REQUIRES_LOCK(mutex);
  void put_on_disk(const EntryPtr& entry, std::uint64_t file_bytes) REQUIRES_LOCK(mutex);
  void leave_disk(const EntryPtr& entry) REQUIRES_LOCK(mutex);
  bool can_write(std::uint64_t bytes) REQUIRES_LOCK(mutex);
  void queue_write(const EntryPtr& entry, State state) REQUIRES_LOCK(mutex);

  [[nodiscard]] bool has_disk() const { return !options.folder.empty(); }

  const PrefixStoreOptions options;
  StateFolder folder;   // the store's thread alone
  bool warned = false;  // so

  mutable Mutex mutex;
  mutable Condition condition;
  std::map<std::string, EntryPtr> entries GUARDED_BY(mutex);  // by the name of their file
  PrefixIndex index GUARDED_BY(mutex);
  std::uint64_t uses GUARDED_BY(mutex) = 0;
  std::map<std::uint64_t, EntryPtr> memory_order GUARDED_BY(mutex);
  std::map<std::uint64_t, EntryPtr> disk_order GUARDED_BY(mutex);
  PrefixStoreCounts counts GUARDED_BY(mutex);
  std::deque<StateWrite> writes GUARDED_BY(mutex);
  std::deque<StateLoad> loads GUARDED_BY(mutex);
  std::vector<std::string> removes GUARDED_BY(mutex);
  bool scanned GUARDED_BY(mutex) = false;
  std::set<PrefixSpace> forgotten GUARDED_BY(mutex);  // before that
  bool busy GUARDED_BY(mutex) = true;
  bool closing GUARDED_BY(mutex) = false;
  Thread thread;
};

EntryPtr PrefixStore::Inner::find_exactly(const std::string& file, const PrefixKey& key) const {
  const auto at = entries.find(file);
  return at != entries.end() && at->second->key == key ? at->second : nullptr;
}

void PrefixStore::Inner::add(const EntryPtr& entry) {
  entries[entry->file] = entry;
  index.add(entry);
}

void PrefixStore::Inner::drop(const EntryPtr& entry) {
  if (entry->gone) return;
  leave_memory(entry);
  if (entry->disk_use != 0) {
    leave_disk(entry);
    removes.push_back(entry->file);
    condition.notify_all();
  }
  entry->gone = true;
  index.remove(entry);
  entries.erase(entry->file);
}

void PrefixStore::Inner::drop_if_nowhere(const EntryPtr& entry) {
  if (entry->state == nullptr && entry->disk_use == 0 && !entry->writes) drop(entry);
}

void PrefixStore::Inner::leave_memory(const EntryPtr& entry) {
  if (entry->state == nullptr) return;
  memory_order.erase(entry->memory_use);
  counts.memory_bytes -= entry->state_bytes;
  --counts.memory_states;
  entry->state.reset();
}

bool PrefixStore::Inner::put_in_memory(const EntryPtr& entry, State state) {
  leave_memory(entry);
  if (entry->gone || entry->state_bytes > options.memory_bytes_max) return false;
  while (counts.memory_bytes + entry->state_bytes > options.memory_bytes_max) {
    const EntryPtr oldest = memory_order.begin()->second;
    leave_memory(oldest);
    ++counts.evicted_memory;
    drop_if_nowhere(oldest);
  }
  entry->state = std::move(state);
  entry->memory_use = ++uses;
  memory_order.emplace(entry->memory_use, entry);
  counts.memory_bytes += entry->state_bytes;
  ++counts.memory_states;
  return true;
}

void PrefixStore::Inner::leave_disk(const EntryPtr& entry) {
  disk_order.erase(entry->disk_use);
  counts.disk_bytes -= entry->file_bytes;
  --counts.disk_states;
  entry->disk_use = 0;
}

void PrefixStore::Inner::put_on_disk(const EntryPtr& entry, std::uint64_t file_bytes) {
  if (entry->disk_use != 0) leave_disk(entry);
  entry->file_bytes = file_bytes;
  entry->disk_use = ++uses;
  disk_order.emplace(entry->disk_use, entry);
  counts.disk_bytes += file_bytes;
  ++counts.disk_states;
}

bool PrefixStore::Inner::can_write(std::uint64_t bytes) {
  if (!has_disk() || bytes > options.disk_bytes_max) return false;
  std::uint64_t queued = 0;
  for (const StateWrite& write : writes) queued += write.state->size();
  const bool fits = queued == 0 || queued + bytes <= options.queue_bytes_max;
  if (fits && writes.size() < options.queue_max) return true;
  ++counts.writes_dropped;
  return false;
}

void PrefixStore::Inner::queue_write(const EntryPtr& entry, State state) {
  entry->writes = true;
  writes.push_back({entry, std::move(state)});
  condition.notify_all();
}

DiskWork PrefixStore::Inner::next() {
  MutexLock lock(mutex);
  busy = false;
  condition.notify_all();
  while (loads.empty() && writes.empty() && removes.empty() && !closing) {
    condition.wait_until(mutex, kNoDeadline);
  }
  busy = true;
  DiskWork out;
  // What is deleted may be written once more.
  out.remove = std::exchange(removes, {});
  if (!loads.empty()) {
    out.load = std::move(loads.front());
    loads.pop_front();
  } else if (!writes.empty()) {
    out.write = std::move(writes.front());
    writes.pop_front();
  }
  out.ends = closing && !out.load && !out.write && out.remove.empty();
  return out;
}

void PrefixStore::Inner::run() {
  open_folder();
  for (DiskWork work = next(); !work.ends; work = next()) {
    for (const std::string& file : work.remove) folder.remove(file);
    if (work.load) read(*work.load);
    if (work.write) write(*work.write);
  }
}

// Another store may have had it until now.
bool PrefixStore::Inner::open_folder() {
  if (folder.is_open()) return true;
  const Status status = folder.open();
  if (status.ok()) {
    take_in(folder.scan(options.model));
    return true;
  }
  if (!std::exchange(warned, true)) {
    log::warning(
        "prefixes are kept in memory alone",
        {{"folder", options.folder.string()}, {"reason", status.to_string()}}
    );
  }
  return false;
}

void PrefixStore::Inner::take_in(StateFolder::Scan scan) {
  MutexLock lock(mutex);
  counts.files_broken += scan.broken;
  counts.files_foreign += scan.foreign;
  // The one used last gets the highest number; those beyond the budget go.
  std::uint64_t bytes = 0;
  const auto kept = std::find_if(scan.files.begin(), scan.files.end(), [&](const auto& found) {
    bytes += found.bytes;
    return bytes > options.disk_bytes_max;
  });
  for (auto found = kept; found != scan.files.end(); ++found) removes.push_back(found->file);
  counts.evicted_disk += static_cast<std::uint64_t>(scan.files.end() - kept);
  scan.files.erase(kept, scan.files.end());
  const bool all_forgotten = forgotten.size() >= kForgottenMax;
  for (auto found = scan.files.rbegin(); found != scan.files.rend(); ++found) {
    if (all_forgotten || forgotten.contains(found->head.key.space)) {
      removes.push_back(found->file);
      continue;
    }
    EntryPtr entry = find_exactly(found->file, found->head.key);
    if (entry == nullptr) {
      entry = std::make_shared<Entry>();
      entry->key = std::move(found->head.key);
      entry->file = found->file;
      entry->state_bytes = found->head.state_bytes;
      add(entry);
    }
    put_on_disk(entry, found->bytes);
  }
  scanned = true;
  forgotten.clear();
}

void PrefixStore::Inner::read(const StateLoad& load) {
  State state;
  bool there = false;
  {
    MutexLock lock(mutex);
    state = load.entry->state;
    there = load.entry->disk_use != 0;
  }
  if (state != nullptr) return load.loaded(std::move(state));
  if (!there) return load.loaded(not_found("the state has given way"));
  auto bytes = folder.read(load.entry->file, load.entry->key);
  {
    MutexLock lock(mutex);
    if (bytes.ok()) {
      state = std::make_shared<const std::vector<std::byte>>(std::move(*bytes));
      if (load.entry->disk_use != 0) put_on_disk(load.entry, load.entry->file_bytes);
      static_cast<void>(put_in_memory(load.entry, state));
    } else {
      ++counts.files_broken;
      drop(load.entry);
    }
  }
  load.loaded(bytes.ok() ? Result<State>(std::move(state)) : Result<State>(bytes.status()));
}

std::vector<std::string> PrefixStore::Inner::make_disk_room(std::uint64_t bytes) {
  std::vector<std::string> out;
  while (!disk_order.empty() && counts.disk_bytes + bytes > options.disk_bytes_max) {
    const EntryPtr oldest = disk_order.begin()->second;
    leave_disk(oldest);
    ++counts.evicted_disk;
    out.push_back(oldest->file);
    drop_if_nowhere(oldest);
  }
  return out;
}

void PrefixStore::Inner::write(const StateWrite& write) {
  const EntryPtr& entry = write.entry;
  const bool opened = open_folder();
  const std::span<const std::byte> state(*write.state);
  const auto head = encode_prefix_head({entry->key, state.size(), prefix_checksum(state)});
  const std::uint64_t bytes = head.size() + state.size();
  const bool fits = bytes <= options.disk_bytes_max;
  std::vector<std::string> give_way;
  {
    MutexLock lock(mutex);
    if (!opened || !fits || entry->gone || entry->disk_use != 0) {
      if (!opened) ++counts.writes_dropped;
      if (opened && !fits) ++counts.refused;
      entry->writes = false;
      return drop_if_nowhere(entry);
    }
    give_way = make_disk_room(bytes);
  }
  for (const std::string& file : give_way) folder.remove(file);
  const Status status = folder.write(entry->file, head, state);
  MutexLock lock(mutex);
  entry->writes = false;
  if (!status.ok()) {
    ++counts.writes_failed;
    log::warning("a prefix was not written", {{"reason", status.to_string()}});
    drop_if_nowhere(entry);
  } else if (entry->gone) {
    removes.push_back(entry->file);
  } else {
    put_on_disk(entry, bytes);
  }
}

PrefixStore::PrefixStore(PrefixStoreOptions options) {
  options.tokens_min = std::max(options.tokens_min, PrefixIndex::kBlock);
  inner_ = std::make_unique<Inner>(std::move(options));
  if (inner_->has_disk())
    inner_->thread = Thread("prefixes", [inner = inner_.get()] { inner->run(); });
}

PrefixStore::~PrefixStore() {
  std::deque<StateLoad> loads;
  {
    MutexLock lock(inner_->mutex);
    inner_->closing = true;
    loads.swap(inner_->loads);
    inner_->condition.notify_all();
  }
  for (const StateLoad& load : loads) load.loaded(cancelled("the prefix store ends"));
  inner_->thread.join();
}

std::optional<PrefixStore::Found> PrefixStore::find(
    const PrefixSpace& space, std::span<const Token> tokens
) const {
  MutexLock lock(inner_->mutex);
  const PrefixIndex::Hit hit = inner_->index.find(space, tokens);
  if (hit.entry == nullptr || hit.tokens < inner_->options.tokens_min) return std::nullopt;
  const Entry& entry = *hit.entry;
  return Found{
      hit.entry,
      hit.tokens,
      entry.key.tokens.size(),
      entry.state_bytes,
      entry.state != nullptr,
      entry.disk_use != 0,
  };
}

bool PrefixStore::holds(const PrefixSpace& space, std::span<const Token> tokens) const {
  const PrefixKey key = {inner_->options.model, space, {tokens.begin(), tokens.end()}};
  const std::string file = prefix_file_name(key);
  MutexLock lock(inner_->mutex);
  return inner_->find_exactly(file, key) != nullptr;
}

void PrefixStore::load(const Found& found, Loaded loaded) {
  const EntryPtr& entry = found.entry;
  State state;
  Status refused = not_found("the state has given way");
  {
    MutexLock lock(inner_->mutex);
    state = entry->state;
    if (state != nullptr) static_cast<void>(inner_->put_in_memory(entry, state));
    if (state == nullptr && entry->disk_use != 0) {
      if (inner_->loads.size() < inner_->options.queue_max) {
        inner_->loads.push_back({entry, std::move(loaded)});
        inner_->condition.notify_all();
        return;
      }
      refused = resource_exhausted("too many states wait to be read");
    }
  }
  loaded(state != nullptr ? Result<State>(std::move(state)) : Result<State>(std::move(refused)));
}

PrefixStore::State PrefixStore::state_in_memory(const Found& found) {
  MutexLock lock(inner_->mutex);
  State state = found.entry->state;
  if (state != nullptr) static_cast<void>(inner_->put_in_memory(found.entry, state));
  return state;
}

void PrefixStore::keep(
    const PrefixSpace& space, std::span<const Token> tokens, std::vector<std::byte> state
) {
  if (tokens.size() < inner_->options.tokens_min || state.empty()) return;
  auto made = std::make_shared<Entry>();
  made->key = {inner_->options.model, space, {tokens.begin(), tokens.end()}};
  made->file = prefix_file_name(made->key);
  made->state_bytes = state.size();
  const State shared = std::make_shared<const std::vector<std::byte>>(std::move(state));
  MutexLock lock(inner_->mutex);
  if (const EntryPtr entry = inner_->find_exactly(made->file, made->key); entry != nullptr) {
    // A state is what it is: the bytes may differ by what the engine rounds.
    if (entry->state == nullptr && entry->state_bytes == shared->size()) {
      static_cast<void>(inner_->put_in_memory(entry, shared));
    }
    return;
  }
  const bool writes = inner_->can_write(shared->size());
  if (!writes && shared->size() > inner_->options.memory_bytes_max) {
    ++inner_->counts.refused;
    return;
  }
  for (const EntryPtr& shorter : inner_->index.inside(space, tokens, tokens.size() / 2 + 1)) {
    inner_->drop(shorter);
  }
  inner_->add(made);
  static_cast<void>(inner_->put_in_memory(made, shared));
  if (writes) inner_->queue_write(made, shared);
}

void PrefixStore::forget(const PrefixSpace& space) {
  MutexLock lock(inner_->mutex);
  std::vector<EntryPtr> found;
  for (const auto& [file, entry] : inner_->entries) {
    if (entry->key.space == space) found.push_back(entry);
  }
  for (const EntryPtr& entry : found) inner_->drop(entry);
  const bool unread = inner_->has_disk() && !inner_->scanned;
  if (unread && inner_->forgotten.size() < kForgottenMax) inner_->forgotten.insert(space);
}

PrefixStoreCounts PrefixStore::counts() const {
  MutexLock lock(inner_->mutex);
  return inner_->counts;
}

bool PrefixStore::settle(TimePoint deadline) const {
  const auto waits = [this]() REQUIRES_LOCK(inner_->mutex) {
    return inner_->has_disk() && (inner_->busy || !inner_->loads.empty() ||
                                  !inner_->writes.empty() || !inner_->removes.empty());
  };
  MutexLock lock(inner_->mutex);
  while (waits()) {
    if (!inner_->condition.wait_until(inner_->mutex, deadline)) return !waits();
  }
  return true;
}

}  // namespace cortex::cache
