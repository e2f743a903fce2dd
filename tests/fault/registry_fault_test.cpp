// SPDX-License-Identifier: Apache-2.0
// One bad thing stays one bad thing: loaders that fail or throw at every turn, and folders that
// cannot be read.
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/fake_loader.h"
#include "registry/registry.h"
#include "registry/test_folder.h"

namespace cortex::registry {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr int kModels = 4;

// Four models, of which the n-th load goes wrong.
class FaultyLoads {
 public:
  explicit FaultyLoads(FakeLoader::Behaviour fault, int n)
      : loader([this, fault = std::move(fault), n](
                   const ModelConfig& config, std::int64_t version
               ) { return ++loads == n ? fault(config, version) : Status(); }) {
    for (int i = 0; i < kModels; ++i) folder.write("m" + std::to_string(i) + "/1/model.onnx", "x");
    options.repositories = {folder.path()};
    options.mode = ControlMode::kExplicit;
    options.startup_models = {"*"};
    options.on_change = [this] { watch.notify(); };
    registry = std::make_unique<Registry>(options, loader.loader(), steady_clock());
  }

  [[nodiscard]] std::size_t failed() const {
    const auto index = registry->index();
    return static_cast<std::size_t>(std::count_if(
        index.begin(),
        index.end(),
        [](const IndexEntry& e) { return e.state == VersionState::kFailed && !e.reason.empty(); }
    ));
  }

  [[nodiscard]] std::string failed_name() const {
    for (const IndexEntry& entry : registry->index()) {
      if (entry.state == VersionState::kFailed) return entry.name;
    }
    return "";
  }

  TestFolder folder;
  StateWatch watch;
  RegistryOptions options;
  std::atomic<int> loads{0};
  FakeLoader loader;
  std::unique_ptr<Registry> registry;
};

void check_that_one_fails(const FakeLoader::Behaviour& fault) {
  for (int n = 1; n <= kModels; ++n) {
    FaultyLoads bench(fault, n);
    ASSERT_TRUE(bench.registry->start().ok());
    ASSERT_TRUE(bench.watch.wait([&] { return bench.registry->settled(); }));
    EXPECT_EQ(bench.failed(), 1U) << n;
    EXPECT_EQ(bench.registry->ready_models().size(), kModels - 1U) << n;
    EXPECT_EQ(bench.registry->counts().load_failures, 1U);
    // An explicit load leaves the quarantine.
    bench.registry->load(bench.failed_name(), {}, [](const Status& status) {
      EXPECT_TRUE(status.ok());
    });
    EXPECT_TRUE(bench.watch.wait([&] { return bench.registry->ready_models().size() == kModels; }));
    bench.registry.reset();
    EXPECT_EQ(bench.loader.alive(), 0);
  }
}

TEST(RegistryFault, a_failed_load_costs_its_version_alone) {
  check_that_one_fails([](const ModelConfig&, std::int64_t) { return invalid_argument("broken"); });
}

TEST(RegistryFault, a_loader_that_throws_costs_its_version_alone) {
  check_that_one_fails([](const ModelConfig&, std::int64_t) -> Status {
    throw std::runtime_error("engine");
  });
}

TEST(RegistryFault, a_loader_that_throws_what_is_no_exception_costs_its_version_alone) {
  check_that_one_fails([](const ModelConfig&, std::int64_t) -> Status { throw 7; });
}

TEST(RegistryFault, a_loader_out_of_memory_costs_its_version_alone) {
  check_that_one_fails([](const ModelConfig&, std::int64_t) -> Status { throw std::bad_alloc(); });
}

TEST(RegistryFault, what_an_engine_threw_is_not_shown_to_clients) {
  FaultyLoads bench(
      [](const ModelConfig&, std::int64_t) -> Status { throw std::runtime_error("/secret/path"); },
      1
  );
  ASSERT_TRUE(bench.registry->start().ok());
  ASSERT_TRUE(bench.watch.wait([&] { return bench.registry->settled(); }));
  for (const IndexEntry& entry : bench.registry->index()) {
    EXPECT_THAT(entry.reason, testing::Not(HasSubstr("secret")));
  }
}

TEST(RegistryFault, folders_that_cannot_be_read_are_named_and_spare_their_neighbours) {
  FaultyLoads bench([](const ModelConfig&, std::int64_t) { return Status(); }, 0);
  const fs::path root = bench.folder.path();
  fs::create_directory_symlink("round", root / "round");
  fs::create_directory_symlink("nowhere", root / "dangling");
  bench.folder.write("link/1/model.onnx", "x");
  fs::create_symlink("nowhere", root / "link" / "config.pbtxt");
  bench.folder.write("empty/readme.txt", "x");
  ASSERT_TRUE(bench.registry->start().ok());
  ASSERT_TRUE(bench.watch.wait([&] { return bench.registry->settled(); }));
  EXPECT_EQ(bench.registry->ready_models().size(), static_cast<std::size_t>(kModels));
  for (const char* name : {"round", "dangling", "link", "empty"}) {
    const auto handle = bench.registry->acquire(*ModelReference::parse(name));
    EXPECT_EQ(handle.status().code(), Code::kUnavailable) << name;
  }
}

}  // namespace
}  // namespace cortex::registry
