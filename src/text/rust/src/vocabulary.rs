// SPDX-License-Identifier: Apache-2.0
//! A WordPiece vocabulary, laid out for longest-match-first look-ups without an allocation.

use ahash::RandomState;
use std::collections::HashMap;

/// Tokens by their text, and the length of the longest.
#[derive(Default)]
struct Pieces {
    ids: HashMap<Box<str>, u32, RandomState>,
    bytes_max: usize,
}

impl Pieces {
    fn insert(&mut self, text: &str, id: u32) {
        self.bytes_max = self.bytes_max.max(text.len());
        self.ids.insert(text.into(), id);
    }

    /// The longest piece that `text` begins with, and its length.
    fn longest_prefix(&self, text: &str) -> Option<(u32, usize)> {
        let mut end = text.len().min(self.bytes_max);
        while end > 0 {
            if text.is_char_boundary(end) {
                if let Some(&id) = self.ids.get(&text[..end]) {
                    return Some((id, end));
                }
            }
            end -= 1;
        }
        None
    }
}

pub struct Vocabulary {
    first: Pieces,
    following: Pieces,
    unknown: u32,
    word_chars_max: usize,
}

impl Vocabulary {
    /// None if the model cannot name an unknown word: the crate then says so when it meets one.
    pub fn new(model: &tokenizers::models::wordpiece::WordPiece) -> Option<Self> {
        use tokenizers::Model;
        let mut first = Pieces::default();
        let mut following = Pieces::default();
        for (token, id) in model.get_vocab() {
            if let Some(rest) = token.strip_prefix(model.continuing_subword_prefix.as_str()) {
                following.insert(rest, id);
            }
            first.insert(&token, id);
        }
        Some(Self {
            first,
            following,
            unknown: model.token_to_id(&model.unk_token)?,
            word_chars_max: model.max_input_chars_per_word,
        })
    }

    pub fn word_chars_max(&self) -> usize {
        self.word_chars_max
    }

    pub fn push_unknown(&self, ids: &mut Vec<u32>) {
        ids.push(self.unknown);
    }

    /// Appends the pieces of a word, or the unknown token if some part of it has no piece.
    pub fn push_word(&self, word: &str, ids: &mut Vec<u32>) {
        let before = ids.len();
        let mut pieces = &self.first;
        let mut rest = word;
        while !rest.is_empty() {
            let Some((id, bytes)) = pieces.longest_prefix(rest) else {
                ids.truncate(before);
                ids.push(self.unknown);
                return;
            };
            ids.push(id);
            rest = &rest[bytes..];
            pieces = &self.following;
        }
    }
}
