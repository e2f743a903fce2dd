// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "cli/command_line.h"
#include "cli/detail/command.h"
#include "net/http_client.h"

namespace cortex::cli::detail {

// What a running command has at hand. Lives as long as run().
struct Context {
  const Hooks& hooks;
  std::ostream& out;
  std::ostream& err;
  int exit_code = kSuccess;

  // Says what went wrong and leaves the exit code that fits.
  void fail(const Status& status);
};

// Where the server is; the flags that all commands which speak to one share.
struct ServerFlags {
  std::string url = "http://127.0.0.1:8000";
  std::string key;
};
[[nodiscard]] std::shared_ptr<ServerFlags> add_server_flags(const Command& command);

[[nodiscard]] Result<net::HttpClient> connect(const ServerFlags& flags);

// An answer that is not 2xx as an error with the server's own text.
[[nodiscard]] Status check_answer(const net::HttpCall& call, const net::HttpAnswer& answer);
// Sends, and checks the answer.
[[nodiscard]] Result<net::HttpAnswer> call(net::HttpClient& client, const net::HttpCall& call);

// Each adds its command; what was asked for runs while the command line is parsed.
void add_serve_command(const Command& root);
void add_models_command(const Command& root);
void add_registry_command(const Command& root);
void add_webhooks_command(const Command& root);
void add_experiments_command(const Command& root);
void add_runs_command(const Command& root);
void add_artifacts_command(const Command& root);
void add_backup_command(const Command& root);
void add_restore_command(const Command& root);
void add_infer_command(const Command& root);
void add_embed_command(const Command& root);
void add_chat_command(const Command& root);
void add_bench_command(const Command& root);
void add_bench_llm_command(const Command& bench_command);
void add_sign_command(const Command& root);
void add_verify_command(const Command& root);
void add_config_command(const Command& root);
void add_version_command(const Command& root);
void add_probe_command(const Command& root);

}  // namespace cortex::cli::detail
