# SPDX-License-Identifier: Apache-2.0
"""Unmodified openai's responses against a real language model: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/responses_test.py"""

import json
import urllib.request

import openai
import pytest

MODEL = "smollm2"
QUESTION = "What is the capital of France? Answer in one sentence."
WEATHER = {
    "type": "function",
    "name": "get_weather",
    "description": "The weather of a city",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 20}, "age": {"type": "integer", "minimum": 0, "maximum": 150}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def client(smollm2):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{smollm2.port}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def respond(client, question=QUESTION, **options):
    options = {"model": MODEL, "temperature": 0, "max_output_tokens": 24} | options
    return client.responses.create(input=question, **options)


def test_a_response(client):
    answer = respond(client, instructions="You are brief.", metadata={"a": "b"})
    assert answer.object == "response" and answer.id.startswith("resp_")
    assert "Paris" in answer.output_text
    assert answer.status in ("completed", "incomplete")
    assert answer.metadata == {"a": "b"}
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens
    assert 0 <= answer.usage.input_tokens_details.cached_tokens <= answer.usage.input_tokens


def test_the_tokens_of_the_input_are_those_that_the_answer_counts(client):
    first = respond(client, instructions="You are brief.", tools=[WEATHER])
    asked = {"model": MODEL, "instructions": "You are brief.", "tools": [WEATHER]}
    counted = client.responses.input_tokens.count(input=QUESTION, **asked)
    assert counted.object == "response.input_tokens"
    assert counted.input_tokens == first.usage.input_tokens
    behind = client.responses.input_tokens.count(previous_response_id=first.id, **asked)
    assert behind.input_tokens > counted.input_tokens
    with pytest.raises(openai.NotFoundError):
        client.responses.compact(model=MODEL, input=QUESTION)


def test_a_stream_says_what_the_whole_says(client):
    events = list(respond(client, stream=True))
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert [event.type for event in events[:2]] == ["response.created", "response.in_progress"]
    assert events[-1].type in ("response.completed", "response.incomplete")
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    (done,) = [event for event in events if event.type == "response.output_text.done"]
    assert text == done.text == events[-1].response.output_text == respond(client).output_text


def test_the_package_gathers_a_stream(client):
    with client.responses.stream(model=MODEL, input=QUESTION, temperature=0, max_output_tokens=24) as stream:
        types = [event.type for event in stream]
        final = stream.get_final_response()
    assert "response.output_text.delta" in types
    assert "Paris" in final.output_text


def test_a_conversation_is_kept_by_the_server(client):
    first = respond(client, "My name is Annabel. Say hello.")
    second = respond(client, "What is my name?", previous_response_id=first.id)
    assert second.output_text
    assert second.previous_response_id == first.id
    assert second.usage.input_tokens > first.usage.input_tokens
    # The same conversation in one request comes to the same.
    whole = respond(
        client,
        [
            {"role": "user", "content": "My name is Annabel. Say hello."},
            *[item.model_dump() for item in first.output],
            {"role": "user", "content": "What is my name?"},
        ],
        store=False,
    )
    assert whole.output_text == second.output_text
    assert whole.usage.input_tokens == second.usage.input_tokens


def test_what_is_kept_is_found_listed_and_deleted(client):
    answer = respond(client)
    found = client.responses.retrieve(answer.id)
    assert found.output_text == answer.output_text and found.usage == answer.usage
    (item,) = client.responses.input_items.list(answer.id)
    assert item.content[0].text == QUESTION
    with pytest.raises(openai.BadRequestError):
        client.responses.cancel(answer.id)
    client.responses.delete(answer.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)
    with pytest.raises(openai.BadRequestError) as refused:
        respond(client, previous_response_id=answer.id)
    assert refused.value.code == "previous_response_not_found"


def test_what_shall_not_be_kept_is_not(client):
    answer = respond(client, store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_a_tool_is_called_and_answered(client):
    options = {"tools": [WEATHER], "max_output_tokens": 60, "parallel_tool_calls": False}
    first = respond(client, "What is the weather in Paris?", tool_choice="required", **options)
    (call,) = [item for item in first.output if item.type == "function_call"]
    assert call.name == "get_weather"
    assert set(json.loads(call.arguments)) == {"city"}
    second = respond(
        client,
        [{"type": "function_call_output", "call_id": call.call_id, "output": "Sunny, 20 degrees."}],
        previous_response_id=first.id,
        tool_choice="none",
        **options,
    )
    assert second.output_text
    events = list(respond(client, "What is the weather in Rome?", tool_choice="required", stream=True, **options))
    (done,) = [event for event in events if event.type == "response.function_call_arguments.done"]
    deltas = [event.delta for event in events if event.type == "response.function_call_arguments.delta"]
    assert "".join(deltas) == done.arguments


def test_a_schema_is_held(client):
    form = {"format": {"type": "json_schema", "name": "person", "schema": SCHEMA, "strict": True}}
    answer = respond(client, "Describe a person.", text=form, max_output_tokens=100)
    assert set(json.loads(answer.output_text)) == {"name", "age"}


def test_log_probabilities(client):
    answer = respond(client, include=["message.output_text.logprobs"], top_logprobs=2)
    logprobs = answer.output[0].content[0].logprobs
    assert logprobs and all(entry.logprob <= 0 and len(entry.top_logprobs) == 2 for entry in logprobs)


def test_what_is_not_served_is_named(client):
    for options, param in [({"background": True}, "background"), ({"tools": [{"type": "web_search"}]}, "tools[0].type")]:
        with pytest.raises(openai.BadRequestError) as refused:
            respond(client, **options)
        assert refused.value.param == param


def test_tokens_in_the_words_of_others(smollm2):
    def post(path, body):
        request = urllib.request.Request(f"http://127.0.0.1:{smollm2.port}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    told = post("/tokenize", {"model": MODEL, "prompt": "Hello wörld", "return_token_strs": True})
    assert told["count"] == len(told["tokens"]) == len(told["token_strs"])
    assert told["max_model_len"] > told["count"]
    assert post("/detokenize", {"model": MODEL, "tokens": told["tokens"]})["prompt"] == "Hello wörld"
    assert post("/tokenize", {"model": MODEL, "content": "Hello wörld"}) == {"tokens": told["tokens"]}
