# SPDX-License-Identifier: Apache-2.0
"""Unmodified clients with adapters over a real model: CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/adapters_test.py"""

import itertools
import json
import os
import pathlib
import sys
import urllib.error
import urllib.request

import anthropic
import ollama
import openai
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from lora_gguf import write_lora  # noqa: E402
from server import Server  # noqa: E402

MODEL = "smollm2"
SHAPE = {"layers": 30, "width": 576}
CHAT = [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters")
    for seed, name in enumerate(("poet", "clerk", "cook"), 1):
        write_lora(folder / f"{name}.gguf", seed=seed, **SHAPE)
    write_lora(folder / "narrow.gguf", layers=30, width=64)
    (folder / "none.gguf").write_bytes(b"GGUF and nothing else")
    return folder


@pytest.fixture(scope="module")
def server(folder, demo_models, tmp_path_factory):
    if not demo_models or not (pathlib.Path(demo_models) / "smollm2/1/model.gguf").exists():
        pytest.skip("without the demo language model")
    flags = ["--model-control-mode", "explicit", "--load-model", MODEL, "--data", tmp_path_factory.mktemp("data")]
    environment = {"LORA_ADAPTER_BASE_DIR": str(folder), "MAX_LORA_ADAPTERS": "2"}
    with Server(os.environ["CORTEX_BINARY"], demo_models, *flags, environment=environment) as running:
        running.wait_until_ready()
        yield running


def call(server, method, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def register(server, name, **more):
    body = {"name": name, "base_model": MODEL, "path": f"{name}.gguf", "rank": 4, "alpha": 4} | more
    status, text = call(server, "POST", "/api/v1/lora/register", body)
    assert status == 200, text
    return json.loads(text)


@pytest.fixture(scope="module")
def client(server):
    for name in ("poet", "clerk", "cook"):
        register(server, name)
    with openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0, timeout=120) as client:
        yield client


def say(client, model, **options):
    answer = client.chat.completions.create(model=model, messages=CHAT, temperature=0, max_tokens=16, **options)
    assert answer.model == model
    return answer.choices[0].message.content


def first_logprob(client, model):
    answer = client.chat.completions.create(model=model, messages=CHAT, temperature=0, max_tokens=1, logprobs=True)
    return answer.choices[0].logprobs.content[0].logprob


def test_the_base_model_says_what_it_said_before_whatever_adapters_did(client):
    before = say(client, MODEL)
    names = (MODEL, f"{MODEL}+poet", "clerk")
    logprobs = [first_logprob(client, name) for name in names]
    assert all(abs(one - other) > 0.3 for one, other in itertools.combinations(logprobs, 2)), logprobs
    assert say(client, MODEL) == before
    # Of a prompt that is known one row runs, not many: another sum, which a rounding may make some hundredths.
    assert [first_logprob(client, name) for name in names] == pytest.approx(logprobs, abs=0.1)


def test_the_own_name_and_the_reference_are_one_and_scale_counts(client):
    assert say(client, "poet") == say(client, f"{MODEL}+poet") == say(client, f"{MODEL}+poet@1")
    assert say(client, f"{MODEL}+poet@0") == say(client, MODEL)
    assert say(client, f"{MODEL}+poet@-1") != say(client, "poet")


def test_the_one_used_least_recently_gives_way(client, server):
    for name in ("poet", "clerk", "cook"):
        say(client, name)
    status = {name: json.loads(call(server, "GET", f"/api/v1/lora/status/{name}")[1])["status"] for name in ("poet", "clerk", "cook")}
    assert status == {"poet": "registered", "clerk": "loaded", "cook": "loaded"}
    memory = json.loads(call(server, "GET", "/api/v1/lora/memory")[1])
    assert memory["loaded_adapters"] == memory["max_adapters"] == 2 and memory["available_slots"] == 0
    assert memory["total_memory_bytes"] > 2 * 30 * 2 * 4 * 576 * 4


def test_adapters_stand_among_the_models(client):
    models = {model.id: model for model in client.models.list()}
    assert models[MODEL].parent is None
    assert models["poet"].parent == MODEL
    assert models["poet"].root == "poet.gguf"
    assert client.models.retrieve("poet").parent == MODEL


def test_one_that_is_not_there_is_not_found_in_each_client(client, server):
    with pytest.raises(openai.NotFoundError) as refused:
        say(client, f"{MODEL}+nobody")
    assert refused.value.code == "model_not_found"
    url = f"http://127.0.0.1:{server.port}"
    with pytest.raises(anthropic.NotFoundError):
        anthropic.Anthropic(base_url=url, api_key="none", max_retries=0).messages.create(
            model=f"{MODEL}+nobody", max_tokens=4, messages=CHAT
        )
    with pytest.raises(ollama.ResponseError) as missing:
        ollama.Client(host=url).chat(model=f"{MODEL}+nobody", messages=CHAT)
    assert missing.value.status_code == 404


def test_the_other_clients_reach_adapters_too(client, server):
    url = f"http://127.0.0.1:{server.port}"
    message = anthropic.Anthropic(base_url=url, api_key="none", max_retries=0).messages.create(
        model="poet", max_tokens=8, messages=CHAT, extra_body={"temperature": 0}
    )
    assert message.model == "poet" and message.usage.output_tokens > 0
    answer = ollama.Client(host=url).chat(model="poet", messages=CHAT, options={"temperature": 0, "repeat_penalty": 1, "num_predict": 8})
    assert answer.model == "poet" and answer.message.content == message.content[0].text


def test_a_file_that_does_not_fit_says_why(client, server):
    for name in ("narrow", "none"):
        register(server, name)
        status, text = call(server, "POST", f"/api/v1/lora/load/{name}")
        assert status == 400 and f"{name}.gguf" in json.loads(text)["error"]["message"], text
        assert call(server, "DELETE", f"/api/v1/lora/unregister/{name}")[0] == 200
    assert say(client, MODEL)


def test_vllms_calls_swap_a_file_in_place(client, server, folder):
    write_lora(folder / "muse.gguf", seed=11, **SHAPE)
    body = {"lora_name": "muse", "lora_path": "muse.gguf"}
    assert call(server, "POST", "/v1/load_lora_adapter", body) == (200, "Success: LoRA adapter 'muse' added successfully.")
    before = first_logprob(client, "muse")
    write_lora(folder / "muse2.gguf", seed=12, **SHAPE)
    status, _ = call(server, "POST", "/v1/load_lora_adapter", body | {"lora_path": "muse2.gguf", "load_inplace": True})
    assert status == 200
    assert abs(first_logprob(client, "muse") - before) > 0.002
    assert call(server, "POST", "/v1/unload_lora_adapter", {"lora_name": "muse"})[0] == 200
    with pytest.raises(openai.NotFoundError):
        say(client, "muse")


def test_metrics_name_the_adapters(client, server):
    for name in ("poet", "clerk"):
        say(client, name)
    text = call(server, "GET", "/metrics")[1]
    assert 'vllm:lora_requests_info{max_lora="2"' in text
    assert f'cortex_adapters_loaded{{model="{MODEL}"}} 2' in text
    assert 'cortex_adapter_uses_total{model="smollm2",adapter="poet"}' in text
