# SPDX-License-Identifier: Apache-2.0
"""Unmodified ollama against a real language model: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/ollama_test.py"""

import json

import ollama
import pytest

MODEL = "smollm2"
CITY = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]
OPTIONS = {"temperature": 0, "num_predict": 24, "repeat_penalty": 1.0}


@pytest.fixture(scope="module")
def client(smollm2):
    return ollama.Client(host=f"http://127.0.0.1:{smollm2.port}", timeout=120)


def test_a_chat_whole_and_streamed(client):
    whole = client.chat(model=MODEL, messages=CITY, options=OPTIONS)
    assert whole.done and whole.done_reason in ("stop", "length")
    assert "Paris" in whole.message.content
    assert whole.prompt_eval_count > 10 and whole.eval_count > 0
    assert whole.total_duration >= whole.prompt_eval_duration > 0
    parts = list(client.chat(model=f"{MODEL}:latest", messages=CITY, options=OPTIONS, stream=True))
    assert "".join(part.message.content for part in parts) == whole.message.content
    assert parts[-1].done and not any(part.done for part in parts[:-1])


def test_a_generation(client):
    answer = client.generate(model=MODEL, prompt="What is the capital of France?", system="You are brief.", options=OPTIONS)
    assert answer.response and answer.done
    raw = client.generate(model=MODEL, prompt="The capital of France is", raw=True, options=OPTIONS)
    assert raw.response and raw.prompt_eval_count < answer.prompt_eval_count


def test_answers_that_follow_a_schema(client):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["age"], "additionalProperties": False}
    answer = client.chat(model=MODEL, messages=CITY, format=schema, options={"num_predict": 60})
    assert 0 <= json.loads(answer.message.content)["age"] <= 150


def test_models(client):
    assert f"{MODEL}:latest" in [model.model for model in client.list().models]
    assert f"{MODEL}:latest" in [model.name for model in client.ps().models]
    assert "completion" in client.show(MODEL).capabilities
    assert client.generate(model=MODEL).done_reason == "load"


def test_embeddings(client):
    answer = client.embed(model="text", input=["hello", "the cats"])
    assert [len(vector) for vector in answer.embeddings] == [4, 4]


def test_errors(client):
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model="nobody", messages=CITY)
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model=MODEL, messages=CITY, options={"temperature": 3})
    assert caught.value.status_code == 400 and "temperature" in caught.value.error
