// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <ostream>

#include "base/json_text.h"
#include "cli/detail/context.h"
#include "cli/detail/json.h"

namespace cortex::cli::detail {
namespace {

namespace json = boost::json;

constexpr std::size_t kShownValues = 6;

struct EmbedFlags {
  std::vector<std::string> texts;
  std::string model;
  bool as_json = false;
};

bool embeds(const json::value& model) {
  const json::value* abilities = member(model, "capabilities");
  return abilities != nullptr && abilities->is_array() &&
         std::ranges::any_of(abilities->get_array(), [](const json::value& one) {
           return one == "embedding";
         });
}

// The one model of the server that embeds, when it has exactly one.
Result<std::string> only_model(net::HttpClient& client) {
  net::HttpCall request;
  request.target = "/v1/models";
  CORTEX_ASSIGN_OR_RETURN(const json::value answer, call_json(client, request));
  const json::value* list = member(answer, "data");
  if (list == nullptr || !list->is_array()) return failed_precondition("the answer has no data");
  std::vector<std::string> found;
  for (const json::value& model : list->get_array()) {
    if (embeds(model)) found.push_back(text_member(model, "id"));
  }
  if (found.size() == 1) return std::move(found.front());
  return invalid_argument(
      "the server has " + std::to_string(found.size()) +
      " models that embed texts: name one with --model"
  );
}

std::string embedding_body(const std::string& model, const std::vector<std::string>& texts) {
  std::string out = "{\"model\":";
  append_json_string(out, model);
  out += ",\"input\":[";
  const char* before = "";
  for (const std::string& text : texts) {
    out += before;
    append_json_string(out, text);
    before = ",";
  }
  return out + "]}";
}

void print_vector(std::ostream& out, const json::array& values) {
  out << values.size() << " dimensions: ";
  for (std::size_t i = 0; i < values.size() && i < kShownValues; ++i) {
    boost::system::error_code error;
    std::string text;
    append_json_number(text, values[i].to_number<float>(error));
    out << (i == 0 ? "" : ", ") << text;
  }
  out << (values.size() > kShownValues ? ", …\n" : "\n");
}

Status embed(Context& context, const ServerFlags& server, const EmbedFlags& flags) {
  CORTEX_ASSIGN_OR_RETURN(net::HttpClient client, connect(server));
  std::string model = flags.model;
  if (model.empty()) {
    CORTEX_ASSIGN_OR_RETURN(model, only_model(client));
  }
  const std::string body = embedding_body(model, flags.texts);
  net::HttpCall request;
  request.method = "POST";
  request.target = "/v1/embeddings";
  request.body = body;
  CORTEX_ASSIGN_OR_RETURN(const json::value answer, call_json(client, request));
  if (flags.as_json) {
    context.out << pretty(answer);
    return {};
  }
  const json::value* list = member(answer, "data");
  if (list == nullptr || !list->is_array()) return failed_precondition("the answer has no data");
  for (const json::value& entry : list->get_array()) {
    const json::value* vector = member(entry, "embedding");
    if (vector == nullptr || !vector->is_array())
      return failed_precondition("the answer has no embedding");
    print_vector(context.out, vector->get_array());
  }
  return {};
}

}  // namespace

void add_embed_command(const Command& root) {
  const Command command = root.add("embed", "Turn texts into vectors.");
  const auto server = add_server_flags(command);
  auto flags = std::make_shared<EmbedFlags>();
  command.option("text", flags->texts, "The texts").required().type("TEXT");
  command.option("--model", flags->model, "The model; not needed where the server has only one")
      .type("NAME");
  command.flag("--json", flags->as_json, "Print the whole answer as JSON");
  command.does([&context = root.context(), server, flags] {
    return embed(context, *server, *flags);
  });
}

}  // namespace cortex::cli::detail
