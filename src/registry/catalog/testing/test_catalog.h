// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "registry/catalog/alias.h"
#include "registry/catalog/catalog_schema.h"
#include "registry/catalog/model_version.h"
#include "registry/catalog/registered_model.h"
#include "store/testing/temporary_store.h"

namespace cortex::registry {

// A catalog in a store of its own, and short words for what tests do with it.
class TestCatalog {
 public:
  explicit TestCatalog(const std::string& kind) : store_(kind, {catalog_schema()}) {}

  // Runs `work(transaction)` and gives what it gave.
  template <typename Work>
  auto write(Work work) {
    std::optional<std::invoke_result_t<Work, store::Transaction&>> result;
    const Status status = store_->write_and_wait([&](store::Transaction& transaction) {
      result.emplace(work(transaction));
      return status_of(*result);
    });
    CHECK(result && status.ok() == result->ok(), status.to_string().c_str());
    return std::move(*result);
  }
  template <typename Work>
  auto read(Work work) {
    std::optional<std::invoke_result_t<Work, store::Transaction&>> result;
    const Status status = store_->read_and_wait([&](store::Transaction& transaction) {
      result.emplace(work(transaction));
      return status_of(*result);
    });
    CHECK(result && status.ok() == result->ok(), status.to_string().c_str());
    return std::move(*result);
  }

  // Every change is a second behind the one before.
  Authorship author(std::string reason = {}) {
    now_ += 1000;
    return {"default", "ada", std::move(reason), now_};
  }

  Result<RegisteredModel> make_model(const std::string& name, Tags tags = {}) {
    return write([&](store::Transaction& transaction) {
      return create_model(transaction, author(), {name, "", tags});
    });
  }
  // Models with some versions each, all at once.
  Status make_models(const std::vector<std::string>& names, std::int64_t versions) {
    return write([&](store::Transaction& transaction) -> Status {
      for (const std::string& name : names) {
        CORTEX_RETURN_IF_ERROR(create_model(transaction, author(), {name, "", {}}).status());
        for (std::int64_t i = 0; i < versions; ++i) {
          CORTEX_RETURN_IF_ERROR(create_version(transaction, author(), plain_version(name)).status()
          );
        }
      }
      return {};
    });
  }
  Result<ModelVersion> make_version(const std::string& model, Tags tags = {}) {
    NewVersion wanted = plain_version(model);
    wanted.tags = std::move(tags);
    return make_version(wanted);
  }
  Result<ModelVersion> make_version(const NewVersion& wanted) {
    return write([&](store::Transaction& transaction) {
      return create_version(transaction, author(), wanted);
    });
  }
  Result<std::vector<AliasEntry>> set_alias(const AliasChange& change, std::string reason = {}) {
    return write([&](store::Transaction& transaction) {
      return set_aliases(transaction, author(std::move(reason)), std::span(&change, 1));
    });
  }
  Result<AliasEntry> rollback(const std::string& model, const std::string& alias) {
    return write([&](store::Transaction& transaction) {
      return rollback_alias(transaction, author("rollback"), model, alias);
    });
  }
  // The version behind the alias; 0: none.
  std::int64_t alias(const std::string& model, const std::string& name) {
    const auto found = read([&](store::Transaction& transaction) {
      return resolve_alias(transaction, "default", model, name);
    });
    CHECK(found.ok(), found.status().to_string().c_str());
    return found->value_or(0);
  }
  std::vector<AliasEntry> history(const std::string& model, const std::string& alias) {
    const auto found = read([&](store::Transaction& transaction) {
      return alias_history(transaction, "default", model, alias, 0, 1000);
    });
    CHECK(found.ok(), found.status().to_string().c_str());
    return *found;
  }
  Result<ModelVersion> version(const std::string& model, std::int64_t number) {
    return read([&](store::Transaction& transaction) {
      return find_version(transaction, "default", {model, number});
    });
  }

  store::TemporaryStore& store() { return store_; }

 private:
  static NewVersion plain_version(const std::string& model) {
    NewVersion wanted;
    wanted.model = model;
    wanted.source = "models:/m-0";
    wanted.location = "1/models/m-0/artifacts";
    return wanted;
  }
  static Status status_of(const Status& status) { return status; }
  template <typename T>
  static Status status_of(const Result<T>& result) {
    return result.status();
  }

  store::TemporaryStore store_;
  std::int64_t now_ = 1'700'000'000'000;
};

}  // namespace cortex::registry
