// SPDX-License-Identifier: Apache-2.0
//! What a chat template is given, and what is known of it.

/// What the template does with what it is given.
#[derive(Clone, Copy, Default)]
pub struct Capabilities {
    pub tools: bool,
    pub tool_calls: bool,
    pub system_role: bool,
    pub thinking: bool,
}

/// How the template wants messages, where templates differ.
#[derive(Clone, Copy, Default)]
pub struct Form {
    /// Arguments of calls are JSON text, as in OpenAI's API, not objects.
    pub text_arguments: bool,
    /// A message that is nothing but calls has no content, not an empty one.
    pub no_empty_content: bool,
    /// Content is a list of parts.
    pub parts: bool,
}

pub struct Conversation<'a> {
    pub messages: &'a str,
    pub tools: &'a str,
    pub arguments: &'a str,
    pub now: i64,
    pub add_generation_prompt: bool,
    pub continue_last: bool,
}
