// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::registry_api {

// The members of a JSON object that a request brought. Reads note the first fault with the path of
// its member and go on with empty values; finish() gives it, or names a member that nobody read: a
// misspelt condition must not be a missing one. Cheap to copy, copies share what was read. Thread:
// one.
class Fields {
 public:
  // No members without a body. kInvalidArgument: not declared as JSON, which a foreign page could
  // send without being asked; not JSON, no object, deeper than 16 levels.
  [[nodiscard]] static Result<Fields> read(const HttpRequest& request);

  // There, null too.
  [[nodiscard]] bool has(std::string_view name) const;
  // "" and nullopt where the member is null or missing.
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] std::optional<std::string> text_if(std::string_view name) const;
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name) const;
  [[nodiscard]] bool flag(std::string_view name) const;
  [[nodiscard]] std::optional<bool> flag_if(std::string_view name) const;
  // An object of texts, a list of texts, a list of objects; empty where there is none.
  [[nodiscard]] std::map<std::string, std::string> texts(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> text_list(std::string_view name) const;
  [[nodiscard]] std::vector<Fields> items(std::string_view name) const;
  [[nodiscard]] std::optional<Fields> object(std::string_view name) const;

  // The same, and a missing or empty one is a fault.
  [[nodiscard]] std::string required_text(std::string_view name) const;
  [[nodiscard]] std::int64_t required_integer(std::string_view name) const;

  // Notes a fault of the member's that the reader found, unless there is an earlier one.
  void refuse(std::string_view name, std::string_view why) const;
  [[nodiscard]] Status finish() const;

 private:
  struct Node;
  explicit Fields(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  std::shared_ptr<Node> node_;
};

// The parameters behind the '?', by the same rules; every one of them a text.
class Query {
 public:
  // kInvalidArgument: a malformed escape, or more than 64 parameters.
  [[nodiscard]] static Result<Query> read(std::string_view raw);

  [[nodiscard]] std::string text(std::string_view name);
  [[nodiscard]] std::vector<std::string> texts(std::string_view name);
  // `standard` when unset; a fault outside of [least, most].
  struct Range {
    std::int64_t standard = 0;
    std::int64_t least = 0;
    std::int64_t most = 0;
  };
  [[nodiscard]] std::int64_t integer(std::string_view name, const Range& range);
  [[nodiscard]] Status finish() const;

 private:
  struct Entry {
    std::string name;
    std::string value;
    bool read = false;
  };
  std::vector<Entry> entries_;
  Status fault_;
};

// Appends `text` as one segment of a path.
void append_segment(std::string& out, std::string_view text);

}  // namespace cortex::frontend::registry_api
