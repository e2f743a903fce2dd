# SPDX-License-Identifier: Apache-2.0
"""Unmodified ollama against a real language model: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/ollama_test.py"""

import json
import pathlib

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


def test_log_probabilities(client):
    asked = {"model": MODEL, "options": OPTIONS, "logprobs": True, "top_logprobs": 3}
    whole = client.chat(messages=CITY, **asked)
    assert "".join(token.token for token in whole.logprobs).startswith(whole.message.content)
    for token in whole.logprobs:
        assert len(token.top_logprobs) == 3 and token.logprob <= 0
        assert token.logprob == max(other.logprob for other in token.top_logprobs)  # of temperature 0
    parts = list(client.chat(messages=CITY, stream=True, **asked))
    streamed = [token for part in parts for token in part.logprobs or []]
    assert [token.token for token in streamed] == [token.token for token in whole.logprobs]
    generated = client.generate(prompt="The capital of France is", raw=True, model=MODEL, options=OPTIONS, logprobs=True)
    assert generated.logprobs and not generated.logprobs[0].top_logprobs
    assert client.generate(prompt="a", raw=True, model=MODEL, options=OPTIONS, top_logprobs=3).logprobs is None
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model=MODEL, messages=CITY, logprobs=True, top_logprobs=21)
    assert caught.value.status_code == 400 and "top_logprobs" in caught.value.error


def test_answers_that_follow_a_schema(client):
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 0, "maximum": 150}}, "required": ["age"], "additionalProperties": False}
    answer = client.chat(model=MODEL, messages=CITY, format=schema, options={"num_predict": 60})
    assert 0 <= json.loads(answer.message.content)["age"] <= 150


def test_models(client):
    listed = {model.model: model for model in client.list().models}
    language, texts = listed[f"{MODEL}:latest"], listed["text:latest"]
    assert language.size > 50_000_000 and len(language.digest) == 64 and language.modified_at.year > 2000
    assert language.details.format == "gguf" and language.details.family == "llama"
    assert language.details.parameter_size == "134.52M" and language.details.quantization_level == "Q4_1"
    assert texts.size > 0 and len(texts.digest) == 64 and texts.digest != language.digest
    assert "sum:latest" not in listed
    running = {model.name: model for model in client.ps().models}
    assert running[f"{MODEL}:latest"].size > 50_000_000 and "text:latest" in running
    shown = client.show(MODEL)
    assert shown.capabilities == ["completion", "tools"] and "<|im_start|>" in shown.template
    assert shown.modelinfo["general.architecture"] == "llama"
    assert shown.modelinfo["llama.context_length"] == 4096 and shown.modelinfo["llama.embedding_length"] == 576
    assert client.show("text").capabilities == ["embedding"]
    assert client.generate(model=MODEL).done_reason == "load"


def test_a_gguf_model_of_texts(smollm2, start, demo_models, tmp_path):
    (tmp_path / "sentences/1").mkdir(parents=True)
    (tmp_path / "sentences/1/model.gguf").symlink_to(pathlib.Path(demo_models) / "smollm2/1/model.gguf")
    (tmp_path / "sentences/model.yaml").write_text("backend: llama\npooling: mean\ncontext_length: 128\n")
    with start("--model-repository", tmp_path, "--model-control-mode", "explicit", "--load-model", "sentences") as server:
        client = ollama.Client(host=f"http://127.0.0.1:{server.port}", timeout=120)
        (listed,), (running,) = client.list().models, client.ps().models
        shown = client.show("sentences")
        assert len(client.embed(model="sentences", input="a cat").embeddings[0]) == 576
    assert listed.model == running.model == "sentences:latest"
    assert listed.details.format == "gguf" and listed.details.quantization_level == "Q4_1" and len(listed.digest) == 64
    assert shown.capabilities == ["embedding"] and not shown.template
    assert shown.modelinfo["llama.context_length"] == 128


def test_embeddings(client):
    answer = client.embed(model="text", input=["hello", "the cats"])
    assert [len(vector) for vector in answer.embeddings] == [4, 4]


def test_errors(client):
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model="nobody", messages=CITY)
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as caught:
        client.show("sum")
    assert caught.value.status_code == 404
    with pytest.raises(ollama.ResponseError) as caught:
        client.chat(model=MODEL, messages=CITY, options={"temperature": 3})
    assert caught.value.status_code == 400 and "temperature" in caught.value.error
