# SPDX-License-Identifier: Apache-2.0
"""Unmodified openai: CORTEX_BINARY=… pytest tests/clients"""

import json
import math
import urllib.request

import openai
import pytest


def client_of(server, key="none"):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=key, max_retries=0, timeout=60)


@pytest.fixture(scope="module")
def client(server):
    with client_of(server) as client:
        yield client


def embed(client, given, **options):
    return client.embeddings.create(model=options.pop("model", "text"), input=given, **options)


def assert_close(left, right):
    assert len(left) == len(right)
    assert all(math.isclose(a, b, abs_tol=1e-6) for a, b in zip(left, right))


def test_a_text(client):
    answer = embed(client, "hello world")
    assert answer.object == "list"
    assert answer.model == "text"
    assert [item.index for item in answer.data] == [0]
    vector = answer.data[0].embedding
    assert len(vector) == 4
    assert math.isclose(math.fsum(v * v for v in vector), 1, rel_tol=1e-5)
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 4


def test_lists_keep_their_order(client):
    texts = ["hello", "the cats", "world . world", "hello"]
    together = embed(client, texts).data
    assert [item.index for item in together] == [0, 1, 2, 3]
    for text, item in zip(texts, together):
        assert_close(item.embedding, embed(client, text).data[0].embedding)


def test_tokens_are_taken_as_texts_are(client):
    by_text = embed(client, "hello world").data[0].embedding
    assert_close(embed(client, [2, 5, 6, 3]).data[0].embedding, by_text)
    both = embed(client, [[2, 5, 6, 3], [2, 5, 3]]).data
    assert_close(both[0].embedding, by_text)
    assert_close(both[1].embedding, embed(client, "hello").data[0].embedding)


def test_base64_and_float_agree(client):
    # Without a format the client asks for base64 and decodes it.
    assert_close(
        embed(client, "the cat").data[0].embedding, embed(client, "the cat", encoding_format="float").data[0].embedding
    )
    assert isinstance(embed(client, "the cat", encoding_format="base64").data[0].embedding, str)


def test_dimensions_are_the_models_own(client):
    assert len(embed(client, "cat", dimensions=4).data[0].embedding) == 4
    with pytest.raises(openai.BadRequestError):
        embed(client, "cat", dimensions=3)


def test_models(client):
    models = {model.id: model for model in client.models.list()}
    assert models["text"].object == "model"
    assert client.models.retrieve("text").id == "text"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("nobody")


@pytest.mark.parametrize("given", ["", [], [""], ["a", ""], [[]], [-1], ["a"] * 2049])
def test_inputs_that_are_none(client, given):
    with pytest.raises(openai.BadRequestError) as caught:
        embed(client, given)
    assert caught.value.type == "invalid_request_error"
    assert "input" in caught.value.message


def test_an_unknown_model(client):
    with pytest.raises(openai.NotFoundError) as caught:
        embed(client, "hello", model="nobody")
    assert caught.value.code == "model_not_found"
    assert "nobody" in caught.value.message


def test_a_model_that_takes_no_text(client):
    with pytest.raises(openai.BadRequestError) as caught:
        embed(client, "hello", model="identity_fp32")
    assert "identity_fp32" in caught.value.message


def test_keys(start):
    with start(environment={"CORTEX_API_KEYS": "first,second"}) as locked:
        with client_of(locked, "wrong") as stranger, pytest.raises(openai.AuthenticationError) as caught:
            embed(stranger, "hello")
        assert caught.value.code == "invalid_api_key"
        with client_of(locked, "second") as friend:
            assert len(embed(friend, "hello").data) == 1


def test_the_description_names_every_route_that_these_tests_use(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/openapi.json", timeout=60) as answer:
        paths = json.load(answer)["paths"]
    assert {"/v1/embeddings", "/v1/models", "/v1/models/{model}", "/v2/models/{model}/infer"} <= paths.keys()


def test_sentences_that_mean_the_same_are_near(client, demo_models):
    if not demo_models:
        pytest.skip("without the demo model")
    texts = ["A cat sits on the mat.", "A kitten rests on a rug.", "Interest rates rose again in March."]
    cat, kitten, rates = (item.embedding for item in embed(client, texts, model="minilm").data)
    assert len(cat) == 384

    def near(left, right):
        return math.fsum(a * b for a, b in zip(left, right))

    assert near(cat, kitten) > 0.5 > 0.3 > near(cat, rates)
