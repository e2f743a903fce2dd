// SPDX-License-Identifier: Apache-2.0
// usage: encode_lines TOKENIZER < requests > answers
// A request is a line {"text": "…", "length_max": 0, "special": true}, with "second": "…" where two
// texts are one input; its answer is a line
// {"ids": […], "type_ids": […], "truncated": false, "count": 3, "decoded": "…"} or {"error": "…"}.
#include <iostream>
#include <string>

#include <boost/json.hpp>

#include "text/tokenizer.h"

namespace json = boost::json;

namespace {

json::value answer(const cortex::text::Tokenizer& tokenizer, const json::object& request) {
  const std::string_view text = request.at("text").as_string();
  const cortex::text::EncodeOptions options{
      .add_special_tokens = request.at("special").as_bool(),
      .length_max = request.at("length_max").to_number<std::size_t>()
  };
  const json::value* const second = request.if_contains("second");
  const auto encoding = second == nullptr
                            ? tokenizer.encode(text, options)
                            : tokenizer.encode_pair(text, second->as_string(), options);
  if (!encoding.ok()) return {{"error", encoding.status().to_string()}};
  return {
      {"ids", json::value_from(encoding->ids)},
      {"type_ids", json::value_from(encoding->type_ids)},
      {"truncated", encoding->truncated},
      {"count", tokenizer.count(text).value()},
      {"decoded", tokenizer.decode(encoding->ids, true).value()},
  };
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto tokenizer = cortex::text::Tokenizer::load(argv[1]);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.status().to_string() << '\n';
    return 1;
  }
  std::string line;
  while (std::getline(std::cin, line)) {
    std::cout << answer(**tokenizer, json::parse(line).as_object()) << '\n';
  }
}
