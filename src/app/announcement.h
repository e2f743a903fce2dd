// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace cortex::app {

class Application;

struct ReadyLine {
  std::string version;
  std::string host;
  std::uint16_t http_port = 0;
  std::uint16_t metrics_port = 0;  // 0: none
  bool has_keys = false;
  std::string program;     // as a shell can call it
  std::string text_model;  // a model that embeds texts; empty: none
  std::string chat_model;  // a language model; empty: none
  std::string model;       // any model; empty: none
  std::size_t failed = 0;  // versions that could not be loaded
};

// The ready line and three commands to try that fit the models. Pure.
[[nodiscard]] std::string announcement_text(const ReadyLine& line);

// The same for a running server.
[[nodiscard]] std::string announcement(const Application& app);

}  // namespace cortex::app
