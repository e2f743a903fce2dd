// SPDX-License-Identifier: Apache-2.0
// First byte: which template. The rest: messages, tools and arguments, parted by NUL.
#include <array>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "text/chat_template.h"

namespace {

using cortex::text::ChatTemplate;

constexpr std::array<std::string_view, 4> kTemplates = {
    "{% for m in messages %}<|im_start|>{{ m['role'] + '\\n' + m['content'] }}<|im_end|>\n{% "
    "endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
    "{% if tools %}{% for t in tools %}{{ t | tojson(indent=2) }}{% endfor %}{% endif %}"
    "{% for m in messages %}{% if m.tool_calls %}{% for c in m.tool_calls %}<tool_call>"
    "{{ c.function.name }} {{ c.function.arguments | tojson }}</tool_call>{% endfor %}"
    "{% elif m.content is string %}{{ m.content | trim }}{% else %}{{ m }}{% endif %}{% endfor %}",
    "{{ bos_token }}{% for m in messages[1:] %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) "
    "%}"
    "{{ raise_exception('roles must alternate: ' ~ m.role) }}{% endif %}"
    "{{ m.content.split('</think>')[-1].lstrip('\\n').title() }}{% endfor %}"
    "{{ strftime_now('%d %b %Y') }}",
    "{% macro type_of(s) %}{% if s is mapping %}{% for k, v in s | dictsort %}{{ k }}:{{ "
    "type_of(v) }};"
    "{% endfor %}{% elif s is iterable and s is not string %}{% for v in s %}{{ type_of(v) }},{% "
    "endfor %}"
    "{% else %}{{ s }}{% endif %}{% endmacro %}{{ type_of(messages) }}{{ type_of(tools) }}{{ mood "
    "}}",
};

const ChatTemplate& chosen(std::size_t which) {
  static const auto templates = [] {
    std::array<std::shared_ptr<const ChatTemplate>, kTemplates.size()> made;
    for (std::size_t i = 0; i < made.size(); ++i) {
      auto compiled = ChatTemplate::compile(kTemplates.at(i), "<s>", "</s>");
      CHECK(compiled.ok(), "the templates above are in order");
      made.at(i) = *compiled;
    }
    return made;
  }();
  return *templates.at(which % templates.size());
}

std::string_view cut(std::string_view& rest) {
  const auto end = rest.find('\0');
  const auto part = rest.substr(0, end);
  rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
  return part;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  cortex::text::TemplateInput input;
  input.messages = cut(rest);
  input.tools = cut(rest);
  input.arguments = cut(rest);
  input.now = static_cast<std::int64_t>(size);
  const auto text = chosen(data[0]).render(input);
  CHECK(
      text.ok() || text.status().code() == cortex::Code::kInvalidArgument, "no input makes it panic"
  );
  input.continue_last = true;
  const auto begun = chosen(data[0]).render(input);
  CHECK(
      begun.ok() || begun.status().code() == cortex::Code::kInvalidArgument,
      "nor does a begun reply"
  );
  return 0;
}
