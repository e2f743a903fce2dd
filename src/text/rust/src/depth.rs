// SPDX-License-Identifier: Apache-2.0
//! How deep llguidance goes into a schema. It compiles a reference's target where it first comes to it, on the stack, and
//! its own bounds do not see that.

use crate::references::References;
use serde_json::{Map, Value};
use std::collections::HashSet;

/// A level takes up to 6 KB of stack.
const LEVELS_MAX: usize = 600;
/// llguidance stops before it comes to as many schemas.
const SCHEMAS_MAX: usize = 50_000;

pub fn check(clean: &Value) -> Result<(), String> {
    let references = References::new(clean);
    Descent { references: &references, defined: HashSet::new(), schemas: 0 }.enter(clean, 0)
}

/// Goes through what is left of a checked schema in llguidance's order: how deep it comes depends on which reference to a
/// schema is the first.
struct Descent<'a, 'b> {
    references: &'b References<'a>,
    defined: HashSet<&'a str>,
    schemas: usize,
}

impl<'a> Descent<'a, '_> {
    fn enter(&mut self, schema: &'a Value, level: usize) -> Result<(), String> {
        let Some(keywords) = schema.as_object() else { return Ok(()) };
        self.schemas += 1;
        if self.schemas > SCHEMAS_MAX {
            return Err(format!("the JSON schema has more than {SCHEMAS_MAX} schemas in it"));
        }
        if level > LEVELS_MAX {
            return Err(format!(
                "the JSON schema has more than {LEVELS_MAX} levels within each other, references included"
            ));
        }
        for of_type in types(keywords) {
            let parts: &[&str] = match of_type {
                "array" => &["prefixItems", "items"],
                "object" => &["properties", "patternProperties", "additionalProperties"],
                _ => &[],
            };
            for part in parts.iter().filter_map(|part| keywords.get_key_value(*part)) {
                self.enter_part(part, level)?;
            }
        }
        let applied = ["allOf", "anyOf", "oneOf", "$ref"];
        for part in keywords.iter().filter(|(keyword, _)| applied.contains(&keyword.as_str())) {
            self.enter_part(part, level)?;
        }
        Ok(())
    }

    fn enter_part(
        &mut self,
        (keyword, value): (&'a String, &'a Value),
        level: usize,
    ) -> Result<(), String> {
        match (keyword.as_str(), value) {
            ("$ref", Value::String(to)) if self.defined.insert(to) => {
                let target = self.references.target(to);
                target.map_or(Ok(()), |schema| self.enter(schema, level + 1))
            }
            ("properties" | "patternProperties", Value::Object(entries)) => {
                entries.values().try_for_each(|schema| self.enter(schema, level + 1))
            }
            (_, Value::Array(items)) => {
                items.iter().try_for_each(|schema| self.enter(schema, level + 1))
            }
            (_, schema) => self.enter(schema, level + 1),
        }
    }
}

/// In llguidance's order where a schema names none.
fn types(keywords: &Map<String, Value>) -> Vec<&str> {
    match keywords.get("type") {
        None => vec!["array", "object"],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        Some(name) => name.as_str().into_iter().collect(),
    }
}
