// SPDX-License-Identifier: Apache-2.0
//! What a BERT normaliser and pre-tokeniser make of each single character.
//!
//! Nothing is known here about Unicode or BERT: the table asks the crate's own normaliser and pre-tokeniser, one
//! character at a time, on the first use of a page of 256 characters. That is exact because both work character by
//! character, with one exception: after canonical decomposition, combining marks change places. Marks that the
//! normaliser removes may do so; a character that leaves a mark behind is marked `Complex`, and a text that has one
//! must go through the crate as a whole.

use std::sync::OnceLock;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::{NormalizedString, Normalizer};
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};
use unicode_normalization_alignments::char::canonical_combining_class;

const PAGE_CHARS: u32 = 256;
const PAGES: usize = (char::MAX as u32 / PAGE_CHARS) as usize + 1;

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Unit {
    /// Belongs to a word.
    Letter(char),
    /// Ends a word and is not seen again.
    Space,
    /// Ends a word and is one by itself.
    Mark(char),
    /// Cannot be told without its neighbours.
    Complex,
}

struct Page {
    ends: [u16; PAGE_CHARS as usize],
    units: Vec<Unit>,
}

/// Thread-safe. A first use of a page computes it, in a fraction of a millisecond.
pub struct CharTable {
    normalizer: BertNormalizer,
    pages: Vec<OnceLock<Box<Page>>>,
}

impl CharTable {
    pub fn new(normalizer: BertNormalizer) -> Self {
        let pages = (0..PAGES).map(|_| OnceLock::new()).collect();
        let table = Self { normalizer, pages };
        table.units('a');
        table
    }

    #[inline]
    pub fn units(&self, c: char) -> &[Unit] {
        let (page, index) = (c as u32 / PAGE_CHARS, (c as u32 % PAGE_CHARS) as usize);
        let page = self.pages[page as usize].get_or_init(|| self.page(page * PAGE_CHARS));
        let begin = if index == 0 { 0 } else { page.ends[index - 1] };
        &page.units[begin as usize..page.ends[index] as usize]
    }

    fn page(&self, first: u32) -> Box<Page> {
        let mut page = Page { ends: [0; PAGE_CHARS as usize], units: Vec::new() };
        for (end, code) in page.ends.iter_mut().zip(first..) {
            if let Some(c) = char::from_u32(code) {
                self.append_units(c, &mut page.units);
            }
            *end = page.units.len() as u16;
        }
        Box::new(page)
    }

    fn append_units(&self, c: char, units: &mut Vec<Unit>) {
        let normalized = self.normalize(c);
        if !normalized.is_empty() && self.leaves_combining_mark(c) {
            units.push(Unit::Complex);
        } else {
            units.extend(normalized.chars().map(unit));
        }
    }

    fn normalize(&self, c: char) -> String {
        let mut text = NormalizedString::from(c.to_string());
        match self.normalizer.normalize(&mut text) {
            Ok(()) => text.get().to_owned(),
            Err(_) => c.to_string(),
        }
    }

    fn leaves_combining_mark(&self, c: char) -> bool {
        let decomposes = self.normalizer.strip_accents.unwrap_or(self.normalizer.lowercase);
        let mut text = NormalizedString::from(c.to_string());
        decomposes
            && text.nfd().get().chars().any(|part| {
                canonical_combining_class(part) != 0 && !self.normalize(part).is_empty()
            })
    }
}

/// Asks in how many pieces the pre-tokeniser cuts the character and a letter on either side of it.
fn unit(c: char) -> Unit {
    let mut text = PreTokenizedString::from(format!("a{c}a"));
    let cut = BertPreTokenizer.pre_tokenize(&mut text);
    match (cut, text.get_splits(OffsetReferential::Original, OffsetType::Byte).len()) {
        (Ok(()), 1) => Unit::Letter(c),
        (Ok(()), 2) => Unit::Space,
        (Ok(()), 3) => Unit::Mark(c),
        _ => Unit::Complex,
    }
}
