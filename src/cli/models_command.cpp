// SPDX-License-Identifier: Apache-2.0
#include <sys/stat.h>

#include <ostream>

#include <boost/json/object.hpp>

#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

Status list(Context& context, const ServerFlags& flags, bool as_json) {
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(flags));
  net::HttpCall request;
  request.method = "POST";
  request.target = "/v2/repository/index";
  CORTEX_ASSIGN_OR_RETURN(const json::value answer, call_json(client, request));
  if (as_json) {
    context.out << pretty(answer);
    return {};
  }
  std::vector<std::vector<std::string>> rows{{"NAME", "VERSION", "STATE", "REASON"}};
  if (!answer.is_array()) return failed_precondition("the answer is no list of models");
  for (const json::value& entry : answer.get_array()) {
    rows.push_back(
        {text_member(entry, "name"),
         text_member(entry, "version"),
         text_member(entry, "state"),
         text_member(entry, "reason")}
    );
  }
  print_table(context.out, rows);
  return {};
}

bool is_folder(const std::string& path) {
  struct stat entry{};
  return ::stat(path.c_str(), &entry) == 0 && S_ISDIR(entry.st_mode);
}

Status inspect(Context& context, const ServerFlags& flags, const std::string& what) {
  // A bare word is a model's name even where a folder is called the same; "./word" is the folder.
  if (what.find('/') != std::string::npos && is_folder(what)) {
    CORTEX_ASSIGN_OR_RETURN(const std::string text, context.hooks.inspect_folder(what));
    CORTEX_ASSIGN_OR_RETURN(const json::value value, parse_json(text, "the folder's description"));
    context.out << pretty(value);
    return {};
  }
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(flags));
  const std::string target = "/v2/models/" + net::path_segment(what);
  const std::string config_target = target + "/config";
  net::HttpCall request;
  request.target = target;
  CORTEX_ASSIGN_OR_RETURN(json::value metadata, call_json(client, request));
  request.target = config_target;
  CORTEX_ASSIGN_OR_RETURN(json::value config, call_json(client, request));
  json::object both;
  both["metadata"] = std::move(metadata);
  both["config"] = std::move(config);
  context.out << pretty(both);
  return {};
}

Status change(
    Context& context, const ServerFlags& flags, const std::string& name, const char* verb
) {
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(flags));
  const std::string target =
      "/v2/repository/models/" + net::path_segment(name) + "/" + std::string(verb);
  net::HttpCall request;
  request.method = "POST";
  request.target = target;
  request.body = "{}";
  CORTEX_RETURN_IF_ERROR(call(client, request).status());
  context.out << name << ": " << verb << "ed\n";
  return {};
}

void add_change(const Command& models, const char* verb, const char* help) {
  const Command command = models.add(verb, help);
  const auto flags = add_server_flags(command);
  auto name = std::make_shared<std::string>();
  command.option("name", *name, "The model").required().type("NAME");
  command.does([&context = models.context(), flags, name, verb] {
    return change(context, *flags, *name, verb);
  });
}

}  // namespace

void add_models_command(const Command& root) {
  const Command models = root.add_group("models", "List, inspect, load and unload models.");

  const Command list_command = models.add("list", "All models and versions with their state.");
  const auto list_flags = add_server_flags(list_command);
  auto as_json = std::make_shared<bool>(false);
  list_command.flag("--json", *as_json, "Print the index as JSON");
  list_command.does([&context = root.context(), list_flags, as_json] {
    return list(context, *list_flags, *as_json);
  });

  const Command inspect_command =
      models.add("inspect", "A model's inputs, outputs and configuration, as JSON.");
  const auto inspect_flags = add_server_flags(inspect_command);
  auto what = std::make_shared<std::string>();
  inspect_command
      .option(
          "model",
          *what,
          "A model of the server, or a model folder (as ./minilm) that no server needs"
      )
      .required()
      .type("NAME|DIR");
  inspect_command.does([&context = root.context(), inspect_flags, what] {
    return inspect(context, *inspect_flags, *what);
  });

  add_change(models, "load", "Load a model, or load it again.");
  add_change(models, "unload", "Unload a model when its requests are answered.");
}

}  // namespace cortex::cli::detail
