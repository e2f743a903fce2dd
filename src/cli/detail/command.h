// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace cortex::cli::detail {

struct Context;

// What can be said of an option that was just added.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& required();
  Option& type(const std::string& name);  // in the help: "FILE"
  Option& between(int least, int most);
  Option& between(double least, double most);
  Option& comma_separated();   // of a list: one word holds several values
  Option& one_value_a_time();  // of a list: given again for every value

 private:
  CLI::Option* option_;
};

// One command of the command line: its options, the commands below it, and what it does. The face
// of CLI11, which stays in two sources: every file that includes it takes seconds to compile. A
// name without dashes is a positional argument. Options write into what outlives the parsing, as a
// shared object that the function of does() holds. Thread: main. A value that refers to the parser.
class Command {
 public:
  Command(CLI::App& app, Context& context) : app_(&app), context_(&context) {}

  [[nodiscard]] Context& context() const { return *context_; }
  [[nodiscard]] Command add(const std::string& name, const std::string& help) const;
  // One that no help shows.
  [[nodiscard]] Command add_hidden(const std::string& name, const std::string& help) const;
  // With commands below it: one of them must be named.
  [[nodiscard]] Command add_group(const std::string& name, const std::string& help) const;
  void footer(const std::string& text) const;

  Option option(const std::string& name, std::string& value, const std::string& help) const;
  Option option(const std::string& name, std::size_t& value, const std::string& help) const;
  Option option(const std::string& name, double& value, const std::string& help) const;
  Option option(const std::string& name, std::vector<std::string>& values, const std::string& help)
      const;
  Option option(const std::string& name, std::vector<std::size_t>& values, const std::string& help)
      const;
  Option option(const std::string& name, std::vector<double>& values, const std::string& help)
      const;
  void flag(const std::string& name, bool& value, const std::string& help) const;

  // Options whose values go elsewhere than into one variable.
  void on_flag(const std::string& name, std::function<void()> set, const std::string& help) const;
  Option on_value(
      const std::string& name, std::function<void(const std::string&)> take, const std::string& help
  ) const;
  Option on_values(
      const std::string& name,
      std::function<void(const std::vector<std::string>&)> take,
      const std::string& help
  ) const;

  // Runs when the command was named, none below it, and its options are read. An error is told, and
  // leaves the exit code that fits.
  void does(std::function<Status()> what) const;

 private:
  template <typename T>
  Option add_option(const std::string& name, T& value, const std::string& help) const;

  CLI::App* app_;
  Context* context_;
};

}  // namespace cortex::cli::detail
