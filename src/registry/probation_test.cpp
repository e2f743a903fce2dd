// SPDX-License-Identifier: Apache-2.0
#include "registry/probation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mailbox.h"
#include "registry/fake_loader.h"
#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

using testing::HasSubstr;

TEST(ProbationPolicy, tries_what_is_new_and_never_twice_what_died) {
  const ProbationVerdict passed{.passed = true};
  const ProbationVerdict died{.reason = "SIGABRT"};
  const ProbationVerdict too_slow{.reason = "too slow", .limits = "deadline=1"};
  struct Row {
    std::optional<ProbationVerdict> remembered;
    bool asked;
    std::string limits;
    ProbationStep step;
  };
  for (const Row& row : {
           Row{std::nullopt, false, "deadline=1", ProbationStep::kTry},
           Row{std::nullopt, true, "deadline=1", ProbationStep::kTry},
           Row{passed, false, "deadline=1", ProbationStep::kAdmit},
           Row{passed, true, "deadline=2", ProbationStep::kAdmit},
           Row{died, false, "deadline=1", ProbationStep::kRefuse},
           Row{died, false, "deadline=2", ProbationStep::kRefuse},
           Row{died, true, "deadline=1", ProbationStep::kTry},
           Row{too_slow, false, "deadline=1", ProbationStep::kRefuse},
           Row{too_slow, false, "deadline=2", ProbationStep::kTry},
           Row{too_slow, true, "deadline=1", ProbationStep::kTry},
       }) {
    EXPECT_EQ(next_step(row.remembered, row.asked, row.limits), row.step);
  }
}

ProbationKey key_of(const std::string& model, std::uint64_t fingerprint = 1) {
  return {model, 1, fingerprint, "onnx 1"};
}

TEST(ProbationBook, remembers_beyond_the_process) {
  TestFolder folder;
  const ProbationVerdict passed{true, "", "", 12, 34};
  const ProbationVerdict died{false, "SIGABRT; \"last\"\nwords", "deadline=1", 0, 0};
  {
    ProbationBook book(folder.path() / "probation");
    book.begin(key_of("a"));
    book.end(key_of("a"), passed);
    book.begin(key_of("b/c:d"));
    book.end(key_of("b/c:d"), died);
  }
  ProbationBook book(folder.path() / "probation");
  EXPECT_EQ(book.find(key_of("a")), passed);
  EXPECT_EQ(book.find(key_of("b/c:d")), died);
  EXPECT_EQ(book.find(key_of("a", 2)), std::nullopt);
  EXPECT_EQ(book.find({"a", 1, 1, "onnx 2"}), std::nullopt);
}

TEST(ProbationBook, holds_an_end_without_a_word_against_who_was_on_probation) {
  TestFolder folder;
  ProbationBook(folder.path()).begin(key_of("a"));
  for (int start = 0; start < 3; ++start) {
    ProbationBook book(folder.path());
    ASSERT_TRUE(book.find(key_of("a")).has_value());
    EXPECT_FALSE(book.find(key_of("a"))->passed);
    EXPECT_THAT(book.find(key_of("a"))->reason, HasSubstr("ended without a word"));
  }
  ProbationBook book(folder.path());
  book.begin(key_of("a"));
  book.end(key_of("a"), ProbationVerdict{.passed = true});
  EXPECT_TRUE(ProbationBook(folder.path()).find(key_of("a"))->passed);
}

TEST(ProbationBook, holds_an_announced_end_against_nobody) {
  TestFolder folder;
  {
    ProbationBook book(folder.path());
    book.begin(key_of("a"));
    book.excuse();
  }
  EXPECT_EQ(ProbationBook(folder.path()).find(key_of("a")), std::nullopt);
}

TEST(ProbationBook, skips_what_it_did_not_write) {
  TestFolder folder;
  {
    ProbationBook(folder.path()).end(key_of("a"), ProbationVerdict{.passed = true});
  }
  std::ofstream(folder.path() / "verdicts", std::ios::app) << "{\"model\":\"b\"\n[]\n\n{}";
  folder.write("running-1", "no key");
  ProbationBook book(folder.path());
  EXPECT_TRUE(book.find(key_of("a"))->passed);
}

TEST(ProbationBook, forgets_the_oldest_beyond_its_limit) {
  ProbationBook book("");
  for (std::uint64_t i = 0; i <= 10'000; ++i) book.end(key_of("m", i), ProbationVerdict{});
  EXPECT_EQ(book.find(key_of("m", 0)), std::nullopt);
  EXPECT_TRUE(book.find(key_of("m", 1)).has_value());
  EXPECT_TRUE(book.find(key_of("m", 10'000)).has_value());
}

// A probation whose trials end as the test says.
class ProbationTest : public testing::Test {
 protected:
  ProbationTest() {
    parts_.engine = [](const Candidate& candidate) {
      return candidate.config.backend == "safe" ? "" : "onnx 1";
    };
    parts_.attempt = [this](const Candidate&, const std::atomic<bool>&) {
      ++trials_;
      return trial_;
    };
    parts_.limits = "deadline=1";
    candidate_.config.name = "m";
    candidate_.version = 1;
    candidate_.fingerprint = 1;
    trial_.end = Trial::End::kPassed;
    trial_.resident_bytes = 1000;
  }
  void died(const std::string& why) {
    trial_.end = Trial::End::kDied;
    trial_.status = failed_precondition(why);
  }
  Result<LoadedModel> load() { return Probation(folder_.path(), parts_).load(candidate_, loader_); }

  TestFolder folder_;
  FakeLoader fake_;
  Loader loader_ = fake_.loader();
  ProbationParts parts_;
  Candidate candidate_;
  Trial trial_;
  int trials_ = 0;
};

TEST_F(ProbationTest, what_an_engine_counts_stands_where_nothing_was_measured) {
  const Loader counts = [this](const auto& config, const auto& folder, std::int64_t version) {
    auto out = fake_.loader()(config, folder, version);
    if (out.ok()) out->memory_bytes = 700;
    return out;
  };
  Probation probation(folder_.path(), parts_);
  EXPECT_EQ(probation.load(candidate_, counts)->memory_bytes, 1000);
  candidate_.config.backend = "safe";
  EXPECT_EQ(probation.load(candidate_, counts)->memory_bytes, 700);
  candidate_.config.backend = "";
  candidate_.fingerprint = 2;
  trial_.resident_bytes = 0;
  EXPECT_EQ(probation.load(candidate_, counts)->memory_bytes, 700);
}

TEST_F(ProbationTest, loads_what_passed_with_its_memory_and_tries_it_once) {
  for (int start = 0; start < 3; ++start) {
    const auto loaded = load();
    ASSERT_TRUE(loaded.ok());
    EXPECT_EQ(loaded->memory_bytes, 1000);
  }
  EXPECT_EQ(trials_, 1);
  candidate_.fingerprint = 2;
  EXPECT_TRUE(load().ok());
  EXPECT_EQ(trials_, 2);
}

TEST_F(ProbationTest, never_loads_what_died_until_somebody_asks) {
  died("SIGABRT");
  for (int start = 0; start < 3; ++start) {
    const Status status = load().status();
    EXPECT_EQ(status.code(), Code::kFailedPrecondition);
    EXPECT_EQ(status.text(), "in quarantine: SIGABRT");
  }
  EXPECT_EQ(trials_, 1);
  candidate_.asked = true;
  trial_.end = Trial::End::kPassed;
  EXPECT_TRUE(load().ok());
  candidate_.asked = false;
  EXPECT_TRUE(load().ok());
  EXPECT_EQ(trials_, 2);
  EXPECT_EQ(fake_.calls(), 2);
}

TEST_F(ProbationTest, tries_again_what_would_not_die_again) {
  died("SIGKILL");
  trial_.lasting = false;
  EXPECT_FALSE(load().ok());
  trial_.end = Trial::End::kPassed;
  EXPECT_TRUE(load().ok());
}

TEST_F(ProbationTest, says_what_the_loader_said_and_does_not_hold_it_against_the_files) {
  trial_.end = Trial::End::kRefused;
  trial_.status = invalid_argument("no such operator");
  EXPECT_EQ(load().status().text(), "no such operator");
  EXPECT_EQ(fake_.calls(), 0);
  trial_.end = Trial::End::kPassed;
  EXPECT_TRUE(load().ok());
}

TEST_F(ProbationTest, loads_without_a_trial_what_no_file_can_bring_down) {
  candidate_.config.backend = "safe";
  EXPECT_TRUE(load().ok());
  EXPECT_EQ(trials_, 0);
}

TEST_F(ProbationTest, holds_a_crash_of_the_server_s_own_load_against_the_version) {
  EXPECT_EXIT(
      {
        loader_ = [](const ModelConfig&, const std::filesystem::path&, std::int64_t
                  ) -> Result<LoadedModel> { std::_Exit(9); };
        static_cast<void>(load().ok());
      },
      testing::ExitedWithCode(9),
      ""
  );
  EXPECT_THAT(load().status().text(), HasSubstr("ended without a word"));
}

TEST_F(ProbationTest, counts_and_stops) {
  Probation probation("", parts_);
  EXPECT_TRUE(probation.load(candidate_, loader_).ok());
  EXPECT_TRUE(probation.load(candidate_, loader_).ok());
  candidate_.version = 2;
  died("SIGABRT");
  EXPECT_FALSE(probation.load(candidate_, loader_).ok());
  EXPECT_FALSE(probation.load(candidate_, loader_).ok());
  probation.stop();
  candidate_.version = 3;
  EXPECT_EQ(probation.load(candidate_, loader_).status().code(), Code::kUnavailable);
  EXPECT_EQ(trials_, 2);
  const ProbationCounts counts = probation.counts();
  EXPECT_EQ(counts.passed, 1);
  EXPECT_EQ(counts.remembered, 1);
  EXPECT_EQ(counts.died, 1);
  EXPECT_EQ(counts.quarantined, 1);
}

// The whole registry: the older version goes on when the newer one dies, and a load asks again.
TEST_F(ProbationTest, leaves_the_older_version_alone_when_the_newer_one_dies) {
  TestFolder models;
  models.write("m/1/model.onnx", "x");
  parts_.attempt = [this](const Candidate& candidate, const std::atomic<bool>&) {
    ++trials_;
    return candidate.version == 1 ? trial_ : Trial{Trial::End::kDied, failed_precondition("abort")};
  };
  Probation probation(folder_.path(), parts_);
  StateWatch watch;
  RegistryOptions options;
  options.repositories = {models.path()};
  options.mode = ControlMode::kExplicit;
  options.startup_models = {"*"};
  options.probation = &probation;
  options.on_change = [&] { watch.notify(); };
  Registry registry(options, loader_, steady_clock());
  ASSERT_TRUE(registry.start().ok());
  const auto reference = *ModelReference::parse("m");
  ASSERT_TRUE(watch.wait([&] { return registry.acquire(reference).ok(); }));
  EXPECT_EQ(registry.index("m").at(0).memory_bytes, 1000);
  models.write("m/2/model.onnx", "y");
  for (int asked = 1; asked <= 2; ++asked) {
    Mailbox<Status> answer(1);
    registry.load("m", {}, [&](Status status) {
      static_cast<void>(answer.put(std::move(status)));
    });
    std::vector<Status> answers;
    answer.take_all(answers, TimePoint::clock::now() + std::chrono::seconds(20));
    ASSERT_EQ(answers.size(), 1U);
    EXPECT_THAT(answers[0].text(), HasSubstr("in quarantine: abort"));
    EXPECT_EQ(trials_, 1 + asked);
  }
  EXPECT_EQ((*registry.acquire(reference))->identity.version, "1");
  registry.drain();
}

}  // namespace
}  // namespace cortex::registry
