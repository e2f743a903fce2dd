// SPDX-License-Identifier: Apache-2.0
//! The short way for the most common tokenizer of embedding models: BERT normaliser, BERT pre-tokeniser, WordPiece.
//!
//! One pass over the characters, no allocation once warm, and it stops as soon as the asked number of tokens is
//! there. The ids are those of the crate; tests and the fuzz target compare the two.

use crate::char_table::{CharTable, Unit};
use crate::vocabulary::Vocabulary;
use aho_corasick::{AhoCorasick, MatchKind};
use tokenizers::models::ModelWrapper;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

pub struct Bert {
    chars: CharTable,
    vocabulary: Vocabulary,
    added: Option<Added>,
}

/// Tokens that are found in the raw text, before anything else ("[SEP]").
struct Added {
    finder: AhoCorasick,
    ids: Vec<u32>,
}

/// The text holds a character that cannot be told without its neighbours.
pub struct Complex;

struct Word {
    text: String,
    chars: usize,
}

impl Bert {
    /// None if this tokenizer is of another kind.
    pub fn new(tokenizer: &tokenizers::Tokenizer) -> Option<Self> {
        let Some(NormalizerWrapper::BertNormalizer(normalizer)) = tokenizer.get_normalizer() else {
            return None;
        };
        let Some(PreTokenizerWrapper::BertPreTokenizer(_)) = tokenizer.get_pre_tokenizer() else {
            return None;
        };
        let ModelWrapper::WordPiece(model) = tokenizer.get_model() else {
            return None;
        };
        let added = find_added(tokenizer)?;
        let vocabulary = Vocabulary::new(model)?;
        Some(Self { chars: CharTable::new(*normalizer), vocabulary, added })
    }

    /// Appends the ids of `text`; may stop once there are more than `wanted`.
    pub fn encode(&self, text: &str, wanted: usize, ids: &mut Vec<u32>) -> Result<(), Complex> {
        let mut begin = 0;
        if let Some(added) = &self.added {
            for found in added.finder.find_iter(text) {
                self.encode_segment(&text[begin..found.start()], wanted, ids)?;
                if ids.len() > wanted {
                    return Ok(());
                }
                ids.push(added.ids[found.pattern().as_usize()]);
                begin = found.end();
            }
        }
        self.encode_segment(&text[begin..], wanted, ids)
    }

    fn encode_segment(&self, text: &str, wanted: usize, ids: &mut Vec<u32>) -> Result<(), Complex> {
        let mut word = Word { text: String::with_capacity(64), chars: 0 };
        for c in text.chars() {
            for &unit in self.chars.units(c) {
                if let Unit::Letter(letter) = unit {
                    self.extend(&mut word, letter);
                    continue;
                }
                self.finish(&mut word, ids);
                match unit {
                    Unit::Mark(mark) => {
                        self.vocabulary.push_word(mark.encode_utf8(&mut [0; 4]), ids)
                    }
                    Unit::Complex => return Err(Complex),
                    _ => {}
                }
                if ids.len() > wanted {
                    return Ok(());
                }
            }
        }
        self.finish(&mut word, ids);
        Ok(())
    }

    #[inline]
    fn extend(&self, word: &mut Word, letter: char) {
        word.chars += 1;
        if word.chars <= self.vocabulary.word_chars_max() {
            word.text.push(letter);
        }
    }

    fn finish(&self, word: &mut Word, ids: &mut Vec<u32>) {
        if word.chars > self.vocabulary.word_chars_max() {
            self.vocabulary.push_unknown(ids);
        } else if word.chars > 0 {
            self.vocabulary.push_word(&word.text, ids);
        }
        word.text.clear();
        word.chars = 0;
    }
}

/// None if a token is looked for in another way than `AhoCorasick::find_iter` over the raw text. Stripping the spaces
/// around a token is no such way: spaces make no tokens here.
fn find_added(tokenizer: &tokenizers::Tokenizer) -> Option<Option<Added>> {
    let tokens = tokenizer.get_added_tokens_decoder();
    if tokens.is_empty() {
        return Some(None);
    }
    let same_ids = tokens.len() == tokenizer.get_added_vocabulary().get_vocab().len()
        && tokens.iter().all(|(id, token)| tokenizer.token_to_id(&token.content) == Some(*id));
    let plain = tokens
        .values()
        .all(|token| !token.normalized && !token.single_word && !token.content.is_empty());
    if !same_ids || !plain || tokenizer.get_encode_special_tokens() {
        return None;
    }
    let finder = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(tokens.values().map(|token| &token.content))
        .ok()?;
    Some(Some(Added { finder, ids: tokens.keys().copied().collect() }))
}
