#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the server does when it is stopped, hung up on, or overrun: from outside, against the real program.

    lifecycle_test.py --binary build/asan/cortex
"""

import argparse
import functools
import http.client
import json
import pathlib
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

MODELS = HERE.parent / "wire/models"
BINARY = None
BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})


def infer(port, model):
    """Status, parsed body and headers of one inference on a connection of its own."""
    return post(port, f"/v2/models/{model}/infer", BODY)


def post(port, path, body):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, body)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null"), {k.lower(): v for k, v in answer.getheaders()}
    finally:
        connection.close()


def fetch(port, method, path):
    """Body of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        return connection.getresponse().read()
    finally:
        connection.close()


def metric(port, name):
    """Sum of a metric over its series."""
    lines = fetch(port, "GET", "/metrics").decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith((name + "{", name + " ")))


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the awaited state did not come")
        time.sleep(0.01)


def can_connect(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


class InBackground:
    """Calls in threads of their own; results() waits for them."""

    def __init__(self, count, call):
        self.outcomes = []
        self.threads = [threading.Thread(target=self._run, args=(call,)) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self, call):
        try:
            self.outcomes.append(call())
        except OSError as error:
            self.outcomes.append(error)

    def results(self):
        for thread in self.threads:
            thread.join(60)
        return self.outcomes


class Lifecycle(unittest.TestCase):
    def test_a_stop_answers_every_accepted_request(self):
        with Server(BINARY, MODELS) as server:
            calls = InBackground(8, lambda: infer(server.port, "slow"))
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") >= 6)
            server.signal(signal.SIGTERM)
            outcomes = calls.results()
            self.assertEqual([o[0] if isinstance(o, tuple) else repr(o) for o in outcomes], [200] * 8)
            self.assertEqual(server.process.wait(30), 0, server.output())

    def test_a_stop_answers_what_still_comes_on_an_open_connection(self):
        with Server(BINARY, MODELS) as server:
            late = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
            late.request("GET", "/v2")
            late.getresponse().read()
            calls = InBackground(8, lambda: infer(server.port, "slow"))
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") >= 6)
            server.signal(signal.SIGTERM)
            wait_until(lambda: not can_connect(server.port))
            late.request("POST", "/v2/models/identity/infer", BODY)
            answer = late.getresponse()
            self.assertEqual((answer.status, answer.getheader("connection")), (200, "close"), answer.read())
            self.assertEqual([o[0] if isinstance(o, tuple) else repr(o) for o in calls.results()], [200] * 8)
            self.assertEqual(server.process.wait(30), 0, server.output())

    def test_what_outlasts_the_drain_is_answered_503(self):
        with Server(BINARY, MODELS, "--drain-timeout", "1s") as server:
            calls = InBackground(2, lambda: infer(server.port, "stuck"))  # one runs, one waits
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") >= 1)
            server.signal(signal.SIGTERM)
            told = {"error": "the server stopped before it had an answer"}
            self.assertEqual([o[:2] if isinstance(o, tuple) else repr(o) for o in calls.results()], [(503, told)] * 2)
            self.assertEqual(server.process.wait(30), 0, server.output())

    def test_a_stop_waits_for_a_request_whose_client_left(self):
        with Server(BINARY, MODELS) as server:
            left = socket.create_connection(("127.0.0.1", server.port), 5)
            head = f"POST /v2/models/slow/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n\r\n"
            left.sendall((head + BODY).encode())
            time.sleep(0.1)  # it runs
            left.close()
            self.assertEqual(server.stop(), 0, server.output())
            self.assertRegex(server.output(), r"route=/v2/models/\{model\}/infer .*status=0 ")

    def test_a_stop_refuses_new_connections(self):
        with Server(BINARY, MODELS) as server:
            self.assertEqual(server.stop(), 0, server.output())
            with self.assertRaises(OSError):
                socket.create_connection(("127.0.0.1", server.port), 1)

    def test_a_second_signal_ends_at_once(self):
        with Server(BINARY, MODELS) as server:
            InBackground(2, lambda: infer(server.port, "stuck"))  # one runs, one waits
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") >= 1)
            server.signal(signal.SIGTERM)
            began = time.monotonic()
            wait_until(lambda: "stopping" in server.output())
            server.signal(signal.SIGTERM)
            server.process.wait(10)
            self.assertLess(time.monotonic() - began, 5)

    def test_a_hang_up_reads_the_folders_again(self):
        with tempfile.TemporaryDirectory() as folder:
            models = pathlib.Path(folder)
            shutil.copytree(MODELS / "identity", models / "identity")
            with Server(BINARY, models) as server:
                self.assertEqual(infer(server.port, "later")[0], 404)
                shutil.copytree(MODELS / "identity", models / "later")
                server.signal(signal.SIGHUP)
                wait_until(lambda: infer(server.port, "later")[0] == 200)
                self.assertEqual(infer(server.port, "identity")[0], 200)

    def test_a_bad_model_stops_nobody_else(self):
        with tempfile.TemporaryDirectory() as folder:
            models = pathlib.Path(folder)
            shutil.copytree(MODELS / "identity", models / "identity")
            (models / "broken/1").mkdir(parents=True)
            (models / "broken/1/model.onnx").write_bytes(b"this is no model")
            with Server(BINARY, models) as server:
                self.assertEqual(infer(server.port, "identity")[0], 200)
                status, body, _ = infer(server.port, "broken")
                self.assertEqual(status, 503, body)
                index = {m["name"]: m for m in json.loads(fetch(server.port, "POST", "/v2/repository/index"))}
                self.assertEqual(index["broken"]["state"], "UNAVAILABLE")
                self.assertTrue(index["broken"]["reason"])

    def test_a_model_that_is_named_at_the_start_and_not_there_stops_nobody_and_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(MODELS / "identity", pathlib.Path(folder) / "identity")
            named = ["--load-model", "nope", "--load-model", "identity"]
            with Server(BINARY, folder, "--model-control-mode", "explicit", *named) as server:
                server.wait_until_ready()
                self.assertEqual(infer(server.port, "identity")[0], 200)
                health = json.loads(fetch(server.port, "GET", "/health"))
                self.assertEqual((health["status"], health["failed_versions"]), ("ok", 1))
                self.assertRegex(server.logged(), r"warning model failed to load model=nope reason=.*no folder of that name")
                index = {m["name"]: m for m in json.loads(fetch(server.port, "POST", "/v2/repository/index"))}
                self.assertEqual(index["nope"]["reason"], "no model repository has a folder of that name")

    def test_an_unload_is_answered_at_once_and_ends_when_its_requests_have(self):
        with Server(BINARY, MODELS, "--model-control-mode", "explicit", "--load-model", "slow") as server:
            server.wait_until_ready()
            calls = InBackground(8, lambda: infer(server.port, "slow"))
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") >= 6)
            self.assertEqual(post(server.port, "/v2/repository/models/slow/unload", "")[0], 200)

            def shown():
                index = json.loads(fetch(server.port, "POST", "/v2/repository/index"))
                return [(m["state"], m["reason"]) for m in index if m["name"] == "slow"]

            self.assertEqual(shown(), [("UNLOADING", "")])
            self.assertEqual(infer(server.port, "slow")[0], 503)
            self.assertEqual([o[0] if isinstance(o, tuple) else repr(o) for o in calls.results()], [200] * 8)
            wait_until(lambda: shown() == [("UNAVAILABLE", "unloaded")])

    def test_a_full_queue_answers_429_and_says_when_to_come_back(self):
        with Server(BINARY, MODELS) as server:
            outcomes = InBackground(40, lambda: infer(server.port, "narrow")).results()
            statuses = [o[0] for o in outcomes]
            self.assertIn(429, statuses)
            self.assertIn(200, statuses)
            self.assertEqual(set(statuses), {200, 429})
            refused = next(o for o in outcomes if o[0] == 429)
            self.assertIn("queue", refused[1]["error"])
            self.assertGreaterEqual(int(refused[2]["retry-after"]), 1)

    def test_who_would_wait_too_long_for_a_first_token_is_told_so_at_once(self):
        with tempfile.TemporaryDirectory() as folder:
            (pathlib.Path(folder) / "pressed/1").mkdir(parents=True)
            (pathlib.Path(folder) / "pressed/1/sequences.synthetic").write_text("step_us: 3000\nrow_us: 5000\n")
            (pathlib.Path(folder) / "pressed/model.yaml").write_text(
                "backend: synthetic_sequences\ngeneration:\n  first_token_max_us: 1000000\n"
            )
            ask = json.dumps({"model": "pressed", "prompt": "how are you", "max_tokens": 20, "ignore_eos": True})
            with Server(BINARY, folder) as server:
                complete = functools.partial(post, server.port, "/v1/completions", ask)
                self.assertEqual(complete()[0], 200, "before anything was measured nobody is refused")
                outcomes = InBackground(60, complete).results()
                self.assertEqual({o[0] for o in outcomes}, {200, 429})
                refused = [o for o in outcomes if o[0] == 429]
                self.assertRegex(refused[0][1]["error"]["message"], r"a first token would take \d+ ms and may take 1000 ms")
                self.assertGreaterEqual(int(refused[0][2]["retry-after"]), 1)
                lines = fetch(server.port, "GET", "/metrics").decode().splitlines()
                counted = [line for line in lines if line.startswith("cortex_sequence_rejected_total{") and 'reason="time"' in line]
                self.assertEqual([float(line.rsplit(" ", 1)[1]) for line in counted], [len(refused)])
                self.assertEqual(complete()[0], 200, "the pressure is over")

    def test_clients_that_left_cost_nothing(self):
        with Server(BINARY, MODELS) as server:
            before = metric(server.port, "nv_inference_exec_count")
            sockets = []
            for _ in range(12):
                connection = socket.create_connection(("127.0.0.1", server.port), 5)
                head = f"POST /v2/models/slow/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(BODY)}\r\n\r\n"
                connection.sendall((head + BODY).encode())
                sockets.append(connection)
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") >= 10)
            for connection in sockets:
                connection.close()
            wait_until(lambda: metric(server.port, "nv_inference_pending_request_count") == 0)
            executed = metric(server.port, "nv_inference_exec_count") - before
            self.assertLess(executed, 8, "requests of clients that left were run")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    known, rest = parser.parse_known_args()
    BINARY = known.binary
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
