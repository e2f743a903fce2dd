// SPDX-License-Identifier: Apache-2.0
#pragma once

// The C interface of grammars. Memory and errors as in cortex_text.h. A vocabulary is immutable and
// lives on inside the grammars that were compiled with it; a grammar is used by one thread at a
// time.

#include "text/detail/cortex_text.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cortex_text_vocabulary cortex_text_vocabulary;
typedef struct cortex_text_grammar cortex_text_grammar;

typedef struct {
  cortex_text_bytes bytes;
  bool special;
} cortex_text_token;

enum {
  CORTEX_TEXT_JSON_SCHEMA = 0,
  CORTEX_TEXT_REGEX = 1,
  CORTEX_TEXT_LARK = 2,
};

// Null on failure.
cortex_text_vocabulary* cortex_text_vocabulary_make(
    const cortex_text_token* tokens,
    size_t count,
    const int32_t* ends,
    size_t ends_count,
    cortex_text_outcome* outcome
);

void cortex_text_vocabulary_free(cortex_text_vocabulary* vocabulary);

// Null on failure; CORTEX_TEXT_NOTHING_ALLOWED: no text matches.
cortex_text_grammar* cortex_text_grammar_compile(
    const cortex_text_vocabulary* vocabulary,
    int32_t kind,
    cortex_text_bytes text,
    cortex_text_outcome* outcome
);

void cortex_text_grammar_free(cortex_text_grammar* grammar);

// CORTEX_TEXT_NOTHING_ALLOWED: no text matches that begins with the accepted tokens.
void cortex_text_grammar_allow(
    cortex_text_grammar* grammar, uint32_t* mask, size_t words, cortex_text_outcome* outcome
);

void cortex_text_grammar_accept(
    cortex_text_grammar* grammar, int32_t token, cortex_text_outcome* outcome
);

bool cortex_text_grammar_finished(const cortex_text_grammar* grammar);

// Null on failure.
cortex_text_grammar* cortex_text_grammar_fork(
    const cortex_text_grammar* grammar, cortex_text_outcome* outcome
);

#ifdef __cplusplus
}
#endif
