// SPDX-License-Identifier: Apache-2.0
//! A loaded tokenizer: what the crate does, with truncation and special tokens taken out of it, so that they cost
//! nothing and a long text is not tokenised further than it is needed.

use crate::bert::Bert;
use crate::frame::{Frame, PairFrame, Placed};
use crate::interface::{failed, Fault};
use tokenizers::models::wordpiece::WordPiece;
use tokenizers::normalizers::BertNormalizer;
use tokenizers::pre_tokenizers::bert::BertPreTokenizer;
use tokenizers::processors::bert::BertProcessing;
use tokenizers::{AddedToken, TruncationDirection};

pub struct Request<'a> {
    pub text: &'a str,
    /// Counts special tokens; 0: no truncation.
    pub length_max: usize,
    pub whole_bytes_max: usize,
    pub add_special_tokens: bool,
    /// Leave out every short cut of this library.
    pub reference: bool,
}

pub struct Encoded<'a> {
    pub body: &'a [u32],
    pub frame: &'a Frame,
    pub truncated: bool,
}

pub struct EncodedPair {
    pub placed: Vec<Placed>,
    pub truncated: bool,
}

pub struct BertRules {
    pub lowercase: bool,
    pub strip_accents: Option<bool>,
    pub split_chinese: bool,
}

pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    bare: Frame,
    special: Frame,
    bare_pair: Option<PairFrame>,
    special_pair: Option<PairFrame>,
    keeps_end: bool,
    bert: Option<Bert>,
}

impl Tokenizer {
    pub fn from_json(json: &[u8]) -> Result<Self, Fault> {
        Self::new(tokenizers::Tokenizer::from_bytes(json).map_err(failed)?)
    }

    pub fn from_vocabulary(text: &[u8], rules: &BertRules) -> Result<Self, Fault> {
        let vocab = WordPiece::read_bytes(text).map_err(failed)?;
        let model = WordPiece::builder().vocab(vocab).build().map_err(failed)?;
        let mut inner = tokenizers::Tokenizer::new(model);
        inner.with_normalizer(Some(BertNormalizer::new(
            true,
            rules.split_chinese,
            rules.strip_accents,
            rules.lowercase,
        )));
        inner.with_pre_tokenizer(Some(BertPreTokenizer));
        inner.with_decoder(Some(tokenizers::decoders::wordpiece::WordPiece::default()));
        let required = |token: &str| match inner.token_to_id(token) {
            Some(id) => Ok((token.to_owned(), id)),
            None => Err(Fault::Failed(format!("the vocabulary lacks {token}"))),
        };
        required("[UNK]")?;
        let processor = BertProcessing::new(required("[SEP]")?, required("[CLS]")?);
        inner.with_post_processor(Some(processor));
        let special: Vec<_> = ["[UNK]", "[SEP]", "[CLS]", "[PAD]", "[MASK]"]
            .iter()
            .filter(|token| inner.token_to_id(token).is_some())
            .map(|token| AddedToken::from(*token, true))
            .collect();
        inner.add_special_tokens(&special);
        Self::new(inner)
    }

    fn new(mut inner: tokenizers::Tokenizer) -> Result<Self, Fault> {
        let direction = inner.get_truncation().map(|truncation| truncation.direction);
        inner.with_truncation(None).map_err(failed)?;
        inner.with_padding(None);
        Ok(Self {
            bare: Frame::of(&inner, false)?,
            special: Frame::of(&inner, true)?,
            bare_pair: PairFrame::of(&inner, false),
            special_pair: PairFrame::of(&inner, true),
            keeps_end: direction == Some(TruncationDirection::Left),
            bert: Bert::new(&inner),
            inner,
        })
    }

    /// `scratch` lends its memory.
    pub fn encode<'a>(
        &'a self,
        request: &Request,
        scratch: &'a mut Vec<u32>,
    ) -> Result<Encoded<'a>, Fault> {
        let frame = if request.add_special_tokens { &self.special } else { &self.bare };
        let room = match request.length_max {
            0 => usize::MAX,
            length => length.checked_sub(frame.len()).ok_or(Fault::NoRoom(frame.len()))?,
        };
        scratch.clear();
        self.append_ids(request, if self.keeps_end { usize::MAX } else { room }, scratch)?;
        let truncated = scratch.len() > room;
        Ok(Encoded { body: self.keep(scratch, room), frame, truncated })
    }

    /// Two texts as one input. What is too long loses tokens from the longer text first, and from both alike once they
    /// are equal: the crate's `LongestFirst`.
    pub fn encode_pair(&self, request: &Request, second: &str) -> Result<EncodedPair, Fault> {
        let frame = if request.add_special_tokens { &self.special_pair } else { &self.bare_pair };
        let frame = frame.as_ref().ok_or_else(|| {
            Fault::Failed("its post-processor does not put one text behind the other".into())
        })?;
        let room = match request.length_max {
            0 => usize::MAX,
            length => length.checked_sub(frame.len()).ok_or(Fault::NoRoom(frame.len()))?,
        };
        let mut first_ids = Vec::new();
        self.append_ids(request, usize::MAX, &mut first_ids)?;
        // A text that alone fills the room is the longer one wherever the other does not.
        let whole = self.keeps_end || first_ids.len() > room;
        let mut second_ids = Vec::new();
        let second = Request { text: second, ..*request };
        self.append_ids(&second, if whole { usize::MAX } else { room }, &mut second_ids)?;
        let (first, second) = share(room, first_ids.len(), second_ids.len());
        let truncated = first < first_ids.len() || second < second_ids.len();
        let placed =
            frame.placed(self.keep(&first_ids, first), self.keep(&second_ids, second));
        Ok(EncodedPair { placed, truncated })
    }

    fn keep<'a>(&self, ids: &'a [u32], room: usize) -> &'a [u32] {
        match (ids.len() > room, self.keeps_end) {
            (false, _) => ids,
            (true, false) => &ids[..room],
            (true, true) => &ids[ids.len() - room..],
        }
    }

    fn append_ids(
        &self,
        request: &Request,
        wanted: usize,
        ids: &mut Vec<u32>,
    ) -> Result<(), Fault> {
        if let (Some(bert), false) = (&self.bert, request.reference) {
            if bert.encode(request.text, wanted, ids).is_ok() {
                return Ok(());
            }
            ids.clear();
        }
        if request.text.len() > request.whole_bytes_max {
            return Err(Fault::TooLong);
        }
        let encoding = self.inner.encode_fast(request.text, false).map_err(failed)?;
        ids.extend_from_slice(encoding.get_ids());
        Ok(())
    }

    pub fn decode(&self, ids: &[u32], skip_special_tokens: bool) -> Result<String, Fault> {
        self.inner.decode(ids, skip_special_tokens).map_err(failed)
    }

    pub fn vocabulary_size(&self) -> usize {
        self.inner.get_vocab_size(true)
    }

    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }
}

/// How many tokens of each of two texts stay, as in the crate's `truncate_encodings`.
fn share(room: usize, first: usize, second: usize) -> (usize, usize) {
    if first.saturating_add(second) <= room {
        return (first, second);
    }
    let shorter = first.min(second);
    let (short, long) = match shorter <= room / 2 {
        true => (shorter, room - shorter),
        false => (room / 2, room - room / 2),
    };
    if first > second { (long, short) } else { (short, long) }
}
