// SPDX-License-Identifier: Apache-2.0
//! The C interface of chat templates. Its contract is src/text/detail/cortex_chat.h.

use crate::chat_template::ChatTemplate;
use crate::conversation::Conversation;
use crate::interface::{boxed, guarded, prepare_process, Bytes, CText, Outcome};

#[repr(C)]
pub struct CCapabilities {
    tools: bool,
    tool_calls: bool,
    system_role: bool,
    thinking: bool,
}

#[repr(C)]
pub struct CConversation {
    messages: Bytes,
    tools: Bytes,
    arguments: Bytes,
    now: i64,
    add_generation_prompt: bool,
    continue_last: bool,
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_template_compile(
    jinja: Bytes,
    begin: Bytes,
    end: Bytes,
    capabilities: &mut CCapabilities,
    outcome: &mut Outcome,
) -> *mut ChatTemplate {
    prepare_process();
    let made =
        guarded(outcome, || ChatTemplate::compile(jinja.text()?, begin.text()?, end.text()?));
    if let Some(template) = &made {
        let found = template.capabilities();
        *capabilities = CCapabilities {
            tools: found.tools,
            tool_calls: found.tool_calls,
            system_role: found.system_role,
            thinking: found.thinking,
        };
    }
    boxed(made)
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_template_free(template: *mut ChatTemplate) {
    if !template.is_null() {
        drop(Box::from_raw(template));
    }
}

#[no_mangle]
pub unsafe extern "C" fn cortex_text_template_render(
    template: &ChatTemplate,
    conversation: &CConversation,
    text: &CText,
    outcome: &mut Outcome,
) {
    guarded(outcome, || {
        let rendered = template.render(&Conversation {
            messages: conversation.messages.text()?,
            tools: conversation.tools.text()?,
            arguments: conversation.arguments.text()?,
            now: conversation.now,
            add_generation_prompt: conversation.add_generation_prompt,
            continue_last: conversation.continue_last,
        })?;
        text.write(&rendered);
        Ok(())
    });
}
