// SPDX-License-Identifier: Apache-2.0
#include "app/adapters.h"

#include <memory>
#include <optional>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/mutex.h"
#include "registry/adapters/testing/fake_language.h"
#include "registry/test_folder.h"
#include "store/testing/latch.h"

namespace cortex::app {
namespace {

using registry::AdapterState;
using testing::HasSubstr;
using testing::Not;

std::string written(const AdapterReading& reading) {
  metrics::Exposition out(metrics::Form::kPrometheus);
  write_adapter_metrics(out, reading, 100);
  return out.finish();
}

AdapterState adapter_over(const std::string& model, const std::string& name) {
  AdapterState out;
  out.record.name = name;
  out.record.base_model = model;
  return out;
}

// What the gateway reads: of all samples of the family the first one with the largest value.
std::string newest_sample(const std::string& text) {
  std::string newest;
  double largest = -1;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("vllm:lora_requests_info{")) continue;
    const std::size_t end = line.rfind(' ');
    const double value = std::stod(line.substr(end));
    if (value <= largest) continue;
    largest = value;
    newest = line.substr(0, end);
  }
  return newest;
}

TEST(AdapterMetrics, tell_a_gateway_of_all_models_and_who_asks_of_one) {
  AdapterReading reading;
  reading.adapters_max = 3;
  reading.states = {
      adapter_over("big", "poet"), adapter_over("big", "clerk"), adapter_over("small", "cook")
  };
  reading.states[0].in_use = 2;
  reading.states[1].waiting = 1;
  reading.states[2].in_use = 1;
  const std::string text = written(reading);
  EXPECT_EQ(
      newest_sample(text),
      "vllm:lora_requests_info{max_lora=\"6\",running_lora_adapters=\"poet,cook\","
      "waiting_lora_adapters=\"clerk\"}"
  );
  EXPECT_THAT(
      text,
      HasSubstr("{model_name=\"big\",max_lora=\"3\",running_lora_adapters=\"poet\","
                "waiting_lora_adapters=\"clerk\"}")
  );
  EXPECT_THAT(
      text,
      HasSubstr("{model_name=\"small\",max_lora=\"3\",running_lora_adapters=\"cook\","
                "waiting_lora_adapters=\"\"}")
  );
}

TEST(AdapterMetrics, tell_how_many_fit_where_there_is_none_yet) {
  AdapterReading reading;
  reading.adapters_max = 3;
  const std::string text = written(reading);
  EXPECT_EQ(
      newest_sample(text),
      "vllm:lora_requests_info{max_lora=\"3\",running_lora_adapters=\"\","
      "waiting_lora_adapters=\"\"}"
  );
  EXPECT_THAT(text, Not(HasSubstr("vllm:lora_requests_info{model_name")));
}

// Two models with an adapter each, on the real shelf.
class AdapterTrafficTest : public testing::Test {
 protected:
  AdapterTrafficTest() {
    folder_.write("poet.gguf", "verses");
    folder_.write("cook.gguf", "recipes");
    models_.serve("big", "1", big_);
    models_.serve("small", "1", small_);
    registry::AdapterShelfOptions options;
    options.folder = folder_.path();
    shelf_ = std::make_unique<registry::AdapterShelf>(
        options,
        [this](const ModelReference& model) { return models_.acquire(model); },
        nullptr,
        clock_
    );
    EXPECT_TRUE(shelf_->start().ok());
    enroll("big", "poet");
    enroll("small", "cook");
  }

  void enroll(const std::string& model, const std::string& name) {
    registry::AdapterRecord record;
    record.name = name;
    record.base_model = model;
    record.path = name + ".gguf";
    store::Latch done;
    shelf_->enroll(record, false, [&](const Result<AdapterState>& state) {
      EXPECT_TRUE(state.ok()) << state.status().to_string();
      done.open();
    });
    done.wait();
  }

  // A request that holds its lease until the test is over; `done` opens when it has it.
  void ask(const std::string& name, store::Latch& done) {
    const auto reference = ModelReference::parse(name);
    const auto handle = shelf_->acquire(*reference);
    ASSERT_TRUE(handle.ok()) << handle.status().to_string();
    shelf_->lend(*reference, *handle, kNoDeadline, [&](Result<registry::AdapterLease> lease) {
      EXPECT_TRUE(lease.ok()) << lease.status().to_string();
      {
        MutexLock lock(mutex_);
        leases_.push_back(std::move(lease));
      }
      done.open();
    });
  }

  std::string sample() { return newest_sample(written({shelf_->list(), shelf_->counts(), 4})); }

  registry::TestFolder folder_;
  registry::FakeLanguage big_;
  registry::FakeLanguage small_;
  registry::FakeModels models_;
  VirtualClock clock_;
  Mutex mutex_;
  std::vector<Result<registry::AdapterLease>> leases_ GUARDED_BY(mutex_);
  std::unique_ptr<registry::AdapterShelf> shelf_;
};

TEST_F(AdapterTrafficTest, shows_an_adapter_that_is_waited_for_and_then_used) {
  store::Latch loading;
  store::Latch poet_there;
  store::Latch cook_there;
  ask("cook", cook_there);
  cook_there.wait();
  big_.on_load = [&] { loading.wait(); };
  ask("poet", poet_there);
  EXPECT_THAT(sample(), HasSubstr("running_lora_adapters=\"cook\",waiting_lora_adapters=\"poet\""));
  loading.open();
  poet_there.wait();
  EXPECT_THAT(
      sample(), HasSubstr("running_lora_adapters=\"cook,poet\",waiting_lora_adapters=\"\"")
  );
}

}  // namespace
}  // namespace cortex::app
