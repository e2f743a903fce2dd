// SPDX-License-Identifier: Apache-2.0
#include "app/storage.h"

#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "app/artifact_place.h"
#include "base/clock.h"
#include "base/log.h"
#include "connectors/webhook.h"
#include "frontend/codec/responses/response_table.h"
#include "registry/adapters/adapter_catalog.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/signing/signature_policy.h"
#include "store/artifact_index.h"
#include "store/artifact_upload.h"
#include "store/change_trim.h"
#include "store/replay_log.h"
#include "tracking/tracking_schema.h"

namespace cortex::app {
namespace {

namespace fs = std::filesystem;

// How often blobs without a reference are looked for, and how long they are kept: a transfer that
// finds its bytes there already has that long to refer to them.
constexpr Duration kCollectEvery = std::chrono::minutes(10);
constexpr Duration kCollectGrace = std::chrono::hours(1);
// Entries of the change feed. Who followed it further back than this reads everything anew.
constexpr std::int64_t kChangesKept = 100'000;
// Uploads in parts that nobody finished are forgotten after this long, and so is what dead
// processes left. Only a kill leaves bytes without a row: they are looked for at the first
// collection, and once a day.
constexpr Duration kUploadAge = std::chrono::hours(24);
constexpr std::size_t kStraysEvery = 144;

Status make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (!error) return {};
  return failed_precondition("data: cannot make '" + path.string() + "': " + error.message());
}

struct StoreFamily {
  std::string_view name;
  metrics::Type type;
  std::string_view help;
  double (*value)(const store::StoreHealth&);
};

constexpr StoreFamily kStoreFamilies[] = {
    {"cortex_store_available",
     metrics::Type::kGauge,
     "1 while the database answers.",
     [](const store::StoreHealth& health) { return health.available ? 1.0 : 0.0; }},
    {"cortex_store_waiting",
     metrics::Type::kGauge,
     "Pieces of work that wait for the database.",
     [](const store::StoreHealth& health) { return static_cast<double>(health.waiting); }},
    {"cortex_store_commits_total",
     metrics::Type::kCounter,
     "Groups of writes that were made durable together.",
     [](const store::StoreHealth& health) { return static_cast<double>(health.commits); }},
    {"cortex_store_works_total",
     metrics::Type::kCounter,
     "Writes that were committed.",
     [](const store::StoreHealth& health) { return static_cast<double>(health.works); }},
    {"cortex_store_failures_total",
     metrics::Type::kCounter,
     "Pieces of work that ended with an error of the database's.",
     [](const store::StoreHealth& health) { return static_cast<double>(health.failures); }},
    {"cortex_store_refusals_total",
     metrics::Type::kCounter,
     "Pieces of work over store.queue_works.",
     [](const store::StoreHealth& health) { return static_cast<double>(health.refusals); }},
};

Result<std::unique_ptr<store::Store>> open_database(const config::Settings& settings) {
  store::StoreOptions options;
  options.address = settings.store.address.empty()
                        ? (fs::path(settings.data) / "cortex.db").string()
                        : settings.store.address;
  options.readers = settings.store.readers;
  options.queue_limit = settings.store.queue_works;
  options.deadline = settings.store.deadline;
  const std::vector<store::Schema> schemas = storage_schemas();
  return store::open_store(options, schemas);
}

void say_collected(const Result<std::uint64_t>& freed) {
  if (!freed.ok()) {
    log::warning("collecting artifacts", {{"error", freed.status().to_string()}});
  } else if (*freed > 0) {
    log::info("artifacts collected", {{"bytes", static_cast<std::int64_t>(*freed)}});
  }
}

}  // namespace

Result<std::unique_ptr<Storage>> Storage::open(const config::Settings& settings) {
  if (settings.data.empty()) {
    if (settings.store.address.empty()) return std::unique_ptr<Storage>();
    return invalid_argument("store.address needs data: the folder where artifacts and models lie");
  }
  const fs::path models = fs::path(settings.data) / "models";
  CORTEX_RETURN_IF_ERROR(make_folder(models));
  CORTEX_ASSIGN_OR_RETURN(DataLock lock, DataLock::take(settings.data, DataLock::Kind::kShared));
  auto store = open_database(settings);
  if (!store.ok()) return store.status().with_prefix("store: ");
  CORTEX_ASSIGN_OR_RETURN(
      auto artifacts,
      open_artifacts(settings.store.artifacts, fs::path(settings.data) / "artifacts")
  );
  return std::unique_ptr<Storage>(
      new Storage(std::move(lock), std::move(store).value(), std::move(artifacts), models)
  );
}

Storage::Storage(
    DataLock lock,
    std::unique_ptr<store::Store> store,
    std::unique_ptr<store::ArtifactStore> artifacts,
    fs::path models
)
    : lock_(std::move(lock)),
      artifacts_(std::move(artifacts)),
      store_(std::move(store)),
      models_(std::move(models)),
      collector_("collector", [this] { collect(); }) {}

Storage::~Storage() { end_.close(); }

void Storage::on_collect(std::function<void()> more) {
  MutexLock lock(mutex_);
  more_ = std::move(more);
}

std::function<void()> Storage::collected_too() {
  MutexLock lock(mutex_);
  return more_;
}

void Storage::collect() {
  std::vector<bool> none;
  std::size_t turn = 0;
  while (end_.take_all(none, steady_clock().now() + kCollectEvery)) {
    const Status expired = store_->write_and_wait([](store::Transaction& transaction) {
      return store::expire_uploads(transaction, kUploadAge).status();
    });
    const Status trimmed = store_->write_and_wait([](store::Transaction& transaction) {
      return store::trim_changes(transaction, kChangesKept).status();
    });
    if (!trimmed.ok()) log::warning("trimming the change feed", {{"error", trimmed.to_string()}});
    if (!expired.ok()) log::warning("expiring uploads", {{"error", expired.to_string()}});
    if (const auto more = collected_too()) more();
    say_collected(store::collect_artifacts(*store_, *artifacts_, kCollectGrace));
    if (turn++ % kStraysEvery != 0) continue;
    say_collected(store::remove_strays(*store_, *artifacts_, kCollectGrace));
    say_collected(artifacts_->sweep(kUploadAge));
  }
}

std::vector<store::Schema> storage_schemas() {
  return {
      store::artifact_schema(),
      tracking::tracking_schema(),
      registry::catalog_schema(),
      registry::signing_schema(),
      registry::adapter_schema(),
      connectors::webhook_schema(),
      store::replay_schema(),
      frontend::responses::response_schema(),
  };
}

void write_store_health(metrics::Exposition& out, const store::StoreHealth& health) {
  for (const StoreFamily& family : kStoreFamilies) {
    out.family(family.name, family.type, family.help);
    out.sample({}, family.value(health));
  }
}

void write_signature_counts(metrics::Exposition& out, const registry::SignatureCounts& counts) {
  out.family(
      "cortex_signature_checks_total",
      metrics::Type::kCounter,
      "Answers to aliases that ask for signatures, by outcome."
  );
  out.sample({{"outcome", "verified"}}, static_cast<double>(counts.verified));
  out.sample({{"outcome", "warned"}}, static_cast<double>(counts.warned));
  out.sample({{"outcome", "refused"}}, static_cast<double>(counts.refused));
}

}  // namespace cortex::app
