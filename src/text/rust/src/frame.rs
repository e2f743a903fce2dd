// SPDX-License-Identifier: Apache-2.0
//! What a post-processor puts around a text, asked once at load.

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
        let one = place(tokenizer, &PROBE[..1], special)?;
        let two = place(tokenizer, &PROBE, special)?;
        let none = place(tokenizer, &[], special)?;
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

fn place(
    tokenizer: &tokenizers::Tokenizer,
    ids: &[u32],
    special: bool,
) -> Result<Vec<Placed>, Fault> {
    let n = ids.len();
    let text = Encoding::new(
        ids.to_vec(),
        vec![0; n],
        vec!["x".to_owned(); n],
        vec![None; n],
        (0..n).map(|i| (i, i + 1)).collect(),
        vec![0; n],
        vec![1; n],
        Vec::new(),
        AHashMap::new(),
    );
    let placed = tokenizer.post_process(text, None, special).map_err(failed)?;
    let types = placed.get_type_ids().iter().copied();
    Ok(placed.get_ids().iter().copied().zip(types).collect())
}
