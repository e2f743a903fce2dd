// SPDX-License-Identifier: Apache-2.0
//! The C interface. Its contract is src/text/detail/cortex_text.h; this file only turns raw pointers into Rust values
//! and panics into codes.

mod bert;
mod char_table;
mod frame;
mod tokenizer;
mod vocabulary;

use std::cell::RefCell;
use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;
use tokenizer::{BertRules, Encoded, Fault, Request, Tokenizer};

const MESSAGE_BYTES: usize = 256;
/// A thread keeps this much scratch memory between two calls.
const SCRATCH_IDS_KEPT: usize = 64 * 1024;

#[repr(C)]
#[derive(Clone, Copy)]
pub struct Bytes {
    data: *const c_char,
    size: usize,
}

#[repr(C)]
pub struct Outcome {
    code: i32,
    special_tokens: usize,
    message: [c_char; MESSAGE_BYTES],
}

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

#[repr(C)]
pub struct CEncoding {
    owner: *mut c_void,
    reserve: Option<unsafe extern "C" fn(*mut c_void, usize, *mut *mut i64, *mut *mut i64)>,
    count: usize,
    truncated: bool,
}

#[repr(C)]
pub struct CText {
    owner: *mut c_void,
    reserve: Option<unsafe extern "C" fn(*mut c_void, usize) -> *mut c_char>,
}

const OK: i32 = 0;
const NOT_UTF8: i32 = 1;
const TOO_LONG: i32 = 2;
const NO_ROOM: i32 = 3;
const FAILED: i32 = 4;
const PANICKED: i32 = 5;

thread_local! {
    static SCRATCH: RefCell<Vec<u32>> = const { RefCell::new(Vec::new()) };
}

impl Bytes {
    /// SAFETY: the caller of the C function keeps the bytes alive during the call.
    unsafe fn slice<'a>(self) -> &'a [u8] {
        match self.size {
            0 => &[],
            size => std::slice::from_raw_parts(self.data.cast(), size),
        }
    }

    unsafe fn text<'a>(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.slice()).map_err(|_| Fault::NotUtf8)
    }
}

impl Outcome {
    fn set(&mut self, code: i32, message: &str) {
        self.code = code;
        let mut end = message.len().min(MESSAGE_BYTES - 1);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        for (to, from) in self.message.iter_mut().zip(message[..end].bytes()) {
            *to = from as c_char;
        }
        self.message[end] = 0;
    }

    fn set_fault(&mut self, fault: Fault) {
        match fault {
            Fault::NotUtf8 => self.set(NOT_UTF8, ""),
            Fault::TooLong => self.set(TOO_LONG, ""),
            Fault::NoRoom(special_tokens) => {
                self.special_tokens = special_tokens;
                self.set(NO_ROOM, "");
            }
            Fault::Failed(message) => self.set(FAILED, &message),
        }
    }
}

/// Runs `work`; whatever goes wrong in it ends in `outcome`.
fn guarded<T>(outcome: &mut Outcome, work: impl FnOnce() -> Result<T, Fault>) -> Option<T> {
    outcome.code = OK;
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(value)) => return Some(value),
        Ok(Err(fault)) => outcome.set_fault(fault),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().copied();
            let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
            outcome.set(PANICKED, text.unwrap_or("panic without a text"));
        }
    }
    None
}

/// No threads of the crate's own, and no panic texts on standard error: they go back in the outcome.
fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tokenizers::utils::parallelism::set_parallelism(false);
        std::panic::set_hook(Box::new(|_| {}));
    });
}

fn boxed(tokenizer: Option<Tokenizer>) -> *mut Tokenizer {
    tokenizer.map_or(std::ptr::null_mut(), |tokenizer| Box::into_raw(Box::new(tokenizer)))
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
        let request = Request {
            text: request.text.text()?,
            length_max: request.length_max,
            whole_bytes_max: request.whole_bytes_max,
            add_special_tokens: request.add_special_tokens,
            reference: request.reference,
        };
        SCRATCH.with_borrow_mut(|scratch| {
            let written =
                tokenizer.encode(&request, scratch).map(|encoded| write(&encoded, encoding));
            scratch.clear();
            scratch.shrink_to(SCRATCH_IDS_KEPT);
            written
        })
    });
}

/// SAFETY: `reserve` gives room for as many numbers as it is asked for.
unsafe fn write(encoded: &Encoded, encoding: &mut CEncoding) {
    let frame = encoded.frame;
    encoding.count = encoded.body.len() + frame.len();
    encoding.truncated = encoded.truncated;
    let Some(reserve) = encoding.reserve else { return };
    let (mut ids, mut type_ids) = (std::ptr::null_mut(), std::ptr::null_mut());
    reserve(encoding.owner, encoding.count, &mut ids, &mut type_ids);
    let body = encoded.body.iter().map(|id| (*id, frame.text_type));
    let all = frame.before.iter().copied().chain(body).chain(frame.after.iter().copied());
    for (i, (id, type_id)) in all.enumerate() {
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
        if let Some(reserve) = text.reserve {
            let to = reserve(text.owner, decoded.len()).cast::<u8>();
            to.copy_from_nonoverlapping(decoded.as_ptr(), decoded.len());
        }
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
