#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Quotas of keys, from outside: every API's refusal, the headers, and what a minute's share becomes.

    quotas_test.py --binary build/asan/cortex
"""

import argparse
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
MODELS = HERE.parent / "wire" / "models"
WANTED = ("chat", "identity", "slow")
LIMITS = {
    "free": None,
    "two": {"requests_per_minute": 2},
    "words": {"tokens_per_minute": 100},
    "one": {"concurrent_requests": 1},
    "lifted": {"requests_per_minute": 0},
}
CHAT = {"model": "chat", "messages": [{"role": "user", "content": "abcdefgh"}], "max_tokens": 8}
TENSOR = {"inputs": [{"name": "INPUT0", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}


def key_entry(name, limits):
    entry = {"name": name, "scopes": ["read", "infer", "admin"], "sha256": hashlib.sha256(name.encode()).hexdigest()}
    return entry if limits is None else {**entry, "limits": limits}


class ServerCase(unittest.TestCase):
    """Each test has a server, and so full quotas."""

    FLAGS = {}

    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "models").mkdir()
        for name in WANTED:
            (folder / "models" / name).symlink_to(MODELS / name)
        (folder / "keys.json").write_text(json.dumps([key_entry(*item) for item in LIMITS.items()]))
        flags = ["--data", folder / "data", "--keys-file", folder / "keys.json"]
        self.server = self.enterContext(Server(BINARY, folder / "models", *flags, environment=self.FLAGS))

    def ask(self, key, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            text = None if body is None else json.dumps(body)
            connection.request(method, path, text, {"x-api-key": key, **(headers or {})})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read().decode()
        finally:
            connection.close()

    def spend(self, key):
        """Uses up both requests of the key 'two'."""
        for _ in range(2):
            status, _, text = self.ask(key, "POST", "/v1/chat/completions", CHAT)
            self.assertEqual(status, 200, text)

    def metrics(self):
        return self.ask("two", "GET", "/metrics")[2]

    def refusal(self, *request):
        status, headers, text = self.ask("two", *request)
        self.assertEqual(status, 429, text)
        self.assertIn(int(headers["retry-after"]), range(1, 31))
        self.assertEqual(headers["x-ratelimit-remaining-requests"], "0")
        return headers, json.loads(text)


class Quotas(ServerCase):
    def test_every_api_refuses_in_its_own_shape(self):
        self.spend("two")
        text = r"^Rate limit reached for 'two' on requests per min \(RPM\): Limit 2, Used 2, Requested 1\."
        _, chat = self.refusal("POST", "/v1/chat/completions", CHAT)
        self.assertRegex(chat["error"].pop("message"), text)
        self.assertEqual(chat, {"error": {"type": "requests", "param": None, "code": "rate_limit_exceeded"}})
        _, streamed = self.refusal("POST", "/v1/chat/completions", {**CHAT, "stream": True})
        self.assertEqual(streamed["error"]["code"], "rate_limit_exceeded")
        _, models = self.refusal("GET", "/v1/models")
        self.assertEqual(models["error"]["code"], "rate_limit_exceeded")
        headers, messages = self.refusal("POST", "/v1/messages", CHAT)
        self.assertEqual(messages["type"], "error")
        self.assertEqual(messages["error"]["type"], "rate_limit_error")
        self.assertRegex(messages["error"]["message"], text)
        self.assertEqual(headers["anthropic-ratelimit-requests-limit"], "2")
        self.assertEqual(headers["anthropic-ratelimit-requests-remaining"], "0")
        self.assertRegex(headers["anthropic-ratelimit-requests-reset"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        _, ollama = self.refusal("POST", "/api/chat", {"model": "chat", "messages": CHAT["messages"]})
        self.assertRegex(ollama["error"], text)
        _, oip = self.refusal("POST", "/v2/models/identity/infer", TENSOR)
        self.assertRegex(oip["error"], text)
        _, mlflow = self.refusal("POST", "/api/2.0/mlflow/experiments/create", {"name": "e"})
        self.assertEqual(mlflow["error_code"], "RESOURCE_EXHAUSTED")
        self.assertRegex(mlflow["message"], text)
        self.refusal("GET", "/api/v2/registry/models")
        # Who is refused can still see why.
        self.assertIn('cortex_quota_refusals_total{key="two",limit="requests_per_minute"} 8', self.metrics())
        self.assertEqual(self.ask("two", "GET", "/health")[0], 200)

    def test_answers_say_what_is_left(self):
        status, headers, _ = self.ask("two", "POST", "/v1/chat/completions", CHAT)
        self.assertEqual(status, 200)
        self.assertEqual(headers["x-ratelimit-limit-requests"], "2")
        self.assertEqual(headers["x-ratelimit-remaining-requests"], "1")
        self.assertRegex(headers["x-ratelimit-reset-requests"], r"^(30|29\.\d+)s$")
        self.assertNotIn("x-ratelimit-limit-tokens", headers)
        self.assertNotIn("anthropic-ratelimit-requests-limit", headers)
        status, headers, _ = self.ask("two", "POST", "/v1/chat/completions", {"model": "nobody", **CHAT, "x": 1})
        self.assertEqual(status, 400)
        self.assertEqual(headers["x-ratelimit-remaining-requests"], "1", "it never came to a model")
        for key in ("free", "lifted"):
            _, headers, _ = self.ask(key, "POST", "/v1/chat/completions", CHAT)
            self.assertFalse([name for name in headers if "ratelimit" in name])
        _, headers, _ = self.ask("wrong", "POST", "/v1/chat/completions", CHAT)
        self.assertFalse([name for name in headers if "ratelimit" in name])

    def test_tokens_are_reserved_and_settled(self):
        status, headers, text = self.ask("words", "POST", "/v1/chat/completions", {**CHAT, "max_tokens": 90})
        self.assertEqual(status, 200, text)
        usage = json.loads(text)["usage"]
        left = int(headers["x-ratelimit-remaining-tokens"])
        self.assertEqual(headers["x-ratelimit-limit-tokens"], "100")
        # A hundred a minute: the test may take some seconds.
        self.assertIn(left, range(100 - usage["total_tokens"], 100 - usage["total_tokens"] + 20))
        status, headers, text = self.ask("words", "POST", "/v1/chat/completions", {**CHAT, "max_tokens": 100})
        self.assertEqual(status, 429)
        self.assertEqual(json.loads(text)["error"]["type"], "tokens")
        self.assertIn("retry-after", headers)
        self.assertRegex(headers["x-ratelimit-reset-tokens"], r"s$")

    def test_an_input_beyond_the_quota_is_not_told_to_come_back(self):
        long = {**CHAT, "messages": [{"role": "user", "content": "x" * 404}]}
        status, headers, text = self.ask("words", "POST", "/v1/chat/completions", long)
        self.assertEqual(status, 429)
        self.assertNotIn("retry-after", headers)
        self.assertRegex(json.loads(text)["error"]["message"], "^Request too large .*Limit 100, Used 0, Requested 101")

    def test_so_many_run_at_a_time(self):
        answers = []
        # The model holds a request long enough for the others to meet it.
        threads = [
            threading.Thread(target=lambda: answers.append(self.ask("one", "POST", "/v2/models/slow/infer", TENSOR)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        statuses = sorted(answer[0] for answer in answers)
        self.assertEqual(statuses[0], 200, answers)
        self.assertEqual(statuses[-1], 429, answers)
        refused = next(answer for answer in answers if answer[0] == 429)
        self.assertIn("on concurrent requests: Limit 1, Used 1", refused[2])
        self.assertEqual(refused[1]["retry-after"], "1")
        self.assertEqual(self.ask("one", "POST", "/v2/models/slow/infer", TENSOR)[0], 200, "the place is free again")

    def test_a_client_that_leaves_gives_its_place_back(self):
        for _ in range(3):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            connection.request("POST", "/v2/models/slow/infer", json.dumps(TENSOR), {"x-api-key": "one"})
            connection.close()
        end = time.monotonic() + 30
        while self.ask("one", "POST", "/v2/models/identity/infer", TENSOR)[0] != 200:
            self.assertLess(time.monotonic(), end, "the place of a client that left is not free")


class Defaults(ServerCase):
    """Defaults hold for keys that say nothing."""

    FLAGS = {"CORTEX_QUOTAS_REQUESTS_PER_MINUTE": "3", "CORTEX_QUOTAS_CONCURRENT_REQUESTS": "50"}

    def test_a_key_without_limits_has_the_defaults(self):
        _, headers, _ = self.ask("free", "POST", "/v1/chat/completions", CHAT)
        self.assertEqual(headers["x-ratelimit-limit-requests"], "3")
        _, headers, _ = self.ask("two", "POST", "/v1/chat/completions", CHAT)
        self.assertEqual(headers["x-ratelimit-limit-requests"], "2")
        _, headers, _ = self.ask("lifted", "POST", "/v1/chat/completions", CHAT)
        self.assertNotIn("x-ratelimit-limit-requests", headers)
        _, headers, _ = self.ask("words", "POST", "/v1/chat/completions", CHAT)
        self.assertEqual(headers["x-ratelimit-limit-requests"], "3")
        self.assertEqual(headers["x-ratelimit-limit-tokens"], "100")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    BINARY = arguments.binary
    unittest.main(argv=[sys.argv[0], *rest])
