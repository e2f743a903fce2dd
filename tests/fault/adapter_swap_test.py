#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adapters are swapped 200 times under load: no request fails, each gets what one of the files says, memory stays.

    adapter_swap_test.py --binary build/asan/cortex
"""

import argparse
import http.client
import json
import pathlib
import sys
import tempfile
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from server import Server  # noqa: E402

WARM_UP, SWAPS, CLIENTS = 60, 200, 4
GROWTH_KIB_MAX = 8 << 10
ADAPTER_BYTES = 64 << 10  # so many as swaps are more than may grow


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def call(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body))
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise AssertionError(f"{method} {path} {body}: {answer.status} {text}")
        return json.loads(text)

    def say(self, model):
        body = {"model": model, "prompt": "once", "max_tokens": 12, "temperature": 0}
        return self.call("POST", "/v1/completions", body)["choices"][0]["text"]

    def register(self, name, path):
        self.call("POST", "/api/v1/lora/register", {"name": name, "base_model": "verses", "path": path})


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


class Load:
    """Clients that ask for the base model and the adapter in turn until they are told to stop."""

    def __init__(self, port, known):
        self.known, self.stop, self.faults, self.answers = known, threading.Event(), [], 0
        self.threads = [threading.Thread(target=self.run, args=(port,)) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self, port):
        client = Client(port)
        try:
            while not self.stop.is_set():
                for model, texts in self.known.items():
                    said = client.say(model)
                    self.answers += 1
                    if said not in texts:
                        self.faults.append(f"{model} said {said!r}")
        except Exception as error:  # noqa: BLE001: whatever it is, the test fails with it
            self.faults.append(repr(error))

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join()


def write_folders(root):
    version = root / "models/verses/1"
    version.mkdir(parents=True)
    (version / "sequences.synthetic").write_text("reply: hash\n")
    (version.parent / "model.yaml").write_text("backend: synthetic_sequences\n")
    (root / "adapters").mkdir()
    for name in ("a", "b"):
        (root / f"adapters/{name}").write_text("synthetic adapter\n" + name * ADAPTER_BYTES)


def run(binary, root):
    write_folders(root)
    flags = ["--adapters", root / "adapters", "--data", root / "data"]
    # The sanitizer keeps what was freed for a while: not so much that it looks like growth.
    with Server(binary, root / "models", *flags, environment={"ASAN_OPTIONS": "quarantine_size_mb=1"}) as server:
        operator = Client(server.port)
        while not is_ready(server.port):
            pass
        base = operator.say("verses")
        texts = []
        for path in ("a", "b"):
            operator.register("muse", path)
            texts.append(operator.say("muse"))
        assert len({base, *texts}) == 3, (base, texts)
        load = Load(server.port, {"verses": {base}, "verses+muse": set(texts), "muse": set(texts)})
        before = 0
        for swap in range(WARM_UP + SWAPS):
            if swap == WARM_UP:
                before = resident_kib(server.process)
            operator.register("muse", "ab"[swap % 2])
            assert operator.say("muse") == texts[swap % 2], "a swap that was answered holds"
        after = resident_kib(server.process)
        load.end()
        assert not load.faults, load.faults[:5]
        memory = operator.call("GET", "/api/v1/lora/memory")
        assert memory["loaded_adapters"] == 1, memory
        assert operator.say("verses") == base
        grown = after - before
        print(f"{SWAPS} swaps, {load.answers} answers, {grown} KiB grown")
        assert grown <= GROWTH_KIB_MAX, grown
        code = server.stop()
        assert code == 0, server.output()


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", "/health/ready")
    return connection.getresponse().status == 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    with tempfile.TemporaryDirectory() as folder:
        run(parser.parse_args().binary, pathlib.Path(folder))


if __name__ == "__main__":
    main()
