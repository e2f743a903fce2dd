# SPDX-License-Identifier: Apache-2.0
"""A real MLflow server whose models are served here: CORTEX_BINARY=… pytest tests/clients/remote_mlflow_test.py"""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest

mlflow = pytest.importorskip("mlflow")

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

SERVICE = HERE.parent / "services/mlflow"
BODY = {"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """The address of a real server."""
    folder = tmp_path_factory.mktemp("remote") / "server"
    program = pathlib.Path(sys.executable).parent / "mlflow"
    environment = {**os.environ, "CORTEX_MLFLOW": str(program)}
    started = subprocess.run([SERVICE, "start", folder], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    yield started.stdout.strip()
    subprocess.run([SERVICE, "stop", folder], env=environment, check=True)


@pytest.fixture
def client(remote):
    mlflow.set_tracking_uri(remote)
    return mlflow.MlflowClient(remote)


class Relay:
    """Passes connections on to the server, or cuts them all off."""

    def __init__(self, url):
        self.target = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.cut = threading.Event()
        self.open = []
        self.seen = b""
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            if self.cut.is_set():
                near.close()
                continue
            far = socket.create_connection(self.target)
            self.open += [near, far]
            for source, sink, is_request in ((near, far, True), (far, near, False)):
                threading.Thread(target=self._pass, args=(source, sink, is_request), daemon=True).start()

    def _pass(self, source, sink, is_request):
        try:
            while data := source.recv(65536):
                if is_request:
                    self.seen += data
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def stop_passing(self):
        self.cut.set()
        for end in self.open:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.open = []

    def pass_again(self):
        self.cut.clear()

    def close(self):
        self.listener.close()
        self.stop_passing()


@pytest.fixture
def relay(remote):
    running = Relay(remote)
    yield running
    running.close()


@pytest.fixture
def name(request):
    return request.node.name.replace("test_", "").replace("_", "-")


def write_version(folder, factor):
    """A model folder that answers with its input times a number, as MLflow keeps it."""
    folder.mkdir(parents=True)
    (folder / "model.synthetic").write_text(
        f"result: constant\nvalue: {factor}\ninputs: INPUT0 FP32 [-1,2]\noutputs: OUTPUT0 FP32 [-1,1]\n"
    )
    (folder / "model.yaml").write_text("backend: synthetic\nmax_batch_size: 4\n")
    (folder / "data").mkdir()
    (folder / "data" / "two words.bin").write_bytes(os.urandom(300_000))
    return folder


def add_version(client, name, folder, factor):
    """Logs a folder in a run and registers it."""
    try:
        client.create_registered_model(name)
    except mlflow.exceptions.MlflowException as error:
        assert error.error_code == "RESOURCE_ALREADY_EXISTS", error
    run = client.create_run("0").info
    client.log_artifacts(run.run_id, str(write_version(folder, factor)), "model")
    return client.create_model_version(name, f"{run.artifact_uri}/model", run.run_id).version


def serve(tmp_path, url, *models, poll="200ms", environment=None, flags=()):
    empty = tmp_path / "models"
    empty.mkdir(exist_ok=True)
    flags = [*flags, "--data", tmp_path / "data", "--remote-registry", url]
    for model in models:
        flags += ["--remote-model", model]
    settings = {"CORTEX_REMOTE_POLL_INTERVAL": poll, "CORTEX_REMOTE_TIMEOUT": "5s", **(environment or {})}
    return Server(os.environ["CORTEX_BINARY"], empty, *flags, environment=settings)


def call(server, path, body=None, method=None):
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{path}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def answer(server, model):
    """The version and its value, or the status."""
    status, text = call(server, f"/v2/models/{model}/infer", BODY)
    if status != 200:
        return status
    body = json.loads(text)
    return body["model_version"], body["outputs"][0]["data"][0]


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited state did not come"
        time.sleep(0.02)


def metric(server, name):
    for line in call(server, "/metrics")[1].splitlines():
        if line.startswith(name + " "):
            return float(line.rsplit(" ", 1)[1])
    raise AssertionError(f"no {name}")


def test_an_alias_is_followed_without_a_failed_request(client, remote, name, tmp_path):
    add_version(client, name, tmp_path / "v1", 10)
    add_version(client, name, tmp_path / "v2", 20)
    client.set_registered_model_alias(name, "champion", "1")
    with serve(tmp_path, remote, f"{name}@champion") as server:
        wait_until(lambda: answer(server, f"{name}@champion") == ("1", 10))
        failed, over = [], threading.Event()

        def traffic():
            while not over.is_set():
                if not isinstance(got := answer(server, f"{name}@champion"), tuple):
                    failed.append(got)

        thread = threading.Thread(target=traffic)
        thread.start()
        for version in ("2", "1", "2"):
            client.set_registered_model_alias(name, "champion", version)
            wait_until(lambda: answer(server, f"{name}@champion") == (version, int(version) * 10))
        over.set()
        thread.join()
        assert failed == [], server.output()
        assert metric(server, "cortex_remote_available") == 1
        # Two versions of three files each, and none of them twice.
        assert metric(server, "cortex_remote_files_total") == 6
        assert server.stop() == 0, server.output()


def test_stages_versions_and_the_newest(client, remote, name, tmp_path):
    for number in (1, 2, 3):
        add_version(client, name, tmp_path / f"v{number}", number)
    client.transition_model_version_stage(name, "1", "Production")
    models = (name, f"{name}@2", f"models:/{name}/Production")
    with serve(tmp_path, remote, *models, flags=["--stored-versions", "3"]) as server:
        wait_until(lambda: answer(server, name) == ("3", 3))
        wait_until(lambda: answer(server, f"{name}@2") == ("2", 2))
        wait_until(lambda: answer(server, f"models:%2F{name}%2FProduction") == ("1", 1))
        add_version(client, name, tmp_path / "v4", 4)
        wait_until(lambda: answer(server, name) == ("4", 4))


def test_what_cannot_be_reached_changes_nothing(client, relay, name, tmp_path):
    add_version(client, name, tmp_path / "v1", 10)
    add_version(client, name, tmp_path / "v2", 20)
    client.set_registered_model_alias(name, "champion", "1")
    with serve(tmp_path, relay.url, f"{name}@champion") as server:
        wait_until(lambda: answer(server, f"{name}@champion") == ("1", 10))
        relay.stop_passing()
        client.set_registered_model_alias(name, "champion", "2")
        wait_until(lambda: metric(server, "cortex_remote_available") == 0)
        assert answer(server, f"{name}@champion") == ("1", 10)
        assert json.loads(call(server, "/health")[1])["degraded"] == ["remote_registry"]
        assert server.stop() == 0
    # Also after a start.
    with serve(tmp_path, relay.url, f"{name}@champion") as server:
        wait_until(lambda: answer(server, f"{name}@champion") == ("1", 10))
        relay.pass_again()
        wait_until(lambda: answer(server, f"{name}@champion") == ("2", 20))
        assert "degraded" not in json.loads(call(server, "/health")[1])


def test_a_load_request_and_a_hang_up_look_at_once(client, relay, name, tmp_path):
    add_version(client, name, tmp_path / "v1", 10)
    client.set_registered_model_alias(name, "champion", "1")
    token = {"CORTEX_REMOTE_TOKEN": "secret-of-the-test"}
    with serve(tmp_path, relay.url, f"{name}@champion", poll="1h", environment=token) as server:
        wait_until(lambda: answer(server, f"{name}@champion") == ("1", 10))
        assert b"Authorization: Bearer secret-of-the-test" in relay.seen
        add_version(client, name, tmp_path / "v2", 20)
        client.set_registered_model_alias(name, "champion", "2")
        assert call(server, f"/v2/repository/models/{name}/load", {})[0] == 200
        wait_until(lambda: answer(server, f"{name}@champion") == ("2", 20))
        client.set_registered_model_alias(name, "champion", "1")
        server.signal(signal.SIGHUP)
        wait_until(lambda: answer(server, f"{name}@champion") == ("1", 10))
        relay.stop_passing()
        status, text = call(server, f"/v2/repository/models/{name}/load", {})
        assert status == 503, text
        assert "secret-of-the-test" not in server.output()


def test_a_model_that_is_deleted_there_goes_here(client, remote, name, tmp_path):
    add_version(client, name, tmp_path / "v1", 10)
    with serve(tmp_path, remote, name) as server:
        wait_until(lambda: answer(server, name) == ("1", 10))
        client.delete_registered_model(name)
        wait_until(lambda: answer(server, name) in (404, 503))
        shutil.rmtree(tmp_path / "v1")


def test_a_version_that_lies_elsewhere_is_named(client, remote, name, tmp_path):
    add_version(client, name, tmp_path / "v1", 10)
    client.set_registered_model_alias(name, "champion", "1")
    with serve(tmp_path, remote, f"{name}@champion") as server:
        wait_until(lambda: answer(server, f"{name}@champion") == ("1", 10))
        client.create_model_version(name, "s3://elsewhere/model")
        client.set_registered_model_alias(name, "champion", "2")
        wait_until(lambda: metric(server, "cortex_remote_faulty_versions") == 1)
        assert "not behind the server's artifact proxy" in server.output()
        assert answer(server, f"{name}@champion") == ("1", 10)
