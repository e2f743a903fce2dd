# SPDX-License-Identifier: Apache-2.0
"""A GGUF file as a model of texts, for unmodified clients: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/gguf_texts_test.py"""

import os
import pathlib
import sys

import numpy
import ollama
import openai
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from server import Server  # noqa: E402

MODEL = "sentences"
WIDTH = 576
# Neighbours change the last digits of what the engine computes, see docs/language-models.md.
EPSILON = 1e-4
TEXTS = [
    "A cat sleeps on the warm roof.",
    "A kitten naps on the sunny roof.",
    "The central bank raised its interest rate by a quarter of a point.",
    "cat",
    " ".join(["Rain falls on old stone bridges while the river rises."] * 8),
]


@pytest.fixture(scope="module")
def server(demo_models, tmp_path_factory):
    file = pathlib.Path(demo_models or "") / "smollm2/1/model.gguf"
    if not demo_models or not file.exists():
        pytest.skip("without the demo language model")
    models = tmp_path_factory.mktemp("models")
    (models / MODEL / "1").mkdir(parents=True)
    (models / MODEL / "1/model.gguf").symlink_to(file)
    (models / MODEL / "model.yaml").write_text("backend: llama\npooling: mean\ncontext_length: 128\n")
    with Server(os.environ["CORTEX_BINARY"], models, "--data", tmp_path_factory.mktemp("data")) as running:
        running.wait_until_ready()
        yield running


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def alone(client):
    """The vector of each text, asked for by itself."""
    return [embed(client, text)[0] for text in TEXTS]


def embed(client, given):
    data = client.embeddings.create(model=MODEL, input=given).data
    assert [item.index for item in data] == list(range(len(data)))
    return [numpy.array(item.embedding) for item in data]


def furthest(left, right):
    return max(numpy.abs(one - other).max() for one, other in zip(left, right, strict=True))


def test_vectors_have_the_models_width_and_length_one(alone):
    assert {vector.shape for vector in alone} == {(WIDTH,)}
    assert [numpy.linalg.norm(vector) for vector in alone] == pytest.approx([1] * len(TEXTS), abs=1e-5)


def test_equal_texts_have_equal_vectors_and_others_do_not(client, alone):
    assert furthest([embed(client, text)[0] for text in TEXTS], alone) < 1e-6
    for i, one in enumerate(alone):
        for other in alone[:i]:
            assert numpy.abs(one - other).max() > 10 * EPSILON


def test_sentences_that_mean_the_same_are_near(alone):
    cat, kitten, bank = alone[:3]
    assert cat @ kitten > cat @ bank


def test_a_list_is_as_each_of_it_alone(client, alone):
    assert furthest(embed(client, TEXTS), alone) < EPSILON
    assert furthest(embed(client, TEXTS[::-1]), alone[::-1]) < EPSILON


def test_tokens_are_counted(client):
    one, two = (client.embeddings.create(model=MODEL, input=given).usage for given in (TEXTS[:1], TEXTS[:2]))
    assert 0 < one.prompt_tokens < two.prompt_tokens == two.total_tokens


def test_a_text_beyond_the_context_is_cut(client):
    usage = client.embeddings.create(model=MODEL, input=" ".join(TEXTS * 2)).usage
    assert usage.prompt_tokens == 128


def test_ollamas_client_gets_the_same(server, alone):
    client = ollama.Client(host=f"http://127.0.0.1:{server.port}", timeout=120)
    answer = client.embed(model=MODEL, input=TEXTS)
    assert furthest([numpy.array(vector) for vector in answer.embeddings], alone) < EPSILON
    (single,) = client.embed(model=f"{MODEL}:latest", input=TEXTS[0]).embeddings
    assert furthest([numpy.array(single)], alone[:1]) < 1e-6
    assert answer.prompt_eval_count > 0


def test_it_does_not_chat(client, server):
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hello."}])
    there = ollama.Client(host=f"http://127.0.0.1:{server.port}")
    assert [model.model for model in there.list().models] == [MODEL + ":latest"]
    assert there.show(MODEL).capabilities == ["embedding"]
