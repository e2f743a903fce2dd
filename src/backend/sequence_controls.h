// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/sequence_backend.h"
#include "request/language_controls.h"

namespace cortex::backend {

// A named prefix as the lane of a language model keeps it.
struct SequencePrefix {
  std::string name;
  std::string workspace = "default";
  std::string tenant = "default";
  std::string adapter;
  float adapter_scale = 1;
  std::string cache_salt;
  std::vector<Token> tokens;
};

// LanguageControls without text: what the lane of a language model offers to whoever stands in
// front of it. Thread-safe.
class SequenceControls {
 public:
  virtual ~SequenceControls() = default;

  // Requests may name the adapter from now on; one of the same name is removed.
  virtual void add_adapter(std::string name, std::shared_ptr<const SequenceAdapter> adapter) = 0;
  // Further requests get kNotFound, those inside keep the adapter to their end; nothing that was
  // computed with it is used again. False where there is none. The adapter is let go of on the
  // lane's thread.
  virtual bool remove_adapter(const std::string& name) = 0;

  // As LanguageControls::create_prefix and its neighbours.
  [[nodiscard]] virtual Status create_prefix(SequencePrefix prefix) = 0;
  virtual bool remove_prefix(const std::string& name) = 0;
  [[nodiscard]] virtual std::vector<PrefixState> prefixes() const = 0;
};

}  // namespace cortex::backend
