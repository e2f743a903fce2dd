// SPDX-License-Identifier: Apache-2.0
#include "registry/stored/stored_models.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/fake_loader.h"
#include "registry/stored/fake_source.h"
#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;

// A registry that follows a source in memory.
class StoredModelsTest : public ::testing::Test {
 protected:
  StoredModelsTest() {
    registry_options_.stored = folder_.path() / "models";
    registry_options_.on_change = [this] {
      if (stored_) stored_->registry_changed();
      watch_.notify();
    };
    options_.folder = registry_options_.stored;
    options_.retry = std::chrono::milliseconds(5);
  }
  ~StoredModelsTest() override {
    if (stored_) stored_->stop();
    registry_.reset();
  }

  void start() {
    registry_ = std::make_unique<Registry>(registry_options_, loader_.loader(), steady_clock());
    stored_ = std::make_unique<StoredModels>(options_, source_, *registry_, steady_clock());
    ASSERT_TRUE(stored_->start().ok());
    ASSERT_TRUE(registry_->start().ok());
  }
  void put(std::int64_t version, const std::string& text = "x") {
    source_.put("m", version, {{"model.onnx", text + std::to_string(version)}});
  }
  void point(const std::string& alias, std::int64_t version) {
    source_.point("m", alias, version);
    if (stored_) stored_->source_changed();
  }

  // The version that answers; "-" when none does.
  std::string served(const std::string& reference) {
    const auto handle = registry_->acquire(*ModelReference::parse(reference));
    return handle.ok() ? (*handle)->identity.version : "-";
  }
  std::string reason(const std::string& reference) {
    return registry_->acquire(*ModelReference::parse(reference)).status().text();
  }
  // Looks again whenever the registry changes, and now and then for what it does not tell.
  bool wait(const std::function<bool()>& condition) {
    const TimePoint deadline = TimePoint::clock::now() + std::chrono::seconds(20);
    Mutex mutex;
    Condition pause;
    while (!condition()) {
      if (TimePoint::clock::now() > deadline) return false;
      MutexLock lock(mutex);
      pause.wait_until(mutex, TimePoint::clock::now() + std::chrono::milliseconds(1));
    }
    return true;
  }
  bool wait_for(const std::string& reference, const std::string& version) {
    return wait([&] { return served(reference) == version; });
  }

  TestFolder folder_;
  StateWatch watch_;
  std::atomic<std::int64_t> broken_{0};
  std::atomic<std::int64_t> held_up_{0};
  FakeLoader loader_{[this](const ModelConfig&, std::int64_t version) {
    CHECK(watch_.wait([&] { return version != held_up_; }), "nobody let it go on");
    return version == broken_ ? invalid_argument("no such operator") : Status();
  }};
  FakeSource source_;
  RegistryOptions registry_options_;
  StoredModelsOptions options_;
  std::unique_ptr<StoredModels> stored_;
  std::unique_ptr<Registry> registry_;
};

TEST_F(StoredModelsTest, serves_versions_aliases_stages_and_the_plain_name) {
  for (const int version : {1, 2, 3}) put(version);
  source_.point("m", "champion", 1);
  source_.point("m", "/Production", 1);
  start();
  ASSERT_TRUE(wait([&] { return stored_->settled(); }));
  EXPECT_EQ(served("m"), "3");
  EXPECT_EQ(served("m@champion"), "1");
  EXPECT_EQ(served("models:/m@champion"), "1");
  EXPECT_EQ(served("models:/m/Production"), "1");
  EXPECT_EQ(served("models:/m/3"), "3");
  EXPECT_EQ(served("models:/m/latest"), "3");
  EXPECT_THAT(reason("m@2"), HasSubstr("not among the 2 versions that are kept"));
  EXPECT_THAT(reason("m@4"), HasSubstr("is not found"));
  EXPECT_THAT(reason("m@other"), HasSubstr("has no alias 'other'"));
  EXPECT_THAT(reason("models:/m/Staging"), HasSubstr("no version in stage 'Staging'"));
  EXPECT_EQ(loader_.alive(), 2);
}

TEST_F(StoredModelsTest, moves_an_alias_between_loaded_versions_without_a_load) {
  put(1);
  put(2);
  source_.point("m", "a", 1);
  start();
  ASSERT_TRUE(wait([&] { return stored_->settled() && served("m@a") == "1"; }));
  for (const std::int64_t version : {2, 1, 2}) {
    point("a", version);
    ASSERT_TRUE(wait_for("m@a", std::to_string(version)));
  }
  EXPECT_EQ(loader_.calls(), 2);
}

TEST_F(StoredModelsTest, loads_beside_and_never_fails_a_request_while_an_alias_moves) {
  options_.versions_max = 1;
  put(1);
  source_.point("m", "a", 1);
  start();
  ASSERT_TRUE(wait_for("m@a", "1"));
  held_up_ = 2;
  put(2);
  point("a", 2);
  ASSERT_TRUE(wait([&] { return loader_.calls() == 2; }));
  EXPECT_EQ(served("m@a"), "1");
  held_up_ = 0;
  watch_.notify();
  ASSERT_TRUE(wait([&] {
    const std::string version = served("m@a");
    EXPECT_NE(version, "-");
    return version == "2";
  }));
  ASSERT_TRUE(wait([&] { return loader_.alive() == 1; }));
  EXPECT_EQ(served("m@a"), "2");
}

TEST_F(StoredModelsTest, stays_on_the_old_version_when_the_new_one_does_not_load) {
  options_.versions_max = 1;
  put(1);
  source_.point("m", "a", 1);
  start();
  ASSERT_TRUE(wait_for("m@a", "1"));
  broken_ = 2;
  put(2);
  point("a", 2);
  const auto says_why = [&] {
    for (const IndexEntry& entry : registry_->index("m")) {
      if (entry.state == VersionState::kFailed)
        return entry.reason == "no such operator; 'a' stays on version 1";
    }
    return false;
  };
  ASSERT_TRUE(wait(says_why));
  EXPECT_EQ(served("m@a"), "1");
  EXPECT_EQ(loader_.calls(), 2);
  point("a", 1);
  EXPECT_EQ(served("m@a"), "1");
}

TEST_F(StoredModelsTest, removes_a_version_that_is_being_loaded_only_when_that_is_over) {
  options_.versions_max = 1;
  registry_options_.loader_threads = 2;
  const auto stands = [&](const char* version) {
    return std::filesystem::exists(folder_.path() / "models" / version);
  };
  held_up_ = 7;
  put(7);
  source_.put("other", 1, {{"model.onnx", "x"}});
  start();
  ASSERT_TRUE(wait([&] { return loader_.calls() == 2 && served("other") == "1"; }));
  put(8);
  stored_->source_changed();
  ASSERT_TRUE(wait_for("m", "8"));
  // Folders are worked on one after the other: this one goes behind where that of 7 would.
  source_.drop("other");
  stored_->source_changed();
  ASSERT_TRUE(wait([&] { return !stands("other"); }));
  EXPECT_TRUE(stands("m/7"));
  held_up_ = 0;
  watch_.notify();
  EXPECT_TRUE(wait([&] { return !stands("m/7") && loader_.alive() == 1; }));
  EXPECT_EQ(served("m"), "8");
  EXPECT_EQ(registry_->counts().load_failures, 0U);
}

TEST_F(StoredModelsTest, lists_what_cannot_be_served_with_its_reason) {
  source_.put("m", 1, {{"MLmodel", "flavors: {sklearn: {}}"}});
  put(2);
  start();
  ASSERT_TRUE(wait_for("m", "2"));
  ASSERT_TRUE(wait([&] {
    return reason("m@1").find("no ONNX flavor, and not one GGUF file: sklearn") !=
           std::string::npos;
  }));
  ASSERT_TRUE(wait([&] { return stored_->settled(); }));
}

TEST_F(StoredModelsTest, tries_a_version_again_whose_files_were_completed_meanwhile) {
  source_.put("m", 1, {{"readme.txt", "x"}});
  source_.put("n", 1, {{"readme.txt", "x"}});
  start();
  ASSERT_TRUE(wait([&] { return stored_->settled() && stored_->counts().failures == 2; }));
  source_.complete("m", 1, {{"model.onnx", "x"}});
  source_.complete("n", 1, {{"model.onnx", "x"}});
  point("a", 1);  // its model is touched
  EXPECT_TRUE(wait_for("m@a", "1")) << reason("m@a");
  EXPECT_EQ(served("n"), "-");
  stored_->rescan();
  EXPECT_TRUE(wait_for("n", "1")) << reason("n");
}

TEST_F(StoredModelsTest, keeps_what_serves_while_a_version_is_tried_again_in_vain) {
  options_.versions_max = 1;
  put(1);
  start();
  ASSERT_TRUE(wait_for("m", "1"));
  source_.put("m", 2, {{"readme.txt", "x"}});
  source_.put("m", 3, {{"readme.txt", "x"}});
  point("a", 3);
  for (std::uint64_t failures = 2; failures < 20; failures += 2) {
    ASSERT_TRUE(wait([&] {
      EXPECT_EQ(served("m"), "1");
      return stored_->counts().failures >= failures;
    }));
    stored_->rescan();
  }
  ASSERT_TRUE(wait([&] { return reason("m@3").find("model.onnx") != std::string::npos; }));
  EXPECT_EQ(loader_.calls(), 1);
  EXPECT_EQ(loader_.alive(), 1);
}

TEST_F(StoredModelsTest, tries_again_after_a_fault_of_the_disk) {
  source_.fail([](const std::string& call, int number) {
    return call == "fetch" && number < 8 ? resource_exhausted("the disk is full") : Status();
  });
  put(1);
  start();
  EXPECT_TRUE(wait_for("m", "1"));
  EXPECT_GT(stored_->counts().failures, 0U);
}

TEST_F(StoredModelsTest, goes_on_serving_without_its_source) {
  put(1);
  source_.point("m", "a", 1);
  start();
  ASSERT_TRUE(wait_for("m@a", "1"));
  stored_->stop();
  registry_.reset();
  stored_.reset();
  source_.fail([](const std::string&, int) { return unavailable("the database is away"); });
  start();
  ASSERT_TRUE(wait_for("m", "1"));
  EXPECT_TRUE(wait([&] { return stored_->settled(); }));
}

TEST_F(StoredModelsTest, drops_what_the_source_dropped_also_while_it_was_not_running) {
  put(1);
  start();
  ASSERT_TRUE(wait_for("m", "1"));
  source_.drop("m");
  stored_->source_changed();
  ASSERT_TRUE(wait([&] { return reason("m").find("is not found") != std::string::npos; }));
  ASSERT_TRUE(wait([&] { return loader_.alive() == 0; }));
  stored_->stop();
  registry_.reset();
  folder_.write("models/stray/1/model.onnx", "x");
  FakeSource fresh;
  registry_ = std::make_unique<Registry>(registry_options_, loader_.loader(), steady_clock());
  stored_ = std::make_unique<StoredModels>(options_, fresh, *registry_, steady_clock());
  ASSERT_TRUE(stored_->start().ok());
  ASSERT_TRUE(registry_->start().ok());
  EXPECT_TRUE(wait([&] { return !std::filesystem::exists(folder_.path() / "models/stray"); }));
  stored_->stop();
}

TEST_F(StoredModelsTest, serves_other_files_under_the_same_number) {
  put(1);
  start();
  ASSERT_TRUE(wait_for("m", "1"));
  put(1, "other");
  stored_->source_changed();
  EXPECT_TRUE(wait([&] { return loader_.calls() == 2 && loader_.alive() == 1; }));
  EXPECT_EQ(served("m"), "1");
}

TEST_F(StoredModelsTest, gives_way_to_a_users_model_folder_of_the_same_name) {
  TestFolder users;
  users.write("m/1/model.onnx", "x");
  users.write("n/1/model.onnx", "x");
  registry_options_.repositories = {users.path()};
  put(7);
  source_.point("m", "a", 7);
  start();
  ASSERT_TRUE(wait_for("n", "1"));
  ASSERT_TRUE(wait([&] { return stored_->settled(); }));
  const auto shadowed = [&] {
    return reason("m@7").find("has this name and is served") != std::string::npos;
  };
  ASSERT_TRUE(wait(shadowed)) << reason("m@7");
  EXPECT_EQ(served("m"), "1");
  EXPECT_EQ(served("m@a"), "-");
  // The same from a start at which both stand; a source tells everything then.
  stored_->stop();
  registry_.reset();
  stored_.reset();
  source_.point("m", "a", 7);
  start();
  ASSERT_TRUE(wait_for("m", "1"));
  ASSERT_TRUE(wait([&] { return stored_->settled(); }));
  ASSERT_TRUE(wait(shadowed)) << reason("m@7");
  // And once the folder is gone, what is registered is served.
  users.remove("m");
  registry_->rescan();
  EXPECT_TRUE(wait_for("m@a", "7"));
  EXPECT_EQ(served("m"), "7");
}

TEST_F(StoredModelsTest, knows_after_a_start_what_an_alias_served_before) {
  put(1);
  put(2);
  source_.point("m", "a", 2);
  source_.pointed_before("m", "a", 1);
  start();
  ASSERT_TRUE(wait_for("m@a", "2"));
  ASSERT_TRUE(wait_for("m@1", "1"));
  const auto reference = *ModelReference::parse("m@a");
  const auto before = registry_->acquire_previous(reference, "2");
  ASSERT_TRUE(before.ok()) << before.status().text();
  EXPECT_EQ((*before)->identity.version, "1");
}

TEST_F(StoredModelsTest, keeps_a_name_that_cannot_be_a_folder_out) {
  source_.put("..", 1, {{"model.onnx", "x"}});
  put(1);
  start();
  ASSERT_TRUE(wait_for("m", "1"));
  const auto index = registry_->index("..");
  ASSERT_EQ(index.size(), 1U);
  EXPECT_THAT(index[0].reason, HasSubstr("cannot be that of a model folder"));
}

}  // namespace
}  // namespace cortex::registry
