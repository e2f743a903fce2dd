// SPDX-License-Identifier: Apache-2.0
//! A model's chat template, rendered as the transformers library renders it: the same settings of Jinja, the same
//! functions beside it, values written as Python writes them.

use crate::chat_probe::Probe;
use crate::conversation::{Capabilities, Conversation, Form};
use crate::interface::Fault;
use crate::python::{self, JsonStyle};
use minijinja::value::{from_args, Kwargs, Value};
use minijinja::{Environment, Error, ErrorKind, Output, State};
use std::ffi::CString;
use std::fmt;

const NAME: &str = "chat";
const SOURCE_BYTES_MAX: usize = 1 << 20;
const INPUT_BYTES_MAX: usize = 16 << 20;
const OUTPUT_BYTES_MAX: usize = 32 << 20;
/// Steps of one rendering: half a second or so. Probes get less: there are a dozen of them.
const STEPS_MAX: u64 = 2_000_000;
const PROBE_STEPS_MAX: u64 = 200_000;
/// Macros that call each other. The stack of any thread of the house has room for it.
const RECURSION_MAX: usize = 200;
const DATE_BYTES_MAX: usize = 1024;

pub struct ChatTemplate {
    environment: Environment<'static>,
    begin: String,
    end: String,
    form: Form,
    capabilities: Capabilities,
}

/// Marks an error as the template's own.
#[derive(Debug)]
struct Exception;

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("raise_exception")
    }
}

impl std::error::Error for Exception {}

impl ChatTemplate {
    pub fn compile(source: &str, begin: &str, end: &str) -> Result<Self, Fault> {
        if source.len() > SOURCE_BYTES_MAX {
            return Err(Fault::Failed(format!("it is longer than {SOURCE_BYTES_MAX} bytes")));
        }
        let mut environment = environment();
        environment.set_fuel(Some(PROBE_STEPS_MAX));
        environment.add_template_owned(NAME, without_generation_tags(source)).map_err(fault)?;
        let mut made = Self {
            environment,
            begin: begin.to_owned(),
            end: end.to_owned(),
            form: Form::default(),
            capabilities: Capabilities::default(),
        };
        let mut probe = Probe::new(|conversation, form| made.render_in(conversation, form).ok());
        let form = probe.form();
        let capabilities = probe.capabilities();
        (made.form, made.capabilities) = (form, capabilities);
        made.environment.set_fuel(Some(STEPS_MAX));
        Ok(made)
    }

    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    pub fn render(&self, conversation: &Conversation) -> Result<String, Fault> {
        self.render_in(conversation, self.form)
    }

    fn render_in(&self, conversation: &Conversation, form: Form) -> Result<String, Fault> {
        let mut messages = match parsed(conversation.messages, "the messages")? {
            serde_json::Value::Array(messages) => messages,
            _ => return Err(Fault::Failed("the messages are no JSON array".into())),
        };
        let tools = match conversation.tools {
            "" => serde_json::Value::Null,
            tools => parsed(tools, "the tools")?,
        };
        let mut further = match conversation.arguments {
            "" => serde_json::Map::new(),
            arguments => match parsed(arguments, "the template's arguments")? {
                serde_json::Value::Object(arguments) => arguments,
                _ => return Err(Fault::Failed("the template's arguments are no object".into())),
            },
        };
        let last = if conversation.continue_last { begun_reply(&mut messages)? } else { None };
        messages.iter_mut().for_each(|message| shape(message, form));

        let goes_on = last.is_some();
        let prompt = !goes_on && (conversation.add_generation_prompt || conversation.continue_last);
        further.insert("messages".into(), messages.into());
        further.insert("tools".into(), tools);
        further.insert("documents".into(), serde_json::Value::Null);
        further.insert("add_generation_prompt".into(), prompt.into());
        further.insert("bos_token".into(), self.begin.as_str().into());
        further.insert("eos_token".into(), self.end.as_str().into());
        let text = self.run(&serde_json::Value::Object(further), conversation.now)?;
        match last {
            Some(content) => cut_behind(text, &content),
            None => Ok(text),
        }
    }

    fn run(&self, context: &serde_json::Value, now: i64) -> Result<String, Fault> {
        let template = self.environment.get_template(NAME).map_err(fault)?;
        let mut out = BoundedOutput(Vec::new());
        NOW.set(now);
        template.render_captured_to(Value::from_serialize(context), &mut out).map_err(fault)?;
        String::from_utf8(out.0).map_err(|_| Fault::NotUtf8)
    }
}

thread_local! {
    /// The time of the rendering that this thread is at.
    static NOW: std::cell::Cell<i64> = const { std::cell::Cell::new(0) };
}

struct BoundedOutput(Vec<u8>);

impl std::io::Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.0.len() + bytes.len() > OUTPUT_BYTES_MAX {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_recursion_limit(RECURSION_MAX);
    environment.set_unknown_method_callback(call_method);
    environment.set_formatter(write_value);
    environment.add_function("raise_exception", raise);
    environment.add_function("strftime_now", date_text);
    environment.add_filter("tojson", |value: Value, arguments: Kwargs| {
        python::json(&value, &JsonStyle::of(&arguments)?).map(Value::from_safe_string)
    });
    environment.add_test("iterable", is_iterable);
    environment.add_filter("string", |value: Value| python::text(&value));
    environment
}

/// None can be gone through here, but not in Python; texts the other way round.
fn is_iterable(value: &Value) -> bool {
    value.as_str().is_some() || (!value.is_none() && value.try_iter().is_ok())
}

fn write_value(out: &mut Output, _: &State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => out.write_str(text),
        None => out.write_str(&python::text(value)?),
    }
    .map_err(Error::from)
}

/// Python's methods, with two that pycompat lacks.
fn call_method(
    state: &State,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if let (Some(text), "removeprefix" | "removesuffix") = (value.as_str(), method) {
        let (affix,): (&str,) = from_args(arguments)?;
        let rest = match method {
            "removeprefix" => text.strip_prefix(affix),
            _ => text.strip_suffix(affix),
        };
        return Ok(Value::from(rest.unwrap_or(text)));
    }
    minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments)
}

fn raise(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message).with_source(Exception))
}

/// Python's `strftime` is the C library's. The time zone is UTC.
fn date_text(format: String) -> Result<String, Error> {
    let invalid = |message| Error::new(ErrorKind::InvalidOperation, message);
    let format = CString::new(format).map_err(|_| invalid("strftime_now: a format with NUL"))?;
    let now: libc::time_t = NOW.get();
    let mut text = vec![0_u8; DATE_BYTES_MAX];
    // SAFETY: `gmtime_r` fills `parts` or returns null; `strftime` writes no more than it is told.
    let size = unsafe {
        let mut parts: libc::tm = std::mem::zeroed();
        if libc::gmtime_r(&now, &mut parts).is_null() {
            return Err(invalid("strftime_now: no such time"));
        }
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &parts)
    };
    text.truncate(size);
    String::from_utf8(text).map_err(|_| invalid("strftime_now: a format that is no UTF-8"))
}

/// `{% generation %}` marks what a training learns from and is nothing here.
fn without_generation_tags(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        out.push_str(before);
        rest = tag;
        let Some(end) = tag.find("%}") else { break };
        let word = tag[..end].trim_matches(|c: char| c.is_whitespace() || c == '-' || c == '+');
        let statement = match word {
            "generation" => "if true",
            "endgeneration" => "endif",
            _ => continue,
        };
        out.push_str(&tag[..end].replacen(word, statement, 1));
        rest = &tag[end..];
    }
    out.push_str(rest);
    out
}

fn parsed(text: &str, what: &str) -> Result<serde_json::Value, Fault> {
    if text.len() > INPUT_BYTES_MAX {
        return Err(Fault::Failed(format!("{what} are longer than {INPUT_BYTES_MAX} bytes")));
    }
    serde_json::from_str(text).map_err(|error| Fault::Failed(format!("{what}: {error}")))
}

/// The content that the last message is to be gone on with; a message without one is taken away.
fn begun_reply(messages: &mut Vec<serde_json::Value>) -> Result<Option<String>, Fault> {
    let last = messages.last().filter(|last| last["role"] == "assistant");
    let last =
        last.ok_or_else(|| Fault::Failed("the last message is not an assistant's".into()))?;
    let content = last["content"].as_str().unwrap_or_default().to_owned();
    if content.trim().is_empty() {
        messages.pop();
        return Ok(None);
    }
    Ok(Some(content))
}

/// The text up to the end of the last message's content, which a template may have trimmed.
fn cut_behind(mut text: String, content: &str) -> Result<String, Fault> {
    let trimmed = content.trim();
    let Some(at) = text.rfind(trimmed) else {
        return Err(Fault::Failed("the template does not write the last message as it is".into()));
    };
    let whole = content.trim_start();
    let size = if text[at..].starts_with(whole) { whole.len() } else { trimmed.len() };
    text.truncate(at + size);
    Ok(text)
}

/// Brings a message into the form that the template wants.
fn shape(message: &mut serde_json::Value, form: Form) {
    let Some(message) = message.as_object_mut() else { return };
    let calls = message.get_mut("tool_calls").and_then(serde_json::Value::as_array_mut);
    let has_calls = calls.as_ref().is_some_and(|calls| !calls.is_empty());
    if let (Some(calls), false) = (calls, form.text_arguments) {
        calls.iter_mut().for_each(parse_arguments);
    }
    let Some(content) = message.get_mut("content") else { return };
    match content.as_str() {
        Some("") if has_calls && form.no_empty_content => *content = serde_json::Value::Null,
        Some(text) if form.parts => {
            *content = serde_json::json!([{"type": "text", "text": text}]);
        }
        _ => {}
    }
}

fn parse_arguments(call: &mut serde_json::Value) {
    let Some(arguments) = call.pointer_mut("/function/arguments") else { return };
    let object = arguments.as_str().map(serde_json::from_str::<serde_json::Value>);
    if let Some(Ok(object @ serde_json::Value::Object(_))) = object {
        *arguments = object;
    }
}

fn fault(error: Error) -> Fault {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        let next = inner.source();
        if next.is_some_and(|next| next.is::<Exception>()) {
            let raised = inner.downcast_ref::<Error>().and_then(Error::detail);
            return Fault::Refused(raised.unwrap_or_default().to_owned());
        }
        if inner.is::<std::io::Error>() {
            return Fault::Failed(format!("its text is longer than {OUTPUT_BYTES_MAX} bytes"));
        }
        cause = next;
    }
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    let line = error.line().map(|line| format!(" (line {line})")).unwrap_or_default();
    Fault::Failed(format!("{}{detail}{line}", error.kind()))
}
