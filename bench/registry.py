#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures the registry and the tracking store against a real `mlflow server`, in pairs within one run.

    registry.py --build build/release --mlflow VENV/bin/mlflow [--pairs 10] [--seconds 2] [--json FILE]
                [--only reads|writes|scale|artifacts|serving|inference]

Both keep their rows in SQLite on the same disk and answer a write when it is synced (mlflow: SQLite's default, a
synced rollback journal; Cortex: a synced write-ahead log with group commit), and artifacts in a folder beside it.
"""

import argparse
import contextlib
import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

from measure import HERE, TICKS, Report, cortex, machine, wrk

API = "/api/2.0/mlflow"
RUNS = 1000
METRICS = 20  # of one batch
GIB = 1 << 30
CHUNK = 1 << 20
MODEL = HERE.parent / "tests/wire/models/identity"
INFER = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]})


class Client:
    """One kept connection to a server that speaks MLflow's REST API."""

    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def call(self, method, path, body=None, headers=None):
        self.connection.request(method, path, body, headers or {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def mlflow(self, path, **fields):
        status, body = self.call("POST", f"{API}/{path}", json.dumps(fields))
        if status != 200:
            raise SystemExit(f"{path}: {status} {body[:300]}")
        return json.loads(body)

    def infer(self, model):
        """The version that answered; none without an answer."""
        status, body = self.call("POST", f"/v2/models/{model}/infer", INFER)
        return json.loads(body).get("model_version") if status == 200 else None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def mlflow_server(program, folder):
    """The child and its port, as from `cortex`: ready, with a worker for every core."""
    port = free_port()
    command = [program, "server", "--host", "127.0.0.1", "--port", port, "--workers", os.cpu_count(),
               "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
               "--artifacts-destination", f"{folder}/artifacts", "--serve-artifacts"]
    with open(f"{folder}/log", "wb") as log:
        child = subprocess.Popen([str(part) for part in command], stdout=log, stderr=log, start_new_session=True,
                                 env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"})
    try:
        deadline = time.monotonic() + 300
        while True:
            with contextlib.suppress(OSError):
                if Client(port).call("GET", "/health")[0] == 200:
                    break
            if child.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"mlflow did not start:\n{pathlib.Path(folder, 'log').read_text()[-2000:]}")
            time.sleep(0.2)
        yield child, port
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@contextlib.contextmanager
def both(args):
    """The two servers, each with folders of its own."""
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        pathlib.Path(ours, "models").mkdir()
        with cortex(args.build, f"{ours}/models", "--data", f"{ours}/data") as mine, \
                mlflow_server(args.mlflow, theirs) as peer:
            yield mine, peer


def in_turn(args, measure, mine, peer):
    """`measure(server)` of both in turn; the pairs after one to warm up."""
    return [(measure(mine), measure(peer)) for _ in range(args.pairs + 1)][1:]


def make_run(client, experiment="0"):
    return client.mlflow("runs/create", experiment_id=experiment, start_time=1)["run"]["info"]["run_id"]


def add_version(client):
    run = make_run(client)
    place = f"0/{run}/artifacts/model"
    for name, file in {"model.synthetic": "1/model.synthetic", "model.yaml": "model.yaml"}.items():
        status, body = client.call("PUT", f"/api/2.0/mlflow-artifacts/artifacts/{place}/{name}", (MODEL / file).read_bytes())
        if status != 200:
            raise SystemExit(f"upload: {status} {body[:300]}")
    client.mlflow("model-versions/create", name="m", source=f"mlflow-artifacts:/{place}", run_id=run)


def fill(port):
    """A model with three versions and an alias, an experiment with runs; what the requests name."""
    client = Client(port)
    client.mlflow("registered-models/create", name="m")
    for _ in range(3):
        add_version(client)
    client.mlflow("registered-models/alias", name="m", alias="champion", version="2")
    experiment = client.mlflow("experiments/create", name="search")["experiment_id"]
    for number in range(RUNS):
        metrics = [{"key": "loss", "value": number / RUNS, "timestamp": 1, "step": 0}]
        params = [{"key": "depth", "value": str(number % 7)}]
        client.mlflow("runs/log-batch", run_id=make_run(client, experiment), metrics=metrics, params=params)
    return {"experiment_ids": [experiment], "filter": "metrics.loss < 0.5 and params.depth = '3'",
            "order_by": ["metrics.loss DESC"], "max_results": 100}


def say_rates(pairs):
    print(f"    (Cortex {statistics.median(a['rate'] for a, _ in pairs):.0f}/s, "
          f"mlflow {statistics.median(b['rate'] for _, b in pairs):.1f}/s)")


def bench_reads(args, report):
    with both(args) as (mine, peer):
        # Both give an experiment of the same name the same place among theirs, not the same id.
        searches = {mine[1]: json.dumps(fill(mine[1])), peer[1]: json.dumps(fill(peer[1]))}
        reads = {
            "alias": (f"{API}/registered-models/alias?name=m&alias=champion", False),
            "version": (f"{API}/model-versions/get?name=m&version=2", False),
            f"search of {RUNS} runs": (f"{API}/runs/search", True),
        }
        for name, (path, search) in reads.items():
            def read(server, path=path, search=search):
                body = [searches[server[1]]] if search else []
                return wrk(server, "json_body.lua", 8, args.seconds, path, body)

            pairs = in_turn(args, read, mine, peer)
            report.add(f"{name}: requests/s against mlflow, 8 connections",
                       [a["rate"] / b["rate"] for a, b in pairs], 30)
            say_rates(pairs)


def bench_writes(args, report):
    with both(args) as (mine, peer):
        runs = {server[1]: make_run(Client(server[1])) for server in (mine, peer)}

        def log(server):
            return wrk(server, "log_batch.lua", 8, args.seconds, arguments=[runs[server[1]], METRICS])

        pairs = in_turn(args, log, mine, peer)
        report.add(f"log-batch of {METRICS} metrics, synced: batches/s against mlflow, 8 connections",
                   [a["rate"] / b["rate"] for a, b in pairs], 10)
        say_rates(pairs)


def multiply_versions(database, count):
    """Copies the first version's row, while nobody serves."""
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(model_version)")]
        numbers = {"version": "n", "major": "NULL", "minor": "NULL", "patch": "NULL"}
        values = ", ".join(numbers.get(column, column) for column in columns)
        connection.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count})"
            f" INSERT INTO model_version ({', '.join(columns)})"
            f" SELECT {values} FROM numbers, model_version WHERE version = 1")
        connection.execute("UPDATE registered_model SET greatest_version = ?", (count,))


@contextlib.contextmanager
def with_versions(args, count):
    """A server whose one model has so many versions, and an alias in their middle."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "models").mkdir()
        flags = [f"{folder}/models", "--data", f"{folder}/data"]
        with cortex(args.build, *flags) as (_, port):
            client = Client(port)
            client.mlflow("registered-models/create", name="m")
            add_version(client)
        multiply_versions(f"{folder}/data/cortex.db", count)
        with cortex(args.build, *flags) as server:
            Client(server[1]).mlflow("registered-models/alias", name="m", alias="champion", version=str(count // 2))
            yield server


def bench_scale(args, report):
    path = f"{API}/registered-models/alias?name=m&alias=champion"
    with with_versions(args, 1000) as few, with_versions(args, 1_000_000) as many:
        pairs = in_turn(args, lambda server: wrk(server, "json_body.lua", 1, args.seconds, path), many, few)
    report.add("alias read, 1 connection: p50 at 10^6 versions against 10^3",
               [a["p50_us"] / b["p50_us"] for a, b in pairs], 2, "", "less")


def peak_memory(pid):
    return int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text())[1]) * 1024


def transfer(server, source):
    """Seconds to send a file and to read it back."""
    client = Client(server[1])
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/{make_run(client)}/artifacts/big.bin"
    began = time.monotonic()
    with open(source, "rb") as file:
        status, body = client.call("PUT", path, file, {"Content-Type": "application/octet-stream"})
    if status != 200:
        raise SystemExit(f"upload: {status} {body[:300]}")
    up = time.monotonic() - began
    client.connection.request("GET", path)
    answer = client.connection.getresponse()
    size = 0
    while piece := answer.read(CHUNK):
        size += len(piece)
    if size != os.path.getsize(source):
        raise SystemExit(f"{size} bytes came back")
    return up, time.monotonic() - began - up


def bench_artifacts(args, report):
    pairs = max(2, args.pairs // 3)
    with tempfile.NamedTemporaryFile() as source, both(args) as (mine, peer):
        block = os.urandom(CHUNK)
        for number in range(GIB // CHUNK):  # no two files of the run are alike, so nothing is known already
            source.write(number.to_bytes(8, "little") + block[8:])
        source.flush()
        before = peak_memory(mine[0].pid)
        ours, theirs = [], []
        for turn in range(pairs):
            with open(source.name, "r+b") as file:
                file.write(turn.to_bytes(8, "big"))
            ours.append(transfer(mine, source.name))
            theirs.append(transfer(peer, source.name))
        growth = peak_memory(mine[0].pid) - before
    report.add("1 GiB artifact up: throughput against mlflow", [b[0] / a[0] for a, b in zip(ours, theirs)], 1)
    report.add("1 GiB artifact down: throughput against mlflow", [b[1] / a[1] for a, b in zip(ours, theirs)], 1)
    report.add("1 GiB artifacts: growth of the server's greatest memory", [growth / 1e6], 64, "MB", "less")


def point(client, version):
    client.mlflow("registered-models/alias", name="m", alias="champion", version=version)


def lane_seconds(pid):
    """CPU time of the threads that run models."""
    total = 0
    for stat in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        name, _, rest = stat.read_text().partition("(")[2].rpartition(")")
        if name.startswith("lane"):
            total += sum(map(int, rest.split()[11:13]))
    return total / TICKS


def embedding_cost(server, seconds):
    """CPU microseconds of the lanes for one embedding."""
    before = lane_seconds(server[0].pid)
    seen = wrk(server, "embeddings.lua", 1, seconds, "/v1/embeddings", ["minilm", 32])
    return (lane_seconds(server[0].pid) - before) * 1e6 / (seen["rate"] * seconds)


@contextlib.contextmanager
def logging_load(port, run):
    """Runs are logged at full rate meanwhile."""
    load = subprocess.Popen(["wrk", "-t1", "-c8", "-d600s", "-s", HERE / "wrk/log_batch.lua", f"http://127.0.0.1:{port}",
                             "--", run, str(METRICS)], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        load.kill()
        load.wait()


def bench_inference(args, report):
    """What a model's run costs while runs are logged."""
    with tempfile.TemporaryDirectory() as folder, cortex(args.build, args.models, "--data", folder) as server:
        run = make_run(Client(server[1]))
        embedding_cost(server, args.seconds)
        ratios = []
        for _ in range(3 * args.pairs):  # a few percent are to be told from a shared machine's noise
            quiet = embedding_cost(server, args.seconds)
            with logging_load(server[1], run):
                ratios.append(embedding_cost(server, args.seconds) / quiet)
    report.add("MiniLM: the lanes' CPU per request while runs are logged", ratios, 1, "", "same")


def bench_serving(args, report):
    """An alias moves under a client that never stops asking."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "models").mkdir()
        with cortex(args.build, f"{folder}/models", "--data", f"{folder}/data") as (_, port):
            client = Client(port)
            client.mlflow("registered-models/create", name="m")
            for version in ("1", "2"):
                add_version(client)
                point(client, version)
                deadline = time.monotonic() + 60
                while client.infer("m@champion") != version:
                    if time.monotonic() > deadline:
                        raise SystemExit("the model was not served")
            waits = []
            for turn in range(50 * args.pairs):
                version = str(1 + turn % 2)
                point(client, version)
                began = time.monotonic()
                while (answered := client.infer("m@champion")) != version:
                    if answered is None:
                        raise SystemExit("a request failed while the alias moved")
                waits.append((time.monotonic() - began) * 1e3)
    report.add("alias change, from its answer to the first answer of the new version", waits, 2, "ms", "less")
    print(f"    (99 of 100 within {sorted(waits)[len(waits) * 99 // 100]:.2f} ms)")


BENCHES = {"reads": bench_reads, "writes": bench_writes, "scale": bench_scale, "artifacts": bench_artifacts,
           "serving": bench_serving, "inference": bench_inference}


def main():
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "cortex"
    deps = pathlib.Path(os.environ.get("CORTEX_DEPS", cache / "deps"))
    venvs = pathlib.Path(os.environ.get("CORTEX_VENVS", cache / "venvs"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/release")
    parser.add_argument("--mlflow", type=pathlib.Path, default=venvs / "mlflow/bin/mlflow")
    parser.add_argument("--models", type=pathlib.Path, default=deps / "models")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--only", choices=BENCHES)
    args = parser.parse_args()
    report = Report()
    print(json.dumps(machine()))
    for name, bench in BENCHES.items():
        if args.only in (None, name):
            bench(args, report)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "figures": report.rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
