// SPDX-License-Identifier: Apache-2.0
//! What of JSON Schema is supported, decided keyword by keyword before llguidance sees a schema: it overlooks what it
//! does not know, and what an older draft says otherwise. docs/structured-output.md is the table of this file.

use crate::depth;
use crate::exclusion::Exclusion;
use crate::references::References;
use serde_json::{json, Map, Value};
use std::collections::HashSet;

/// White space between two parts of a JSON text. Without a bound a model that is lost in it never ends.
const WHITE_SPACE: &str = r"[\x20\x0A\x0D\x09]{1,32}";
const FORMATS: [&str; 10] =
    ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"];
/// What a string may escape. Every text is written in one way alone, so that no property comes twice under two spellings.
const ESCAPES: &str = "nrbtf\\\"";
/// They are to stand behind the others: llguidance joins with them what came before, and takes keywords that belong
/// together for parts that do not.
const APPLIED: [&str; 6] = ["const", "enum", "allOf", "anyOf", "oneOf", "$ref"];
/// Integers beyond it are not told apart: bounds and constants are compared as doubles.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

pub struct Checked {
    /// The same schema without what says nothing about a text.
    pub schema: Value,
    /// Of the first `oneOf` whose alternatives are not known to exclude each other, the reason why it is not supported,
    /// unless llguidance knows more. Without one, llguidance is told to take any of them.
    pub doubtful: Option<String>,
}

struct Whole<'a, 'b> {
    references: References<'a>,
    steps: &'b mut usize,
    doubtful: Option<String>,
    /// The addresses of all schemas in it.
    places: HashSet<*const Value>,
    /// Where references lead, with where they stand.
    targets: Vec<(String, &'a Value)>,
}

/// What is made of a schema, or the reason why it is not supported. `steps`: see `Exclusion`.
pub fn checked(schema: &Value, steps: &mut usize) -> Result<Checked, String> {
    let mut whole = Whole {
        references: References::new(schema),
        steps,
        doubtful: None,
        places: HashSet::new(),
        targets: Vec::new(),
    };
    let mut clean = match checked_schema(schema, "#", &mut whole)? {
        Value::Object(object) => object,
        Value::Bool(true) => Map::new(),
        _ => return Err("the JSON schema 'false' allows nothing".into()),
    };
    // What is no schema was not looked at.
    let known = |target: &Value| whole.places.contains(&std::ptr::from_ref(target));
    if let Some((path, _)) = whole.targets.iter().find(|(_, target)| !known(target)) {
        return Err(format!("the JSON schema keyword '$ref' at {path} does not point to a schema"));
    }
    let style = json!({
        "whitespace_pattern": WHITE_SPACE,
        "json_allowed_escapes": ESCAPES,
        "coerce_one_of": whole.doubtful.is_none(),
    });
    clean.insert("x-guidance".into(), style);
    let schema = Value::Object(clean);
    depth::check(&schema)?;
    Ok(Checked { schema, doubtful: whole.doubtful })
}

fn checked_schema<'a>(
    schema: &'a Value,
    path: &str,
    whole: &mut Whole<'a, '_>,
) -> Result<Value, String> {
    whole.places.insert(schema);
    if schema.is_boolean() {
        return Ok(schema.clone());
    }
    let keywords = schema
        .as_object()
        .ok_or_else(|| format!("the JSON schema at {path} is neither an object nor a boolean"))?;
    let mut clean = Map::new();
    let mut applied = Map::new();
    for (keyword, value) in keywords {
        let here = format!("{path}/{keyword}");
        if let Some(value) = checked_keyword(keyword, value, &here, whole)? {
            let to = if APPLIED.contains(&keyword.as_str()) { &mut applied } else { &mut clean };
            to.insert(keyword.clone(), value);
        }
    }
    check_together(keywords, path)?;
    whole.references.check_loops(schema, path)?;
    if keywords.contains_key("oneOf") && whole.doubtful.is_none() {
        let mut exclusion = Exclusion { references: &whole.references, steps: whole.steps };
        let holds = exclusion.holds(keywords);
        whole.doubtful = (!holds).then(|| doubt(path, *whole.steps));
    }
    clean.extend(applied);
    Ok(Value::Object(clean))
}

fn doubt(path: &str, steps_left: usize) -> String {
    let why = match steps_left {
        0 => "takes too many steps to see whether its alternatives exclude each other",
        _ => {
            "needs alternatives that exclude each other: by type, or by a required property with a different constant \
             in each"
        }
    };
    format!("the JSON schema keyword 'oneOf' at {path}/oneOf {why}")
}

/// None for a keyword that says nothing about a text.
fn checked_keyword<'a>(
    keyword: &str,
    value: &'a Value,
    path: &str,
    whole: &mut Whole<'a, '_>,
) -> Result<Option<Value>, String> {
    let wrong = |what: &str| Err(format!("the JSON schema keyword '{keyword}' at {path} {what}"));
    match keyword {
        "$comment" | "$schema" | "title" | "description" | "default" | "example" | "examples"
        | "deprecated" | "readOnly" | "writeOnly" | "discriminator" | "contentMediaType"
        | "contentEncoding" | "contentSchema" => Ok(None),
        "$id" | "id" if path.matches('/').count() == 1 => Ok(None),
        "uniqueItems" if value == false => Ok(None),
        _ if keyword.starts_with("x-") => Ok(None),

        "items" if value.is_array() => wrong("must be one schema; a list is 'prefixItems'"),
        "additionalProperties" | "items" => checked_schema(value, path, whole).map(Some),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            let Some(items) = value.as_array() else { return wrong("must be a list of schemas") };
            let each = items.iter().enumerate();
            let clean = each.map(|(i, item)| checked_schema(item, &format!("{path}/{i}"), whole));
            Ok(Some(Value::Array(clean.collect::<Result<_, _>>()?)))
        }
        "$defs" | "definitions" | "properties" | "patternProperties" => {
            let Some(entries) = value.as_object() else { return wrong("must be an object") };
            let each = entries.iter();
            let clean = each.map(|(name, entry)| {
                let here = format!("{path}/{name}");
                Ok((name.clone(), checked_schema(entry, &here, whole)?))
            });
            Ok(Some(Value::Object(clean.collect::<Result<_, String>>()?)))
        }

        "$ref" => match value.as_str() {
            Some(target) if target == "#" || (target.starts_with("#/") && target.len() > 2) => {
                let to = whole.references.target(target);
                whole.targets.extend(to.map(|to| (path.into(), to)));
                Ok(Some(value.clone()))
            }
            _ => wrong("must point into the schema itself, as '#/$defs/name'"),
        },
        "format" => match value.as_str() {
            Some(format) if FORMATS.contains(&format) => Ok(Some(value.clone())),
            _ => wrong(&format!("has the format {value}, which is not supported")),
        },
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => {
            match value.is_number() {
                true if is_exact(value) => Ok(Some(value.clone())),
                true => wrong("is a number beyond 2^53"),
                false => wrong("must be a number"),
            }
        }
        "multipleOf" => match value.as_f64() {
            Some(number) if number > 0.0 && is_exact(value) => Ok(Some(value.clone())),
            _ => wrong("must be a number above 0"),
        },
        "const" | "enum" => match is_exact(value) {
            true => Ok(Some(value.clone())),
            false => wrong("has a number beyond 2^53"),
        },
        "type" | "required" | "pattern" | "minItems" | "maxItems" | "minLength" | "maxLength"
        | "minProperties" | "maxProperties" => Ok(Some(value.clone())),
        _ => wrong("is not supported"),
    }
}

fn is_exact(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number.abs() < EXACT_MAX),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(entries) => entries.values().all(is_exact),
        _ => true,
    }
}

/// Names beyond the listed ones may repeat in a text, so that only one of them counts for sure.
fn check_together(keywords: &Map<String, Value>, path: &str) -> Result<(), String> {
    let required = keywords.get("required").and_then(Value::as_array).map_or(0, Vec::len) as u64;
    let wanted = keywords.get("minProperties").and_then(Value::as_u64).unwrap_or(0);
    if wanted > required + 1 {
        return Err(format!(
            "the JSON schema keyword 'minProperties' at {path} may exceed the number of required properties by one"
        ));
    }
    Ok(())
}
