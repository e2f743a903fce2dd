// SPDX-License-Identifier: Apache-2.0
#include <ostream>

#include "cli/detail/context.h"
#include "config/loader.h"
#include "config/setting_table.h"

namespace cortex::cli::detail {
namespace {

using config::Setting;

std::string option_help(const Setting& setting) {
  static const config::Settings kDefaults;
  std::string out(setting.description);
  const std::string value = config::value_text(setting, kDefaults);
  if (!value.empty() && value != "[]" && value != "false") out += " Default: " + value + ".";
  return out;
}

std::string option_type(const Setting& setting) {
  if (std::holds_alternative<config::ChoiceTarget>(setting.target)) {
    return "{" + config::kind_text(setting) + "}";
  }
  std::string out = config::kind_text(setting);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

// One option per setting that has a flag. The values land in `sources` by the setting's path.
void add_setting(
    const Command& command, const Setting& setting, const std::shared_ptr<config::Sources>& sources
) {
  const std::string flag(setting.flag);
  const std::string path(setting.path);
  if (std::holds_alternative<config::SwitchTarget>(setting.target)) {
    command.on_flag(
        flag, [sources, path] { sources->flags[path] = {"true"}; }, option_help(setting)
    );
  } else if (std::holds_alternative<config::ListTarget>(setting.target)) {
    command
        .on_values(
            flag,
            [sources, path](const auto& values) { sources->flags[path] = values; },
            option_help(setting) + " Can be repeated."
        )
        .one_value_a_time()
        .type("TEXT");
  } else {
    command
        .on_value(
            flag,
            [sources, path](const std::string& value) { sources->flags[path] = {value}; },
            option_help(setting)
        )
        .type(option_type(setting));
  }
}

// Wrong settings are said here, fault by fault.
Status serve(Context& context, config::Sources sources) {
  sources.environment = config::process_environment();
  const auto named = sources.environment.find("CORTEX_CONFIG");
  if (sources.file.empty() && named != sources.environment.end()) sources.file = named->second;
  const config::Loaded loaded = config::load(sources);
  if (!loaded.ok()) {
    context.err << config::fault_text(loaded.faults);
    context.exit_code = kUsage;
    return {};
  }
  context.exit_code = context.hooks.serve(loaded.settings);
  return {};
}

}  // namespace

void add_serve_command(const Command& root) {
  const Command command = root.add("serve", "Serve models until SIGTERM or SIGINT.");
  auto sources = std::make_shared<config::Sources>();
  command.option("--config", sources->file, "YAML file of settings (CORTEX_CONFIG)").type("FILE");
  for (const Setting& setting : config::setting_table()) {
    if (!setting.flag.empty()) add_setting(command, setting, sources);
  }
  command.footer(
      "SIGTERM and SIGINT end it when the accepted requests are answered; a second one at once.\n"
      "SIGHUP reads the model folders again."
  );
  command.does([&context = root.context(), sources] { return serve(context, *sources); });
}

}  // namespace cortex::cli::detail
