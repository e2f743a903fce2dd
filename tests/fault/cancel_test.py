#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Clients leave 1000 generations under load: nobody else notices, everything they held is given back, memory stays.

    cancel_test.py --binary build/asan/cortex
"""

import argparse
import http.client
import json
import pathlib
import random
import re
import socket
import struct
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from server import Server  # noqa: E402

WARM_UP, CANCELS = 400, 1000
LEAVERS, SOCKETS, READERS = 24, 4, 3
GROWTH_KIB_MAX = 8 << 10
WAIT_S = 30
AT_ONCE_S = 2
# More answers than are made at once, prompts that take a while, and an end that nobody waits for.
MODEL = """\
reply: hash
context_length: 4096
cells: 16384
sequences_max: 8
step_rows_max: 128
step_us: 300
row_us: 15
"""
CONFIG = """\
backend: synthetic_sequences
generation:
  queue_requests_max: 1000
  queue_tokens_max: 1000000
  prefix_memory_bytes: 0
  prefix_disk_bytes: 0
"""
IDLE_GAUGES = (
    "vllm:num_requests_running",
    "vllm:num_requests_waiting",
    "cortex_sequence_preempted",
    "cortex_sequence_waiting_tokens",
    "cortex_sequence_saved_bytes",
    "cortex_http_body_budget_used_bytes",
)


class Client:
    def __init__(self, port):
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)

    def call(self, method, path, body=None):
        self.connection.request(method, path, None if body is None else json.dumps(body))
        answer = self.connection.getresponse()
        text = answer.read().decode()
        if answer.status != 200:
            raise AssertionError(f"{method} {path} {body}: {answer.status} {text}")
        return text

    def say(self, prompt):
        body = {"model": "verses", "prompt": prompt, "max_tokens": 12, "temperature": 0}
        return json.loads(self.call("POST", "/v1/completions", body))["choices"][0]["text"]

    def stream(self, prompt):
        """What say() says, as events."""
        body = {"model": "verses", "prompt": prompt, "max_tokens": 12, "temperature": 0, "stream": True}
        events = self.call("POST", "/v1/completions", body).split("\n\n")
        assert events[-2:] == ["data: [DONE]", ""], events[-2:]
        return "".join(json.loads(event[6:])["choices"][0]["text"] for event in events[:-2])

    def metrics(self):
        """The sum of each metric's series."""
        out = {}
        for name, value in re.findall(r"^([\w:]+)(?:{.*})? (\S+)$", self.call("GET", "/metrics"), re.MULTILINE):
            out[name] = out.get(name, 0) + float(value)
        return out


def endless(chance):
    """A body whose answer takes longer than anybody stays."""
    prompt = "".join(chance.choices("abcdefgh ", k=chance.choice((20, 200, 2000))))
    return {"model": "verses", "prompt": prompt, "max_tokens": 2000, "n": chance.choice((1, 1, 1, 2))}


def leave(port, chance):
    """Asks, and is gone: at once, some time later, or behind the first of the answer."""
    stream = chance.random() < 0.6
    body = json.dumps(endless(chance) | {"stream": stream}).encode()
    with socket.create_connection(("127.0.0.1", port), WAIT_S) as connection:
        head = f"POST /v1/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body)
        if stream and chance.random() < 0.5:
            begun = connection.recv(1 << 12)
            assert begun.startswith(b"HTTP/1.1 200 "), begun
        elif chance.random() < 0.7:
            # Nothing may come but an answer, which is wrong: so long it stays.
            wait_for_nothing(connection, chance.uniform(0, 0.15), stream)
        if chance.random() < 0.3:
            # The hard way: a reset, no end of file.
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def wait_for_nothing(connection, seconds, stream):
    connection.settimeout(max(seconds, 0.001))
    try:
        begun = connection.recv(1 << 12)
    except TimeoutError:
        return
    assert stream and begun.startswith(b"HTTP/1.1 200 "), begun


class Socket:
    """A WebSocket of /v1/stream, of the little that is needed here; the mask is zeros."""

    KEY = "AAAAAAAAAAAAAAAAAAAAAA=="

    def __init__(self, port):
        self.connection = socket.create_connection(("127.0.0.1", port), WAIT_S)
        self.connection.sendall(
            "GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
            f"sec-websocket-version: 13\r\nsec-websocket-key: {self.KEY}\r\n\r\n".encode()
        )
        self.file = self.connection.makefile("rb")
        first = self.file.readline()
        assert first.startswith(b"HTTP/1.1 101 "), first
        while self.file.readline() != b"\r\n":
            pass

    def say(self, **message):
        text = json.dumps(message).encode()
        size = struct.pack(">B", 0x80 | len(text)) if len(text) < 126 else struct.pack(">BH", 0xFE, len(text))
        self.connection.sendall(b"\x81" + size + bytes(4) + text)

    def hear(self):
        kind, size = self.file.read(2)
        assert kind == 0x81, kind
        if size == 126:
            (size,) = struct.unpack(">H", self.file.read(2))
        return json.loads(self.file.read(size))

    def close(self):
        self.file.close()
        self.connection.close()


def cancel(connection, chance):
    """Begins a chat over the WebSocket and ends it by a message, at once or behind the first of the answer."""
    body = endless(chance)
    connection.say(type="generate", id="a", messages=[{"role": "user", "content": body.pop("prompt")}], **body)
    begun = chance.random() < 0.5
    if begun:
        assert connection.hear()["type"] == "delta"
    connection.say(type="cancel", id="a")
    while (message := connection.hear())["type"] == "delta":
        pass
    assert message == {"type": "done", "id": "a", "cancelled": True}, message


class Crowd:
    """Threads that work until they are told to stop; what goes wrong in one is a fault."""

    def __init__(self):
        self.stopped, self.faults, self.threads = threading.Event(), [], []

    def add(self, count, work):
        for number in range(count):
            thread = threading.Thread(target=self.run, args=(work, number))
            self.threads.append(thread)
            thread.start()

    def run(self, work, number):
        try:
            work(number)
        except Exception as error:  # noqa: BLE001: whatever it is, the test fails with it
            self.faults.append(repr(error))

    def join(self):
        for thread in self.threads:
            thread.join()


class Readers(Crowd):
    """Clients that stay, and know what they must be told."""

    def __init__(self, port, known):
        super().__init__()
        self.known, self.answers = known, 0
        self.add(READERS, lambda _: self.read(Client(port)))

    def read(self, client):
        while not self.stopped.is_set():
            for prompt, text in self.known.items():
                for said in (client.say(prompt), client.stream(prompt)):
                    self.answers += 1
                    if said != text:
                        self.faults.append(f"{prompt} became {said!r}")

    def end(self):
        self.stopped.set()
        self.join()


def cancel_many(port, count, seed):
    """So many cancels of clients that leave, and of WebSockets; gives the most that were seen to wait."""
    crowd = Crowd()
    shares = LEAVERS + SOCKETS
    share = [count // shares + (number < count % shares) for number in range(shares)]

    def leaves(number):
        chance = random.Random(seed * shares + number)
        for _ in range(share[number]):
            leave(port, chance)

    def cancels(number):
        chance = random.Random(seed * shares + LEAVERS + number)
        connection = Socket(port)
        for _ in range(share[LEAVERS + number]):
            cancel(connection, chance)
        connection.close()

    crowd.add(LEAVERS, leaves)
    crowd.add(SOCKETS, cancels)
    observer, waiting = Client(port), 0
    while any(thread.is_alive() for thread in crowd.threads):
        waiting = max(waiting, observer.metrics()["vllm:num_requests_waiting"])
    assert not crowd.faults, crowd.faults[:5]
    return waiting


def becomes_idle(client):
    """Waits until the model does nothing and holds no more than its cache; its metrics."""
    end = time.monotonic() + WAIT_S
    while True:
        metrics = client.metrics()
        busy = {name: metrics[name] for name in IDLE_GAUGES if metrics[name] != 0}
        held = metrics["cortex_sequence_cells_used"] - metrics["cortex_sequence_prefix_cells"]
        if not busy and held == 0:
            return metrics
        assert time.monotonic() < end, f"{busy}, {held} cells are held by nobody"


def resident_kib(process):
    for line in pathlib.Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    raise AssertionError("no VmRSS")


def write_model(root):
    version = root / "verses/1"
    version.mkdir(parents=True)
    (version / "sequences.synthetic").write_text(MODEL)
    (version.parent / "model.yaml").write_text(CONFIG)


def check(server):
    client = Client(server.port)
    while not is_ready(server.port):
        pass
    known = {prompt: client.say(prompt) for prompt in ("once", "upon a time " * 20)}
    cancel_many(server.port, WARM_UP, seed=1)
    before, first = resident_kib(server.process), becomes_idle(client)

    readers = Readers(server.port, known)
    waiting = cancel_many(server.port, CANCELS, seed=2)
    readers.end()
    asked = time.monotonic()
    assert client.say("once") == known["once"]
    answered_s = time.monotonic() - asked

    last = becomes_idle(client)
    cancelled = last["cortex_sequence_cancelled_total"] - first["cortex_sequence_cancelled_total"]
    accepted = last["cortex_sequence_accepted_total"] - first["cortex_sequence_accepted_total"]
    grown = resident_kib(server.process) - before
    print(f"{cancelled:.0f} cancelled, up to {waiting:.0f} waited, {readers.answers} answers, {grown} KiB grown, {answered_s:.3f} s")
    assert not readers.faults, readers.faults[:5]
    assert readers.answers >= 20, "there was no load"
    assert waiting > 0, "nobody had to wait"
    assert accepted == cancelled + readers.answers + 1, (accepted, cancelled)
    assert cancelled <= CANCELS and cancelled > CANCELS * 0.9, cancelled
    for name in ("cortex_sequence_failed_total", "cortex_sequence_rejected_total", "cortex_sequence_step_failures_total"):
        assert last[name] == 0, (name, last[name])
    assert answered_s < AT_ONCE_S, answered_s
    assert grown <= GROWTH_KIB_MAX, grown


def is_ready(port):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=WAIT_S)
    connection.request("GET", "/health/ready")
    return connection.getresponse().status == 200


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    binary = parser.parse_args().binary
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        write_model(root / "models")
        # The sanitizer keeps what was freed for a while: not so much that it looks like growth.
        environment = {"ASAN_OPTIONS": "quarantine_size_mb=1"}
        with Server(binary, root / "models", "--data", root / "data", environment=environment) as server:
            check(server)
            code = server.stop()
            assert code == 0, server.output()


if __name__ == "__main__":
    main()
