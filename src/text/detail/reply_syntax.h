// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

#include "text/detail/call_reader.h"
#include "text/reply_parser.h"

namespace cortex::text {

// What begins a call of a tool.
struct CallMark {
  std::string_view text;
  CallReader::Form form = CallReader::Form::kObject;
  std::string_view separator{};  // of kNamed
};

// How a format writes calls.
struct ReplySyntax {
  std::span<const CallMark> marks;
  std::span<const std::string_view> glue;  // what may stand between and behind calls
  bool lists = false;                      // behind a mark may be a list of objects
  bool bare = false;                       // the reply may begin with an object
  bool bare_after = false;                 // and an object may follow a call
  bool names_alone = true;                 // an object with a name and no arguments is a call
};

[[nodiscard]] const ReplySyntax& syntax_of(ReplyFormat format);

}  // namespace cortex::text
