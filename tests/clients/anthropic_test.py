# SPDX-License-Identifier: Apache-2.0
"""Unmodified anthropic against a real language model: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/anthropic_test.py"""

import anthropic
import pytest

MODEL = "smollm2"
CITY = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
WEATHER = {
    "name": "get_weather",
    "description": "The weather of a city",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@pytest.fixture(scope="module")
def client(smollm2):
    with anthropic.Anthropic(base_url=f"http://127.0.0.1:{smollm2.port}", api_key="none", max_retries=0, timeout=120) as client:
        yield client


# The package names no samplers any more; they go in beside its own fields.
GREEDY = {"temperature": 0}


def ask(client, messages=CITY, **options):
    return client.messages.create(**({"model": MODEL, "max_tokens": 24, "messages": messages, "extra_body": GREEDY} | options))


def test_a_message(client):
    answer = ask(client, system="You are brief.")
    assert answer.type == "message" and answer.role == "assistant" and answer.model == MODEL
    assert answer.id.startswith("msg_")
    assert "Paris" in answer.content[0].text
    assert answer.stop_reason in ("end_turn", "max_tokens")
    assert answer.usage.input_tokens + answer.usage.cache_read_input_tokens > 10
    assert answer.usage.output_tokens > 0


def test_a_stream_says_what_the_whole_says(client):
    whole = ask(client)
    with client.messages.stream(model=MODEL, max_tokens=24, messages=CITY, extra_body=GREEDY) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    assert text == whole.content[0].text == final.content[0].text
    assert final.stop_reason == whole.stop_reason
    assert final.usage.output_tokens == whole.usage.output_tokens


def test_tokens_of_a_stream_count_once_whoever_counts_them(client):
    counted = client.messages.count_tokens(model=MODEL, messages=CITY).input_tokens
    for _ in range(2):  # the second time the prompt comes from the cache
        with client.messages.stream(model=MODEL, max_tokens=4, messages=CITY, extra_body=GREEDY) as stream:
            usages = [event.message.usage if event.type == "message_start" else event.usage for event in stream if event.type in ("message_start", "message_delta")]
            final = stream.get_final_message().usage
        assert final.input_tokens + final.cache_read_input_tokens == counted
        assert sum(usage.input_tokens + usage.cache_read_input_tokens for usage in usages) == counted
        assert sum(usage.output_tokens for usage in usages) == final.output_tokens == 4


def test_stop_sequences_and_the_bound_of_tokens(client):
    stopped = ask(client, stop_sequences=["Paris"])
    assert stopped.stop_reason == "stop_sequence" and stopped.stop_sequence == "Paris"
    assert ask(client, max_tokens=2).stop_reason == "max_tokens"


def test_a_call_that_is_asked_for_is_made(client):
    messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
    for choice in ({"type": "any", "disable_parallel_tool_use": True}, {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}):
        answer = ask(client, messages, tools=[WEATHER], tool_choice=choice, max_tokens=80)
        (call,) = [block for block in answer.content if block.type == "tool_use"]
        assert call.name == "get_weather" and call.input.keys() == {"city"}
        assert answer.stop_reason == "tool_use"
    result = {"type": "tool_result", "tool_use_id": call.id, "content": "It rains."}
    messages += [{"role": "assistant", "content": answer.content}, {"role": "user", "content": [result]}]
    assert ask(client, messages, tools=[WEATHER]).stop_reason


def test_errors(client):
    with pytest.raises(anthropic.NotFoundError):
        ask(client, model="nobody")
    with pytest.raises(anthropic.BadRequestError) as caught:
        ask(client, extra_body={"temperature": 1.5})
    assert caught.value.body["error"]["type"] == "invalid_request_error"
    assert "temperature" in caught.value.body["error"]["message"]
    assert caught.value.request_id


def test_requests_have_ids(client):
    answer = ask(client, max_tokens=1, extra_headers={"x-request-id": "mine"})
    assert answer._request_id == "mine" and "mine" not in answer.id
    assert ask(client, max_tokens=1)._request_id
    with pytest.raises(anthropic.NotFoundError) as caught:
        ask(client, model="nobody", extra_headers={"x-request-id": "mine"})
    assert caught.value.request_id == "mine"


def test_tokens_are_counted_before_they_are_sent(client):
    counted = client.messages.count_tokens(model=MODEL, system="You are brief.", messages=CITY)
    usage = ask(client, system="You are brief.", max_tokens=1).usage
    assert counted.input_tokens == usage.input_tokens + usage.cache_read_input_tokens
    more = client.messages.count_tokens(model=MODEL, system="You are brief.", messages=CITY, tools=[WEATHER])
    assert more.input_tokens >= counted.input_tokens
