// SPDX-License-Identifier: Apache-2.0
//! What a template does with what it is given, found out by rendering small conversations.

use crate::chat_template::{Capabilities, ChatTemplate, Conversation, Form};

const SYSTEM: &str = r#"{"role": "system", "content": "<System Needle>"}"#;
const USER: &str = r#"{"role": "user", "content": "<User Needle>"}"#;
const CALLS: &str = r#"{"role": "assistant", "content": "", "tool_calls": [{"id": "call00001", "type": "function",
    "function": {"name": "tool_needle", "arguments": "{\"argument_needle\": \"value\"}"}}]}"#;
const TOOL: &str =
    r#"{"role": "tool", "tool_call_id": "call00001", "name": "tool_needle", "content": "result"}"#;
const TOOLS: &str = r#"[{"type": "function", "function": {"name": "tool_needle", "description": "Tells.",
    "parameters": {"type": "object", "properties": {"argument_needle": {"type": "string", "description": "What."}},
    "required": ["argument_needle"]}}}]"#;

struct Probe<'a> {
    template: &'a ChatTemplate,
    form: Form,
}

impl Probe<'_> {
    fn text(&self, messages: &[&str], tools: &str, arguments: &str) -> Option<String> {
        let conversation = Conversation {
            messages: &format!("[{}]", messages.join(",")),
            tools,
            arguments,
            now: 0,
            add_generation_prompt: true,
            continue_last: false,
        };
        self.template.render_in(&conversation, self.form).ok()
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

pub fn form(template: &ChatTemplate) -> Form {
    let mut probe = Probe { template, form: Form::default() };
    probe.form.parts = !probe.writes(&[USER], "<User Needle>");
    if probe.form.parts && !probe.writes(&[USER], "<User Needle>") {
        probe.form.parts = false;
    }
    let ways = [(false, false), (false, true), (true, false), (true, true)];
    for (text_arguments, no_empty_content) in ways {
        probe.form = Form { text_arguments, no_empty_content, ..probe.form };
        if probe.writes_calls() {
            return probe.form;
        }
    }
    Form { text_arguments: false, no_empty_content: false, ..probe.form }
}

pub fn capabilities(template: &ChatTemplate, form: Form) -> Capabilities {
    let probe = Probe { template, form };
    let thinks = |on: &str| probe.text(&[USER], "", &format!(r#"{{"enable_thinking": {on}}}"#));
    Capabilities {
        tools: probe.text(&[USER], TOOLS, "").is_some_and(|text| text.contains("tool_needle")),
        tool_calls: probe.writes_calls(),
        system_role: probe.writes(&[SYSTEM, USER], "<System Needle>"),
        thinking: thinks("true") != thinks("false"),
    }
}
