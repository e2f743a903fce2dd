#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Whose turn it is under load, from outside: weights, classes and priorities of keys, and callers who wait no longer.

    shares_test.py --binary build/asan/cortex
"""

import argparse
import contextlib
import hashlib
import http.client
import json
import pathlib
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

BINARY = None
KEYS = {
    "heavy": {"weight": 3},
    "light": {},
    "high": {"class": "high"},
    "low": {"class": "low"},
}
# Two places in one model, eight in the other; a token of each sequence takes ten milliseconds.
MODELS = {"narrow": 2, "wide": 8}
STEP_US = 10_000
LOAD_S = 8
WAITING = "vllm:num_requests_waiting"
TIMEOUT = "x-envoy-expected-rq-timeout-ms"


def write_models(folder):
    for name, places in MODELS.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "1" / "sequences.synthetic").write_text(f"reply: hash\nstep_us: {STEP_US}\n")
        (folder / name / "model.yaml").write_text(
            f"backend: synthetic_sequences\ngeneration: {{sequences_max: {places}}}\n"
        )


def last(names, name):
    return len(names) - 1 - names[::-1].index(name)


def key_entry(name, more):
    return {"name": name, "scopes": ["read", "infer"], "sha256": hashlib.sha256(name.encode()).hexdigest(), **more}


class Shares(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        write_models(folder / "models")
        (folder / "keys.json").write_text(json.dumps([key_entry(*item) for item in KEYS.items()]))
        cls.server = Server(BINARY, folder / "models", "--keys-file", folder / "keys.json")
        deadline = time.monotonic() + 60
        while cls.get("/health/ready")[0] != 200:
            assert time.monotonic() < deadline, cls.server.output()

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.folder.cleanup()
        assert code == 0, cls.server.output()

    @classmethod
    def ask(cls, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", cls.server.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    @classmethod
    def get(cls, path):
        return cls.ask("GET", path, None, {"x-api-key": "high"})

    @classmethod
    def send(cls, key, path, body, headers=None):
        return cls.ask("POST", path, json.dumps(body), {"x-api-key": key, **(headers or {})})

    def complete(self, key, model, tokens, **more):
        body = {"model": model, "prompt": f"{key} asks", "max_tokens": tokens, "ignore_eos": True, **more}
        status, text = self.send(key, "/v1/completions", body)
        self.assertEqual(status, 200, text)
        return json.loads(text)["usage"]["completion_tokens"]

    def note(self, key, ended, name=None, **more):
        self.complete(key, "narrow", 40, **more)
        ended.append(name or key)

    @contextlib.contextmanager
    def held_places(self):
        """Both places of the narrow model are taken by streams; they are left at the end."""
        body = json.dumps({"model": "narrow", "prompt": "a", "max_tokens": 900, "ignore_eos": True, "stream": True})
        with contextlib.ExitStack() as held:
            for _ in range(MODELS["narrow"]):
                connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=60)
                held.callback(connection.close)
                connection.request("POST", "/v1/completions", body, {"x-api-key": "light"})
                answer = connection.getresponse()
                held.callback(answer.close)
                self.assertEqual(answer.status, 200)
            yield

    def start(self, count, run):
        threads = [threading.Thread(target=run) for _ in range(count)]
        for thread in threads:
            thread.start()
        return threads

    def wait_for(self, metric, model, count):
        """Returns once a gauge of the model says so many."""
        end = time.monotonic() + 30
        while time.monotonic() < end:
            _, text = self.get("/metrics")
            lines = [line for line in text.splitlines() if line.startswith(f'{metric}{{model_name="{model}"')]
            if lines and float(lines[0].split()[-1]) >= count:
                return
        self.fail(f"{metric} never came to {count}")

    def test_two_keys_that_always_ask_get_tokens_by_their_weights(self):
        tokens = {"heavy": 0, "light": 0}
        lock = threading.Lock()
        end = time.monotonic() + LOAD_S

        def ask(key):
            while time.monotonic() < end:
                count = self.complete(key, "wide", 20)
                with lock:
                    tokens[key] += count

        threads = self.start(12, lambda: ask("heavy")) + self.start(12, lambda: ask("light"))
        for thread in threads:
            thread.join()
        self.assertGreater(tokens["light"], 200, "the load was one")
        self.assertAlmostEqual(tokens["heavy"] / tokens["light"], 3, delta=0.9, msg=tokens)

    def test_a_higher_class_overtakes_whoever_waits(self):
        ended = []
        with self.held_places():
            low = self.start(8, lambda: self.note("low", ended))
            self.wait_for(WAITING, "narrow", 8)
            high = self.start(12, lambda: self.note("high", ended))
            self.wait_for(WAITING, "narrow", 20)
        for thread in low + high:
            thread.join()
        self.assertEqual(len(ended), 20)
        self.assertLessEqual(ended[: last(ended, "high")].count("low"), 1, ended)

    def test_a_request_that_steps_back_lets_others_of_its_key_go_first(self):
        ended = []
        with self.held_places():
            back = self.start(4, lambda: self.note("light", ended, "back", priority=1))
            self.wait_for(WAITING, "narrow", 4)
            front = self.start(2, lambda: self.note("light", ended, "front"))
            self.wait_for(WAITING, "narrow", 6)
        for thread in back + front:
            thread.join()
        self.assertEqual(len(ended), 6)
        self.assertLessEqual(ended[: last(ended, "front")].count("back"), 1, ended)

    def test_who_waits_no_longer_is_told_so(self):
        chat = {"model": "narrow", "messages": [{"role": "user", "content": "a"}], "max_tokens": 5}
        response = {"model": "narrow", "input": "a", "store": False}
        with self.held_places():
            status, text = self.send("light", "/v1/chat/completions", chat, {TIMEOUT: "200"})
            self.assertEqual(status, 504, text)
            self.assertEqual(json.loads(text)["error"]["code"], "deadline_exceeded")
            for path, body in (
                ("/v1/chat/completions", {**chat, "stream": True}),
                ("/v1/messages", chat),
                ("/api/chat", {**chat, "stream": False}),
                ("/v1/responses", response),
            ):
                self.assertEqual(self.send("light", path, body, {TIMEOUT: "50"})[0], 504, path)

    def test_an_answer_that_is_late_ends_with_the_error(self):
        body = {"model": "wide", "prompt": "a", "max_tokens": 400, "ignore_eos": True, "stream": True}
        status, text = self.send("high", "/v1/completions", body, {TIMEOUT: "700"})
        self.assertEqual(status, 200)
        events = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
        self.assertGreater(len(events), 2, text)
        self.assertEqual(json.loads(events[-1])["error"]["code"], "deadline_exceeded")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    BINARY = arguments.binary
    unittest.main(argv=[sys.argv[0], *rest])
