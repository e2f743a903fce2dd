// SPDX-License-Identifier: Apache-2.0
//! Values as Python writes them: `str()`, `repr()` and `json.dumps()`. Chat templates are made with Python, and models
//! were trained on what it wrote.

use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{Error, ErrorKind};

const DEPTH_MAX: usize = 128;

pub struct JsonStyle {
    indent: Option<usize>,
    item_separator: String,
    key_separator: String,
    sort_keys: bool,
    ensure_ascii: bool,
}

impl JsonStyle {
    /// The arguments of `tojson` as the transformers library has them.
    pub fn of(arguments: &Kwargs) -> Result<Self, Error> {
        let indent: Option<Value> = arguments.get("indent")?;
        let indent = indent.and_then(|value| usize::try_from(value).ok());
        let separators: Option<Vec<String>> = arguments.get("separators")?;
        let default = if indent.is_some() { [",", ": "] } else { [", ", ": "] };
        let [item_separator, key_separator] = match separators {
            Some(given) => given.try_into().map_err(|_| invalid("separators are two strings"))?,
            None => default.map(str::to_owned),
        };
        let style = Self {
            indent,
            item_separator,
            key_separator,
            sort_keys: arguments.get::<Option<bool>>("sort_keys")?.unwrap_or(false),
            ensure_ascii: arguments.get::<Option<bool>>("ensure_ascii")?.unwrap_or(false),
        };
        arguments.assert_all_used()?;
        Ok(style)
    }

    fn break_line(&self, depth: usize, out: &mut String) {
        if let Some(indent) = self.indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent.min(64) * depth));
        }
    }
}

fn invalid(message: &'static str) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// `json.dumps(value)`.
pub fn json(value: &Value, style: &JsonStyle) -> Result<String, Error> {
    let mut out = String::new();
    write_json(value, style, 0, &mut out)?;
    Ok(out)
}

fn write_json(
    value: &Value,
    style: &JsonStyle,
    depth: usize,
    out: &mut String,
) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(invalid("a value is nested too deeply"));
    }
    match value.kind() {
        ValueKind::None => out.push_str("null"),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => json_string(value.as_str().unwrap_or(""), style.ensure_ascii, out),
        ValueKind::Seq | ValueKind::Iterable => return json_items(value, style, depth, out),
        ValueKind::Map => return json_entries(value, style, depth, out),
        ValueKind::Undefined => return Err(invalid("an undefined value is not JSON serializable")),
        _ => return Err(invalid("the value is not JSON serializable")),
    }
    Ok(())
}

fn json_items(
    value: &Value,
    style: &JsonStyle,
    depth: usize,
    out: &mut String,
) -> Result<(), Error> {
    out.push('[');
    let mut any = false;
    for item in value.try_iter()? {
        if any {
            out.push_str(&style.item_separator);
        }
        any = true;
        style.break_line(depth + 1, out);
        write_json(&item, style, depth + 1, out)?;
    }
    if any {
        style.break_line(depth, out);
    }
    out.push(']');
    Ok(())
}

fn json_entries(
    value: &Value,
    style: &JsonStyle,
    depth: usize,
    out: &mut String,
) -> Result<(), Error> {
    let mut keys: Vec<Value> = value.try_iter()?.collect();
    if style.sort_keys {
        keys.sort();
    }
    out.push('{');
    for (i, key) in keys.iter().enumerate() {
        if i > 0 {
            out.push_str(&style.item_separator);
        }
        style.break_line(depth + 1, out);
        match key.kind() {
            ValueKind::String => json_string(key.as_str().unwrap_or(""), style.ensure_ascii, out),
            ValueKind::Number | ValueKind::Bool | ValueKind::None => {
                out.push('"');
                write_json(key, style, depth, out)?;
                out.push('"');
            }
            _ => return Err(invalid("keys must be str, int, float, bool or None")),
        }
        out.push_str(&style.key_separator);
        write_json(&value.get_item(key)?, style, depth + 1, out)?;
    }
    if !keys.is_empty() {
        style.break_line(depth, out);
    }
    out.push('}');
    Ok(())
}

fn json_string(text: &str, ensure_ascii: bool, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c < ' ' || (ensure_ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// `str(value)`; undefined is nothing, as in Jinja.
pub fn text(value: &Value) -> Result<String, Error> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let mut out = String::new();
    if !value.is_undefined() {
        write_repr(value, 0, &mut out)?;
    }
    Ok(out)
}

fn write_repr(value: &Value, depth: usize, out: &mut String) -> Result<(), Error> {
    if depth > DEPTH_MAX {
        return Err(invalid("a value is nested too deeply"));
    }
    match value.kind() {
        ValueKind::None => out.push_str("None"),
        ValueKind::Bool => out.push_str(if value.is_true() { "True" } else { "False" }),
        ValueKind::Number => out.push_str(&number(value)),
        ValueKind::String => repr_string(value.as_str().unwrap_or(""), out),
        ValueKind::Undefined => out.push_str("Undefined"),
        ValueKind::Seq | ValueKind::Iterable => {
            out.push('[');
            for (i, item) in value.try_iter()?.enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_repr(&item, depth + 1, out)?;
            }
            out.push(']');
        }
        ValueKind::Map => {
            out.push('{');
            for (i, key) in value.try_iter()?.enumerate() {
                out.push_str(if i > 0 { ", " } else { "" });
                write_repr(&key, depth + 1, out)?;
                out.push_str(": ");
                write_repr(&value.get_item(&key)?, depth + 1, out)?;
            }
            out.push('}');
        }
        _ => out.push_str(&value.to_string()),
    }
    Ok(())
}

fn repr_string(text: &str, out: &mut String) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => out.extend(['\\', c]),
            c if c.is_ascii_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push(quote);
}

fn number(value: &Value) -> String {
    if value.is_integer() {
        return value.to_string();
    }
    f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float)
}

/// `repr(float)`: the shortest digits that give the number back, with an exponent below 1e-4 and from 1e16 on.
fn float(number: f64) -> String {
    if !number.is_finite() {
        let sign = if number < 0.0 { "-" } else { "" };
        return if number.is_nan() { "NaN".into() } else { format!("{sign}Infinity") };
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=15 => format!("{number:?}"),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
    }
}
