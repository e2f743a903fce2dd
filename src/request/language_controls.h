// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "base/status.h"
#include "request/generation.h"

namespace cortex {

// A beginning that many prompts have, and that stays in the model's memory: a persona.
struct PrefixRequest {
  std::string name;
  std::string workspace = "default";  // whose prompts may begin with it
  std::string tenant = "default";
  std::string adapter;  // empty: the base model
  float adapter_scale = 1;
  std::string cache_salt;
  std::variant<Conversation, Prompt> prompt;  // a conversation: to the end of its last message
};

struct PrefixState {
  std::string name;
  std::string tenant;
  std::string adapter;
  std::size_t tokens = 0;
  std::size_t held = 0;  // of them lie in memory now, and stay there
  bool stored = false;   // its state outlives the process
};

// What its operators may do with a loaded language model beside asking it. Thread-safe.
class LanguageControls {
 public:
  virtual ~LanguageControls() = default;

  // Reads the adapter on the calling thread; requests may name it from the moment this returns. One
  // of the same name is replaced: requests inside keep theirs to their end. The bytes of memory
  // that it takes. kInvalidArgument with the reason where the file does not fit the model.
  [[nodiscard]] virtual Result<std::size_t> load_adapter(
      const std::string& name, const std::filesystem::path& file
  ) = 0;
  // Further requests that name it get kNotFound, those inside keep it to their end; nothing that
  // was computed with it is used again. False where there is none.
  virtual bool unload_adapter(const std::string& name) = 0;

  // Takes the name; what is missing in memory is computed when nobody waits. kInvalidArgument,
  // kAlreadyExists, kNotFound for an adapter that is not there, kResourceExhausted names the limit,
  // kUnimplemented where the model's memory cannot be shared.
  [[nodiscard]] virtual Status create_prefix(const PrefixRequest& prefix) = 0;
  // Also of what was stored of it. False where there is none.
  virtual bool remove_prefix(const std::string& name) = 0;
  // By name.
  [[nodiscard]] virtual std::vector<PrefixState> prefixes() const = 0;
};

}  // namespace cortex
