#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Versions that bring down whoever loads them, against the real program: the server goes on.

    probation_test.py --binary build/asan/cortex
"""

import argparse
import http.client
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

BINARY = None
BODY = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})
GOOD = "inputs: INPUT0 FP32 [-1,2]\n"
# A sanitizer that ends the process hides the signal, and its shadow memory is no leak.
SIGNALS = {"ASAN_OPTIONS": "handle_abort=0:handle_segv=0", "UBSAN_OPTIONS": "handle_segv=0"}


def call(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def children(pid):
    """Processes that this one started and that still run."""
    out = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if fields[1] == str(pid) and fields[0] != "Z":
            out.append(int(entry.parent.name))
    return out


def is_running(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the awaited state did not come")
        time.sleep(0.01)


class Probation(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.models = pathlib.Path(folder.name) / "models"
        self.data = pathlib.Path(folder.name) / "data"
        self.add("good", 1, "")

    def add(self, model, version, crash):
        place = self.models / model / str(version)
        place.mkdir(parents=True, exist_ok=True)
        (place.parent / "model.yaml").write_text("backend: synthetic\n")
        (place / "model.synthetic").write_text(GOOD + (f"load_crash: {crash}\n" if crash else ""))

    def serve(self, *flags, **settings):
        environment = {**SIGNALS, **{f"CORTEX_MODELS_{name.upper()}": value for name, value in settings.items()}}
        return Server(BINARY, self.models, "--data", self.data, *flags, environment=environment)

    def index(self, server):
        entries = json.loads(call(server.port, "POST", "/v2/repository/index")[1])
        return {(entry["name"], entry["version"]): entry for entry in entries}

    def metric(self, server, sample):
        for line in call(server.port, "GET", "/metrics")[1].splitlines():
            if line.startswith(sample + " "):
                return float(line.rsplit(" ", 1)[1])
        raise AssertionError(f"no {sample}")

    def check_good(self, server):
        self.assertEqual(call(server.port, "POST", "/v2/models/good/infer", BODY)[0], 200)

    def test_a_crash_costs_the_version_alone_and_is_remembered(self):
        for crash in ("abort", "segfault", "exit"):
            self.add(crash, 1, crash)
        with self.serve() as server:
            self.check_good(server)
            index = self.index(server)
            for crash, why in (("abort", "SIGABRT"), ("segfault", "SIGSEGV|ABORTING"), ("exit", "exit code 3")):
                entry = index[(crash, "1")]
                self.assertEqual(entry["state"], "UNAVAILABLE")
                self.assertRegex(entry["reason"], why)  # a sanitizer may answer a SIGSEGV before the kernel does
                self.assertRegex(entry["reason"], "its last words: (the model crashes as told|.*ABORTING)")
            self.assertEqual(self.metric(server, 'cortex_probations_total{outcome="died"}'), 3)
            self.assertEqual(server.stop(), 0, server.output())
        with self.serve() as server:
            self.check_good(server)
            self.assertIn("SIGABRT", self.index(server)[("abort", "1")]["reason"])
            self.assertEqual(self.metric(server, 'cortex_probations_total{outcome="died"}'), 0)
            self.assertEqual(self.metric(server, 'cortex_probations_total{outcome="quarantined"}'), 3)
            self.assertEqual(server.stop(), 0, server.output())
        # Other files are another version of the truth.
        self.add("abort", 1, "")
        with self.serve() as server:
            self.assertEqual(self.index(server)[("abort", "1")]["state"], "READY")

    def test_a_hang_and_a_leak_meet_their_limits(self):
        self.add("hang", 1, "hang")
        self.add("leak", 1, "leak")
        with self.serve(probation_deadline="4s", probation_memory="600MiB", loader_threads="2") as server:
            self.check_good(server)
            index = self.index(server)
            self.assertIn("did not end within 4 s", index[("hang", "1")]["reason"])
            self.assertIn("MiB of memory (models.probation_memory)", index[("leak", "1")]["reason"])
            self.assertEqual(children(server.process.pid), [])

    def test_a_load_asks_again(self):
        self.add("m", 1, "abort")
        with self.serve("--model-control-mode", "explicit", "--load-model", "*") as server:
            for died in (2, 3):
                status, body = call(server.port, "POST", "/v2/repository/models/m/load")
                self.assertNotEqual(status, 200)
                self.assertIn("SIGABRT", body)
                self.assertEqual(self.metric(server, 'cortex_probations_total{outcome="died"}'), died)

    def test_the_older_version_serves_on(self):
        self.add("m", 1, "")
        with self.serve("--model-control-mode", "poll", poll_interval="100ms") as server:
            self.assertEqual(call(server.port, "POST", "/v2/models/m/infer", BODY)[0], 200)
            self.add("m", 2, "abort")
            wait_until(lambda: "SIGABRT" in self.index(server).get(("m", "2"), {}).get("reason", ""))
            status, body = call(server.port, "POST", "/v2/models/m/infer", BODY)
            self.assertEqual((status, json.loads(body)["model_version"]), (200, "1"))

    def start_and_hang(self):
        """A server whose model `hang` is on probation, and the process that tries it."""
        self.add("hang", 1, "hang")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("CORTEX_")}
        log = tempfile.TemporaryFile()
        self.addCleanup(log.close)
        process = subprocess.Popen(
            [BINARY, "serve", "--model-repository", self.models, "--data", self.data, "--http-port", "0",
             "--metrics-port", "0"],
            stdout=subprocess.DEVNULL, stderr=log, env=environment)  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        wait_until(lambda: children(process.pid))
        return process, children(process.pid)[0]

    def test_a_killed_server_takes_its_child_with_it_and_does_not_try_again(self):
        process, child = self.start_and_hang()
        process.kill()
        process.wait()
        wait_until(lambda: not is_running(child))
        began = time.monotonic()
        with self.serve() as server:
            self.check_good(server)
            self.assertIn("ended without a word while it was on probation", self.index(server)[("hang", "1")]["reason"])
            self.assertLess(time.monotonic() - began, 20)

    def test_a_stop_waits_for_no_probation_and_holds_nothing_against_it(self):
        process, child = self.start_and_hang()
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(30), 0)
        self.assertLess(time.monotonic() - began, 20)
        self.assertFalse(is_running(child))
        self.add("hang", 1, "")
        with self.serve() as server:
            self.assertEqual(self.index(server)[("hang", "1")]["state"], "READY")

    def test_a_file_that_is_no_model_is_refused_by_its_engine(self):
        (self.models / "broken/1").mkdir(parents=True)
        (self.models / "broken/1/model.onnx").write_bytes(b"this is no model")
        with self.serve() as server:
            self.check_good(server)
            entry = self.index(server)[("broken", "1")]
            self.assertEqual(entry["state"], "UNAVAILABLE")
            self.assertNotIn("probation", entry["reason"])
            self.assertEqual(self.metric(server, 'cortex_probations_total{outcome="died"}'), 0)

    def test_without_probation_nothing_is_tried(self):
        self.add("m", 1, "abort")
        with self.serve(probation="false") as server:
            self.check_good(server)
            self.assertIn("load_crash: only on probation", self.index(server)[("m", "1")]["reason"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    known, rest = parser.parse_known_args()
    BINARY = known.binary
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
