#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Traffic while an alias moves: no request fails, and the version it means answers at once.

    alias_test.py --binary build/asan/cortex
"""

import argparse
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
API = "/api/2.0/mlflow"
BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})
MODEL = (HERE.parent / "wire/models/identity/1/model.synthetic").read_bytes()
CONFIG = (HERE.parent / "wire/models/identity/model.yaml").read_bytes()


class Client:
    """One connection that is kept open."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def call(self, method, path, body=None):
        self.connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def mlflow(self, method, path, **fields):
        status, body = self.call(method, f"{API}/{path}", json.dumps(fields))
        if status != 200:
            raise AssertionError(f"{path}: {status} {body[:300]}")
        return json.loads(body)

    def infer(self, model):
        """Status and the version that answered."""
        status, body = self.call("POST", f"/v2/models/{model}/infer", BODY)
        return status, json.loads(body).get("model_version") if status == 200 else body[:300]


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the awaited state did not come")
        time.sleep(0.01)


class Traffic:
    """Requests without a pause from a few threads; what did not answer 200 is kept."""

    def __init__(self, port, model, threads=3):
        self.failed, self.versions, self.over = [], set(), threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(port, model)) for _ in range(threads)]
        for thread in self.threads:
            thread.start()

    def _run(self, port, model):
        with Client(port) as client:
            while not self.over.is_set():
                status, version = client.infer(model)
                if status == 200:
                    self.versions.add(version)
                else:
                    self.failed.append((status, version))

    def end(self):
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        return self.failed, self.versions


class Aliases(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.models = pathlib.Path(folder.name) / "models"
        self.models.mkdir()
        self.data = pathlib.Path(folder.name) / "data"

    def serve(self):
        return Server(BINARY, self.models, "--data", self.data)

    def add_version(self, client, number, files):
        """Uploads a version folder and registers it."""
        run = client.mlflow("POST", "runs/create", experiment_id="0", start_time=1)["run"]["info"]["run_id"]
        place = f"0/{run}/artifacts/model"
        for path, data in files.items():
            status, body = client.call("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}/{path}", data)
            self.assertEqual(status, 200, body)
        made = client.mlflow("POST", "model-versions/create", name="m", source=f"mlflow-artifacts:/{place}", run_id=run)
        self.assertEqual(made["model_version"]["version"], str(number))

    def point(self, client, version):
        client.mlflow("POST", "registered-models/alias", name="m", alias="champion", version=str(version))

    def fill(self, client, versions):
        client.mlflow("POST", "registered-models/create", name="m")
        files = {"model.synthetic": MODEL, "model.yaml": CONFIG}
        for number in range(1, versions + 1):
            self.add_version(client, number, files)

    def test_no_request_fails_while_an_alias_moves(self):
        with self.serve() as server, Client(server.port) as client:
            self.fill(client, 6)
            self.point(client, 1)
            wait_until(lambda: client.infer("m@champion")[0] == 200)
            traffic = Traffic(server.port, "m@champion")
            for version in (2, 3, 1, 6, 5, 4, 1):
                self.point(client, version)
                wait_until(lambda: client.infer("m@champion") == (200, str(version)))
            failed, versions = traffic.end()
            self.assertEqual(failed, [], server.output())
            self.assertEqual(versions, set("123456"))

    def test_a_loaded_version_answers_within_milliseconds(self):
        with self.serve() as server, Client(server.port) as client:
            self.fill(client, 2)
            self.point(client, 1)
            wait_until(lambda: client.infer("m@champion") == (200, "1"))
            wait_until(lambda: client.infer("m@2") == (200, "2"))
            waits = []
            for turn in range(20):
                version = 2 - turn % 2
                self.point(client, version)
                began = time.monotonic()
                while client.infer("m@champion") != (200, str(version)):
                    self.assertLess(time.monotonic() - began, 5)
                waits.append(time.monotonic() - began)
            # The bound is the benchmark's; a shared machine may take its time for one of them.
            self.assertLess(sorted(waits)[len(waits) // 2], 0.1, waits)

    def test_a_version_that_does_not_load_changes_nothing(self):
        with self.serve() as server, Client(server.port) as client:
            self.fill(client, 1)
            self.point(client, 1)
            wait_until(lambda: client.infer("m@champion") == (200, "1"))
            traffic = Traffic(server.port, "m@champion")
            self.add_version(client, 2, {"model.onnx": b"this is no model"})
            self.point(client, 2)

            def states():
                return {
                    entry["version"]: entry
                    for entry in json.loads(client.call("POST", "/v2/repository/index")[1])
                    if entry["name"] == "m"
                }

            wait_until(lambda: "stays on version 1" in states().get("2", {}).get("reason", ""))
            failed, versions = traffic.end()
            self.assertEqual((failed, versions), ([], {"1"}), server.output())

    def test_what_was_served_is_served_after_a_start(self):
        with self.serve() as server, Client(server.port) as client:
            self.fill(client, 3)
            self.point(client, 1)
            wait_until(lambda: client.infer("m@champion") == (200, "1"))
            self.assertEqual(server.stop(), 0, server.output())
        with self.serve() as server, Client(server.port) as client:
            wait_until(lambda: client.infer("m@champion") == (200, "1"))
            wait_until(lambda: client.infer("m") == (200, "3"))
            self.assertEqual(client.infer("models:%2Fm%2F3"), (200, "3"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    known, rest = parser.parse_known_args()
    BINARY = known.binary
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
