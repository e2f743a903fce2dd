// SPDX-License-Identifier: Apache-2.0
//! What a template does with what it is given, found out by rendering small conversations.

use crate::conversation::{Capabilities, Conversation, Form};

const SYSTEM: &str = r#"{"role": "system", "content": "<System Needle>"}"#;
const USER: &str = r#"{"role": "user", "content": "<User Needle>"}"#;
const CALLS: &str = r#"{"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function",
    "function": {"name": "tool_needle", "arguments": "{\"argument_needle\": \"value\"}"}}]}"#;
const TOOL: &str =
    r#"{"role": "tool", "tool_call_id": "call00001", "name": "tool_needle", "content": "result"}"#;
const TOOLS: &str = r#"[{"type": "function", "function": {"name": "tool_needle", "description": "Tells.",
    "parameters": {"type": "object", "properties": {"argument_needle": {"type": "string", "description": "What."}},
    "required": ["argument_needle"]}}}]"#;

/// `render`: what the template makes of a conversation in a form; none where it refuses.
pub struct Probe<Render> {
    render: Render,
    form: Form,
}

impl<Render: Fn(&Conversation, Form) -> Option<String>> Probe<Render> {
    pub fn new(render: Render) -> Self {
        Self { render, form: Form::default() }
    }

    /// The form that the template wants.
    pub fn form(&mut self) -> Form {
        self.form.parts = !self.writes(&[USER], "<User Needle>");
        if self.form.parts && !self.writes(&[USER], "<User Needle>") {
            self.form.parts = false;
        }
        let ways = [(false, false), (false, true), (true, false), (true, true)];
        for (text_arguments, no_empty_content) in ways {
            self.form = Form { text_arguments, no_empty_content, ..self.form };
            if self.writes_calls() {
                return self.form;
            }
        }
        self.form = Form { text_arguments: false, no_empty_content: false, ..self.form };
        self.form
    }

    /// What the template does in the form that was found.
    pub fn capabilities(&self) -> Capabilities {
        let thinks = |on: &str| self.text(&[USER], "", &format!(r#"{{"enable_thinking": {on}}}"#));
        Capabilities {
            tools: self.text(&[USER], TOOLS, "").is_some_and(|text| text.contains("tool_needle")),
            tool_calls: self.writes_calls(),
            system_role: self.writes(&[SYSTEM, USER], "<System Needle>"),
            thinking: thinks("true") != thinks("false"),
        }
    }

    fn text(&self, messages: &[&str], tools: &str, arguments: &str) -> Option<String> {
        let conversation = Conversation {
            messages: &format!("[{}]", messages.join(",")),
            tools,
            arguments,
            now: 0,
            add_generation_prompt: true,
            continue_last: false,
        };
        (self.render)(&conversation, self.form)
    }

    fn writes(&self, messages: &[&str], needle: &str) -> bool {
        self.text(messages, "", "").is_some_and(|text| text.contains(needle))
    }

    fn writes_calls(&self) -> bool {
        let Some(text) = self.text(&[USER, CALLS, TOOL], TOOLS, "") else { return false };
        // The tools themselves name the same words.
        let tools = self.text(&[USER], TOOLS, "").unwrap_or_default();
        let more = |word| text.matches(word).count() > tools.matches(word).count();
        // An object written where text was wanted, and text that was quoted once more.
        let miswritten = more("{'argument_needle'") || more("{\\\"argument_needle");
        more("tool_needle") && more("argument_needle") && !miswritten
    }
}
