// SPDX-License-Identifier: Apache-2.0
#include "cli/detail/command.h"

#include <utility>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>

#include "cli/detail/context.h"

namespace cortex::cli::detail {

Option& Option::required() {
  option_->required();
  return *this;
}

Option& Option::type(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option& Option::between(int least, int most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option& Option::between(double least, double most) {
  option_->check(CLI::Range(least, most));
  return *this;
}

Option& Option::comma_separated() {
  option_->delimiter(',');
  return *this;
}

Option& Option::one_value_a_time() {
  option_->allow_extra_args(false);
  return *this;
}

Command Command::add(const std::string& name, const std::string& help) const {
  return {*app_->add_subcommand(name, help), *context_};
}

Command Command::add_hidden(const std::string& name, const std::string& help) const {
  const Command out = add(name, help);
  out.app_->group("");
  return out;
}

Command Command::add_group(const std::string& name, const std::string& help) const {
  const Command group = add(name, help);
  group.app_->require_subcommand(1);
  return group;
}

void Command::footer(const std::string& text) const { app_->footer(text); }

template <typename T>
Option Command::add_option(const std::string& name, T& value, const std::string& help) const {
  return Option(app_->add_option(name, value, help));
}

Option Command::option(const std::string& name, std::string& value, const std::string& help) const {
  return add_option(name, value, help);
}
Option Command::option(const std::string& name, std::size_t& value, const std::string& help) const {
  return add_option(name, value, help);
}
Option Command::option(const std::string& name, double& value, const std::string& help) const {
  return add_option(name, value, help);
}
Option Command::option(
    const std::string& name, std::vector<std::string>& values, const std::string& help
) const {
  return add_option(name, values, help);
}
Option Command::option(
    const std::string& name, std::vector<std::size_t>& values, const std::string& help
) const {
  return add_option(name, values, help);
}
Option Command::option(
    const std::string& name, std::vector<double>& values, const std::string& help
) const {
  return add_option(name, values, help);
}

void Command::flag(const std::string& name, bool& value, const std::string& help) const {
  app_->add_flag(name, value, help);
}

void Command::on_flag(const std::string& name, std::function<void()> set, const std::string& help)
    const {
  app_->add_flag_callback(name, std::move(set), help);
}
Option Command::on_value(
    const std::string& name, std::function<void(const std::string&)> take, const std::string& help
) const {
  return Option(app_->add_option_function<std::string>(name, take, help));
}
Option Command::on_values(
    const std::string& name,
    std::function<void(const std::vector<std::string>&)> take,
    const std::string& help
) const {
  return Option(app_->add_option_function<std::vector<std::string>>(name, take, help));
}

void Command::does(std::function<Status()> what) const {
  app_->callback([app = app_, context = context_, what = std::move(what)] {
    if (!app->get_subcommands().empty()) return;
    const Status status = what();
    if (!status.ok()) context->fail(status);
  });
}

}  // namespace cortex::cli::detail
