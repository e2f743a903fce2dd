# SPDX-License-Identifier: Apache-2.0
"""Unmodified cohere clients, and a small cross-encoder in ONNX against the packages that would run it."""

import json
import math
import urllib.error
import urllib.request

import cohere
import numpy
import onnx
import pytest
import tokenizers
from conftest import WORDS
from onnx import TensorProto, helper, numpy_helper
from tokenizers import models, pre_tokenizers, processors

QUERY = "hello world"
DOCUMENTS = ["the cat, the cats.", "hello", "", "world world world hello the cat", "unseen words, hello"]
LENGTH = 9


def pair_tokenizer():
    tokenizer = tokenizers.Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    return tokenizer


def score_table():
    """What a token adds to the score, as part of the first and of the second text."""
    return numpy.random.default_rng(7).normal(size=(2 * len(WORDS), 1)).astype(numpy.float32)


def cross_encoder():
    """logits [batch, 1]: the sum over the tokens that are not masked of a table's row for token and type."""
    ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
           for name in ("input_ids", "attention_mask", "token_type_ids")]
    nodes = [
        helper.make_node("Mul", ["token_type_ids", "words"], ["offset"]),
        helper.make_node("Add", ["input_ids", "offset"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["values"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["wide"]),
        helper.make_node("Mul", ["values", "wide"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "one"], ["logits"], keepdims=0),
    ]
    constants = [
        numpy_helper.from_array(numpy.array(len(WORDS), numpy.int64), "words"),
        numpy_helper.from_array(numpy.array([2], numpy.int64), "last"),
        numpy_helper.from_array(numpy.array([1], numpy.int64), "one"),
        numpy_helper.from_array(score_table(), "table"),
    ]
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])
    graph = helper.make_graph(nodes, "cross_encoder", ids, [logits], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def ranker(start, tmp_path_factory):
    """A server with the model in a folder that names no pooling: what comes out says it."""
    folder = tmp_path_factory.mktemp("rankers")
    (folder / "cross" / "1").mkdir(parents=True)
    onnx.save(cross_encoder(), folder / "cross" / "1" / "model.onnx")
    pair_tokenizer().save(str(folder / "cross" / "tokenizer.json"))
    (folder / "cross" / "model.yaml").write_text(f"context_length: {LENGTH}\n")
    with start("--model-repository", str(folder)) as running:
        yield running


def expected_scores():
    tokenizer = pair_tokenizer()
    tokenizer.enable_truncation(LENGTH)
    table = score_table()[:, 0]
    scores, tokens = [], 0
    for document in DOCUMENTS:
        encoding = tokenizer.encode(QUERY, document)
        tokens += len(encoding.ids)
        logit = sum(float(table[i + kind * len(WORDS)]) for i, kind in zip(encoding.ids, encoding.type_ids))
        scores.append(1 / (1 + math.exp(-logit)))
    return scores, tokens


def post(server, path, body):
    request = urllib.request.Request(f"http://127.0.0.1:{server.port}{path}", json.dumps(body).encode())
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_the_first_version_of_the_client(ranker):
    client = cohere.Client(base_url=f"http://127.0.0.1:{ranker.port}", api_key="none")
    answer = client.rerank(model="cross", query=QUERY, documents=DOCUMENTS, return_documents=True)
    scores, _ = expected_scores()
    assert [item.index for item in answer.results] == sorted(range(len(scores)), key=lambda i: -scores[i])
    for item in answer.results:
        assert math.isclose(item.relevance_score, scores[item.index], rel_tol=1e-5)
        assert item.document.text == DOCUMENTS[item.index]


def test_the_second_version_of_the_client(ranker):
    client = cohere.ClientV2(base_url=f"http://127.0.0.1:{ranker.port}", api_key="none")
    answer = client.rerank(model="cross", query=QUERY, documents=DOCUMENTS, top_n=2)
    scores, _ = expected_scores()
    assert [item.index for item in answer.results] == sorted(range(len(scores)), key=lambda i: -scores[i])[:2]
    with pytest.raises(cohere.BadRequestError):
        client.rerank(model="cross", query="", documents=DOCUMENTS)
    with pytest.raises(cohere.NotFoundError):
        client.rerank(model="nobody", query=QUERY, documents=DOCUMENTS)


def test_counts_the_tokens_that_ran_and_refuses_to_embed(ranker):
    body = {"model": "cross", "query": QUERY, "documents": DOCUMENTS}
    assert post(ranker, "/v1/rerank", body)["usage"]["total_tokens"] == expected_scores()[1]
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(ranker, "/v1/embeddings", {"model": "cross", "input": "hello"})
    assert refused.value.code == 400


def test_pairs_in_a_batch_score_as_they_do_alone(ranker):
    documents = [" ".join(WORDS[5 + (i + j) % 7] for j in range(i % 9)) for i in range(200)]
    together = post(ranker, "/v1/rerank", {"model": "cross", "query": QUERY, "documents": documents})["results"]
    for item in together[::20]:
        alone = post(ranker, "/v1/rerank", {"model": "cross", "query": QUERY, "documents": [documents[item["index"]]]})
        assert math.isclose(alone["results"][0]["relevance_score"], item["relevance_score"], abs_tol=1e-6)


def test_the_demo_model_ranks_by_meaning(server, demo_models):
    if not demo_models:
        pytest.skip("the demo model is not there")
    documents = ["The train is late.", "A kitten rests on the sofa.", "Interest rates went up."]
    answer = post(server, "/v1/rerank", {"model": "minilm", "query": "Which animal sleeps?", "documents": documents})
    assert answer["results"][0]["index"] == 1
    assert answer["results"][0]["document"]["text"] == documents[1]
