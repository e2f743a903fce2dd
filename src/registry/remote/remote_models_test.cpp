// SPDX-License-Identifier: Apache-2.0
#include "registry/remote/remote_models.h"

#include <array>
#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/fake_loader.h"
#include "registry/registry.h"
#include "registry/remote/merged_source.h"
#include "registry/stored/fake_source.h"
#include "registry/stored/store_source.h"
#include "registry/stored/stored_models.h"
#include "registry/test_folder.h"
#include "store/artifact_index.h"

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

// Another server's registry in memory. Thread-safe.
class FakeRemote final : public RemoteRegistry {
 public:
  using Files = std::map<std::string, std::string>;
  // Called before every call with its name and number, from 1; an error becomes the call's.
  using Fault = std::function<Status(const std::string& call, int number)>;

  void put(const std::string& name, std::int64_t version, Files files) {
    MutexLock lock(mutex_);
    RemoteModel& model = models_[name];
    model.name = name;
    model.latest = {{version, "None", "1", true}};
    files_[place(name, version)] = std::move(files);
  }
  void point(const std::string& name, const std::string& alias, std::int64_t version) {
    MutexLock lock(mutex_);
    models_[name].aliases[alias] = version;
  }
  void drop(const std::string& name) {
    MutexLock lock(mutex_);
    models_.erase(name);
  }
  void fail(Fault fault) {
    MutexLock lock(mutex_);
    fault_ = std::move(fault);
    calls_ = 0;
  }
  // Sends this instead of what it lists.
  void damage(const std::string& text, const std::string& other) {
    MutexLock lock(mutex_);
    damaged_[text] = other;
  }
  [[nodiscard]] int downloads() const {
    MutexLock lock(mutex_);
    return downloads_;
  }

  Result<RemoteModel> find_model(const std::string& name) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("find_model"));
    const auto found = models_.find(name);
    if (found == models_.end()) return not_found("no such model");
    return found->second;
  }
  Result<RemoteVersion> find_version(const std::string& name, std::int64_t version) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("find_version"));
    if (!files_.contains(place(name, version))) return not_found("no such version");
    return RemoteVersion{version, "None", "1", true};
  }
  Result<std::string> location(const std::string& name, std::int64_t version) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("location"));
    return place(name, version);
  }
  Result<std::vector<RemoteFile>> files(const std::string& location) override {
    MutexLock lock(mutex_);
    CORTEX_RETURN_IF_ERROR(count_locked("files"));
    std::vector<RemoteFile> out;
    for (const auto& [path, text] : files_.at(location)) out.push_back({path, text.size()});
    return out;
  }
  Status download(const std::string& location, const RemoteFile& file, const Sink& sink) override {
    std::string text;
    {
      MutexLock lock(mutex_);
      CORTEX_RETURN_IF_ERROR(count_locked("download"));
      ++downloads_;
      text = files_.at(location).at(file.path);
      if (const auto other = damaged_.find(text); other != damaged_.end()) text = other->second;
    }
    const std::string_view bytes = text;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      CORTEX_RETURN_IF_ERROR(sink(std::as_bytes(std::span<const char>(bytes.substr(i, 1)))));
    }
    return {};
  }

 private:
  static std::string place(const std::string& name, std::int64_t version) {
    return name + "/" + std::to_string(version);
  }
  Status count_locked(const std::string& call) REQUIRES_LOCK(mutex_) {
    ++calls_;
    return fault_ ? fault_(call, calls_) : Status();
  }

  mutable Mutex mutex_;
  Fault fault_ GUARDED_BY(mutex_);
  int calls_ GUARDED_BY(mutex_) = 0;
  int downloads_ GUARDED_BY(mutex_) = 0;
  std::map<std::string, RemoteModel> models_ GUARDED_BY(mutex_);
  std::map<std::string, Files> files_ GUARDED_BY(mutex_);
  std::map<std::string, std::string> damaged_ GUARDED_BY(mutex_);
};

class RemoteModelsTest : public ::testing::Test {
 protected:
  RemoteModelsTest() {
    const std::array schemas{store::artifact_schema()};
    auto opened = store::open_store({.address = (folder_.path() / "db").string()}, schemas);
    CHECK(opened.ok(), "a test needs a store");
    store_ = std::move(*opened);
    auto artifacts = store::open_artifact_folder(folder_.path() / "blobs");
    CHECK(artifacts.ok(), "a test needs a place for artifacts");
    artifacts_ = std::move(*artifacts);
    options_.address = "http://other";
    options_.poll_interval = std::chrono::hours(1);
    follow({"m@a"});
  }
  ~RemoteModelsTest() override { end(); }

  void follow(const std::vector<std::string>& references) {
    options_.selections = *parse_selections(references);
  }
  void start() {
    end();
    models_ = std::make_unique<RemoteModels>(options_, remote_, *store_, *artifacts_);
    models_->start();
  }
  virtual void end() {
    if (models_) models_->stop();
    models_.reset();
  }
  // Asks, and gives what came of it.
  Status refresh() {
    Mailbox<Status> answer(1);
    models_->refresh([&](Status status) { static_cast<void>(answer.put(std::move(status))); });
    std::vector<Status> out;
    answer.take_all(out, TimePoint::clock::now() + std::chrono::seconds(20));
    CHECK(out.size() == 1, "an answer comes");
    return out[0];
  }
  static FakeRemote::Files files(const std::string& text) {
    return {{"MLmodel", "flavors: {onnx: {data: m.onnx}}"}, {"m.onnx", text}};
  }
  std::vector<std::int64_t> numbers(const SourceModel& model) {
    std::vector<std::int64_t> out;
    for (const SourceVersion& version : model.versions) out.push_back(version.number);
    return out;
  }
  std::size_t places() {
    std::size_t out = 0;
    EXPECT_TRUE(store_
                    ->read_and_wait([&](store::Transaction& t) -> Status {
                      CORTEX_ASSIGN_OR_RETURN(
                          const auto all, store::list_artifacts(t, "(remote)", "", "", 100)
                      );
                      out = all.size();
                      return {};
                    })
                    .ok());
    return out;
  }

  TestFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<store::ArtifactStore> artifacts_;
  FakeRemote remote_;
  RemoteModelsOptions options_;
  std::unique_ptr<RemoteModels> models_;
};

TEST_F(RemoteModelsTest, tells_of_a_version_with_its_files_once_they_are_here) {
  remote_.put("m", 1, files("one"));
  remote_.point("m", "a", 1);
  start();
  ASSERT_TRUE(refresh().ok());
  const SourceChanges changes = models_->changes();
  EXPECT_TRUE(changes.whole);
  ASSERT_EQ(changes.models.size(), 1U);
  EXPECT_THAT(changes.models[0].aliases, ElementsAre(Pair("a", 1)));
  ASSERT_THAT(numbers(changes.models[0]), ElementsAre(1));
  const auto here = models_->files(changes.models[0].versions[0].origin);
  ASSERT_TRUE(here.ok());
  ASSERT_EQ(here->size(), 2U);
  EXPECT_EQ((*here)[1].path, "m.onnx");
  EXPECT_EQ((*here)[1].digest, FakeSource::digest_of("one"));
  EXPECT_TRUE(RemoteModels::owns(changes.models[0].versions[0].origin));
  EXPECT_TRUE(refresh().ok());
  EXPECT_THAT(models_->changes().models, IsEmpty());
  EXPECT_EQ(remote_.downloads(), 2);
  EXPECT_EQ(models_->health().files, 2U);
  EXPECT_EQ(models_->health().bytes, files("one").at("MLmodel").size() + 3);
}

TEST_F(RemoteModelsTest, moves_an_alias_when_its_version_is_here_and_forgets_old_files) {
  for (const std::int64_t version : {1, 2, 3}) {
    remote_.put("m", version, files("v" + std::to_string(version)));
  }
  remote_.point("m", "a", 1);
  start();
  ASSERT_TRUE(refresh().ok());
  remote_.fail([](const std::string& call, int) {
    return call == "download" ? unavailable("broken off") : Status();
  });
  remote_.point("m", "a", 2);
  EXPECT_THAT(refresh().text(), HasSubstr("broken off"));
  EXPECT_FALSE(models_->health().available);
  EXPECT_THAT(models_->health().faults, ElementsAre(Pair("m@2", HasSubstr("broken off"))));
  EXPECT_THAT(models_->changes().models[0].aliases, ElementsAre(Pair("a", 1)));
  remote_.fail({});
  ASSERT_TRUE(refresh().ok());
  EXPECT_TRUE(models_->health().available);
  EXPECT_THAT(models_->health().faults, IsEmpty());
  SourceModel now = models_->changes().models.at(0);
  EXPECT_THAT(now.aliases, ElementsAre(Pair("a", 2)));
  EXPECT_THAT(numbers(now), ElementsAre(1, 2));
  remote_.point("m", "a", 3);
  ASSERT_TRUE(refresh().ok());
  now = models_->changes().models.at(0);
  EXPECT_THAT(numbers(now), ElementsAre(2, 3));
  EXPECT_EQ(places(), 3U);  // two versions, and what was told
}

TEST_F(RemoteModelsTest, keeps_everything_over_a_restart_without_the_server) {
  remote_.put("m", 1, files("one"));
  remote_.point("m", "a", 1);
  start();
  ASSERT_TRUE(refresh().ok());
  const std::string origin = models_->changes().models.at(0).versions.at(0).origin;
  remote_.fail([](const std::string&, int) { return unavailable("not there"); });
  start();
  EXPECT_TRUE(models_->settled());
  EXPECT_FALSE(refresh().ok());
  const SourceChanges changes = models_->changes();
  ASSERT_EQ(changes.models.size(), 1U);
  EXPECT_EQ(changes.models[0].versions.at(0).origin, origin);
  EXPECT_THAT(changes.models[0].aliases, ElementsAre(Pair("a", 1)));
  EXPECT_EQ(models_->files(origin)->size(), 2U);
  // The server comes back, and nothing is downloaded again.
  remote_.fail({});
  ASSERT_TRUE(refresh().ok());
  EXPECT_THAT(models_->changes().models, IsEmpty());
  EXPECT_EQ(remote_.downloads(), 2);
}

TEST_F(RemoteModelsTest, drops_a_model_that_is_gone_there_or_not_followed_any_more) {
  follow({"m@a", "n"});
  remote_.put("m", 1, files("one"));
  remote_.point("m", "a", 1);
  remote_.put("n", 4, files("four"));
  start();
  ASSERT_TRUE(refresh().ok());
  EXPECT_EQ(models_->changes().models.size(), 2U);
  remote_.drop("m");
  ASSERT_TRUE(refresh().ok());
  EXPECT_THAT(models_->changes().gone, ElementsAre("m"));
  follow({"m@a"});
  start();
  ASSERT_TRUE(refresh().ok());
  EXPECT_THAT(models_->changes().models, IsEmpty());
  EXPECT_EQ(places(), 1U);
}

TEST_F(RemoteModelsTest, takes_no_file_that_is_longer_or_shorter_than_it_is_said_to_be) {
  for (const std::string sent : {"on", "one more", ""}) {
    remote_.put("m", 1, files("one"));
    remote_.damage("one", sent);
    remote_.point("m", "a", 1);
    start();
    EXPECT_TRUE(refresh().ok());
    EXPECT_THAT(models_->changes().models.at(0).aliases, IsEmpty()) << sent;
    EXPECT_THAT(models_->health().faults.at("m@1"), HasSubstr("the server says")) << sent;
  }
}

TEST_F(RemoteModelsTest, comes_to_the_same_end_whichever_call_fails) {
  remote_.put("m", 1, files("one"));
  remote_.point("m", "a", 1);
  for (int broken = 1; broken <= 6; ++broken) {
    remote_.fail([broken](const std::string&, int number) {
      return number == broken ? unavailable("broken off") : Status();
    });
    start();
    static_cast<void>(refresh());
    static_cast<void>(refresh());
    const SourceChanges changes = models_->changes();
    ASSERT_EQ(changes.models.size(), 1U) << broken;
    EXPECT_THAT(changes.models[0].aliases, ElementsAre(Pair("a", 1))) << broken;
    EXPECT_EQ(models_->files(changes.models[0].versions.at(0).origin)->size(), 2U) << broken;
    end();
    ASSERT_TRUE(store_
                    ->write_and_wait([](store::Transaction& t) {
                      return store::remove_artifacts(t, "(remote)", "").status();
                    })
                    .ok());
  }
}

TEST_F(RemoteModelsTest, answers_every_call_also_when_it_stops) {
  start();
  std::atomic<int> answers{0};
  for (int i = 0; i < 200; ++i) models_->refresh([&](const Status&) { ++answers; });
  models_->stop();
  models_->refresh([&](const Status& status) {
    EXPECT_EQ(status.code(), Code::kUnavailable);
    ++answers;
  });
  EXPECT_EQ(answers, 201);
}

// With everything behind it: the registry that loads what the two sources say.
class MergedSourceTest : public RemoteModelsTest {
 protected:
  MergedSourceTest() {
    registry_options_.stored = folder_.path() / "models";
    registry_options_.on_change = [this] {
      if (stored_) stored_->registry_changed();
    };
    options_.on_change = [this] {
      if (stored_) stored_->source_changed();
    };
  }
  ~MergedSourceTest() override { end(); }

  void serve() {
    models_ = std::make_unique<RemoteModels>(options_, remote_, *store_, *artifacts_);
    registry_ = std::make_unique<Registry>(registry_options_, loader_.loader(), steady_clock());
    merged_ = std::make_unique<MergedSource>(own_, *models_);
    StoredModelsOptions options;
    options.folder = registry_options_.stored;
    options.retry = std::chrono::milliseconds(5);
    stored_ = std::make_unique<StoredModels>(options, *merged_, *registry_, steady_clock());
    models_->start();
    ASSERT_TRUE(stored_->start().ok());
    ASSERT_TRUE(registry_->start().ok());
  }
  void end() override {
    if (models_) models_->stop();
    if (stored_) stored_->stop();
    registry_.reset();
    stored_.reset();
    models_.reset();
  }
  std::string served(const std::string& reference) {
    const auto handle = registry_->acquire(*ModelReference::parse(reference));
    return handle.ok() ? (*handle)->identity.version : "-";
  }
  // An alias that moves is nothing that the registry tells: looks now and then.
  bool wait_for(const std::string& reference, const std::string& version) {
    const TimePoint deadline = TimePoint::clock::now() + std::chrono::seconds(20);
    Mutex mutex;
    Condition pause;
    while (served(reference) != version) {
      if (TimePoint::clock::now() > deadline) return false;
      MutexLock lock(mutex);
      pause.wait_until(mutex, TimePoint::clock::now() + std::chrono::milliseconds(1));
    }
    return true;
  }

  // Files that come from two sources lie in one store.
  class OwnSource final : public Source {
   public:
    OwnSource(FakeSource& fake, StoreSource& store) : fake_(fake), store_(store) {}
    Result<SourceChanges> changes() override { return fake_.changes(); }
    Result<std::vector<SourceFile>> files(const std::string& origin) override {
      return fake_.files(origin);
    }
    Result<std::string> read(const SourceFile& file, std::size_t limit) override {
      return own(file) ? fake_.read(file, limit) : store_.read(file, limit);
    }
    Status fetch(const SourceFile& file, const std::filesystem::path& to) override {
      return own(file) ? fake_.fetch(file, to) : store_.fetch(file, to);
    }

   private:
    static bool own(const SourceFile& file) { return file.path == "model.onnx"; }
    FakeSource& fake_;
    StoreSource& store_;
  };

  FakeLoader loader_;
  FakeSource fake_;
  StoreSource store_source_{*store_, *artifacts_, "default"};
  OwnSource own_{fake_, store_source_};
  RegistryOptions registry_options_;
  std::unique_ptr<MergedSource> merged_;
  std::unique_ptr<StoredModels> stored_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(MergedSourceTest, serves_what_the_other_server_says_and_moves_with_it) {
  remote_.put("m", 1, files("one"));
  remote_.put("m", 2, files("two"));
  remote_.point("m", "a", 1);
  fake_.put("own", 1, {{"model.onnx", "x"}});
  serve();
  ASSERT_TRUE(wait_for("m@a", "1"));
  ASSERT_TRUE(wait_for("own", "1"));
  remote_.point("m", "a", 2);
  ASSERT_TRUE(refresh().ok());
  ASSERT_TRUE(wait_for("m@a", "2"));
  remote_.drop("m");
  ASSERT_TRUE(refresh().ok());
  ASSERT_TRUE(wait_for("m@a", "-"));
  EXPECT_EQ(served("own"), "1");
}

TEST_F(MergedSourceTest, goes_on_without_the_other_server_also_after_a_start) {
  remote_.put("m", 1, files("one"));
  remote_.point("m", "a", 1);
  serve();
  ASSERT_TRUE(wait_for("m@a", "1"));
  remote_.fail([](const std::string&, int) { return unavailable("not there"); });
  EXPECT_FALSE(refresh().ok());
  EXPECT_EQ(served("m@a"), "1");
  end();
  serve();
  ASSERT_TRUE(wait_for("m@a", "1"));
  EXPECT_FALSE(refresh().ok());
  EXPECT_EQ(served("m@a"), "1");
}

TEST_F(MergedSourceTest, lets_this_server_s_own_model_win_and_the_other_one_wait) {
  remote_.put("m", 7, files("seven"));
  remote_.point("m", "a", 7);
  fake_.put("m", 1, {{"model.onnx", "x"}});
  serve();
  ASSERT_TRUE(wait_for("m", "1"));
  ASSERT_TRUE(refresh().ok());
  EXPECT_EQ(served("m@a"), "-");
  fake_.drop("m");
  stored_->source_changed();
  ASSERT_TRUE(wait_for("m@a", "7"));
}

}  // namespace
}  // namespace cortex::registry
