// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "frontend/http/exchange.h"

namespace cortex::frontend::registry_api {

// What If-Match and If-None-Match ask of a thing before a request may touch it (RFC 9110, section
// 13). Tags are compared without their quotes. A value.
class Precondition {
 public:
  // kInvalidArgument: a header that is no list of entity tags, or that is there twice.
  [[nodiscard]] static Result<Precondition> read(const HttpRequest& request);

  // `tag` is the thing's; nullopt: there is no such thing. Weak tags never match If-Match.
  [[nodiscard]] bool allows(const std::optional<std::string>& tag) const;
  // A read of what the client has already: 304.
  [[nodiscard]] bool is_known(const std::string& tag) const;
  // One of the headers was there.
  [[nodiscard]] bool asked() const { return match_.given || none_match_.given; }

  // kInvalidArgument where asked(): of a change of what has no tag. After the fields were read,
  // whose faults come first.
  [[nodiscard]] Status refuse() const;

 private:
  struct Tags {
    bool given = false;
    bool any = false;                // "*"
    std::vector<std::string> known;  // without quotes
  };
  [[nodiscard]] static Result<Tags> read_tags(std::string_view header, bool weak_count);

  Tags match_;
  Tags none_match_;
};

}  // namespace cortex::frontend::registry_api
