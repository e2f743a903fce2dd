// SPDX-License-Identifier: Apache-2.0
#pragma once

// The C interface of the Rust library in src/text/rust. Nobody but this room's sources and tests
// includes it.
//
// Memory: the library owns what it makes alone (`…_free` ends it); everything else belongs to the
// caller, during and after the call. Results go through `reserve` into memory that the caller
// provides. Threads: a tokenizer is immutable; every function may be called from any thread.
// `reserve` runs on the calling thread and must not throw, nor call into the library. Errors: no
// panic crosses. `cortex_text_outcome` is written by every function that takes one.

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct cortex_text_tokenizer cortex_text_tokenizer;

typedef struct {
  const char* data;
  size_t size;
} cortex_text_bytes;

enum {
  CORTEX_TEXT_OK = 0,
  CORTEX_TEXT_NOT_UTF8 = 1,
  // The text would have to be tokenised as a whole and is longer than `whole_bytes_max`.
  CORTEX_TEXT_TOO_LONG = 2,
  // `length_max` is less than `special_tokens`.
  CORTEX_TEXT_NO_ROOM = 3,
  CORTEX_TEXT_FAILED = 4,
  CORTEX_TEXT_PANICKED = 5,
  // A chat template raised an exception; the message is its own.
  CORTEX_TEXT_REFUSED = 6,
  // No text goes on from here that the grammar allows.
  CORTEX_TEXT_NOTHING_ALLOWED = 7,
};

typedef struct {
  int32_t code;
  size_t special_tokens;  // Written with CORTEX_TEXT_NO_ROOM.
  char message[256];      // Zero-ended UTF-8, written with every code but CORTEX_TEXT_OK.
} cortex_text_outcome;

typedef struct {
  bool lowercase;
  int32_t strip_accents;  // -1: as `lowercase`.
  bool split_chinese;
} cortex_text_bert_rules;

typedef struct {
  cortex_text_bytes text;
  size_t length_max;       // With special tokens; 0: no truncation.
  size_t whole_bytes_max;  // See CORTEX_TEXT_TOO_LONG.
  bool add_special_tokens;
  bool reference;  // Leave out every short cut: the crate's own way, for comparisons.
} cortex_text_request;

typedef struct {
  void* owner;
  // Called at most once: gives room for `count` ids and `count` type ids. Null: only count.
  void (*reserve)(void* owner, size_t count, int64_t** ids, int64_t** type_ids);
  size_t count;    // Written.
  bool truncated;  // Written.
} cortex_text_encoding;

typedef struct {
  void* owner;
  char* (*reserve)(void* owner, size_t size);  // Called at most once.
} cortex_text_text;

// Null on failure. `json` is a Hugging Face tokenizer.json; its padding and the length of its
// truncation are left out.
cortex_text_tokenizer* cortex_text_tokenizer_from_json(
    cortex_text_bytes json, cortex_text_outcome* outcome
);

// Null on failure. `vocabulary` is a vocab.txt: one token a line.
cortex_text_tokenizer* cortex_text_tokenizer_from_vocabulary(
    cortex_text_bytes vocabulary, const cortex_text_bert_rules* rules, cortex_text_outcome* outcome
);

void cortex_text_tokenizer_free(cortex_text_tokenizer* tokenizer);

void cortex_text_tokenizer_encode(
    const cortex_text_tokenizer* tokenizer,
    const cortex_text_request* request,
    cortex_text_encoding* encoding,
    cortex_text_outcome* outcome
);

// The text of `request` and a second one as one input. What is too long loses tokens from the
// longer text first. CORTEX_TEXT_FAILED: the tokenizer does not put one text behind the other.
void cortex_text_tokenizer_encode_pair(
    const cortex_text_tokenizer* tokenizer,
    const cortex_text_request* request,
    cortex_text_bytes second,
    cortex_text_encoding* encoding,
    cortex_text_outcome* outcome
);

void cortex_text_tokenizer_decode(
    const cortex_text_tokenizer* tokenizer,
    const uint32_t* ids,
    size_t count,
    bool skip_special_tokens,
    const cortex_text_text* text,
    cortex_text_outcome* outcome
);

size_t cortex_text_tokenizer_vocabulary_size(const cortex_text_tokenizer* tokenizer);

// -1 if there is no such token.
int64_t cortex_text_tokenizer_token_id(
    const cortex_text_tokenizer* tokenizer, cortex_text_bytes token
);

#ifdef __cplusplus
}
#endif
