// SPDX-License-Identifier: Apache-2.0
#include "frontend/codec/rerank/rerank_request.h"

#include <cstdint>
#include <limits>
#include <utility>

#include "frontend/codec/detail/field_rows.h"

namespace cortex::frontend::rerank {
namespace {

namespace ondemand = simdjson::ondemand;
using Row = FieldRow<RerankCall>;

Status read_model(ondemand::value value, std::string_view name, RerankCall& call) {
  return read_text(value, name, call.model);
}

Status read_query(ondemand::value value, std::string_view name, RerankCall& call) {
  CORTEX_RETURN_IF_ERROR(read_text(value, name, call.input.query));
  return call.input.query.empty() ? field_error(name, "a text that is not empty") : Status();
}

// {"text": "…"}; other fields of a document are not read.
Status read_text_of(ondemand::value value, std::string_view name, std::string& out) {
  bool found = false;
  CORTEX_RETURN_IF_ERROR(for_each_given(
      value,
      name,
      [&](std::string_view key, ondemand::value field) -> Status {
        if (key != "text") return skip_value(field);
        found = true;
        const std::string place = std::string(name) + ".text";
        return with_field_name(read_text(field, place, out), place);
      }
  ));
  return found ? Status() : field_error(name, "a text, or an object with a 'text'");
}

Status read_document(ondemand::value value, std::string_view list, RerankCall& call) {
  std::vector<std::string>& documents = call.input.documents;
  const std::string name = element_name(list, documents.size());
  if (documents.size() == kDocumentsMax) {
    return field_error(list, "a list of " + std::to_string(kDocumentsMax) + " documents at most");
  }
  ondemand::json_type type{};
  if (const auto error = value.type().get(type)) return malformed_json(error);
  std::string& out = documents.emplace_back();
  if (type == ondemand::json_type::object) return read_text_of(value, name, out);
  return with_field_name(read_text(value, name, out), name);
}

Status read_documents(ondemand::value value, std::string_view name, RerankCall& call) {
  ondemand::array array;
  if (value.get_array().get(array)) return field_error(name, "a list of texts");
  CORTEX_RETURN_IF_ERROR(for_each_element(array, [&](ondemand::value document) {
    return read_document(document, name, call);
  }));
  return call.input.documents.empty() ? field_error(name, "a list that is not empty") : Status();
}

Status read_top(ondemand::value value, std::string_view name, RerankCall& call) {
  std::int64_t top = 0;
  CORTEX_RETURN_IF_ERROR(
      read_between(value, name, {1, std::numeric_limits<std::int32_t>::max()}, top)
  );
  call.top = static_cast<std::size_t>(top);
  return {};
}

Status read_return(ondemand::value value, std::string_view name, RerankCall& call) {
  return read_bool(value, name, call.return_documents.emplace());
}

Status read_truncation(ondemand::value value, std::string_view name, RerankCall& call) {
  return read_bool(value, name, call.input.truncate);
}

constexpr Row kRows[] = {
    {"model", read_model},
    {"query", read_query},
    {"documents", read_documents},
    {"top_n", read_top},
    {"return_documents", read_return},
    {"truncation", read_truncation},
};

}  // namespace

Result<RerankCall> read_rerank(std::string_view padded_body) {
  RerankCall call;
  CORTEX_RETURN_IF_ERROR(read_field_rows(padded_body, kRows, call));
  if (call.model.empty()) return missing_field("model");
  if (call.input.query.empty()) return missing_field("query");
  if (call.input.documents.empty()) return missing_field("documents");
  return call;
}

}  // namespace cortex::frontend::rerank
