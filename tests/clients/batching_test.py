# SPDX-License-Identifier: Apache-2.0
"""On the real engine: neighbours and padding change no answer."""

import concurrent.futures
import urllib.request

import numpy
import openai
import pytest

# Float32 sums in another order: MiniLM's unit vectors move by less than 1e-6; ten times that is still no other answer.
EPSILON = 1e-5
WORDS = "the quick brown fox jumps over a lazy dog while rain falls on old stone bridges".split()


def text_of(number):
    """Texts of 2 to 121 words."""
    return " ".join(WORDS[(number * 7 + i) % len(WORDS)] for i in range(2 + number * 7 % 120))


def counter(server, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name) and 'model="minilm"' in line)


def test_the_engine_leaves_nothing_in_the_users_folders(start, demo_models, tmp_path):
    """Telemetry of its library would keep a database there."""
    if not demo_models:
        pytest.skip("the demo model is not there")
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    with start("--model-repository", demo_models, environment=home) as running:
        client = openai.OpenAI(base_url=f"http://127.0.0.1:{running.port}/v1", api_key="none", max_retries=0)
        client.embeddings.create(model="minilm", input="one")
    assert list(tmp_path.rglob("*")) == []


def test_alone_equals_batched_equals_padded(server, demo_models):
    if not demo_models:
        pytest.skip("the demo model is not there")
    client = openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0)

    def embed(text):
        return numpy.array(client.embeddings.create(model="minilm", input=text).data[0].embedding)

    texts = [text_of(i) for i in range(32)]
    alone = [embed(text) for text in texts]
    before = counter(server, "nv_inference_exec_count"), counter(server, "nv_inference_count")
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        together = list(pool.map(embed, texts * 2))
    listed = client.embeddings.create(model="minilm", input=texts).data
    runs = counter(server, "nv_inference_exec_count") - before[0]
    rows = counter(server, "nv_inference_count") - before[1]
    assert runs < 3 * len(texts), f"nothing was batched: {runs} runs, {rows} rows"
    for i, expected in enumerate(alone):
        for other in (together[i], together[i + len(texts)], numpy.array(listed[i].embedding)):
            assert numpy.abs(other - expected).max() < EPSILON
