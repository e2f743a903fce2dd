// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <ostream>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "cli/detail/context.h"
#include "cli/detail/json.h"
#include "cli/detail/listing.h"
#include "cli/detail/server_call.h"
#include "cli/detail/table.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;
using Rows = std::vector<std::vector<std::string>>;

constexpr std::string_view kRegistryRoot = "/api/v2/registry";

// What the subcommands are told; each reads its own.
struct RegistryFlags {
  std::string model;
  std::string alias;
  std::string version;
  std::string right;
  std::string filter;
  std::string policy;
  std::string reason;
  std::string expected;  // empty: nothing
  std::size_t limit = 100;
  bool as_json = false;
};

std::string model_target(const std::string& model) {
  return std::string(kRegistryRoot) + "/models/" + net::path_segment(model);
}

std::string alias_target(const RegistryFlags& flags) {
  return model_target(flags.model) + "/aliases/" + net::path_segment(flags.alias);
}

// "champion, previous" of a list or of the names of an object.
std::string names_text(const json::value* value) {
  std::string out;
  const auto add = [&out](std::string_view name) {
    out += (out.empty() ? "" : ", ") + std::string(name);
  };
  if (value != nullptr && value->is_array()) {
    for (const json::value& name : value->get_array()) add(cell(&name));
  } else if (value != nullptr && value->is_object()) {
    for (const auto& [name, version] : value->get_object()) {
      add(std::string(name) + "=" + cell(&version));
    }
  }
  return out;
}

std::function<std::string(const json::value&)> names_of(std::string name) {
  return
      [name = std::move(name)](const json::value& item) { return names_text(member(item, name)); };
}

std::string status_of_version(const json::value& version) {
  const bool deprecated = member(version, "deprecated") != nullptr;
  return cell(member(version, "status")) + (deprecated ? ", deprecated" : "");
}

Result<std::int64_t> parse_version(const std::string& text, std::int64_t least) {
  std::int64_t version = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), version);
  const bool whole = read.ec == std::errc() && read.ptr == text.data() + text.size();
  if (whole && version >= least) return version;
  return invalid_argument("'" + text + "' is no number of a version");
}

class RegistryCalls {
 public:
  RegistryCalls(Context& context, net::HttpClient client, const RegistryFlags& flags)
      : context_(context), client_(std::move(client)), flags_(flags) {}

  Status models() {
    std::string target =
        std::string(kRegistryRoot) + "/models?limit=" + std::to_string(flags_.limit);
    if (!flags_.filter.empty()) target += "&filter=" + net::path_segment(flags_.filter);
    return show_list(
        target,
        "models",
        {{"NAME", "name"},
         {"ALIASES", "", names_of("aliases")},
         time_column("UPDATED", "updated_at"),
         {"DESCRIPTION", "description"}}
    );
  }

  Status versions() {
    const std::string target =
        model_target(flags_.model) + "/versions?limit=" + std::to_string(flags_.limit);
    return show_list(
        target,
        "versions",
        {{"VERSION", "version"},
         {"SEMANTIC", "semantic_version"},
         {"STATUS", "", status_of_version},
         {"STAGE", "stage"},
         {"ALIASES", "", names_of("aliases")},
         time_column("CREATED", "created_at"),
         {"BY", "created_by"}}
    );
  }

  Status show() {
    std::string target = model_target(flags_.model);
    if (!flags_.version.empty()) target += "/versions/" + net::path_segment(flags_.version);
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, ask("GET", target));
    context_.out << pretty(answer);
    return {};
  }

  Status aliases() {
    return show_list(
        model_target(flags_.model) + "/aliases",
        "aliases",
        {{"ALIAS", "alias"}, {"VERSION", "version"}}
    );
  }

  Status policies() {
    return show_list(
        model_target(flags_.model) + "/signature-policies",
        "policies",
        {{"ALIAS", "alias"},
         {"POLICY", "policy"},
         {"VERIFIED", "verified_version"},
         {"REFUSED", "refused_version"},
         {"BECAUSE", "refused_because"}}
    );
  }

  Status set_policy() {
    const json::object body{{"policy", flags_.policy}};
    CORTEX_ASSIGN_OR_RETURN(
        const json::value answer, ask("PUT", alias_target(flags_) + "/signature-policy", body)
    );
    if (flags_.as_json) return print(answer);
    context_.out << flags_.model << "@" << flags_.alias << ": signatures " << flags_.policy << "\n";
    return {};
  }

  Status set_alias() {
    CORTEX_ASSIGN_OR_RETURN(const std::int64_t version, parse_version(flags_.version, 1));
    return change_alias(version);
  }

  Status delete_alias() { return change_alias(json::value()); }

  Status rollback() {
    CORTEX_ASSIGN_OR_RETURN(
        const json::value answer, ask("POST", alias_target(flags_) + "/rollback", json::object())
    );
    return say_entry(answer);
  }

  Status history() {
    return show_list(
        alias_target(flags_) + "/history?limit=" + std::to_string(flags_.limit),
        "changes",
        {{"SEQ", "seq"},
         time_column("WHEN", "at"),
         {"ACTION", "action"},
         {"FROM", "from"},
         {"TO", "to"},
         {"BY", "by"},
         {"REASON", "reason"}}
    );
  }

  Status compare() {
    CORTEX_ASSIGN_OR_RETURN(
        const json::value answer,
        ask("GET",
            model_target(flags_.model) + "/compare?left=" + net::path_segment(flags_.version) +
                "&right=" + net::path_segment(flags_.right))
    );
    if (flags_.as_json) return print(answer);
    for (const char* part : {"fields", "tags", "parameters", "signature", "config"}) {
      print_differences(context_.out, part, member(answer, part));
    }
    print_metrics(answer);
    return {};
  }

  Status verify() {
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, ask("GET", "/api/v2/audit/verify"));
    const json::value* valid = member(answer, "valid");
    const bool good = valid != nullptr && valid->is_bool() && valid->get_bool();
    if (flags_.as_json) {
      context_.out << pretty(answer);
    } else if (good) {
      context_.out << "the audit log is whole: " << cell(member(answer, "seq")) << " events, head "
                   << cell(member(answer, "hash")) << "\n";
    }
    if (good) return {};
    const json::value* broken = member(answer, "broken");
    const json::value none;
    const json::value& where = broken == nullptr ? none : *broken;
    return failed_precondition(
        "the audit log is broken at event " + cell(member(where, "seq")) + ": " +
        cell(member(where, "reason"))
    );
  }

 private:
  Result<json::value> ask(
      std::string_view method, const std::string& target, const json::value& body = {}
  ) {
    std::string text;
    if (body.is_object()) {
      json::object members = body.get_object();
      if (!flags_.reason.empty()) members.emplace("reason", flags_.reason);
      text = json::serialize(members);
    }
    net::HttpCall request;
    request.method = method;
    request.target = target;
    request.body = text;
    return call_json(client_, request);
  }

  Status print(const json::value& answer) {
    context_.out << pretty(answer);
    return {};
  }

  Status show_list(
      const std::string& target, std::string_view list, const std::vector<Column>& columns
  ) {
    CORTEX_ASSIGN_OR_RETURN(const json::value answer, ask("GET", target));
    if (flags_.as_json) return print(answer);
    return print_list(context_, answer, list, columns);
  }

  Status change_alias(const json::value& version) {
    json::object change{{"model", flags_.model}, {"alias", flags_.alias}, {"version", version}};
    if (!flags_.expected.empty()) {
      CORTEX_ASSIGN_OR_RETURN(const std::int64_t expected, parse_version(flags_.expected, 0));
      change.emplace("expected_version", expected);
    }
    CORTEX_ASSIGN_OR_RETURN(
        const json::value answer,
        ask("POST",
            std::string(kRegistryRoot) + "/aliases",
            json::object{{"changes", json::array{std::move(change)}}})
    );
    const json::value* changes = member(answer, "changes");
    if (changes == nullptr || !changes->is_array() || changes->get_array().empty()) {
      return failed_precondition("the answer names no change");
    }
    return say_entry(changes->get_array().front());
  }

  Status say_entry(const json::value& entry) {
    if (flags_.as_json) return print(entry);
    const auto version_text = [&entry](std::string_view name) {
      const std::string text = cell(member(entry, name));
      return text.empty() ? std::string("none") : text;
    };
    context_.out << flags_.model << "@" << flags_.alias << ": " << version_text("from") << " -> "
                 << version_text("to") << "\n";
    return {};
  }

  void print_metrics(const json::value& answer) {
    const json::value* metrics = member(answer, "metrics");
    if (metrics == nullptr || !metrics->is_array() || metrics->get_array().empty()) return;
    Rows rows{{"METRIC", "LEFT", "RIGHT", "DELTA"}};
    for (const json::value& metric : metrics->get_array()) {
      rows.push_back(
          {cell(member(metric, "name")),
           cell(member(metric, "left")),
           cell(member(metric, "right")),
           cell(member(metric, "delta"))}
      );
    }
    print_table(context_.out, rows);
  }

  Context& context_;
  net::HttpClient client_;
  const RegistryFlags& flags_;
};

using RegistryFlagsPtr = std::shared_ptr<RegistryFlags>;

// With the flag that all of them share.
Command add_registry_call(
    const Command& parent,
    const RegistryFlagsPtr& flags,
    const CommandText& text,
    Status (RegistryCalls::*call)()
) {
  const Command command = add_server_call(parent, flags, text, call);
  command.flag("--json", flags->as_json, "Print the server's answer as it is");
  return command;
}

void add_model(const Command& command, RegistryFlags& flags) {
  command.option("model", flags.model, "The model's name").required().type("MODEL");
}
void add_alias(const Command& command, RegistryFlags& flags) {
  add_model(command, flags);
  command.option("alias", flags.alias, "The alias").required().type("ALIAS");
}
void add_limit(const Command& command, RegistryFlags& flags) {
  command.option("--limit", flags.limit, "How many at most").type("N");
}
void add_reason(const Command& command, RegistryFlags& flags) {
  command.option("--reason", flags.reason, "Why; kept with the change").type("TEXT");
}
void add_expected(const Command& command, RegistryFlags& flags) {
  command.option("--expect", flags.expected, "Only if the alias points to this version; 0: to none")
      .type("VERSION");
}

void add_lists(const Command& registry, const RegistryFlagsPtr& flags) {
  const Command models =
      add_registry_call(registry, flags, {"models", "List the models."}, &RegistryCalls::models);
  models.option("--filter", flags->filter, "As MLflow's search has it").type("TEXT");
  add_limit(models, *flags);
  const Command versions = add_registry_call(
      registry, flags, {"versions", "List the versions of a model."}, &RegistryCalls::versions
  );
  add_model(versions, *flags);
  add_limit(versions, *flags);
  const Command show = add_registry_call(
      registry, flags, {"show", "Print a model, or a version of it."}, &RegistryCalls::show
  );
  add_model(show, *flags);
  show.option("version", flags->version, "A number, X.Y.Z or @ALIAS").type("VERSION");
  const Command compare = add_registry_call(
      registry, flags, {"compare", "What differs between two versions."}, &RegistryCalls::compare
  );
  add_model(compare, *flags);
  compare.option("left", flags->version, "A number, X.Y.Z or @ALIAS").required();
  compare.option("right", flags->right, "The other one").required();
}

void add_alias_steps(const Command& registry, const RegistryFlagsPtr& flags) {
  add_model(
      add_registry_call(
          registry, flags, {"aliases", "List the aliases of a model."}, &RegistryCalls::aliases
      ),
      *flags
  );
  add_model(
      add_registry_call(
          registry,
          flags,
          {"policies", "What the aliases of a model ask of signatures, and what came of it."},
          &RegistryCalls::policies
      ),
      *flags
  );
  const Command policy = add_registry_call(
      registry,
      flags,
      {"set-policy", "Say what an alias asks of signatures."},
      &RegistryCalls::set_policy
  );
  add_alias(policy, *flags);
  policy.option("policy", flags->policy, "off, warn or require").required();
  add_reason(policy, *flags);
  const Command set = add_registry_call(
      registry, flags, {"set-alias", "Point an alias to a version."}, &RegistryCalls::set_alias
  );
  add_alias(set, *flags);
  set.option("version", flags->version, "The version's number").required();
  add_expected(set, *flags);
  add_reason(set, *flags);
  const Command gone = add_registry_call(
      registry, flags, {"delete-alias", "Delete an alias."}, &RegistryCalls::delete_alias
  );
  add_alias(gone, *flags);
  add_expected(gone, *flags);
  add_reason(gone, *flags);
  const Command back = add_registry_call(
      registry,
      flags,
      {"rollback", "Point an alias to what it pointed to before its last change."},
      &RegistryCalls::rollback
  );
  add_alias(back, *flags);
  add_reason(back, *flags);
  const Command history = add_registry_call(
      registry,
      flags,
      {"history", "Every change of an alias, newest first."},
      &RegistryCalls::history
  );
  add_alias(history, *flags);
  add_limit(history, *flags);
}

}  // namespace

void add_registry_command(const Command& root) {
  const Command registry = root.add_group(
      "registry", "Registered models: versions, aliases and their history, rollback."
  );
  auto flags = std::make_shared<RegistryFlags>();
  add_lists(registry, flags);
  add_alias_steps(registry, flags);
  add_registry_call(
      registry,
      flags,
      {"verify-audit", "Walk the audit log's chain of hashes."},
      &RegistryCalls::verify
  );
}

}  // namespace cortex::cli::detail
