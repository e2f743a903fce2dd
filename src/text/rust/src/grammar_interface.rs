// SPDX-License-Identifier: Apache-2.0
//! The C interface of grammars. Its contract is src/text/detail/cortex_grammar.h.

use crate::grammar::{Grammar, Kind, Token, Vocabulary};
use crate::interface::{boxed, guarded, prepare_process, Bytes, Fault, Outcome};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::slice::from_raw_parts;
use std::sync::Arc;

#[repr(C)]
pub struct CToken {
    bytes: Bytes,
    special: bool,
}

/// SAFETY: `data` holds `count` values.
unsafe fn slice<'a, T>(data: *const T, count: usize) -> &'a [T] {
    match count {
        0 => &[],
        count => from_raw_parts(data, count),
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_vocabulary_make(
    tokens: *const CToken,
    count: usize,
    ends: *const i32,
    ends_count: usize,
    outcome: &mut Outcome,
) -> *mut Arc<Vocabulary> {
    prepare_process();
    boxed(guarded(outcome, || {
        let tokens = slice(tokens, count).iter();
        let tokens =
            tokens.map(|token| Token { bytes: token.bytes.slice(), special: token.special });
        Vocabulary::new(tokens, slice(ends, ends_count)).map(Arc::new)
    }))
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_vocabulary_free(vocabulary: *mut Arc<Vocabulary>) {
    if !vocabulary.is_null() {
        drop(Box::from_raw(vocabulary));
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_grammar_compile(
    vocabulary: &Arc<Vocabulary>,
    kind: i32,
    text: Bytes,
    outcome: &mut Outcome,
) -> *mut Grammar {
    boxed(guarded(outcome, || {
        let kind = match kind {
            0 => Kind::JsonSchema,
            1 => Kind::Regex,
            2 => Kind::Lark,
            _ => return Err(Fault::Failed("no such kind of grammar".into())),
        };
        Grammar::compile(vocabulary.clone(), kind, text.text()?)
    }))
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_grammar_free(grammar: *mut Grammar) {
    if !grammar.is_null() {
        let _ = catch_unwind(AssertUnwindSafe(|| drop(Box::from_raw(grammar))));
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_grammar_allow(
    grammar: &mut Grammar,
    mask: *mut u32,
    words: usize,
    outcome: &mut Outcome,
) {
    guarded(outcome, || match words {
        0 => grammar.allow(&mut []),
        words => grammar.allow(std::slice::from_raw_parts_mut(mask, words)),
    });
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_grammar_accept(
    grammar: &mut Grammar,
    token: i32,
    outcome: &mut Outcome,
) {
    guarded(outcome, || grammar.accept(token));
}

#[no_mangle]
pub extern "C" fn cortex_text_grammar_finished(grammar: &Grammar) -> bool {
    catch_unwind(AssertUnwindSafe(|| grammar.finished())).unwrap_or(true)
}

/// Null on failure.
#[no_mangle]
pub extern "C" fn cortex_text_grammar_fork(
    grammar: &Grammar,
    outcome: &mut Outcome,
) -> *mut Grammar {
    boxed(guarded(outcome, || Ok(grammar.fork())))
}
