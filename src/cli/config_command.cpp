// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/detail/context.h"
#include "config/keys.h"
#include "config/loader.h"
#include "config/reference.h"
#include "config/setting_table.h"

namespace cortex::cli::detail {
namespace {

constexpr std::size_t kKeysFileBytesMax = 64 << 20;

// The key file that the settings name belongs to what is checked.
std::vector<config::Fault> keys_faults(const config::Settings& settings) {
  if (settings.auth.keys_file.empty()) return {};
  const auto text = config::read_file(settings.auth.keys_file, kKeysFileBytesMax);
  if (!text.ok()) return {{"auth.keys_file", text.status().text()}};
  return config::parse_keys(*text, settings.auth.keys_file).faults;
}

// What is wrong is said here, fault by fault.
Status check(Context& context, const std::string& file) {
  config::Sources sources;
  sources.file = file;
  config::Loaded loaded = config::load(sources);
  const auto more = keys_faults(loaded.settings);
  loaded.faults.insert(loaded.faults.end(), more.begin(), more.end());
  if (loaded.ok()) {
    context.out << file << ": good\n";
    return {};
  }
  context.err << config::fault_text(loaded.faults);
  context.exit_code = kUsage;
  return {};
}

}  // namespace

void add_config_command(const Command& root) {
  const Command command = root.add_group("config", "Check a settings file, or print all settings.");
  const Command check_command =
      command.add("check", "Name every fault of a settings file and of the key file it names.");
  auto file = std::make_shared<std::string>();
  check_command.option("file", *file, "The settings file").required().type("FILE");
  check_command.does([&context = root.context(), file] { return check(context, *file); });
  const Command reference =
      command.add("reference", "Print all settings with their defaults, as Markdown.");
  reference.does([&context = root.context()] {
    context.out << config::reference_markdown();
    return Status();
  });
}

void add_version_command(const Command& root) {
  const Command command = root.add("version", "Print the version and the engines that were found.");
  command.does([&context = root.context()] {
    context.out << "cortex " << CORTEX_VERSION << "\n";
    if (context.hooks.engine_versions) context.out << context.hooks.engine_versions();
    return Status();
  });
}

}  // namespace cortex::cli::detail
