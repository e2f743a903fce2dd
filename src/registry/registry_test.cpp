// SPDX-License-Identifier: Apache-2.0
#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/thread.h"
#include "registry/fake_loader.h"
#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A registry over a folder, with a fake loader, that can wait for what it shows.
class Bench {
 public:
  explicit Bench(ControlMode mode, FakeLoader::Behaviour behaviour = {})
      : loader(std::move(behaviour)) {
    options.mode = mode;
    options.repositories = {folder.path()};
    options.stored = folder.path() / ".stored";
    std::filesystem::create_directory(options.stored);
    options.drain_deadline = std::chrono::milliseconds(20);
    options.on_change = [this] { watch.notify(); };
    options.on_load = [this](const ModelIdentity& id, Duration, const Status& status) {
      loads.push_back(id.name + "/" + id.version + (status.ok() ? " ok" : " failed"));
    };
  }

  void model(const std::string& name, const std::string& version, const std::string& text = "x") {
    folder.write(name + "/" + version + "/model.onnx", text);
  }

  void stored(const std::string& name, const std::string& version) {
    folder.write(".stored/" + name + "/" + version + "/model.onnx", "x");
    folder.write(".stored/" + name + "/" + version + "/.manifest", version);
  }

  void start() {
    registry = std::make_unique<Registry>(options, loader.loader(), steady_clock());
    ASSERT_TRUE(registry->start().ok());
  }

  Registry* operator->() { return registry.get(); }

  [[nodiscard]] VersionState state(const std::string& name, const std::string& version) {
    for (const IndexEntry& entry : registry->index()) {
      if (entry.name == name && entry.version == version) return entry.state;
    }
    return VersionState::kUnavailable;
  }

  [[nodiscard]] std::string reason(const std::string& name, const std::string& version) {
    for (const IndexEntry& entry : registry->index()) {
      if (entry.name == name && entry.version == version) return entry.reason;
    }
    return "no such entry";
  }

  [[nodiscard]] bool wait_for(
      const std::string& name, const std::string& version, VersionState wanted
  ) {
    return watch.wait([&] { return state(name, version) == wanted; });
  }

  [[nodiscard]] Result<Handle> acquire(const std::string& text) {
    return registry->acquire(*ModelReference::parse(text));
  }

  // Sends a request and waits for its answer.
  [[nodiscard]] Status load(const std::string& name, LoadOverride override_ = {}) {
    return answer([&](auto done) { registry->load(name, std::move(override_), std::move(done)); });
  }
  [[nodiscard]] Status unload(const std::string& name) {
    return answer([&](auto done) { registry->unload(name, std::move(done)); });
  }

  TestFolder folder;
  StateWatch watch;
  FakeLoader loader;
  std::vector<std::string> loads;  // registry thread; read it when nothing loads
  RegistryOptions options;
  std::unique_ptr<Registry> registry;

 private:
  [[nodiscard]] Status answer(const std::function<void(std::function<void(Status)>)>& send) {
    auto status = std::make_shared<std::optional<Status>>();
    auto answered = std::make_shared<std::atomic<bool>>(false);
    send([this, status, answered](Status s) {
      *status = std::move(s);
      *answered = true;
      watch.notify();
    });
    EXPECT_TRUE(watch.wait([&] { return answered->load(); }));
    return answered->load() ? **status : internal("no answer");
  }
};

// Lets loads of chosen versions wait until the test opens it.
class Gate {
 public:
  void open() {
    open_ = true;
    watch_.notify();
  }
  void pass() {
    CHECK(watch_.wait([this] { return open_.load(); }), "nobody opened the gate");
  }

 private:
  std::atomic<bool> open_{false};
  StateWatch watch_;
};

TEST(Registry, loads_the_newest_version_of_every_model) {
  Bench bench(ControlMode::kNone);
  bench.model("a", "1");
  bench.model("a", "2");
  bench.model("b", "1");
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  EXPECT_THAT(bench->ready_models(), ElementsAre("a", "b"));
  EXPECT_EQ(bench.state("a", "2"), VersionState::kReady);
  EXPECT_EQ(bench.state("a", "1"), VersionState::kUnavailable);
  EXPECT_EQ(bench.reason("a", "1"), "not served by the version policy");
  EXPECT_EQ((*bench.acquire("a"))->identity.version, "2");
  EXPECT_EQ(bench->counts().loads, 2U);
}

TEST(Registry, serves_without_models) {
  Bench bench(ControlMode::kNone);
  bench.start();
  EXPECT_TRUE(bench->settled());
  EXPECT_TRUE(bench->index().empty());
}

TEST(Registry, says_why_there_is_no_lease) {
  Bench bench(ControlMode::kNone, [](const ModelConfig&, std::int64_t version) {
    return version == 9 ? failed_precondition("broken file") : Status();
  });
  bench.model("m", "1");
  bench.model("bad", "9");
  bench.folder.write("faulty/1/model.onnx", "x");
  bench.folder.write("faulty/model.yaml", "x: 1");
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  struct Row {
    const char* reference;
    Code code;
    const char* text;
  };
  for (const Row& row : std::vector<Row>{
           {"n", Code::kNotFound, "Request for unknown model: 'n' is not found"},
           {"m@2", Code::kNotFound, "Request for unknown model: 'm' version 2 is not found"},
           {"m@blue", Code::kNotFound, "Request for unknown model: 'm' has no alias 'blue'"},
           {"m+lora", Code::kNotFound, "Request for unknown model: 'm' has no adapter 'lora'"},
           {"bad",
            Code::kUnavailable,
            "Request for unknown model: 'bad' has no available versions: broken file"},
           {"bad@9", Code::kUnavailable, "'bad' version 9 is not at ready state: broken file"},
           {"faulty", Code::kUnavailable, "model.yaml: line 1: x: unknown key"},
       }) {
    const auto handle = bench.acquire(row.reference);
    ASSERT_FALSE(handle.ok()) << row.reference;
    EXPECT_EQ(handle.status().code(), row.code) << row.reference;
    EXPECT_THAT(handle.status().text(), HasSubstr(row.text));
  }
  EXPECT_EQ(bench->counts().load_failures, 1U);
  EXPECT_THAT(bench.loads, testing::UnorderedElementsAre("m/1 ok", "bad/9 failed"));
}

TEST(Registry, refuses_to_start_without_its_repository) {
  RegistryOptions options;
  options.repositories = {"/nowhere/models"};
  FakeLoader loader;
  Registry registry(options, loader.loader(), steady_clock());
  EXPECT_EQ(registry.start().code(), Code::kNotFound);
}

TEST(Registry, lists_ready_versions_in_every_new_lease) {
  Bench bench(ControlMode::kNone);
  bench.folder.write("m/model.yaml", "version_policy: all\nbackend: onnx\n");
  bench.model("m", "1");
  bench.model("m", "10");
  bench.model("m", "2");
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  EXPECT_THAT((*bench.acquire("m"))->ready_versions, ElementsAre("1", "2", "10"));
  EXPECT_EQ((*bench.acquire("m"))->identity.version, "10");
  EXPECT_EQ((*bench.acquire("m@2"))->identity.version, "2");
}

TEST(Registry, loads_a_new_version_beside_and_keeps_the_old_one_while_it_is_leased) {
  Gate gate;
  Bench bench(ControlMode::kNone, [&](const ModelConfig&, std::int64_t version) {
    if (version == 2) gate.pass();
    return Status();
  });
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  Handle old = *bench.acquire("m");
  bench.model("m", "2");
  bench->rescan();
  ASSERT_TRUE(bench.wait_for("m", "2", VersionState::kLoading));
  EXPECT_EQ((*bench.acquire("m"))->identity.version, "1");
  gate.open();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kDraining));
  EXPECT_EQ((*bench.acquire("m"))->identity.version, "2");
  EXPECT_EQ(bench.acquire("m@1").status().code(), Code::kUnavailable);
  EXPECT_EQ(bench.loader.alive(), 2);
  EXPECT_NE(old->servable, nullptr);
  old.reset();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kUnavailable));
  EXPECT_EQ(bench.loader.alive(), 1);
  EXPECT_EQ(bench->counts().unloads, 1U);
}

TEST(Registry, keeps_the_old_version_when_the_new_one_fails) {
  Bench bench(ControlMode::kNone, [](const ModelConfig&, std::int64_t version) {
    return version == 2 ? invalid_argument("no such operator") : Status();
  });
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  bench.model("m", "2");
  bench->rescan();
  ASSERT_TRUE(bench.wait_for("m", "2", VersionState::kFailed));
  EXPECT_EQ(bench.reason("m", "2"), "no such operator");
  EXPECT_EQ((*bench.acquire("m"))->identity.version, "1");
}

TEST(Registry, tries_a_quarantined_version_again_when_its_files_change) {
  std::atomic<bool> broken{true};
  Bench bench(ControlMode::kNone, [&](const ModelConfig&, std::int64_t) {
    return broken ? invalid_argument("broken") : Status();
  });
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kFailed));
  broken = false;
  bench.model("m", "1", "other bytes");
  bench->rescan();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  EXPECT_EQ(bench.loader.calls(), 2);
}

TEST(Registry, keeps_serving_when_a_configuration_breaks) {
  Bench bench(ControlMode::kNone);
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  bench.folder.write("m/model.yaml", "nonsense: 1");
  bench.model("n", "1");
  bench->rescan();
  ASSERT_TRUE(bench.wait_for("n", "1", VersionState::kReady));
  EXPECT_TRUE(bench.acquire("m").ok());
}

TEST(Registry, drains_models_whose_folder_is_gone) {
  Bench bench(ControlMode::kNone);
  bench.model("gone", "1");
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  bench.folder.remove("gone");
  bench->rescan();
  EXPECT_TRUE(bench.watch.wait([&] {
    return bench.acquire("gone").status().code() == Code::kNotFound;
  }));
}

TEST(Registry, unloads_nothing_because_a_repository_cannot_be_read) {
  Bench bench(ControlMode::kExplicit);
  TestFolder mounted;
  mounted.write("kept/1/model.onnx", "x");
  bench.options.repositories.push_back(mounted.path());
  bench.options.startup_models = {"*"};
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  mounted.remove("");
  bench->rescan();
  // The folders are read before these are answered.
  EXPECT_EQ(bench.load("nobody").code(), Code::kNotFound);
  EXPECT_EQ(bench.load("nobody").code(), Code::kNotFound);
  EXPECT_TRUE(bench.acquire("kept").ok());
}

TEST(Registry, polls_the_folders) {
  Bench bench(ControlMode::kPoll);
  bench.options.poll_period = std::chrono::milliseconds(5);
  bench.start();
  bench.model("late", "1");
  EXPECT_TRUE(bench.wait_for("late", "1", VersionState::kReady));
}

TEST(Registry, refuses_load_requests_unless_the_mode_is_explicit) {
  Bench bench(ControlMode::kNone);
  bench.model("m", "1");
  bench.start();
  EXPECT_EQ(bench.load("m").code(), Code::kFailedPrecondition);
  EXPECT_EQ(bench.unload("m").code(), Code::kFailedPrecondition);
}

TEST(Registry, loads_and_unloads_on_request) {
  Bench bench(ControlMode::kExplicit);
  bench.model("m", "1");
  bench.start();
  EXPECT_TRUE(bench->settled());
  EXPECT_EQ(bench.reason("m", "1"), "not loaded");
  EXPECT_TRUE(bench.load("m").ok());
  EXPECT_TRUE(bench.acquire("m").ok());
  EXPECT_TRUE(bench.unload("m").ok());
  EXPECT_EQ(bench.acquire("m").status().code(), Code::kUnavailable);
  ASSERT_TRUE(bench.watch.wait([&] {
    return bench.loader.alive() == 0 && bench.reason("m", "1") == "unloaded";
  }));
  EXPECT_TRUE(bench.load("m").ok());
  EXPECT_TRUE(bench.load("m").ok());
  EXPECT_EQ(bench.loader.calls(), 2);
}

TEST(Registry, loads_what_it_is_told_at_start) {
  Bench bench(ControlMode::kExplicit);
  bench.model("a", "1");
  bench.model("b", "1");
  bench.options.startup_models = {"b", "missing"};
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  EXPECT_THAT(bench->ready_models(), ElementsAre("b"));
  EXPECT_THAT(bench.reason("missing", ""), HasSubstr("no model repository has a folder"));
}

TEST(Registry, counts_a_model_that_it_is_told_at_start_and_lacks_as_broken_until_it_is_there) {
  Bench bench(ControlMode::kExplicit);
  bench.model("never_asked_for", "1");
  bench.options.startup_models = {"missing"};
  bench.start();
  const auto broken = [&] {
    std::vector<std::string> out;
    for (const IndexEntry& entry : bench->index()) {
      if (entry.broken) out.push_back(entry.name);
    }
    return out;
  };
  EXPECT_THAT(broken(), ElementsAre("missing"));
  bench.model("missing", "1");
  bench->rescan();
  ASSERT_TRUE(bench.wait_for("missing", "1", VersionState::kReady));
  EXPECT_THAT(broken(), testing::IsEmpty());
}

TEST(Registry, answers_an_unload_when_nobody_gets_a_new_lease_and_shows_the_end_in_the_index) {
  Bench bench(ControlMode::kExplicit);
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.load("m").ok());
  Handle lease = *bench.acquire("m");
  EXPECT_TRUE(bench.unload("m").ok());
  EXPECT_EQ(bench.acquire("m").status().code(), Code::kUnavailable);
  EXPECT_EQ(bench.state("m", "1"), VersionState::kDraining);
  EXPECT_EQ(bench.loader.alive(), 1);
  lease.reset();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kUnavailable));
  EXPECT_EQ(bench.reason("m", "1"), "unloaded");
  EXPECT_EQ(bench.loader.alive(), 0);
}

TEST(Registry, loads_all_for_a_star) {
  Bench bench(ControlMode::kExplicit);
  bench.model("a", "1");
  bench.model("b", "1");
  bench.options.startup_models = {"*"};
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  EXPECT_THAT(bench->ready_models(), ElementsAre("a", "b"));
}

TEST(Registry, answers_a_load_request_with_what_went_wrong) {
  std::atomic<bool> broken{true};
  Bench bench(ControlMode::kExplicit, [&](const ModelConfig&, std::int64_t) {
    return broken ? invalid_argument("broken") : Status();
  });
  bench.model("m", "1");
  bench.start();
  EXPECT_EQ(bench.load("nobody").code(), Code::kNotFound);
  EXPECT_EQ(bench.load("../m").code(), Code::kNotFound);
  EXPECT_EQ(bench.unload("nobody").code(), Code::kNotFound);
  EXPECT_TRUE(bench.unload("m").ok());
  const Status failed = bench.load("m");
  EXPECT_EQ(failed.code(), Code::kInvalidArgument);
  EXPECT_EQ(
      failed.text(), "load failed for model 'm': version 1 is at UNAVAILABLE state: broken; "
  );
  broken = false;
  EXPECT_TRUE(bench.load("m").ok());
}

TEST(Registry, reloads_with_another_configuration_and_back) {
  Bench bench(ControlMode::kExplicit);
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.load("m").ok());
  ASSERT_TRUE(bench.load("m", {R"({"max_batch_size": 7})"}).ok());
  EXPECT_EQ((*bench.acquire("m"))->config.max_batch_size, 7U);
  const Status refused =
      bench.load("m", {R"({"sequence_batching": {"max_sequence_idle_microseconds": 1}})"});
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_THAT(refused.text(), HasSubstr("sequence_batching"));
  EXPECT_EQ((*bench.acquire("m"))->config.max_batch_size, 7U);
  ASSERT_TRUE(bench.load("m").ok());
  EXPECT_TRUE((*bench.acquire("m"))->config.open.batch_size);
}

TEST(Registry, answers_a_load_that_is_overtaken_by_an_unload) {
  Gate gate;
  Bench bench(ControlMode::kExplicit, [&](const ModelConfig&, std::int64_t) {
    gate.pass();
    return Status();
  });
  bench.model("m", "1");
  bench.start();
  std::atomic<int> code{-1};
  bench->load("m", {}, [&](const Status& status) {
    code = static_cast<int>(status.code());
    bench.watch.notify();
  });
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kLoading));
  EXPECT_TRUE(bench.unload("m").ok());
  ASSERT_TRUE(bench.watch.wait([&] { return code >= 0; }));
  EXPECT_EQ(code, static_cast<int>(Code::kAborted));
  gate.open();
  EXPECT_TRUE(bench.watch.wait([&] { return bench->counts().unloads == 1; }));
  EXPECT_EQ(bench.loader.alive(), 0);
}

TEST(Registry, gives_no_lease_once_it_drains_and_never_destroys_under_a_lease) {
  Bench bench(ControlMode::kNone);
  bench.model("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  Handle lease = *bench.acquire("m");
  bench->drain();
  EXPECT_EQ(bench.acquire("m").status().code(), Code::kUnavailable);
  EXPECT_EQ(bench.loader.alive(), 1);
  lease.reset();
  bench->drain();
  bench.registry.reset();
  EXPECT_EQ(bench.loader.alive(), 0);
}

TEST(Registry, ends_while_it_loads) {
  Gate gate;
  Bench bench(ControlMode::kNone, [&](const ModelConfig&, std::int64_t) {
    gate.pass();
    return Status();
  });
  for (const char* name : {"a", "b", "c"}) bench.model(name, "1");
  bench.start();
  bench->drain();
  gate.open();
  bench.registry.reset();
  EXPECT_EQ(bench.loader.alive(), 0);
  EXPECT_EQ(bench.loader.calls(), 1);
}

TEST(Registry, refuses_to_unload_or_reconfigure_a_stored_model) {
  Bench bench(ControlMode::kExplicit);
  bench.stored("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  EXPECT_EQ(bench.unload("m").code(), Code::kFailedPrecondition);
  EXPECT_EQ(bench.load("m", {R"({"max_batch_size": 7})"}).code(), Code::kFailedPrecondition);
  EXPECT_TRUE(bench.load("m").ok());
  EXPECT_TRUE(bench.acquire("m").ok());
}

TEST(Registry, moves_an_alias_before_its_call_returns) {
  Bench bench(ControlMode::kNone);
  bench.stored("m", "1");
  bench.stored("m", "2");
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  for (const std::int64_t version : {1, 2, 1}) {
    bench->set_stored({{"m", {{{"a", version}}, {}}}});
    EXPECT_EQ((*bench.acquire("m@a"))->number, version);
  }
}

TEST(Registry, keeps_what_an_alias_serves_when_its_folder_goes) {
  Bench bench(ControlMode::kNone);
  bench.stored("m", "1");
  bench.stored("m", "2");
  bench.start();
  ASSERT_TRUE(bench.watch.wait([&] { return bench->settled(); }));
  bench->set_stored({{"m", {{{"a", 1}}, {}}}});
  bench.folder.remove(".stored/m/1");
  bench->rescan_model("m");
  bench.stored("m", "3");
  bench->rescan_model("m");
  ASSERT_TRUE(bench.wait_for("m", "3", VersionState::kReady));
  EXPECT_EQ((*bench.acquire("m@a"))->number, 1);
  bench->set_stored({{"m", {{{"a", 3}}, {}}}});
  EXPECT_EQ((*bench.acquire("m@a"))->number, 3);
  ASSERT_TRUE(bench.watch.wait([&] { return bench.loader.alive() == 2; }));
}

// The one loader is held up while the folder of the next load goes, or becomes another one.
TEST(Registry, neither_loads_nor_quarantines_a_stored_version_whose_folder_went_meanwhile) {
  std::atomic<bool> go_on = false;
  Bench* waiting = nullptr;
  Bench bench(ControlMode::kNone, [&](const ModelConfig& config, std::int64_t) {
    if (config.name != "a") return Status();
    return waiting->watch.wait([&] { return go_on.load(); }) ? Status() : internal("held up");
  });
  waiting = &bench;
  bench.stored("a", "1");
  bench.stored("m", "1");
  bench.stored("m", "2");
  bench.start();
  ASSERT_EQ(bench.state("m", "1"), VersionState::kLoading);
  bench.folder.remove(".stored/m/1");
  bench.folder.write(".stored/m/2/.manifest", "of other bytes");
  go_on = true;
  bench.watch.notify();
  ASSERT_TRUE(bench.wait_for("m", "2", VersionState::kReady));
  EXPECT_EQ(bench.reason("m", "1"), "no such entry");
  EXPECT_EQ(bench->counts().load_failures, 0U);
  EXPECT_EQ(bench.loader.calls(), 2);
}

TEST(Registry, serves_requests_while_aliases_move_and_versions_come_and_go) {
  Bench bench(ControlMode::kNone);
  bench.stored("m", "1");
  bench.start();
  ASSERT_TRUE(bench.wait_for("m", "1", VersionState::kReady));
  bench->set_stored({{"m", {{{"a", 1}}, {}}}});
  std::atomic<bool> over{false};
  std::atomic<int> failed{0};
  std::atomic<int> served{0};
  Thread reader("reader", [&] {
    while (!over) ++(bench.acquire("m@a").ok() ? served : failed);
  });
  for (std::int64_t version = 2; version < 30; ++version) {
    bench.stored("m", std::to_string(version));
    bench->set_stored({{"m", {{{"a", version}}, {}}}});
    bench.folder.remove(".stored/m/" + std::to_string(version - 1));
    bench->rescan_model("m");
    ASSERT_TRUE(bench.watch.wait([&] { return (*bench.acquire("m@a"))->number == version; }));
  }
  over = true;
  reader.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(served, 0);
}

}  // namespace
}  // namespace cortex::registry
