// SPDX-License-Identifier: Apache-2.0
//! Where the references of a JSON Schema lead, and that none leads back to where it stands before a text goes on.

use serde_json::{Map, Value};
use std::collections::HashMap;

pub struct References<'a> {
    root: &'a Value,
    /// Schemas that were looked at, by their address: true once all that they lead to was, too.
    seen: HashMap<*const Value, bool>,
}

enum Step<'a> {
    Enter(&'a Value, String),
    Leave(&'a Value),
}

impl<'a> References<'a> {
    pub fn new(root: &'a Value) -> Self {
        Self { root, seen: HashMap::new() }
    }

    /// As llguidance finds it: '~' and '%' stand for themselves.
    pub fn target(&self, reference: &str) -> Option<&'a Value> {
        let path = reference.strip_prefix('#')?;
        if path.is_empty() || path == "/" {
            return Some(self.root);
        }
        path.strip_prefix('/')?.split('/').try_fold(self.root, |at, segment| match at {
            Value::Array(items) => items.get(segment.parse::<usize>().ok()?),
            _ => at.get(segment),
        })
    }

    /// Follows what is to hold of the same value as `schema` does. Every schema is entered once, however many of these
    /// calls come by it.
    pub fn check_loops(&mut self, schema: &'a Value, path: &str) -> Result<(), String> {
        let mut steps = vec![Step::Enter(schema, path.into())];
        while let Some(step) = steps.pop() {
            match step {
                Step::Leave(schema) => {
                    self.seen.insert(schema, true);
                }
                Step::Enter(schema, path) => match self.seen.get(&std::ptr::from_ref(schema)) {
                    Some(true) => {}
                    Some(false) => return Err(loop_at(&path)),
                    None => {
                        self.seen.insert(schema, false);
                        steps.push(Step::Leave(schema));
                        if let Some(keywords) = schema.as_object() {
                            self.push_same_value(keywords, &path, &mut steps);
                        }
                    }
                },
            }
        }
        Ok(())
    }

    fn push_same_value(
        &self,
        keywords: &'a Map<String, Value>,
        path: &str,
        steps: &mut Vec<Step<'a>>,
    ) {
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            steps.extend(self.target(reference).map(|to| Step::Enter(to, reference.into())));
        }
        for keyword in ["allOf", "anyOf", "oneOf"] {
            let items = keywords.get(keyword).and_then(Value::as_array).into_iter().flatten();
            let each = items.enumerate();
            steps.extend(each.map(|(i, item)| Step::Enter(item, format!("{path}/{keyword}/{i}"))));
        }
    }
}

fn loop_at(path: &str) -> String {
    format!("the JSON schema keyword '$ref' leads from {path} back to it with no property or item between")
}
