// SPDX-License-Identifier: Apache-2.0
//! The C interface of tokenizers. Its contract is src/text/detail/cortex_text.h; this file only turns raw pointers into
//! Rust values and panics into codes.

mod bert;
mod char_table;
mod chat_interface;
mod chat_probe;
mod chat_template;
mod conversation;
mod depth;
mod exclusion;
mod frame;
mod grammar;
mod grammar_interface;
mod interface;
mod python;
mod references;
mod schema_check;
mod tokenizer;
mod vocabulary;

use frame::Placed;
use interface::{boxed, guarded, prepare_process, Bytes, CText, Fault, Outcome};
use std::cell::RefCell;
use std::ffi::c_void;
use std::panic::{catch_unwind, AssertUnwindSafe};
use tokenizer::{BertRules, Encoded, Request, Tokenizer};

/// A thread keeps this much scratch memory between two calls.
const SCRATCH_IDS_KEPT: usize = 64 * 1024;

#[repr(C)]
pub struct CRules {
    lowercase: bool,
    strip_accents: i32,
    split_chinese: bool,
}

#[repr(C)]
pub struct CRequest {
    text: Bytes,
    length_max: usize,
    whole_bytes_max: usize,
    add_special_tokens: bool,
    reference: bool,
}

impl CRequest {
    /// SAFETY: the caller of the C function keeps the text alive during the call.
    unsafe fn read<'a>(&self) -> Result<Request<'a>, Fault> {
        Ok(Request {
            text: self.text.text()?,
            length_max: self.length_max,
            whole_bytes_max: self.whole_bytes_max,
            add_special_tokens: self.add_special_tokens,
            reference: self.reference,
        })
    }
}

#[repr(C)]
pub struct CEncoding {
    owner: *mut c_void,
    reserve: Option<unsafe extern "C" fn(*mut c_void, usize, *mut *mut i64, *mut *mut i64)>,
    count: usize,
    truncated: bool,
}

thread_local! {
    static SCRATCH: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_from_json(
    json: Bytes,
    outcome: &mut Outcome,
) -> *mut Tokenizer {
    prepare_process();
    boxed(guarded(outcome, || Tokenizer::from_json(json.slice())))
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_from_vocabulary(
    vocabulary: Bytes,
    rules: &CRules,
    outcome: &mut Outcome,
) -> *mut Tokenizer {
    prepare_process();
    let rules = BertRules {
        lowercase: rules.lowercase,
        strip_accents: (rules.strip_accents >= 0).then_some(rules.strip_accents > 0),
        split_chinese: rules.split_chinese,
    };
    boxed(guarded(outcome, || Tokenizer::from_vocabulary(vocabulary.slice(), &rules)))
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_free(tokenizer: *mut Tokenizer) {
    if !tokenizer.is_null() {
        drop(Box::from_raw(tokenizer));
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_encode(
    tokenizer: &Tokenizer,
    request: &CRequest,
    encoding: &mut CEncoding,
    outcome: &mut Outcome,
) {
    guarded(outcome, || {
        let request = request.read()?;
        SCRATCH.with_borrow_mut(|scratch| {
            let written =
                tokenizer.encode(&request, scratch).map(|encoded| write(&encoded, encoding));
            scratch.clear();
            scratch.shrink_to(SCRATCH_IDS_KEPT);
            written
        })
    });
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_encode_pair(
    tokenizer: &Tokenizer,
    request: &CRequest,
    second: Bytes,
    encoding: &mut CEncoding,
    outcome: &mut Outcome,
) {
    guarded(outcome, || {
        let encoded = tokenizer.encode_pair(&request.read()?, second.text()?)?;
        encoding.truncated = encoded.truncated;
        write_placed(encoded.placed.len(), encoded.placed.into_iter(), encoding);
        Ok(())
    });
}

/// SAFETY: as write_placed().
unsafe fn write(encoded: &Encoded, encoding: &mut CEncoding) {
    let frame = encoded.frame;
    encoding.truncated = encoded.truncated;
    let body = encoded.body.iter().map(|id| (*id, frame.text_type));
    let all = frame.before.iter().copied().chain(body).chain(frame.after.iter().copied());
    write_placed(encoded.body.len() + frame.len(), all, encoding);
}

/// SAFETY: `reserve` gives room for as many numbers as it is asked for.
unsafe fn write_placed(
    count: usize,
    placed: impl Iterator<Item = Placed>,
    encoding: &mut CEncoding,
) {
    encoding.count = count;
    let Some(reserve) = encoding.reserve else { return };
    let (mut ids, mut type_ids) = (std::ptr::null_mut(), std::ptr::null_mut());
    reserve(encoding.owner, count, &mut ids, &mut type_ids);
    for (i, (id, type_id)) in placed.enumerate() {
        ids.add(i).write(i64::from(id));
        type_ids.add(i).write(i64::from(type_id));
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_decode(
    tokenizer: &Tokenizer,
    ids: *const u32,
    count: usize,
    skip_special_tokens: bool,
    text: &CText,
    outcome: &mut Outcome,
) {
    guarded(outcome, || {
        let ids = if count == 0 { &[] } else { std::slice::from_raw_parts(ids, count) };
        let decoded = tokenizer.decode(ids, skip_special_tokens)?;
        text.write(&decoded);
        Ok(())
    });
}

#[no_mangle]
pub extern "C" fn cortex_text_tokenizer_vocabulary_size(tokenizer: &Tokenizer) -> usize {
    catch_unwind(AssertUnwindSafe(|| tokenizer.vocabulary_size())).unwrap_or(0)
}

/// -1 if there is no such token.
#[no_mangle]
pub unsafe extern "C" fn cortex_text_tokenizer_token_id(
    tokenizer: &Tokenizer,
    token: Bytes,
) -> i64 {
    let find = || token.text().ok().and_then(|token| tokenizer.token_id(token));
    catch_unwind(AssertUnwindSafe(find)).unwrap_or(None).map_or(-1, i64::from)
}
