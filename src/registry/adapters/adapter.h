// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "base/status.h"

namespace cortex::registry {

inline constexpr std::size_t kAdapterPathBytesMax = 500;
inline constexpr std::size_t kAdapterDescriptionBytesMax = 5000;
inline constexpr std::size_t kAdapterTagsMax = 64;
inline constexpr std::size_t kAdapterTagBytesMax = 1000;  // of a key, and of a value
inline constexpr double kAdapterScaleMax = 100;           // and its negative

// A registered adapter (LoRA): which file, over which model, and where it comes from.
struct AdapterRecord {
  std::string name;        // of one adapter of the server; may not hold '@' and '+'
  std::string base_model;  // name of the model that it was trained over
  std::string path;        // below the adapter folder
  std::string digest;      // of the file's bytes, SHA-256 in hexadecimal
  std::int64_t bytes = 0;  // of the file
  double scale = 1;        // where a request names none
  bool pinned = false;     // loaded with its model, and never the one that gives way
  std::int64_t rank = 0;   // as declared, for people; 0: not said
  double alpha = 0;
  std::string training_method;              // "sft"; empty: not said
  std::map<std::string, std::string> tags;  // of its origin
  std::string description;
  std::int64_t created_at = 0;  // milliseconds since the epoch
  std::int64_t updated_at = 0;
};

// kInvalidArgument, with the field, for what cannot be registered: names, lengths, a scale that is
// no number between -kAdapterScaleMax and its positive, a training method that is not among
// `methods` (empty: all are). Digest and bytes are not looked at. Pure.
[[nodiscard]] Status check_adapter(
    const AdapterRecord& adapter, std::span<const std::string> methods
);

// What the adapter is called inside the model's lane: it names the file's content too, so that
// nothing that was computed with one file is ever used for another of the same name.
[[nodiscard]] std::string adapter_identity(const AdapterRecord& adapter);

}  // namespace cortex::registry
