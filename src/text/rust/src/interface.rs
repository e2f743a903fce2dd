// SPDX-License-Identifier: Apache-2.0
//! What the C interfaces have in common: bytes in, text out, and outcomes, where panics end.

use std::ffi::{c_char, c_void};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

const MESSAGE_BYTES: usize = 256;

const OK: i32 = 0;
const NOT_UTF8: i32 = 1;
const TOO_LONG: i32 = 2;
const NO_ROOM: i32 = 3;
const FAILED: i32 = 4;
const PANICKED: i32 = 5;
const REFUSED: i32 = 6;
const NOTHING_ALLOWED: i32 = 7;

pub enum Fault {
    NotUtf8,
    /// The text would have to be tokenised as a whole and is longer than the caller allows.
    TooLong,
    /// The wanted length has no room for this many special tokens.
    NoRoom(usize),
    Failed(String),
    /// A chat template raised an exception.
    Refused(String),
    /// No text goes on from here that the grammar allows.
    NothingAllowed,
    /// A crate caught its own panic.
    Panicked(String),
}

pub fn failed(error: impl ToString) -> Fault {
    Fault::Failed(error.to_string())
}

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
pub struct CText {
    owner: *mut c_void,
    reserve: Option<unsafe extern "C" fn(*mut c_void, usize) -> *mut c_char>,
}

impl Bytes {
    /// SAFETY: the caller of the C function keeps the bytes alive during the call.
    pub unsafe fn slice<'a>(self) -> &'a [u8] {
        match self.size {
            0 => &[],
            size => std::slice::from_raw_parts(self.data.cast(), size),
        }
    }

    pub unsafe fn text<'a>(self) -> Result<&'a str, Fault> {
        std::str::from_utf8(self.slice()).map_err(|_| Fault::NotUtf8)
    }
}

impl CText {
    /// SAFETY: `reserve` gives room for as many bytes as it is asked for.
    pub unsafe fn write(&self, text: &str) {
        let Some(reserve) = self.reserve else { return };
        let to = reserve(self.owner, text.len()).cast::<u8>();
        to.copy_from_nonoverlapping(text.as_ptr(), text.len());
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
            Fault::Refused(message) => self.set(REFUSED, &message),
            Fault::NothingAllowed => self.set(NOTHING_ALLOWED, "it allows no text"),
            Fault::Panicked(message) => self.set(PANICKED, &message),
        }
    }
}

/// Runs `work`; whatever goes wrong in it ends in `outcome`.
pub fn guarded<T>(outcome: &mut Outcome, work: impl FnOnce() -> Result<T, Fault>) -> Option<T> {
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

/// No threads of the crates' own, and no panic texts on standard error: they go back in the outcome.
pub fn prepare_process() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tokenizers::utils::parallelism::set_parallelism(false);
        std::panic::set_hook(Box::new(|_| {}));
    });
}

pub fn boxed<T>(value: Option<T>) -> *mut T {
    value.map_or(std::ptr::null_mut(), |value| Box::into_raw(Box::new(value)))
}
