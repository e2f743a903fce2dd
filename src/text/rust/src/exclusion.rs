// SPDX-License-Identifier: Apache-2.0
//! Whether the alternatives of a `oneOf` exclude each other. llguidance finds it out, too, but not behind references.
//! What is not found out here may still be so; never the other way round.

use crate::references::References;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// How many schemas, constants and pairs may be looked at for one text of a caller: some hundred alternatives' worth.
pub const STEPS_MAX: usize = 2_000_000;
/// Choices within choices, properties within properties.
const DEPTH_MAX: usize = 24;

const OBJECT: u8 = 1;
const ALL_TYPES: u8 = 0b11_1111;

pub struct Exclusion<'a, 'b> {
    pub references: &'b References<'a>,
    /// How many are left.
    pub steps: &'b mut usize,
}

/// What is known of the values that a schema allows: it allows no others.
#[derive(Clone)]
struct Facts<'a> {
    types: u8,
    constants: Option<&'a [Value]>,
    /// With `properties`, `required` or `additionalProperties`.
    objects: Vec<&'a Map<String, Value>>,
    /// Of each list one holds; with the keyword.
    choices: Vec<(&'a str, &'a [Value])>,
}

impl<'a> Exclusion<'a, '_> {
    /// True where no value matches two items of the `oneOf` among `keywords`.
    pub fn holds(&mut self, keywords: &'a Map<String, Value>) -> bool {
        let mut beside = Facts::of_anything();
        for schema in beside.take(keywords, self.references) {
            self.learn(&mut beside, schema);
        }
        beside.choices.retain(|(keyword, _)| *keyword != "oneOf");
        let items = keywords.get("oneOf").and_then(Value::as_array).into_iter().flatten();
        let each: Vec<Facts> = items.map(|item| self.learnt(&beside, item)).collect();
        let mut pairs = each.iter().enumerate();
        pairs.all(|(i, one)| each[i + 1..].iter().all(|other| self.exclude(one, other, DEPTH_MAX)))
    }

    fn step(&mut self, count: usize) -> bool {
        let enough = *self.steps >= count;
        *self.steps = self.steps.saturating_sub(count);
        enough
    }

    fn learnt(&mut self, known: &Facts<'a>, schema: &'a Value) -> Facts<'a> {
        let mut facts = known.clone();
        if self.step(known.objects.len() + known.choices.len()) {
            self.learn(&mut facts, schema);
        }
        facts
    }

    /// Without steps it is not learnt.
    fn learn(&mut self, facts: &mut Facts<'a>, schema: &'a Value) {
        let mut open = vec![schema];
        while let Some(schema) = open.pop() {
            if !self.step(1) {
                return;
            }
            match schema {
                Value::Bool(false) => facts.types = 0,
                Value::Object(keywords) => open.extend(facts.take(keywords, self.references)),
                _ => {}
            }
        }
    }

    fn exclude(&mut self, one: &Facts<'a>, other: &Facts<'a>, depth: usize) -> bool {
        let shared = one.types & other.types;
        if shared == 0 {
            return true;
        }
        if depth == 0 || !self.step(1) {
            return false;
        }
        self.differ(one, other, shared)
            || (shared == OBJECT && self.property_tells(one, other, depth))
            || self.no_choice_is_left(one, other, depth)
            || self.no_choice_is_left(other, one, depth)
    }

    /// Every constant of the one is none of the other's.
    fn differ(&mut self, one: &Facts, other: &Facts, shared: u8) -> bool {
        let (Some(ours), Some(theirs)) = (one.constants, other.constants) else { return false };
        let possible = |value: &&Value| shared & type_of(value) != 0;
        self.step(ours.len().saturating_mul(theirs.len()))
            && ours.iter().filter(possible).all(|a| !theirs.iter().any(|b| same(a, b)))
    }

    fn property_tells(&mut self, one: &Facts<'a>, other: &Facts<'a>, depth: usize) -> bool {
        let names: BTreeSet<&str> = one.required().chain(other.required()).collect();
        self.step(names.len())
            && names.into_iter().any(|name| {
                let ours = self.property(one, name);
                let theirs = self.property(other, name);
                self.exclude(&ours, &theirs, depth - 1)
            })
    }

    fn property(&mut self, of: &Facts<'a>, name: &str) -> Facts<'a> {
        let mut facts = Facts::of_anything();
        if !self.step(of.objects.len()) {
            return facts;
        }
        for schema in of.objects.iter().filter_map(|object| property_schema(object, name)) {
            self.learn(&mut facts, schema);
        }
        facts
    }

    fn no_choice_is_left(&mut self, chooser: &Facts<'a>, other: &Facts<'a>, depth: usize) -> bool {
        (0..chooser.choices.len()).any(|at| {
            let mut rest = chooser.clone();
            let (_, choice) = rest.choices.swap_remove(at);
            choice.iter().all(|item| {
                let chosen = self.learnt(&rest, item);
                self.exclude(&chosen, other, depth - 1)
            })
        })
    }
}

impl<'a> Facts<'a> {
    fn of_anything() -> Self {
        Self { types: ALL_TYPES, constants: None, objects: Vec::new(), choices: Vec::new() }
    }

    /// Returns the schemas that are to hold, too.
    fn take(
        &mut self,
        keywords: &'a Map<String, Value>,
        references: &References<'a>,
    ) -> Vec<&'a Value> {
        let mut open = Vec::new();
        for (keyword, value) in keywords {
            match (keyword.as_str(), value) {
                ("type", Value::String(name)) => self.types &= type_named(name),
                ("type", Value::Array(names)) => {
                    let each = names.iter().filter_map(Value::as_str).map(type_named);
                    self.types &= each.fold(0, |all, one| all | one);
                }
                ("const", value) => self.take_constants(std::slice::from_ref(value)),
                ("enum", Value::Array(values)) => self.take_constants(values),
                ("$ref", Value::String(to)) => open.extend(references.target(to)),
                ("allOf", Value::Array(items)) => open.extend(items),
                ("anyOf" | "oneOf", Value::Array(items)) => self.choices.push((keyword, items)),
                _ => {}
            }
        }
        if ["properties", "required", "additionalProperties"]
            .iter()
            .any(|word| keywords.contains_key(*word))
        {
            self.objects.push(keywords);
        }
        open
    }

    fn take_constants(&mut self, values: &'a [Value]) {
        self.types &= values.iter().fold(0, |all, value| all | type_of(value));
        self.constants = Some(values);
    }

    fn required(&self) -> impl Iterator<Item = &'a str> + use<'_, 'a> {
        let lists = self.objects.iter().filter_map(|object| object.get("required"));
        lists.filter_map(Value::as_array).flatten().filter_map(Value::as_str)
    }
}

/// None where nothing is said of the property, or by a pattern.
fn property_schema<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let listed = object.get("properties").and_then(|properties| properties.get(name));
    listed.or_else(|| match object.contains_key("patternProperties") {
        true => None,
        false => object.get("additionalProperties"),
    })
}

/// Integers are numbers.
fn type_named(name: &str) -> u8 {
    match name {
        "object" => OBJECT,
        "array" => 2,
        "string" => 4,
        "number" | "integer" => 8,
        "boolean" => 16,
        "null" => 32,
        _ => ALL_TYPES,
    }
}

fn type_of(value: &Value) -> u8 {
    type_named(match value {
        Value::Object(_) => "object",
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "boolean",
        Value::Null => "null",
    })
}

/// As JSON Schema compares: 1 is 1.0.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| same(v, w)))
        }
        _ => one == other,
    }
}
