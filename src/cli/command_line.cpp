// SPDX-License-Identifier: Apache-2.0
#include "cli/command_line.h"

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/detail/context.h"
#include "config/loader.h"

namespace cortex::cli {
namespace {

constexpr const char* kFooter =
    "Exit codes: 0 done, 1 failed, 2 wrong command line or configuration, 3 no server.\n"
    "Commands that speak to a server take --url and --key, or CORTEX_URL and CORTEX_KEY.";

std::unique_ptr<CLI::App> make_commands(detail::Context& context) {
  auto root = std::make_unique<CLI::App>("One server for every model a product needs.", "cortex");
  root->require_subcommand(1);
  root->footer(kFooter);
  root->set_version_flag("--version", "cortex " CORTEX_VERSION);
  const detail::Command top(*root, context);
  detail::add_serve_command(top);
  detail::add_models_command(top);
  detail::add_registry_command(top);
  detail::add_webhooks_command(top);
  detail::add_experiments_command(top);
  detail::add_runs_command(top);
  detail::add_artifacts_command(top);
  detail::add_backup_command(top);
  detail::add_restore_command(top);
  detail::add_infer_command(top);
  detail::add_embed_command(top);
  detail::add_chat_command(top);
  detail::add_bench_command(top);
  detail::add_sign_command(top);
  detail::add_verify_command(top);
  detail::add_config_command(top);
  detail::add_version_command(top);
  detail::add_probe_command(top);
  return root;
}

// The library says of a mistyped command only that one is missing. Nothing when that is so, or
// something else is wrong.
std::optional<CLI::ParseError> unknown_command(const CLI::App& root) {
  const CLI::App* command = &root;
  std::string name = root.get_name();
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().back();
    name += " " + command->get_name();
  }
  const std::vector<std::string> unknown = command->remaining();
  if (command->get_require_subcommand_min() == 0 || unknown.empty()) return std::nullopt;
  if (unknown.front().starts_with('-')) return CLI::ExtrasError(unknown);
  return CLI::ParseError(
      "'" + unknown.front() + "' is not a command of '" + name + "'", CLI::ExitCodes::ExtrasError
  );
}

// `above` is what stands before the command's own name.
void append_help(std::string& out, const CLI::App& command, const std::string& above) {
  const std::string name = (above.empty() ? "" : above + " ") + command.get_name();
  out += "$ " + name + " --help\n" + command.help(above, CLI::AppFormatMode::Normal) + "\n";
  const auto is_shown = [](const CLI::App* sub) { return !sub->get_group().empty(); };
  for (const CLI::App* sub : command.get_subcommands(is_shown)) {
    append_help(out, *sub, name);
  }
}

}  // namespace

int run(
    int argc, const char* const* argv, const Hooks& hooks, std::ostream& out, std::ostream& err
) {
  detail::Context context{hooks, out, err};
  const auto root = make_commands(context);
  try {
    root->parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    root->exit(unknown_command(*root).value_or(error), out, err);
    return kUsage;
  } catch (const CLI::ParseError& error) {
    return root->exit(error, out, err) == 0 ? kSuccess : kUsage;
  }
  return context.exit_code;
}

std::string all_help_texts() {
  const Hooks none;
  std::ostringstream unused;
  detail::Context context{none, unused, unused};
  std::string out;
  append_help(out, *make_commands(context), "");
  return out;
}

namespace detail {

void Context::fail(const Status& status) {
  err << "cortex: " << status.text() << "\n";
  if (!status.detail().empty()) err << "  " << status.detail() << "\n";
  exit_code = kFailure;
  if (status.code() == Code::kUnavailable || status.code() == Code::kDeadlineExceeded) {
    exit_code = kUnreachable;
  }
  if (status.code() == Code::kInvalidArgument) exit_code = kUsage;
}

std::shared_ptr<ServerFlags> add_server_flags(const Command& command) {
  auto flags = std::make_shared<ServerFlags>();
  const config::Environment environment = config::process_environment();
  const auto from = [&](const char* name, std::string& into) {
    const auto found = environment.find(name);
    if (found != environment.end()) into = found->second;
  };
  from("CORTEX_URL", flags->url);
  from("CORTEX_KEY", flags->key);
  command.option("--url", flags->url, "The server (CORTEX_URL); http://127.0.0.1:8000 without it")
      .type("URL");
  command.option("--key", flags->key, "The key to send (CORTEX_KEY)").type("KEY");
  return flags;
}

Result<net::HttpClient> connect(const ServerFlags& flags) {
  net::HttpClientOptions options;
  options.url = flags.url;
  options.key = flags.key;
  return net::HttpClient::make(std::move(options));
}

}  // namespace detail
}  // namespace cortex::cli
