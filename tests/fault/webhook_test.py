# SPDX-License-Identifier: Apache-2.0
"""Webhooks whose server is killed, and whose receiver is: CORTEX_BINARY=… pytest tests/fault/webhook_test.py"""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from server import Server  # noqa: E402


class Receiver:
    """Answers with `status` and keeps what came."""

    def __init__(self, port=0):
        self.status, self.seen, self.signatures = 200, [], []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.signatures.append(self.headers.get("X-MLflow-Signature", ""))
                outer.seen.append((self.headers["X-MLflow-Delivery-Id"], json.loads(body)))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def names(self):
        return [body["data"]["name"] for _, body in self.seen]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def start(tmp_path):
    binary = os.environ.get("CORTEX_BINARY")
    if not binary:
        pytest.skip("CORTEX_BINARY names the server to test")
    (tmp_path / "models").mkdir()
    quick = {"CORTEX_WEBHOOKS_FIRST_WAIT": "20ms", "CORTEX_WEBHOOKS_WAIT_MAX": "50ms", "CORTEX_WEBHOOKS_ATTEMPTS": "100"}
    flags = ["--data", tmp_path / "data", "--webhooks-allow-private"]
    return lambda **more: Server(binary, tmp_path / "models", *flags, environment={**quick, **more})


def post(server, path, **body):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}/api/2.0/mlflow{path}",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    return json.load(urllib.request.urlopen(request, timeout=60))


def add_hook(server, port):
    events = [{"entity": "REGISTERED_MODEL", "action": "CREATED"}]
    return post(server, "/webhooks", name="hook", url=f"http://127.0.0.1:{port}/", events=events)["webhook"]["webhook_id"]


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_what_was_committed_before_a_kill_is_delivered_after_it(start):
    receiver = Receiver()
    receiver.status = 503
    with start() as server:
        add_hook(server, receiver.port)
        for i in range(5):
            post(server, "/registered-models/create", name=f"m{i}")
        until(lambda: receiver.seen)
        server.signal(signal.SIGKILL)
        server.process.wait(60)
    refused = {id for id, _ in receiver.seen}
    receiver.status = 200
    receiver.seen.clear()
    with start() as server:
        until(lambda: len(receiver.seen) >= 5)
        assert server.stop() == 0
    assert receiver.names()[:5] == [f"m{i}" for i in range(5)]
    assert receiver.seen[0][0] in refused
    receiver.close()


def test_every_change_is_delivered_whenever_the_server_is_killed(start):
    receiver = Receiver()
    made = 0
    with start() as server:
        add_hook(server, receiver.port)
    for _ in range(4):
        with start() as server:
            for _ in range(5):
                post(server, "/registered-models/create", name=f"m{made}")
                made += 1
            server.signal(signal.SIGKILL)
            server.process.wait(60)
    with start() as server:
        until(lambda: len(set(receiver.names())) == made)
        assert server.stop() == 0
    first = list(dict.fromkeys(receiver.names()))
    assert first == [f"m{i}" for i in range(made)]
    assert len({id for id, _ in receiver.seen}) == made
    receiver.close()


def test_a_receiver_that_is_down_is_told_when_it_is_back(start):
    receiver = Receiver()
    port = receiver.port
    receiver.close()
    with start() as server:
        add_hook(server, port)
        post(server, "/registered-models/create", name="m")
        receiver = Receiver(port)
        until(lambda: receiver.names() == ["m"])
        assert server.stop() == 0
    receiver.close()


def test_a_dead_receiver_costs_nobody_else_and_is_named(start):
    alive = Receiver()
    with start(CORTEX_WEBHOOKS_ATTEMPTS="1", CORTEX_WEBHOOKS_FAILURES="2") as server:
        dead = add_hook(server, 1)
        add_hook(server, alive.port)
        for i in range(3):
            post(server, "/registered-models/create", name=f"m{i}")
        until(lambda: alive.names() == ["m0", "m1", "m2"])
        url = f"http://127.0.0.1:{server.port}/api/2.0/mlflow/webhooks/{dead}"
        until(lambda: json.load(urllib.request.urlopen(url))["webhook"]["status"] == "DISABLED")
        assert "deliveries failed" in json.load(urllib.request.urlopen(url))["webhook"]["status_message"]
        assert server.stop() == 0
    alive.close()


def cortex_webhooks(server, *arguments, **environment):
    command = [os.environ["CORTEX_BINARY"], "webhooks", *arguments, "--url", f"http://127.0.0.1:{server.port}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment})


def test_a_webhook_of_the_command_line_is_told_signed_and_listed(start):
    receiver = Receiver()
    url = f"http://127.0.0.1:{receiver.port}/"
    events = ["--event", "registered_model.created", "--event", "model_version.created"]
    with start() as server:
        made = cortex_webhooks(server, "create", "deploy", url, *events, CORTEX_WEBHOOK_SECRET="geheim")
        assert made.returncode == 0, made.stderr
        assert "geheim" not in made.stdout
        hook = json.loads(made.stdout)["id"]
        tried = cortex_webhooks(server, "test", hook, "--event", "model_version.created")
        assert tried.returncode == 0, tried.stderr
        assert json.loads(tried.stdout)["response_status"] == 200
        assert receiver.names() == ["example_model"]
        post(server, "/registered-models/create", name="m")
        until(lambda: receiver.names() == ["example_model", "m"])
        assert len(receiver.signatures) == 2 and all(one.startswith("v1,") for one in receiver.signatures)
        until(lambda: "delivered" in cortex_webhooks(server, "deliveries", hook).stdout)
        receiver.status = 500
        assert cortex_webhooks(server, "test", hook).returncode == 1
        assert cortex_webhooks(server, "change", hook, "--off").returncode == 0
        listed = cortex_webhooks(server, "list").stdout
        assert "deploy" in listed and "false" in listed
        assert cortex_webhooks(server, "delete", hook).returncode == 0
        assert cortex_webhooks(server, "show", hook).returncode == 1
        assert server.stop() == 0
    receiver.close()
