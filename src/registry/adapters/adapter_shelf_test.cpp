// SPDX-License-Identifier: Apache-2.0
#include "registry/adapters/adapter_shelf.h"

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/mutex.h"
#include "base/thread.h"
#include "registry/adapters/adapter_catalog.h"
#include "registry/adapters/testing/fake_language.h"
#include "registry/fake_loader.h"
#include "registry/test_folder.h"
#include "store/testing/latch.h"
#include "store/testing/temporary_store.h"

namespace cortex::registry {
namespace {

// A request that asked for an adapter. Thread-safe.
class Asked {
 public:
  void set(Result<AdapterLease> answer) {
    MutexLock lock(mutex_);
    answer_ = std::move(answer);
  }
  [[nodiscard]] bool answered() const {
    MutexLock lock(mutex_);
    return answer_.has_value();
  }
  // REQUIRES: answered().
  [[nodiscard]] Result<AdapterLease> answer() const {
    MutexLock lock(mutex_);
    return answer_.value();
  }
  // The lease is the caller's alone from now on.
  [[nodiscard]] Result<AdapterLease> take() {
    MutexLock lock(mutex_);
    return *std::exchange(answer_, std::nullopt);
  }

 private:
  mutable Mutex mutex_;
  std::optional<Result<AdapterLease>> answer_ GUARDED_BY(mutex_);
};

// The model "base" in version 1, adapters in files, no store.
class AdapterShelfTest : public ::testing::Test {
 protected:
  AdapterShelfTest() {
    folder_.write("poet.gguf", "verses");
    folder_.write("clerk.gguf", "letters");
    folder_.write("cook.gguf", "recipes");
    folder_.write("broken.gguf", "broken");
    models_.serve("base", "1", language_);
    options_.folder = folder_.path();
  }
  ~AdapterShelfTest() override { shelf_.reset(); }

  AdapterShelf& shelf() {
    if (!shelf_) {
      shelf_ = std::make_unique<AdapterShelf>(
          options_,
          [this](const ModelReference& model) { return models_.acquire(model); },
          store_ ? &**store_ : nullptr,
          clock_
      );
      EXPECT_TRUE(shelf_->start().ok());
    }
    return *shelf_;
  }

  // Waits for what a change says.
  template <typename T, typename Call>
  static T wait_for(Call&& call) {
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    call([promise](T outcome) { promise->set_value(std::move(outcome)); });
    CHECK(future.wait_for(std::chrono::seconds(20)) == std::future_status::ready, "it is answered");
    return future.get();
  }
  using Outcome = Result<AdapterState>;
  static AdapterRecord record(const std::string& name) {
    AdapterRecord out;
    out.name = name;
    out.base_model = "base";
    out.path = name + ".gguf";
    return out;
  }
  Outcome enroll(AdapterRecord adapter, bool load = false) {
    return wait_for<Outcome>([&](auto done) { shelf().enroll(std::move(adapter), load, done); });
  }
  Outcome load(const std::string& name) {
    return wait_for<Outcome>([&](auto done) { shelf().load(name, done); });
  }
  Outcome unload(const std::string& name) {
    return wait_for<Outcome>([&](auto done) { shelf().unload(name, done); });
  }
  Outcome swap(const std::string& old, const std::string& next) {
    return wait_for<Outcome>([&](auto done) { shelf().swap(old, next, done); });
  }
  Status remove(const std::string& name) {
    return wait_for<Status>([&](auto done) { shelf().remove(name, done); });
  }

  // A request as the router asks.
  std::shared_ptr<Asked> ask(const std::string& model, TimePoint deadline = kNoDeadline) {
    auto out = std::make_shared<Asked>();
    const auto reference = ModelReference::parse(model);
    CHECK(reference.ok(), "a reference");
    const auto handle = shelf().acquire(*reference);
    if (!handle.ok()) {
      out->set(handle.status());
      return out;
    }
    shelf().lend(*reference, *handle, deadline, [this, out](Result<AdapterLease> lease) {
      out->set(std::move(lease));
      watch_.notify();
    });
    return out;
  }
  Result<AdapterLease> answer_of(const std::shared_ptr<Asked>& asked) {
    CHECK(watch_.wait([&] { return asked->answered(); }), "the request is answered");
    return asked->take();
  }
  Result<AdapterLease> use(const std::string& model) { return answer_of(ask(model)); }
  // Until the thread did all that was to do before.
  void settle() {
    const Outcome ignored = unload("nobody");
    EXPECT_EQ(ignored.status().code(), Code::kNotFound);
  }
  [[nodiscard]] std::string content(const AdapterLease& lease) const {
    return language_.content(lease.identity);
  }

  TestFolder folder_;
  FakeLanguage language_;
  FakeModels models_;
  VirtualClock clock_;
  StateWatch watch_;
  AdapterShelfOptions options_;
  std::optional<store::TemporaryStore> store_;
  std::unique_ptr<AdapterShelf> shelf_;
};

TEST_F(AdapterShelfTest, a_request_loads_the_adapter_that_it_names) {
  AdapterRecord poet = record("poet");
  poet.scale = 0.5;
  ASSERT_TRUE(enroll(poet).ok());
  EXPECT_EQ(language_.loaded(), 0u);
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kRegistered);
  const auto lease = use("base+poet");
  ASSERT_TRUE(lease.ok()) << lease.status().to_string();
  EXPECT_EQ(content(*lease), "verses");
  EXPECT_EQ(lease->scale, 0.5f);
  EXPECT_EQ(use("poet")->identity, lease->identity);
  EXPECT_EQ(use("base+poet@-2")->scale, -2.f);
  const AdapterState state = *shelf().find("poet");
  EXPECT_EQ(state.phase, AdapterPhase::kLoaded);
  EXPECT_EQ(state.memory_bytes, 6u);
  EXPECT_EQ(state.uses, 3u);
  EXPECT_EQ(state.in_use, 1u);
  EXPECT_EQ(language_.loads(), 1u);
}

TEST_F(AdapterShelfTest, what_is_not_registered_over_the_model_is_not_found) {
  FakeLanguage other;
  models_.serve("other", "1", other);
  ASSERT_TRUE(enroll(record("poet")).ok());
  EXPECT_EQ(use("base+nobody").status().code(), Code::kNotFound);
  EXPECT_EQ(use("other+poet").status().text(), "model 'other' has no adapter 'poet'");
  EXPECT_EQ(use("nobody").status().code(), Code::kNotFound);
  EXPECT_EQ(use("poet@2").status().code(), Code::kNotFound);
  EXPECT_EQ(load("nobody").status().code(), Code::kNotFound);
  EXPECT_EQ(remove("nobody").code(), Code::kNotFound);
}

TEST_F(AdapterShelfTest, requests_that_come_while_it_is_loaded_wait_for_the_one_load) {
  ASSERT_TRUE(enroll(record("poet")).ok());
  store::Latch loading;
  language_.on_load = [&] { loading.wait(); };
  const auto first = ask("base+poet");
  const auto second = ask("poet");
  EXPECT_FALSE(first->answered());
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kLoading);
  EXPECT_EQ(shelf().find("poet")->waiting, 2u);
  loading.open();
  EXPECT_TRUE(answer_of(first).ok());
  EXPECT_TRUE(answer_of(second).ok());
  EXPECT_EQ(language_.loads(), 1u);
}

TEST_F(AdapterShelfTest, a_wait_is_bounded_and_counted) {
  ASSERT_TRUE(enroll(record("poet")).ok());
  store::Latch loading;
  language_.on_load = [&] { loading.wait(); };
  const auto asked = ask("base+poet");
  const auto hasty = ask("base+poet", clock_.now() + std::chrono::seconds(1));
  clock_.advance(std::chrono::seconds(2));
  shelf().models_changed();
  EXPECT_EQ(answer_of(hasty).status().code(), Code::kUnavailable);
  EXPECT_FALSE(asked->answered());
  clock_.advance(options_.wait);
  shelf().models_changed();
  EXPECT_EQ(answer_of(asked).status().text(), "the adapter was not loaded in time");
  EXPECT_EQ(shelf().counts().refusals, 2u);
  loading.open();
  settle();
}

TEST_F(AdapterShelfTest, requests_over_the_bound_do_not_wait) {
  options_.waiting_max = 1;
  ASSERT_TRUE(enroll(record("poet")).ok());
  store::Latch loading;
  language_.on_load = [&] { loading.wait(); };
  const auto first = ask("base+poet");
  EXPECT_EQ(ask("base+poet")->answer().status().code(), Code::kResourceExhausted);
  loading.open();
  EXPECT_TRUE(answer_of(first).ok());
}

TEST_F(AdapterShelfTest, the_adapter_used_least_recently_gives_way) {
  options_.limits.adapters_max = 2;
  for (const char* name : {"poet", "clerk", "cook"}) ASSERT_TRUE(enroll(record(name)).ok());
  ASSERT_TRUE(load("poet").ok());
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(load("clerk").ok());
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(use("poet").ok());
  ASSERT_TRUE(use("cook").ok());
  EXPECT_EQ(shelf().find("clerk")->phase, AdapterPhase::kRegistered);
  EXPECT_EQ(language_.loaded(), 2u);
  EXPECT_EQ(shelf().counts().evictions, 1u);
}

TEST_F(AdapterShelfTest, one_in_use_or_pinned_never_gives_way) {
  options_.limits.adapters_max = 2;
  AdapterRecord pinned = record("poet");
  pinned.pinned = true;
  ASSERT_TRUE(enroll(pinned).ok());
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kLoaded);
  for (const char* name : {"clerk", "cook"}) ASSERT_TRUE(enroll(record(name)).ok());
  {
    const auto held = use("clerk");
    const Status full = use("cook").status();
    EXPECT_EQ(full.code(), Code::kResourceExhausted);
    EXPECT_EQ(full.text(), "Maximum adapters (2) already loaded");
  }
  EXPECT_TRUE(use("cook").ok());
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kLoaded);
}

TEST_F(AdapterShelfTest, another_file_takes_the_place_while_requests_keep_the_old_one) {
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  auto before = use("poet");
  folder_.write("poet2.gguf", "better verses");
  AdapterRecord next = record("poet");
  next.path = "poet2.gguf";
  ASSERT_TRUE(enroll(next).ok());
  const auto after = use("poet");
  EXPECT_NE(after->identity, before->identity);
  EXPECT_EQ(content(*after), "better verses");
  EXPECT_EQ(content(*before), "verses");
  EXPECT_EQ(shelf().counts().swaps, 1u);
  before->hold.reset();
  settle();
  EXPECT_TRUE(watch_.wait([&] {
    const bool gone = language_.loaded() == 1;
    if (!gone) watch_.notify();
    return gone;
  }));
}

TEST_F(AdapterShelfTest, a_new_file_that_does_not_load_changes_nothing) {
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  const auto before = use("poet");
  AdapterRecord next = record("poet");
  next.path = "broken.gguf";
  const Status refused = enroll(next).status();
  EXPECT_EQ(refused.code(), Code::kInvalidArgument);
  EXPECT_EQ(refused.text(), "adapter 'poet': broken.gguf: no adapter");
  EXPECT_EQ(shelf().find("poet")->record.path, "poet.gguf");
  EXPECT_EQ(use("poet")->identity, before->identity);
}

TEST_F(AdapterShelfTest, a_file_that_changed_since_it_was_registered_is_not_loaded) {
  ASSERT_TRUE(enroll(record("poet")).ok());
  folder_.write("poet.gguf", "forged");
  EXPECT_EQ(load("poet").status().code(), Code::kFailedPrecondition);
  EXPECT_EQ(use("poet").status().code(), Code::kUnavailable);
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kFailed);
  ASSERT_TRUE(swap("poet", "poet").ok());
  EXPECT_EQ(content(*use("poet")), "forged");
}

TEST_F(AdapterShelfTest, a_swap_takes_the_place_of_the_old_one_at_the_limit) {
  options_.limits.adapters_max = 1;
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  ASSERT_TRUE(enroll(record("clerk")).ok());
  const auto held = use("poet");
  ASSERT_TRUE(swap("poet", "clerk").ok());
  EXPECT_EQ(shelf().find("clerk")->phase, AdapterPhase::kLoaded);
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kRegistered);
  EXPECT_EQ(content(*held), "verses");
}

TEST_F(AdapterShelfTest, a_swap_to_what_is_not_registered_leaves_the_old_one) {
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  EXPECT_EQ(swap("poet", "nobody").status().code(), Code::kNotFound);
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kLoaded);
  ASSERT_TRUE(enroll(record("broken")).ok());
  EXPECT_EQ(swap("poet", "broken").status().code(), Code::kInvalidArgument);
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kLoaded);
}

TEST_F(AdapterShelfTest, unloading_is_no_matter_for_requests_inside) {
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  const auto held = use("poet");
  ASSERT_TRUE(unload("poet").ok());
  ASSERT_TRUE(unload("poet").ok());
  EXPECT_EQ(content(*held), "verses");
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kRegistered);
  EXPECT_EQ(shelf().counts().unloads, 1u);
  EXPECT_TRUE(use("poet").ok());
}

TEST_F(AdapterShelfTest, what_was_loaded_goes_along_when_another_version_serves) {
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  ASSERT_TRUE(enroll(record("clerk")).ok());
  FakeLanguage newer;
  models_.serve("base", "2", newer);
  shelf().models_changed();
  EXPECT_TRUE(watch_.wait([&] {
    const bool there = newer.loaded() == 1;
    if (!there) watch_.notify();
    return there;
  }));
  settle();
  EXPECT_EQ(newer.content(use("poet")->identity), "verses");
  EXPECT_EQ(language_.content(use("base@1+poet")->identity), "verses");
  models_.end("base", "1");
  shelf().models_changed();
  EXPECT_EQ(shelf().find("poet")->memory_bytes, 6u);
  shelf_.reset();
}

TEST_F(AdapterShelfTest, a_pinned_adapter_that_was_unloaded_stays_away_until_it_is_asked_for) {
  AdapterRecord pinned = record("poet");
  pinned.pinned = true;
  ASSERT_TRUE(enroll(pinned).ok());
  ASSERT_TRUE(enroll(record("clerk"), true).ok());
  ASSERT_TRUE(unload("poet").ok());
  FakeLanguage newer;
  models_.serve("base", "2", newer);
  shelf().models_changed();
  EXPECT_TRUE(watch_.wait([&] {
    const bool there = newer.loaded() == 1;
    if (!there) watch_.notify();
    return there;
  }));
  settle();
  EXPECT_EQ(newer.loaded(), 1u);
  EXPECT_EQ(shelf().find("poet")->phase, AdapterPhase::kRegistered);
  EXPECT_TRUE(use("poet").ok());
  shelf_.reset();
}

TEST_F(AdapterShelfTest, waiting_requests_are_answered_when_the_model_goes_or_the_server_stops) {
  ASSERT_TRUE(enroll(record("poet")).ok());
  store::Latch loading;
  language_.on_load = [&] { loading.wait(); };
  const auto asked = ask("base+poet");
  models_.end("base", "1");
  shelf().models_changed();
  EXPECT_EQ(answer_of(asked).status().code(), Code::kUnavailable);
  models_.serve("base", "1", language_);
  const auto late = ask("base+poet");
  Thread stopper("stopper", [this] { shelf().stop(); });
  EXPECT_EQ(answer_of(late).status().text(), "the server is shutting down");
  loading.open();
}

TEST_F(AdapterShelfTest, pinned_adapters_are_there_after_a_restart) {
  store_.emplace("sqlite", std::vector<store::Schema>{adapter_schema()});
  AdapterRecord pinned = record("poet");
  pinned.pinned = true;
  ASSERT_TRUE(enroll(pinned).ok());
  ASSERT_TRUE(enroll(record("clerk"), true).ok());
  ASSERT_TRUE(enroll(record("cook")).ok());
  ASSERT_TRUE(remove("cook").ok());
  shelf_.reset();
  FakeLanguage again;
  models_.serve("base", "1", again);
  EXPECT_EQ(shelf().list().size(), 2u);
  EXPECT_TRUE(watch_.wait([&] {
    const bool there = again.loaded() == 1;
    if (!there) watch_.notify();
    return there;
  }));
  EXPECT_EQ(again.content(use("poet")->identity), "verses");
  shelf_.reset();
}

TEST_F(AdapterShelfTest, changes_of_another_server_are_followed) {
  store_.emplace("sqlite", std::vector<store::Schema>{adapter_schema()});
  ASSERT_TRUE(enroll(record("poet"), true).ok());
  AdapterShelf other(
      options_,
      [this](const ModelReference& model) { return models_.acquire(model); },
      &**store_,
      clock_
  );
  ASSERT_TRUE(other.start().ok());
  AdapterRecord next = record("poet");
  next.path = "cook.gguf";
  ASSERT_TRUE(wait_for<Outcome>([&](auto done) { other.enroll(next, false, done); }).ok());
  ASSERT_TRUE(wait_for<Outcome>([&](auto done) { other.enroll(record("clerk"), false, done); }).ok()
  );
  shelf().catalog_changed();
  EXPECT_TRUE(watch_.wait([&] {
    const bool there = shelf().find("clerk") && content(*use("poet")) == "recipes";
    if (!there) watch_.notify();
    return there;
  }));
  ASSERT_TRUE(wait_for<Status>([&](auto done) { other.remove("poet", done); }).ok());
  shelf().catalog_changed();
  EXPECT_TRUE(watch_.wait([&] {
    const bool gone = !shelf().find("poet").has_value();
    if (!gone) watch_.notify();
    return gone;
  }));
}

}  // namespace
}  // namespace cortex::registry
