// SPDX-License-Identifier: Apache-2.0
//! Grammars over the tokens of a language model (llguidance).

use crate::exclusion;
use crate::interface::{failed, Fault};
use crate::schema_check::{self, Checked};
use llguidance::api::{ParserLimits, StopReason, TopLevelGrammar};
use llguidance::toktrie::{
    ApproximateTokEnv, InferenceCapabilities, SimpleVob, TokEnv, TokRxInfo, TokTrie,
};
use llguidance::{earley::SlicedBiasComputer, Matcher, ParserFactory};
use serde_json::Value;
use std::sync::Arc;

const TEXT_BYTES_MAX: usize = 256 << 10;
/// A token longer than this is no part of any grammar: what walks the tokens has room for no more.
const TOKEN_BYTES_MAX: usize = 255;
/// At one or two kilobytes each.
const LEXER_STATES_MAX: usize = 50_000;
/// What llguidance warns of where it was told that the alternatives of a `oneOf` exclude each other.
const EXCLUSION_WARNING: &str = "oneOf not fully supported";
/// The option that tells it so, which it names where it was not.
const EXCLUSION_OPTION: &str = "coerce_one_of";

pub struct Vocabulary {
    factory: ParserFactory,
    ends: Vec<u32>,
    size: usize,
}

pub struct Token<'a> {
    pub bytes: &'a [u8],
    pub special: bool,
}

#[derive(Clone, Copy)]
pub enum Kind {
    JsonSchema,
    Regex,
    Lark,
}

pub struct Grammar {
    vocabulary: Arc<Vocabulary>,
    matcher: Matcher,
    /// What may come first, until something has: it is computed to see that anything may.
    first: Option<SimpleVob>,
    ended: bool,
}

impl Vocabulary {
    pub fn new<'a>(
        tokens: impl ExactSizeIterator<Item = Token<'a>>,
        ends: &[i32],
    ) -> Result<Self, Fault> {
        let size = tokens.len();
        let ends: Vec<u32> = ends.iter().filter_map(|end| u32::try_from(*end).ok()).collect();
        if ends.is_empty() || ends.iter().any(|end| *end as usize >= size) {
            return Err(Fault::Failed("no end-of-generation token in the vocabulary".into()));
        }
        let words: Vec<Vec<u8>> = tokens.map(|token| word_of(&token)).collect();
        let count = u32::try_from(size).map_err(failed)?;
        let trie = TokTrie::from(&TokRxInfo::new(count, ends[0]), &words);
        let environment: TokEnv = Arc::new(ApproximateTokEnv::new(trie));
        let mut factory = ParserFactory::new(
            &environment,
            InferenceCapabilities::default(),
            &SlicedBiasComputer::json_slices(),
        )
        .map_err(failed)?;
        factory.quiet();
        *factory.limits_mut() = ParserLimits {
            max_lexer_states: LEXER_STATES_MAX,
            verbose_errors: false,
            ..ParserLimits::default()
        };
        Ok(Self { factory, ends, size })
    }
}

/// The bytes that a grammar sees; none for a token that cannot be a part of a text.
fn word_of(token: &Token) -> Vec<u8> {
    let marker = TokTrie::SPECIAL_TOKEN_MARKER;
    if token.bytes.len() > TOKEN_BYTES_MAX || token.bytes.first() == Some(&marker) {
        return Vec::new();
    }
    let mut word = if token.special { vec![marker] } else { Vec::new() };
    word.extend_from_slice(token.bytes);
    word
}

impl Grammar {
    pub fn compile(vocabulary: Arc<Vocabulary>, kind: Kind, text: &str) -> Result<Self, Fault> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Fault::Failed(format!("it is longer than {TEXT_BYTES_MAX} bytes")));
        }
        let (grammar, doubtful) = match kind {
            Kind::JsonSchema => {
                let schema = serde_json::from_str(text).map_err(failed)?;
                let mut steps = exclusion::STEPS_MAX;
                let Checked { schema, doubtful } =
                    schema_check::checked(&schema, &mut steps).map_err(Fault::Failed)?;
                (TopLevelGrammar::from_json_schema(schema), doubtful)
            }
            Kind::Regex => (TopLevelGrammar::from_regex(text), None),
            Kind::Lark => {
                let (text, doubtful) = with_checked_schemas(text)?;
                (TopLevelGrammar::from_lark(text), doubtful)
            }
        };
        let parser = vocabulary.factory.create_parser(grammar).map_err(|error| {
            let about_one_of = format!("{error:#}").contains(EXCLUSION_OPTION);
            doubtful.filter(|_| about_one_of).map_or_else(|| chain(error), Fault::Failed)
        })?;
        let mut matcher = Matcher::new(Ok(parser));
        if let Some(error) = matcher.get_error() {
            return Err(Fault::Failed(error));
        }
        // A warning says that some part was not taken as it stands.
        let mut warnings = matcher.grammar_warnings().into_iter();
        if let Some(warning) = warnings.find(|text| !text.starts_with(EXCLUSION_WARNING)) {
            return Err(Fault::Failed(warning));
        }
        let first = matcher.compute_mask().map_err(step_fault)?;
        Ok(Self { vocabulary, matcher, first: Some(first), ended: false })
    }

    /// Bits beyond the vocabulary are cleared, too.
    pub fn allow(&mut self, mask: &mut [u32]) -> Result<(), Fault> {
        if mask.len() * 32 < self.vocabulary.size {
            return Err(Fault::Failed("the mask is shorter than the vocabulary".into()));
        }
        mask.fill(0);
        if !self.finished() {
            let allowed = match &self.first {
                Some(first) => first.clone(),
                None => self.matcher.compute_mask().map_err(step_fault)?,
            };
            for (to, from) in mask.iter_mut().zip(allowed.as_slice()) {
                *to = *from;
            }
        }
        let first = self.vocabulary.ends[0] as usize;
        if self.finished() || mask[first / 32] >> (first % 32) & 1 == 1 {
            for end in &self.vocabulary.ends {
                mask[*end as usize / 32] |= 1 << (end % 32);
            }
        }
        Ok(())
    }

    pub fn accept(&mut self, token: i32) -> Result<(), Fault> {
        let not_allowed = || Fault::Failed(format!("the grammar does not allow token {token}"));
        let token = u32::try_from(token).map_err(|_| not_allowed())?;
        if self.vocabulary.ends.contains(&token) {
            self.ended = self.finished() || self.matcher.is_accepting().map_err(chain)?;
            return if self.ended { Ok(()) } else { Err(not_allowed()) };
        }
        if self.finished() || token as usize >= self.vocabulary.size {
            return Err(not_allowed());
        }
        match self.matcher.try_consume_tokens(&[token]) {
            Ok(1) => {
                self.first = None;
                Ok(())
            }
            Ok(_) => Err(not_allowed()),
            Err(error) => Err(step_fault(error)),
        }
    }

    pub fn finished(&self) -> bool {
        self.ended || (self.matcher.is_stopped() && !self.matcher.is_error())
    }

    pub fn fork(&self) -> Self {
        Self {
            vocabulary: self.vocabulary.clone(),
            matcher: self.matcher.deep_clone(),
            first: self.first.clone(),
            ended: self.ended,
        }
    }
}

/// Sequences of different threads share a vocabulary, and a grammar moves between threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    const fn moved<T: Send>() {}
    shared::<Vocabulary>();
    moved::<Grammar>();
};

/// The schemas in a Lark grammar are held to the same rules as those alone. With the first doubt about a `oneOf`.
fn with_checked_schemas(text: &str) -> Result<(String, Option<String>), Fault> {
    const KEYWORD: &str = "%json";
    let mut steps = exclusion::STEPS_MAX;
    let mut doubtful = None;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(KEYWORD) {
        let (before, behind) = rest.split_at(at + KEYWORD.len());
        let mut values = serde_json::Deserializer::from_str(behind).into_iter::<Value>();
        let schema = match values.next() {
            Some(Ok(schema)) => schema,
            Some(Err(error)) => return Err(Fault::Failed(format!("{KEYWORD}: {error}"))),
            None => return Err(Fault::Failed(format!("{KEYWORD} without a schema"))),
        };
        let checked = schema_check::checked(&schema, &mut steps).map_err(Fault::Failed)?;
        doubtful = doubtful.or(checked.doubtful);
        out.push_str(before);
        out.push(' ');
        out.push_str(&checked.schema.to_string());
        rest = &behind[values.byte_offset()..];
    }
    out.push_str(rest);
    Ok((out, doubtful))
}

/// Why there is no next step. A matcher says it in words alone.
fn step_fault(error: impl std::fmt::Display) -> Fault {
    let text = error.to_string();
    if text.starts_with(&StopReason::NoExtensionBias.to_string()) {
        return Fault::NothingAllowed;
    }
    match text.starts_with("panic: ") {
        true => Fault::Panicked(text.replace('\n', " ")),
        false => chain(error),
    }
}

/// The error and its causes, in one line.
fn chain(error: impl std::fmt::Display) -> Fault {
    Fault::Failed(format!("{error:#}").replace('\n', " "))
}
