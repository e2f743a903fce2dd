// SPDX-License-Identifier: Apache-2.0
#pragma once

// The C interface of chat templates. Memory, threads and errors as in cortex_text.h; a template is
// immutable.

#include "text/detail/cortex_text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cortex_text_template cortex_text_template;

typedef struct {
  bool tools;
  bool tool_calls;
  bool system_role;
  bool thinking;
} cortex_text_capabilities;

// JSON texts as in text/chat_template.h; `tools` and `arguments` may be empty.
typedef struct {
  cortex_text_bytes messages;
  cortex_text_bytes tools;
  cortex_text_bytes arguments;
  int64_t now;
  bool add_generation_prompt;
  bool continue_last;
} cortex_text_conversation;

// Null on failure. `capabilities` is written on success.
cortex_text_template* cortex_text_template_compile(
    cortex_text_bytes jinja,
    cortex_text_bytes begin,
    cortex_text_bytes end,
    cortex_text_capabilities* capabilities,
    cortex_text_outcome* outcome
);

void cortex_text_template_free(cortex_text_template* chat_template);

void cortex_text_template_render(
    const cortex_text_template* chat_template,
    const cortex_text_conversation* conversation,
    const cortex_text_text* text,
    cortex_text_outcome* outcome
);

#ifdef __cplusplus
}
#endif
