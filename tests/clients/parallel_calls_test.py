# SPDX-License-Identifier: Apache-2.0
"""Several calls of tools in one answer, for unmodified clients: CORTEX_BINARY=… pytest tests/clients/parallel_calls_test.py"""

import json
import os
import pathlib
import sys
import urllib.request

import anthropic
import ollama
import openai
import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from server import Server  # noqa: E402

# Says the last message once more.
AGENT = "agent"
THOUGHT = "<think>\nBoth.\n</think>\n"
CITIES = ("Oslo", "Lima")
EMPTY = {"type": "object", "properties": {}, "additionalProperties": False}
CITY = {"type": "object", "properties": {"city": {"enum": list(CITIES)}}, "required": ["city"], "additionalProperties": False}
SCHEMAS = {"get_weather": CITY, "get_time": EMPTY}
OPENAI_TOOLS = [{"type": "function", "function": {"name": name, "parameters": schema}} for name, schema in SCHEMAS.items()]
ANTHROPIC_TOOLS = [{"name": name, "input_schema": schema} for name, schema in SCHEMAS.items()]
CALLS = [("get_weather", {"city": "Oslo"}), ("get_time", {}), ("get_weather", {"city": "Lima"})]


def written(calls):
    """Calls as models of this family write them."""
    objects = [json.dumps({"name": name, "arguments": arguments}) for name, arguments in calls]
    return "\n".join(f"<tool_call>\n{text}\n</tool_call>" for text in objects)


ASKED = [{"role": "user", "content": THOUGHT + written(CALLS)}]


@pytest.fixture(scope="module")
def agent():
    """A server whose model calls what it is told to call."""
    flags = ["--model-control-mode", "explicit", "--load-model", AGENT]
    with Server(os.environ["CORTEX_BINARY"], HERE.parent / "wire/models", *flags) as running:
        yield running


def openai_of(server):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0, timeout=120)


def said(message):
    return [(call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls]


@pytest.mark.parametrize("choice", ["auto", "required"])
def test_openais_client_gets_all_of_them(agent, choice):
    messages = [{"role": "user", "content": written(CALLS)}]
    answer = openai_of(agent).chat.completions.create(
        model=AGENT, messages=messages, tools=OPENAI_TOOLS, tool_choice=choice, max_tokens=400
    )
    (choice,) = answer.choices
    assert choice.finish_reason == "tool_calls" and not choice.message.content
    assert said(choice.message) == CALLS
    assert len({call.id for call in choice.message.tool_calls}) == len(CALLS)


def test_openais_client_gets_all_of_them_in_a_stream(agent):
    with openai_of(agent).chat.completions.stream(model=AGENT, messages=ASKED, tools=OPENAI_TOOLS, max_tokens=400) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        (choice,) = stream.get_final_completion().choices
    assert [event.index for event in done] == [0, 1, 2]
    assert [(event.name, json.loads(event.arguments)) for event in done] == CALLS
    assert choice.finish_reason == "tool_calls" and choice.message.reasoning_content == "Both."
    assert said(choice.message) == CALLS


def test_openais_client_gets_one_where_it_wants_no_more(agent):
    for choice in ("auto", "required"):
        answer = openai_of(agent).chat.completions.create(
            model=AGENT, messages=[{"role": "user", "content": written(CALLS)}], tools=OPENAI_TOOLS, tool_choice=choice,
            parallel_tool_calls=False, max_tokens=400,
        )  # fmt: skip
        assert said(answer.choices[0].message) == CALLS[:1], choice


def test_the_results_go_back_by_their_ids(agent):
    client = openai_of(agent)
    message = client.chat.completions.create(model=AGENT, messages=ASKED, tools=OPENAI_TOOLS, max_tokens=400).choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": f"result {i}"} for i, call in enumerate(message.tool_calls)]
    answer = client.chat.completions.create(model=AGENT, messages=[*ASKED, message, *results], tools=OPENAI_TOOLS, max_tokens=400)
    assert "result 2" in answer.choices[0].message.content


def test_anthropics_client_gets_all_of_them(agent):
    client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{agent.port}", api_key="none", max_retries=0)
    asked = {"model": AGENT, "max_tokens": 400, "messages": ASKED, "tools": ANTHROPIC_TOOLS}
    whole = client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    for message in (whole, streamed):
        assert message.stop_reason == "tool_use"
        thought, *calls = message.content
        assert thought.type == "thinking" and thought.thinking == "Both."
        assert [(call.name, call.input) for call in calls] == CALLS


def test_ollamas_client_gets_all_of_them(agent):
    client = ollama.Client(host=f"http://127.0.0.1:{agent.port}")
    options = {"temperature": 0, "repeat_penalty": 1}
    whole = client.chat(model=AGENT, messages=ASKED, tools=OPENAI_TOOLS, options=options).message
    parts = [part.message for part in client.chat(model=AGENT, messages=ASKED, tools=OPENAI_TOOLS, options=options, stream=True)]
    streamed = [call for part in parts for call in part.tool_calls or []]
    assert whole.thinking == "".join(part.thinking or "" for part in parts) == "Both."
    for calls in (whole.tool_calls, streamed):
        assert [(call.function.name, call.function.arguments) for call in calls] == CALLS


def test_a_real_model_that_must_call_and_may_not_end_calls_again(smollm2):
    # Without a token that ends the answer nothing but another call may follow a call.
    ends = {str(token): -100 for token in end_tokens(smollm2)}
    answer = openai_of(smollm2).chat.completions.create(
        model="smollm2", messages=[{"role": "user", "content": "What is the weather in Oslo and in Lima?"}], tools=OPENAI_TOOLS,
        tool_choice="required", logit_bias=ends, max_tokens=120, temperature=0,
    )  # fmt: skip
    (choice,) = answer.choices
    whole = choice.message.tool_calls
    if choice.finish_reason == "length":
        whole = whole[:-1]  # it was cut
    assert len(whole) >= 2
    for call in whole:
        arguments = json.loads(call.function.arguments)
        assert arguments.keys() == ({"city"} if call.function.name == "get_weather" else set())
        assert arguments.get("city", "Oslo") in CITIES


def end_tokens(server):
    """<|im_end|> and <|endoftext|> as the model has them."""
    body = json.dumps({"model": "smollm2", "content": "<|im_end|><|endoftext|>"}).encode()
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/tokenize", body, timeout=120) as answer:
        tokens = json.loads(answer.read())["tokens"]
    assert len(tokens) == 2, tokens
    return tokens
