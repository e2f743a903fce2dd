// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/loader.h"
#include "config/reference.h"
#include "config/setting_table.h"

namespace cortex::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(SettingTable, names_paths_flags_and_variables_once) {
  std::set<std::string_view> paths, flags, variables;
  for (const Setting& setting : setting_table()) {
    EXPECT_TRUE(paths.insert(setting.path).second) << setting.path;
    EXPECT_TRUE(variables.insert(setting.environment).second) << setting.environment;
    EXPECT_TRUE(setting.flag.empty() || flags.insert(setting.flag).second) << setting.flag;
    EXPECT_FALSE(setting.description.empty()) << setting.path;
  }
}

TEST(SettingTable, reads_back_every_default_that_it_prints) {
  const Settings defaults;
  for (const Setting& setting : setting_table()) {
    if (std::holds_alternative<ListTarget>(setting.target)) continue;
    Settings settings;
    const std::string text = value_text(setting, defaults);
    EXPECT_TRUE(assign(setting, settings, std::vector{text}).ok()) << setting.path << " " << text;
    EXPECT_EQ(value_text(setting, settings), text);
  }
}

TEST(SettingTable, writes_each_setting_to_its_own_member) {
  for (const Setting& setting : setting_table()) {
    const auto* count = std::get_if<CountTarget>(&setting.target);
    if (count == nullptr) continue;
    Settings settings;
    ASSERT_TRUE(assign(setting, settings, std::vector{std::to_string(count->most)}).ok());
    const Settings defaults;
    for (const Setting& other : setting_table()) {
      if (other.path == setting.path) continue;
      EXPECT_EQ(value_text(other, settings), value_text(other, defaults)) << setting.path;
    }
  }
}

TEST(Loader, lets_variables_override_the_file_and_flags_override_both) {
  const std::string path = testing::TempDir() + "cortex_config_test.yaml";
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs(
      "http: {port: 1, host: 127.0.0.2}\nlog: {format: json}\nlimits: {idle_timeout: 5s}\n", file
  );
  std::fclose(file);
  Sources sources;
  sources.file = path;
  sources.environment = {
      {"CORTEX_HTTP_PORT", "2"}, {"CORTEX_METRICS_PORT", "3"}, {"CORTEX_API_KEYS", "a,b"}
  };
  sources.flags["metrics.port"] = {"4"};
  sources.flags["models.repositories"] = {"x", "y"};
  const Loaded loaded = load(sources);
  ASSERT_TRUE(loaded.ok()) << fault_text(loaded.faults);
  EXPECT_EQ(loaded.settings.http.port, 2u);
  EXPECT_EQ(loaded.settings.http.host, "127.0.0.2");
  EXPECT_EQ(loaded.settings.metrics.port, 4u);
  EXPECT_EQ(loaded.settings.log.format, log::Format::kJson);
  EXPECT_EQ(loaded.settings.limits.idle_timeout, std::chrono::seconds(5));
  EXPECT_THAT(loaded.settings.models.repositories, ElementsAre("x", "y"));
  EXPECT_THAT(loaded.settings.auth.api_keys, ElementsAre("a", "b"));
}

TEST(Loader, keys_of_adapters_are_listed_in_their_own_variable) {
  Sources sources;
  sources.environment = {{"LORA_API_KEYS", "a,b"}};
  const Loaded loaded = load(sources);
  ASSERT_TRUE(loaded.ok()) << fault_text(loaded.faults);
  EXPECT_THAT(loaded.settings.adapters.api_keys, ElementsAre("a", "b"));
  EXPECT_TRUE(loaded.settings.auth.api_keys.empty());
  // They open nothing else, so others may not reach a server that has them alone.
  sources.flags["http.host"] = {"0.0.0.0"};
  EXPECT_THAT(fault_text(load(sources).faults), HasSubstr("there are no keys"));
}

TEST(Loader, a_list_that_is_set_to_nothing_is_a_fault_and_an_empty_text_is_no_list) {
  Sources sources;
  sources.environment = {{"LORA_API_KEYS", ","}, {"CORTEX_API_KEYS", ",,"}};
  EXPECT_EQ(
      fault_text(load(sources).faults),
      "LORA_API_KEYS: is a list without an entry\nCORTEX_API_KEYS: is a list without an entry\n"
  );
  sources.environment = {{"LORA_API_KEYS", ""}};
  EXPECT_TRUE(load(sources).ok());
}

TEST(Loader, an_empty_variable_leaves_the_list_of_the_file) {
  const std::string path = testing::TempDir() + "cortex_config_keys_test.yaml";
  FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr);
  std::fputs("auth: {api_keys: [one]}\n", file);
  std::fclose(file);
  Sources sources;
  sources.file = path;
  sources.environment = {{"CORTEX_API_KEYS", ""}};
  EXPECT_THAT(load(sources).settings.auth.api_keys, ElementsAre("one"));
}

TEST(Loader, blanks_around_the_entries_of_variables_and_flags_are_not_theirs) {
  Sources sources;
  sources.environment = {{"CORTEX_API_KEYS", " one,\ttwo , ,three\r\n"}};
  sources.flags["models.repositories"] = {" a b "};
  const Loaded loaded = load(sources);
  ASSERT_TRUE(loaded.ok()) << fault_text(loaded.faults);
  EXPECT_THAT(loaded.settings.auth.api_keys, ElementsAre("one", "two", "three"));
  EXPECT_THAT(loaded.settings.models.repositories, ElementsAre("a b"));
}

TEST(Loader, blanks_are_no_keys) {
  Sources sources;
  sources.environment = {{"CORTEX_API_KEYS", " "}};
  sources.flags["http.host"] = {"0.0.0.0"};
  const std::string text = fault_text(load(sources).faults);
  EXPECT_THAT(text, HasSubstr("CORTEX_API_KEYS: is a list without an entry\n"));
  EXPECT_THAT(text, HasSubstr("there are no keys"));
}

TEST(Loader, a_key_that_is_not_one_word_is_refused_wherever_it_comes_from_and_not_shown) {
  const std::string text =
      fault_text(load_text(
                     "auth: {api_keys: [one, \" two\"]}\nadapters: {api_keys: [\"three\\tfour\"]}",
                     "c.yaml"
      )
                     .faults);
  EXPECT_THAT(text, HasSubstr("c.yaml:1: auth.api_keys: key 2 has a blank"));
  EXPECT_THAT(text, HasSubstr("c.yaml:2: adapters.api_keys: key 1 has a blank"));
  EXPECT_THAT(text, testing::Not(HasSubstr("two")));
  Sources sources;
  sources.environment = {{"CORTEX_API_KEYS", "one,two three"}};
  EXPECT_THAT(fault_text(load(sources).faults), HasSubstr("CORTEX_API_KEYS: key 2 has a blank"));
}

TEST(Loader, an_empty_entry_is_refused) {
  EXPECT_EQ(
      fault_text(load_text("auth: {api_keys: [one, \"\"]}", "c.yaml").faults),
      "c.yaml:1: auth.api_keys: entry 2 is empty\n"
  );
  Sources sources;
  sources.flags["models.repositories"] = {" "};
  EXPECT_EQ(fault_text(load(sources).faults), "--model-repository: entry 1 is empty\n");
}

TEST(Loader, reports_all_faults_at_once_each_with_its_place) {
  const Loaded loaded = load_text(
      "http:\n  port: 99999\n  prot: 1\nlog: {level: loud}\nmodels: {repositories: here}\nhttp: "
      "{}\n",
      "c.yaml"
  );
  const std::string text = fault_text(loaded.faults);
  EXPECT_THAT(text, HasSubstr("c.yaml:2: http.port: '99999' is not a whole number in 0 … 65535\n"));
  EXPECT_THAT(text, HasSubstr("c.yaml:3: http.prot: no such setting; did you mean http.port?\n"));
  EXPECT_THAT(
      text, HasSubstr("c.yaml:4: log.level: 'loud' is not one of debug, info, warning, error\n")
  );
  EXPECT_THAT(text, HasSubstr("c.yaml:5: models.repositories: must be a list, as [a, b]\n"));
  EXPECT_THAT(text, HasSubstr("c.yaml:6: http: is there twice\n"));
}

TEST(Loader, names_the_line_of_a_file_that_is_not_yaml) {
  const Loaded loaded = load_text("http: {port: 1\nlog: [", "c.yaml");
  ASSERT_FALSE(loaded.ok());
  EXPECT_THAT(loaded.faults.front().where, HasSubstr("c.yaml:"));
}

TEST(Loader, takes_an_empty_file_and_a_section_without_entries) {
  EXPECT_TRUE(load_text("", "c.yaml").ok());
  EXPECT_TRUE(load_text("# nothing\nhttp:\n", "c.yaml").ok());
}

TEST(Loader, refuses_a_list_where_one_value_belongs_and_a_map_where_a_list_belongs) {
  EXPECT_FALSE(load_text("http: {port: [1]}", "c.yaml").ok());
  EXPECT_FALSE(load_text("models: {repositories: {a: b}}", "c.yaml").ok());
  EXPECT_FALSE(load_text("a: {b: {c: {d: {e: {f: 1}}}}}", "c.yaml").ok());
}

TEST(Loader, refuses_aliases_and_what_follows_the_document) {
  const auto faults = [](std::string_view text) {
    return fault_text(load_text(text, "c.yaml").faults);
  };
  EXPECT_THAT(
      faults("limits:\n  header_timeout: &t 5s\n  body_timeout: *t\n"),
      HasSubstr("c.yaml:3: aliases are not allowed")
  );
  for (const std::string_view rest : {"---\nauth: {insecure: true}", ", auth: {insecure: true}"}) {
    EXPECT_THAT(
        faults("{http: {port: 1}}\n" + std::string(rest)),
        HasSubstr("c.yaml: holds more than one YAML document")
    ) << rest;
  }
  EXPECT_TRUE(load_text("---\nhttp: {port: 1}\n...\n", "c.yaml").ok());
}

TEST(Loader, a_name_that_is_longer_than_any_setting_stands_in_no_place) {
  const Loaded loaded = load_text(std::string(200'000, 'x') + ": {a: 1, b: 2}", "c.yaml");
  ASSERT_FALSE(loaded.ok());
  EXPECT_LT(fault_text(loaded.faults).size(), 1000u);
}

TEST(Loader, names_a_missing_file) {
  Sources sources;
  sources.file = testing::TempDir() + "nothing-here.yaml";
  EXPECT_THAT(fault_text(load(sources).faults), HasSubstr("--config: cannot open"));
}

TEST(Loader, reads_bytes_and_times_with_and_without_units) {
  const Loaded loaded = load_text(
      "limits: {body_bytes: 2MiB, header_bytes: 4096, idle_timeout: 250, body_timeout: 2m}", "c"
  );
  ASSERT_TRUE(loaded.ok()) << fault_text(loaded.faults);
  EXPECT_EQ(loaded.settings.limits.body_bytes, 2u << 20);
  EXPECT_EQ(loaded.settings.limits.header_bytes, 4096u);
  EXPECT_EQ(loaded.settings.limits.idle_timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(loaded.settings.limits.body_timeout, std::chrono::minutes(2));
  for (const char* bad :
       {"-1", "1e3", "99999999999999999999", "18446744073709551615GiB", "1 MB", "", "MiB"}) {
    EXPECT_FALSE(load_text("limits: {body_bytes: '" + std::string(bad) + "'}", "c").ok()) << bad;
  }
}

TEST(Loader, serves_other_machines_only_with_keys_or_when_told_to) {
  EXPECT_THAT(
      fault_text(load_text("http: {host: 0.0.0.0}", "c").faults), HasSubstr("CORTEX_API_KEYS")
  );
  EXPECT_TRUE(load_text("{http: {host: 0.0.0.0}, auth: {insecure: true}}", "c").ok());
  EXPECT_TRUE(load_text("{http: {host: 0.0.0.0}, auth: {keys_file: k}}", "c").ok());
  EXPECT_TRUE(load_text("http: {host: '::1'}", "c").ok());
  EXPECT_FALSE(is_loopback("::"));
}

TEST(Loader, checks_settings_against_each_other) {
  EXPECT_FALSE(load_text("{http: {port: 8002}}", "c").ok());
  EXPECT_TRUE(load_text("{http: {port: 0}, metrics: {port: 0}}", "c").ok());
  EXPECT_FALSE(load_text("{models: {load: [a]}}", "c").ok());
  EXPECT_FALSE(load_text("{limits: {body_bytes: 2GiB}}", "c").ok());
}

TEST(Reference, names_every_setting) {
  const std::string text = reference_markdown();
  for (const Setting& setting : setting_table()) {
    EXPECT_THAT(text, HasSubstr("`" + std::string(setting.path) + "`"));
  }
}

}  // namespace
}  // namespace cortex::config
