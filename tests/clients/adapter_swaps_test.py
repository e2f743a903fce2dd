# SPDX-License-Identifier: Apache-2.0
"""Adapters of a real model are swapped 200 times under load, and memory stays:
CORTEX_BINARY=… CORTEX_MODELS=… pytest tests/clients/adapter_swaps_test.py"""

import json
import os
import pathlib
import sys
import threading
import urllib.request

import openai
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from lora_gguf import write_lora  # noqa: E402
from server import Server  # noqa: E402

MODEL = "smollm2"
SHAPE = {"layers": 30, "width": 576}
SEEDS = {"a": 23, "b": 25}
WARM_UP, SWAPS, CLIENTS = 30, 200, 2
# One adapter has half a megabyte: 200 of them would be above a hundred.
GROWTH_KIB_MAX = 16 << 10
# Rounding may make some hundredths; base model and files are further apart.
EPSILON = 0.1


@pytest.fixture(scope="module")
def server(demo_models, tmp_path_factory):
    if not demo_models or not (pathlib.Path(demo_models) / "smollm2/1/model.gguf").exists():
        pytest.skip("without the demo language model")
    folder = tmp_path_factory.mktemp("adapters")
    for name, seed in SEEDS.items():
        write_lora(folder / f"{name}.gguf", seed=seed, **SHAPE)
    flags = ["--model-control-mode", "explicit", "--load-model", MODEL, "--data", tmp_path_factory.mktemp("data")]
    environment = {"LORA_ADAPTER_BASE_DIR": str(folder), "ASAN_OPTIONS": "quarantine_size_mb=1"}
    with Server(os.environ["CORTEX_BINARY"], demo_models, *flags, environment=environment) as running:
        running.wait_until_ready()
        yield running


def call(server, method, path, body=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}", method=method, data=None if body is None else json.dumps(body).encode()
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def register(server, name):
    body = {"name": "muse", "base_model": MODEL, "path": f"{name}.gguf", "rank": 4, "alpha": 4}
    call(server, "POST", "/api/v1/lora/register", body)


def client_of(server):
    return openai.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key="none", max_retries=0, timeout=120)


def first_logprob(client, model):
    answer = client.completions.create(model=model, prompt="My name is", max_tokens=1, temperature=0, logprobs=0)
    return answer.choices[0].logprobs.token_logprobs[0]


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class Load:
    """Clients that ask for the base model and the adapter in turn until they are told to stop."""

    def __init__(self, server, known):
        self.known, self.stop, self.faults, self.answers = known, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, args=(server,)) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, server):
        try:
            with client_of(server) as client:
                while not self.stop.is_set():
                    for model, logprobs in self.known.items():
                        self.ask(client, model, logprobs)
        except Exception as error:  # noqa: BLE001: whatever it is, the test fails with it
            self.faults.append(repr(error))

    def ask(self, client, model, logprobs):
        said = first_logprob(client, model)
        self.answers += 1
        if all(abs(said - logprob) > EPSILON for logprob in logprobs):
            self.faults.append(f"{model} said {said}, not one of {logprobs}")

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def test_swaps_under_load_fail_nobody_and_leave_nothing(server):
    with client_of(server) as client:
        base = first_logprob(client, MODEL)
        logprobs = []
        for name in "ab":
            register(server, name)
            logprobs.append(first_logprob(client, "muse"))
        a, b = logprobs
        assert min(abs(base - a), abs(base - b), abs(a - b)) > 2 * EPSILON, (base, a, b)

        load, before = Load(server, {MODEL: [base], "muse": logprobs}), 0
        try:
            for swap in range(WARM_UP + SWAPS):
                if swap == WARM_UP:
                    before = resident_kib(server.process)
                register(server, "ab"[swap % 2])
                assert first_logprob(client, "muse") == pytest.approx(logprobs[swap % 2], abs=EPSILON), f"swap {swap}"
            grown = resident_kib(server.process) - before
        finally:
            load.end()
        assert not load.faults, load.faults[:5]
        assert load.answers > SWAPS / 2, "there was no load"
        assert call(server, "GET", "/api/v1/lora/memory")["loaded_adapters"] == 1
        assert first_logprob(client, MODEL) == pytest.approx(base, abs=EPSILON)
        print(f"{SWAPS} swaps, {load.answers} answers, {grown} KiB grown")
        assert grown <= GROWTH_KIB_MAX, grown
