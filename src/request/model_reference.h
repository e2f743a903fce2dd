// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex {

// Which model a request means. One grammar for every API:
//   name            what the registry serves by default
//   name@3          version 3: all digits
//   name@alias      what the alias points to
//   base+adapter    an adapter over a base model
//   models:/name/3  models:/name@alias  models:/name/Production  models:/name/latest   MLflow's
//   form
// Names may hold ':' and '/', as Ollama's and Hugging Face's do; they hold no '@' and no '+'.
struct ModelReference {
  std::string name;
  std::string version;  // empty: not named
  // Empty: not named; never beside a version. A lifecycle stage is "/Production", "/Staging",
  // "/Archived" or "/None": no alias can be called so.
  std::string alias;
  std::string adapter;  // empty: none

  // Fails on an empty part, on more than 255 bytes, and on control characters, "..", '\\' or a
  // leading '/'.
  [[nodiscard]] static Result<ModelReference> parse(std::string_view text);
  [[nodiscard]] std::string to_string() const;
};

// True for a name that a model folder, a registry and a URL can all bear (the rules above).
[[nodiscard]] bool is_model_name(std::string_view name);

}  // namespace cortex
