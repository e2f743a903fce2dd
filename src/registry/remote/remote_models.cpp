// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/remote_models.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <span>

#include <boost/json/serialize.hpp>
#include <boost/json/value_to.hpp>

#include "base/json_value.h"
#include "base/log.h"
#include "store/artifact_digest.h"
#include "store/artifact_index.h"

namespace cortex::registry {
namespace {

namespace json = boost::json;

// No workspace can be called so: nothing that a client names leads here.
constexpr std::string_view kWorkspace = "(remote)";
constexpr std::string_view kOrigin = "remote ";
// Stands when every file of a version does.
constexpr std::string_view kComplete = "/complete";
constexpr std::string_view kFiles = "/files";
// What was told, for the next start.
constexpr std::string_view kState = "state";
constexpr std::uint64_t kStateBytesMax = 16 << 20;
constexpr std::size_t kPlacesMax = 10'000;
// A version that an alias left stays, so that going back takes no download.
constexpr std::size_t kEarlierMax = 1;

std::string place_of(
    const std::string& address,
    const std::string& name,
    const RemoteVersion& version,
    const std::string& location
) {
  store::Digest digest;
  for (const std::string& part :
       {address, name, std::to_string(version.number), version.created_at, location}) {
    const std::string framed = std::to_string(part.size()) + " " + part;
    digest.add(std::as_bytes(std::span<const char>(framed)));
  }
  return digest.finish();
}

std::string place_in(const std::string& origin) { return origin.substr(kOrigin.size()); }

bool holds(const SourceModel& model, std::int64_t number) {
  return std::ranges::any_of(model.versions, [&](const SourceVersion& version) {
    return version.number == number;
  });
}

bool is_same(const SourceModel& a, const SourceModel& b) {
  const auto same = [](const SourceVersion& x, const SourceVersion& y) {
    return x.number == y.number && x.origin == y.origin;
  };
  return a.aliases == b.aliases && std::ranges::equal(a.versions, b.versions, same);
}

// A version that is gone, or can never be had: the rest of the model goes on.
bool concerns_version_alone(const Status& status) {
  return status.code() == Code::kFailedPrecondition || status.code() == Code::kNotFound ||
         status.code() == Code::kResourceExhausted || status.code() == Code::kDataLoss;
}

std::string state_text(const std::map<std::string, SourceModel>& models) {
  json::array out;
  for (const auto& [name, model] : models) {
    json::object aliases;
    for (const auto& [alias, version] : model.aliases) aliases[alias] = version;
    json::array versions;
    for (const SourceVersion& version : model.versions) {
      versions.push_back({{"number", version.number}, {"origin", version.origin}});
    }
    out.push_back({{"name", name}, {"aliases", aliases}, {"versions", versions}});
  }
  return json::serialize(out);
}

// Throws where the state is none of ours.
std::vector<SourceModel> models_of(const json::value& state) {
  std::vector<SourceModel> out;
  for (const json::value& entry : state.as_array()) {
    SourceModel model;
    model.name = json::value_to<std::string>(entry.at("name"));
    for (const auto& [alias, version] : entry.at("aliases").as_object()) {
      model.aliases[std::string(alias)] = version.to_number<std::int64_t>();
    }
    for (const json::value& version : entry.at("versions").as_array()) {
      model.versions.push_back(
          {version.at("number").to_number<std::int64_t>(),
           json::value_to<std::string>(version.at("origin"))}
      );
    }
    out.push_back(std::move(model));
  }
  return out;
}

// What aliases served until now stays for a while, and an alias whose new version is not here stays
// where it is.
void keep_earlier(const SourceModel& before, SourceModel& now) {
  std::size_t kept = 0;
  for (auto it = before.versions.rbegin(); it != before.versions.rend(); ++it) {
    const bool pointed_to = std::ranges::any_of(now.aliases, [&](const auto& alias) {
      return alias.second == it->number;
    });
    if (holds(now, it->number) || (!pointed_to && kept >= kEarlierMax)) continue;
    if (!pointed_to) ++kept;
    now.versions.push_back(*it);
  }
  std::ranges::sort(now.versions, {}, &SourceVersion::number);
}

}  // namespace

RemoteModels::RemoteModels(
    RemoteModelsOptions options,
    RemoteRegistry& remote,
    store::Store& store,
    store::ArtifactStore& artifacts
)
    : options_(std::move(options)), remote_(remote), store_(store), artifacts_(artifacts) {}

RemoteModels::~RemoteModels() { stop(); }

void RemoteModels::start() {
  const Status recalled = recall();
  if (!recalled.ok())
    log::warning("what the remote registry said is not known", {{"reason", recalled.to_string()}});
  thread_ = Thread("remote-models", [this] { run(); });
}

void RemoteModels::stop() {
  stop_asked_ = true;
  inbox_.close();
  thread_.join();
}

void RemoteModels::refresh(std::function<void(Status)> done) {
  Done kept = done;
  const auto put = inbox_.put(std::move(kept));
  if (put == Mailbox<Done>::Put::kAccepted || !done) return;
  if (put == Mailbox<Done>::Put::kFull)
    return done(resource_exhausted("too many calls wait for the remote registry"));
  done(unavailable("the server is shutting down"));
}

void RemoteModels::run() {
  std::vector<Done> waiting;
  while (!stop_asked_) {
    const Status status = poll();
    if (tell_of_changes() && options_.on_change) options_.on_change();
    settled_ = true;
    for (const Done& done : waiting) {
      if (done) done(status);
    }
    waiting.clear();
    inbox_.take_all(waiting, TimePoint::clock::now() + options_.poll_interval);
  }
  do {  // whoever came until the inbox was closed
    for (const Done& done : waiting) {
      if (done) done(unavailable("the server is shutting down"));
    }
    waiting.clear();
  } while (inbox_.take_all(waiting, kNoDeadline));
}

// True when changes() has something to give.
bool RemoteModels::tell_of_changes() {
  bool changed = false;
  {
    MutexLock lock(mutex_);
    changed = !changed_.empty();
  }
  if (changed) remember();
  return changed;
}

Status RemoteModels::poll() {
  Status first;
  for (const auto& [name, selection] : options_.selections) {
    if (stop_asked_) return unavailable("the server is shutting down");
    const Status status = poll_model(name, selection);
    if (!status.ok() && first.ok()) first = status;
  }
  if (first.ok()) forget_unused();
  MutexLock lock(mutex_);
  ++health_.polls;
  if (!first.ok()) ++health_.failures;
  if (first.ok() != health_.available) {
    if (first.ok()) {
      log::info("the remote registry answers again", {{"address", options_.address}});
    } else {
      log::warning(
          "the remote registry cannot be read: what is served stays",
          {{"address", options_.address}, {"reason", first.to_string()}}
      );
    }
  }
  health_.available = first.ok();
  health_.reason = first.ok() ? "" : first.text();
  return first;
}

Status RemoteModels::poll_model(const std::string& name, const RemoteSelection& selection) {
  const auto found = remote_.find_model(name);
  if (found.status().code() == Code::kNotFound) {
    announce_gone(name);
    forget_faults(name, {});
    return {};
  }
  CORTEX_RETURN_IF_ERROR(found.status());
  const RemoteChoice choice = choose(selection, *found);
  forget_faults(name, choice.versions);
  SourceModel now{name, {}, choice.aliases};
  Status broken;
  for (const std::int64_t number : choice.versions) {
    auto version = version_of(*found, number);
    auto brought = version.ok() ? bring(name, *version) : Result<SourceVersion>(version.status());
    fault(name, number, brought.status());
    if (brought.ok()) {
      now.versions.push_back(std::move(*brought));
    } else if (!concerns_version_alone(brought.status())) {
      broken = brought.status();
    }
  }
  SourceModel before;
  {
    MutexLock lock(mutex_);
    const auto known = told_.find(name);
    if (known != told_.end()) before = known->second;
  }
  // An alias moves when its version is here; until then it stays.
  for (auto it = now.aliases.begin(); it != now.aliases.end();) {
    const auto old = before.aliases.find(it->first);
    if (!holds(now, it->second) && old != before.aliases.end()) it->second = old->second;
    const bool is_here = holds(now, it->second) || holds(before, it->second);
    it = is_here ? std::next(it) : now.aliases.erase(it);
  }
  keep_earlier(before, now);
  announce(std::move(now));
  return broken;
}

Result<RemoteVersion> RemoteModels::version_of(const RemoteModel& model, std::int64_t number) {
  for (const RemoteVersion& version : model.latest) {
    if (version.number == number) return version;
  }
  return remote_.find_version(model.name, number);
}

Result<SourceVersion> RemoteModels::bring(const std::string& name, const RemoteVersion& version) {
  if (!version.ready) return failed_precondition("the remote registry says that it is not ready");
  CORTEX_ASSIGN_OR_RETURN(const std::string location, remote_.location(name, version.number));
  const std::string place = place_of(options_.address, name, version, location);
  CORTEX_ASSIGN_OR_RETURN(const bool complete, is_complete(place));
  if (!complete) CORTEX_RETURN_IF_ERROR(download_all(place, location));
  return SourceVersion{version.number, std::string(kOrigin) + place};
}

Result<bool> RemoteModels::is_complete(const std::string& place) {
  bool out = false;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(
        const auto entry,
        store::find_artifact(transaction, kWorkspace, place + std::string(kComplete))
    );
    out = entry.has_value();
    return {};
  }));
  return out;
}

// What was downloaded before a break is not downloaded again.
Status RemoteModels::download_all(const std::string& place, const std::string& location) {
  CORTEX_ASSIGN_OR_RETURN(const auto wanted, remote_.files(location));
  if (wanted.empty()) return failed_precondition("it has no files");
  CORTEX_ASSIGN_OR_RETURN(const auto present, read_files(place));
  for (const RemoteFile& file : wanted) {
    if (stop_asked_) return unavailable("the server is shutting down");
    const bool is_here = std::ranges::any_of(present, [&](const SourceFile& here) {
      return here.path == file.path && here.size == file.size;
    });
    if (!is_here) CORTEX_RETURN_IF_ERROR(download(place, location, file));
  }
  return store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    const std::string first = place + std::string(kFiles) + "/" + wanted.front().path;
    CORTEX_ASSIGN_OR_RETURN(const auto entry, store::find_artifact(transaction, kWorkspace, first));
    if (!entry) return unavailable("a file was removed meanwhile");
    return store::put_artifact(
        transaction, kWorkspace, place + std::string(kComplete), {entry->digest, entry->size}
    );
  });
}

Status RemoteModels::download(
    const std::string& place, const std::string& location, const RemoteFile& file
) {
  CORTEX_ASSIGN_OR_RETURN(const auto writer, artifacts_.begin());
  std::uint64_t length = 0;
  const auto sink = [&](std::span<const std::byte> bytes) -> Status {
    if (stop_asked_) return unavailable("the server is shutting down");
    length += bytes.size();
    if (length > file.size) {
      return Status(Code::kDataLoss, "'" + file.path + "' is longer than the server says");
    }
    return writer->write(bytes);
  };
  const Status status = remote_.download(location, file, sink);
  if (!status.ok()) return status.with_prefix("'" + file.path + "': ");
  if (length != file.size) {
    return Status(
        Code::kDataLoss,
        "'" + file.path + "' has " + std::to_string(length) + " bytes, not " +
            std::to_string(file.size) + " as the server says"
    );
  }
  CORTEX_ASSIGN_OR_RETURN(const store::Blob blob, writer->finish());
  CORTEX_RETURN_IF_ERROR(store_.write_and_wait([&](store::Transaction& transaction) {
    return store::put_artifact(
        transaction, kWorkspace, place + std::string(kFiles) + "/" + file.path, blob
    );
  }));
  MutexLock lock(mutex_);
  ++health_.files;
  health_.bytes += blob.size;
  return {};
}

Result<std::vector<SourceFile>> RemoteModels::read_files(const std::string& place) {
  const std::string folder = place + std::string(kFiles);
  std::vector<SourceFile> out;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    out.clear();
    CORTEX_ASSIGN_OR_RETURN(
        const auto entries,
        store::walk_artifacts(transaction, kWorkspace, folder, kVersionFilesMax + 1)
    );
    for (const store::ArtifactEntry& entry : entries) {
      if (entry.is_folder || !entry.path.starts_with(folder + "/")) continue;
      out.push_back({entry.path.substr(folder.size() + 1), entry.digest, entry.size});
    }
    return {};
  }));
  return out;
}

Result<std::vector<SourceFile>> RemoteModels::files(const std::string& origin) {
  return read_files(place_in(origin));
}

bool RemoteModels::owns(const std::string& origin) { return origin.starts_with(kOrigin); }

void RemoteModels::announce(SourceModel model) {
  MutexLock lock(mutex_);
  SourceModel& known = told_[model.name];
  if (known.name == model.name && is_same(known, model)) return;
  changed_.insert(model.name);
  known = std::move(model);
}

void RemoteModels::announce_gone(const std::string& name) {
  MutexLock lock(mutex_);
  if (told_.erase(name) > 0) changed_.insert(name);
}

SourceChanges RemoteModels::changes() {
  MutexLock lock(mutex_);
  SourceChanges out;
  out.whole = std::exchange(first_, false);
  for (const std::string& name : std::exchange(changed_, {})) {
    const auto found = told_.find(name);
    if (found == told_.end()) {
      out.gone.push_back(name);
    } else {
      out.models.push_back(found->second);
    }
  }
  return out;
}

// Files of versions that are not told of any more; their bytes go with the next collection.
void RemoteModels::forget_unused() {
  std::set<std::string> used;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, model] : told_) {
      for (const SourceVersion& version : model.versions) used.insert(place_in(version.origin));
    }
  }
  const Status status = store_.write_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(
        const auto places, store::list_artifacts(transaction, kWorkspace, "", "", kPlacesMax)
    );
    for (const store::ArtifactEntry& entry : places) {
      if (used.contains(entry.path) || entry.path == kState) continue;
      CORTEX_RETURN_IF_ERROR(store::remove_artifacts(transaction, kWorkspace, entry.path).status());
    }
    return {};
  });
  if (!status.ok())
    log::warning("old files of remote models stay", {{"reason", status.to_string()}});
}

void RemoteModels::remember() {
  std::string text;
  {
    MutexLock lock(mutex_);
    text = state_text(told_);
  }
  const auto write = [&]() -> Status {
    CORTEX_ASSIGN_OR_RETURN(const auto writer, artifacts_.begin());
    CORTEX_RETURN_IF_ERROR(writer->write(std::as_bytes(std::span<const char>(text))));
    CORTEX_ASSIGN_OR_RETURN(const store::Blob blob, writer->finish());
    return store_.write_and_wait([&](store::Transaction& transaction) {
      return store::put_artifact(transaction, kWorkspace, kState, blob);
    });
  };
  const Status status = write();
  if (!status.ok())
    log::warning("what the remote registry said is not kept", {{"reason", status.to_string()}});
}

Status RemoteModels::recall() {
  std::optional<store::ArtifactEntry> entry;
  CORTEX_RETURN_IF_ERROR(store_.read_and_wait([&](store::Transaction& transaction) -> Status {
    CORTEX_ASSIGN_OR_RETURN(entry, store::find_artifact(transaction, kWorkspace, kState));
    return {};
  }));
  if (!entry) return {};
  if (entry->size > kStateBytesMax) return resource_exhausted("it is too long");
  CORTEX_ASSIGN_OR_RETURN(const auto reader, artifacts_.open(entry->digest));
  std::string text(entry->size, '\0');
  CORTEX_ASSIGN_OR_RETURN(
      const std::size_t length, reader->read(0, std::as_writable_bytes(std::span<char>(text)))
  );
  text.resize(length);
  const auto state = parse_json_value(text);
  if (!state.ok()) return internal(state.status().text());
  try {
    for (SourceModel& model : models_of(*state)) {
      if (follows(model.name)) announce(std::move(model));
    }
  } catch (const std::exception& error) {  // Boost.JSON's, about a state that is none of ours.
    return internal(error.what());
  }
  settled_ = true;
  return {};
}

// Of versions that are not followed any more.
void RemoteModels::forget_faults(const std::string& name, const std::set<std::int64_t>& followed) {
  MutexLock lock(mutex_);
  std::erase_if(health_.faults, [&](const auto& entry) {
    const std::size_t at = entry.first.rfind('@');
    return entry.first.compare(0, at, name) == 0 &&
           !followed.contains(std::stoll(entry.first.substr(at + 1)));
  });
}

void RemoteModels::fault(const std::string& name, std::int64_t version, const Status& status) {
  const std::string key = name + "@" + std::to_string(version);
  MutexLock lock(mutex_);
  if (status.ok()) {
    health_.faults.erase(key);
    return;
  }
  std::string& reason = health_.faults[key];
  if (reason == status.text()) return;
  reason = status.text();
  log::warning(
      "a version of the remote registry is not there",
      {{"model", name}, {"version", version}, {"reason", status.to_string()}}
  );
}

RemoteHealth RemoteModels::health() const {
  MutexLock lock(mutex_);
  return health_;
}

}  // namespace cortex::registry
