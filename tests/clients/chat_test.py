# SPDX-License-Identifier: Apache-2.0
"""Unmodified openai against a real language model: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/chat_test.py"""

import concurrent.futures
import json
import math
import time

import openai
import pytest

MODEL = "smollm2"
CITY = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather of a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 20}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


@pytest.fixture(scope="module")
def client(smollm2):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{smollm2.port}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def chat(client, messages=CITY, **options):
    options = {"model": MODEL, "temperature": 0, "max_tokens": 24} | options
    return client.chat.completions.create(messages=messages, **options)


def text_of(stream):
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


def test_a_chat(client):
    answer = chat(client)
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == MODEL
    assert abs(answer.created - time.time()) < 60
    (choice,) = answer.choices
    assert choice.message.role == "assistant"
    assert "Paris" in choice.message.content
    assert choice.finish_reason in ("stop", "length")
    usage = answer.usage
    assert usage.prompt_tokens > 10
    assert 1 <= usage.completion_tokens <= 24
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert 0 <= usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens


def test_a_stream_says_what_the_whole_says(client):
    chunks = list(chat(client, stream=True, stream_options={"include_usage": True}))
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert text_of(chunks) == chat(client).choices[0].message.content
    reasons = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices]
    assert reasons[-1] in ("stop", "length") and not any(reasons[:-1])
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens > 0
    assert not any(chunk.usage for chunk in chunks[:-1])


def test_a_stream_counts_as_it_goes(client):
    asked = {"include_usage": True, "continuous_usage_stats": True}
    chunks = list(chat(client, stream=True, stream_options=asked))
    written = [chunk.usage.completion_tokens for chunk in chunks]
    assert written == sorted(written) and written[-1] > 1
    assert {chunk.usage.prompt_tokens for chunk in chunks} == {chunks[-1].usage.prompt_tokens}


def test_the_connection_is_used_again_behind_a_stream(client):
    for _ in range(3):
        assert text_of(chat(client, stream=True, max_tokens=2))


def test_several_choices(client):
    answer = chat(client, n=3, temperature=1.5, seed=7, max_tokens=12)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert len({choice.message.content for choice in answer.choices}) > 1
    assert answer.usage.completion_tokens > 12
    streamed = {0: "", 1: "", 2: ""}
    for chunk in chat(client, n=3, temperature=1.5, seed=7, max_tokens=12, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.delta.content or ""
    assert all(streamed.values())


def test_a_seed_says_the_same_again(client):
    say = lambda seed: chat(client, temperature=1.5, seed=seed, max_tokens=12).choices[0].message.content  # noqa: E731
    assert say(11) == say(11)


def test_the_answer_ends_at_its_bound_and_at_stop_strings(client):
    assert chat(client, max_tokens=3).choices[0].finish_reason == "length"
    assert chat(client, max_completion_tokens=3).usage.completion_tokens == 3
    stopped = chat(client, stop=["Paris"]).choices[0]
    assert stopped.finish_reason == "stop"
    assert "Paris" not in stopped.message.content


def test_log_probabilities(client):
    answer = chat(client, logprobs=True, top_logprobs=3, max_tokens=5)
    content = answer.choices[0].logprobs.content
    assert len(content) == answer.usage.completion_tokens
    for token in content:
        assert token.logprob <= 0
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].logprob >= token.top_logprobs[2].logprob
        assert bytes(token.bytes).decode("utf-8", "replace") == token.token
    assert "".join(token.token for token in content) == answer.choices[0].message.content
    streamed = [
        token
        for chunk in chat(client, logprobs=True, top_logprobs=3, max_tokens=5, stream=True)
        if chunk.choices and chunk.choices[0].logprobs
        for token in chunk.choices[0].logprobs.content
    ]
    assert [token.token for token in streamed] == [token.token for token in content]


def test_a_bias_decides_for_a_token(client):
    answer = client.completions.create(
        model=MODEL, prompt=[[100]], echo=True, max_tokens=1, temperature=0, logit_bias={"100": 100}
    )
    text = answer.choices[0].text
    assert text and text == text[: len(text) // 2] * 2


def test_answers_that_follow_a_schema(client):
    asked = {"type": "json_schema", "json_schema": {"name": "person", "schema": SCHEMA, "strict": True}}
    messages = [{"role": "user", "content": "Make up a person."}]
    for temperature in (0, 1.5):
        answer = chat(client, messages, response_format=asked, max_tokens=80, temperature=temperature)
        person = json.loads(answer.choices[0].message.content)
        assert person.keys() == {"name", "age"}
        assert 0 <= person["age"] <= 150


def test_answers_that_are_json_a_choice_or_match_an_expression(client):
    choice = chat(client, extra_body={"guided_choice": ["red", "green"]}, temperature=1.5).choices[0].message.content
    assert choice in ("red", "green")
    number = chat(client, extra_body={"structured_outputs": {"regex": "[1-9][0-9]{2}"}}, temperature=1.5)
    assert 100 <= int(number.choices[0].message.content) <= 999


def test_a_call_that_is_asked_for_is_made(client):
    messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
    for choice in ("required", {"type": "function", "function": {"name": "get_weather"}}):
        answer = chat(client, messages, tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False, max_tokens=80)
        (call,) = answer.choices[0].message.tool_calls
        assert call.type == "function" and call.id
        assert call.function.name == "get_weather"
        assert json.loads(call.function.arguments).keys() == {"city"}
        assert answer.choices[0].finish_reason == "tool_calls"


def test_a_streamed_call_is_the_whole_call(client):
    messages = [{"role": "user", "content": "What is the weather in Oslo?"}]
    options = {"tools": [WEATHER], "tool_choice": "required", "parallel_tool_calls": False, "max_tokens": 80}
    whole = chat(client, messages, **options).choices[0].message.tool_calls[0].function
    name = arguments = ""
    for chunk in chat(client, messages, stream=True, **options):
        for call in (chunk.choices[0].delta.tool_calls or []) if chunk.choices else []:
            assert call.index == 0
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert (name, arguments) == (whole.name, whole.arguments)


def test_a_conversation_with_a_tools_answer(client):
    messages = [
        {"role": "system", "content": "You are brief."},
        {"role": "user", "content": [{"type": "text", "text": "What is the weather "}, {"type": "text", "text": "in Oslo?"}]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": '{"city": "Oslo"}'}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "It rains."},
    ]
    assert chat(client, messages, tools=[WEATHER]).choices[0].finish_reason


def test_a_completion(client):
    answer = client.completions.create(model=MODEL, prompt="The capital of France is", max_tokens=4, temperature=0)
    assert answer.object == "text_completion"
    assert "Paris" in answer.choices[0].text
    streamed = client.completions.create(
        model=MODEL, prompt="The capital of France is", max_tokens=4, temperature=0, stream=True
    )
    assert "".join(chunk.choices[0].text for chunk in streamed if chunk.choices) == answer.choices[0].text


def test_completions_of_several_prompts(client):
    answer = client.completions.create(
        model=MODEL, prompt=["One, two, three,", "Monday, Tuesday,"], n=2, max_tokens=3, temperature=0
    )
    texts = [choice.text for choice in sorted(answer.choices, key=lambda choice: choice.index)]
    assert len(texts) == 4
    assert texts[0] == texts[1] and texts[2] == texts[3] and texts[0] != texts[2]


def test_an_echo_with_log_probabilities(client):
    answer = client.completions.create(
        model=MODEL, prompt="The capital of France", max_tokens=1, temperature=0, echo=True, logprobs=1
    )
    choice = answer.choices[0]
    assert choice.text.startswith("The capital of France")
    logprobs = choice.logprobs
    assert len(logprobs.tokens) == len(logprobs.token_logprobs) == len(logprobs.top_logprobs) == len(logprobs.text_offset)
    assert logprobs.token_logprobs[0] is None
    assert all(value <= 0 and math.isfinite(value) for value in logprobs.token_logprobs[1:])


@pytest.mark.parametrize(
    "options, param",
    [
        ({"temperature": 3}, "temperature"),
        ({"n": 0}, "n"),
        ({"top_logprobs": 5}, "top_logprobs"),
        ({"extra_body": {"tempature": 1}}, "tempature"),
        ({"extra_body": {"guided_json": {}, "guided_regex": "a"}}, "guided_regex"),
        ({"store": True}, "store"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"verbosity": "low"}, "verbosity"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]}, "messages[0].content[0]"),
    ],
)
def test_wrong_fields_are_named(client, options, param):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, **options)
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


def test_hints_and_words_for_what_happens_anyway_are_taken(client):
    answer = chat(
        client, max_tokens=1, store=False, service_tier="auto", verbosity="medium", metadata={"a": "b"}, user="u",
        prompt_cache_key="k", prediction={"type": "content", "content": "Paris"},
    )  # fmt: skip
    assert answer.choices[0].finish_reason == "length"


def test_an_unknown_model_and_one_that_is_no_language_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        chat(client, model="nobody")
    assert caught.value.code == "model_not_found"
    with pytest.raises(openai.BadRequestError):
        chat(client, model="text")


def test_a_prompt_that_is_too_long(client):
    with pytest.raises(openai.BadRequestError) as caught:
        chat(client, [{"role": "user", "content": "word " * 9000}], stream=True)
    assert caught.value.code == "context_length_exceeded"


def test_a_stream_that_is_left_ends_at_once(client):
    stream = chat(client, stream=True, max_tokens=2000, extra_body={"ignore_eos": True})
    next(iter(stream))
    stream.close()
    began = time.monotonic()
    assert chat(client, max_tokens=1).choices
    assert time.monotonic() - began < 20


def test_clients_share_the_model(client):
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: text_of(chat(client, stream=True)), range(4)))
    assert len(set(answers)) == 1 and "Paris" in answers[0]
