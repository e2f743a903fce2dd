// SPDX-License-Identifier: Apache-2.0
//! The C interfaces of the rooms' crates; each crate's contract is the header in its room's detail/.

pub use cortex_s3;
pub use cortex_text;
