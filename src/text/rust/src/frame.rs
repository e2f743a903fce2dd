// SPDX-License-Identifier: Apache-2.0
//! What a post-processor puts around a text, or around and between two, asked once at load.

use crate::interface::{failed, Fault};
use ahash::AHashMap;
use tokenizers::Encoding;

/// A token id and its type id.
pub type Placed = (u32, u32);

#[derive(PartialEq)]
pub struct Frame {
    pub before: Vec<Placed>,
    pub after: Vec<Placed>,
    /// The type id of the text's own tokens.
    pub text_type: u32,
}

// Stand-ins for the text; no vocabulary reaches so far.
const PROBE: [u32; 2] = [u32::MAX - 1, u32::MAX];

impl Frame {
    pub fn of(tokenizer: &tokenizers::Tokenizer, special: bool) -> Result<Self, Fault> {
        let one = place(tokenizer, &PROBE[..1], None, special)?;
        let two = place(tokenizer, &PROBE, None, special)?;
        let none = place(tokenizer, &[], None, special)?;
        Self::around(&one, 1)
            .filter(|frame| Self::around(&two, 2).as_ref() == Some(frame))
            .filter(|frame| none == [&frame.before[..], &frame.after[..]].concat())
            .ok_or_else(|| {
                Fault::Failed("its post-processor does more than add tokens around the text".into())
            })
    }

    pub fn len(&self) -> usize {
        self.before.len() + self.after.len()
    }

    fn around(placed: &[Placed], length: usize) -> Option<Self> {
        let begin = placed.iter().position(|(id, _)| *id == PROBE[0])?;
        let text = placed.get(begin..begin + length)?;
        let text_type = text[0].1;
        let whole = text.iter().zip(PROBE).all(|(token, id)| *token == (id, text_type));
        whole.then(|| Self {
            before: placed[..begin].to_vec(),
            after: placed[begin + length..].to_vec(),
            text_type,
        })
    }
}

#[derive(PartialEq)]
pub struct PairFrame {
    pub before: Vec<Placed>,
    pub between: Vec<Placed>,
    pub after: Vec<Placed>,
    pub first_type: u32,
    pub second_type: u32,
}

impl PairFrame {
    /// None: it places two texts in another way than one behind the other.
    pub fn of(tokenizer: &tokenizers::Tokenizer, special: bool) -> Option<Self> {
        let [first, second] = [&PROBE[..1], &PROBE[1..]];
        let one = place(tokenizer, first, Some(second), special).ok()?;
        let frame = Self::around(&one)?;
        let two = place(tokenizer, &[first, first].concat(), Some(&[second, second].concat()), special);
        let expected = frame.placed(&[first, first].concat(), &[second, second].concat());
        (two.ok()? == expected).then_some(frame)
    }

    pub fn len(&self) -> usize {
        self.before.len() + self.between.len() + self.after.len()
    }

    /// Both texts in their places.
    pub fn placed(&self, first: &[u32], second: &[u32]) -> Vec<Placed> {
        let mut out = Vec::with_capacity(self.len() + first.len() + second.len());
        out.extend_from_slice(&self.before);
        out.extend(first.iter().map(|id| (*id, self.first_type)));
        out.extend_from_slice(&self.between);
        out.extend(second.iter().map(|id| (*id, self.second_type)));
        out.extend_from_slice(&self.after);
        out
    }

    fn around(placed: &[Placed]) -> Option<Self> {
        let first = placed.iter().position(|(id, _)| *id == PROBE[0])?;
        let second = placed.iter().position(|(id, _)| *id == PROBE[1])?;
        (first < second).then(|| Self {
            before: placed[..first].to_vec(),
            between: placed[first + 1..second].to_vec(),
            after: placed[second + 1..].to_vec(),
            first_type: placed[first].1,
            second_type: placed[second].1,
        })
    }
}

fn place(
    tokenizer: &tokenizers::Tokenizer,
    ids: &[u32],
    pair: Option<&[u32]>,
    special: bool,
) -> Result<Vec<Placed>, Fault> {
    // As the crate: a second text has the type 1 until a post-processor says otherwise.
    let pair = pair.map(|ids| bare(ids, 1));
    let placed = tokenizer.post_process(bare(ids, 0), pair, special).map_err(failed)?;
    let types = placed.get_type_ids().iter().copied();
    Ok(placed.get_ids().iter().copied().zip(types).collect())
}

fn bare(ids: &[u32], type_id: u32) -> Encoding {
    let n = ids.len();
    Encoding::new(
        ids.to_vec(),
        vec![type_id; n],
        vec!["x".to_owned(); n],
        vec![None; n],
        (0..n).map(|i| (i, i + 1)).collect(),
        vec![0; n],
        vec![1; n],
        Vec::new(),
        AHashMap::new(),
    )
}
