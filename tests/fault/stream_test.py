# SPDX-License-Identifier: Apache-2.0
"""WebSockets on /v1/stream with a real client, and with clients that behave badly:
CORTEX_BINARY=… pytest tests/fault/stream_test.py"""

import base64
import hashlib
import http.client
import json
import os
import pathlib
import re
import socket
import sys
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from server import Server  # noqa: E402

WAIT_S = 30
# Makes each token of a chat thousands of bytes, so that a few fill what sockets hold.
LONG_TOKENS = {"logprobs": True, "top_logprobs": 20}
KEYS = {"free": {}, "once": {"limits": {"requests_per_minute": 1}}, "one": {"limits": {"concurrent_requests": 1}}}
MODELS = {
    # Says the last message once more.
    "chat": ["reply: script", "context_length: 256", "cells: 2048"],
    # Goes on for longer than any test.
    "endless": ["reply: hash", "context_length: 200000", "cells: 620000", "step_us: 500"],
    # As fast as it can: more than sockets hold.
    "flood": ["reply: hash", "context_length: 400000", "cells: 420000"],
}


def write_models(folder):
    for name, lines in MODELS.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "1" / "sequences.synthetic").write_text("\n".join(lines) + "\n")
        (folder / name / "model.yaml").write_text("backend: synthetic_sequences\n")
    return folder


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stream")
    models = write_models(folder / "models")
    entries = [
        {"name": name, "scopes": ["infer"], "sha256": hashlib.sha256(name.encode()).hexdigest(), **more}
        for name, more in KEYS.items()
    ]
    entries.append({"name": "reader", "scopes": ["read"], "sha256": hashlib.sha256(b"reader").hexdigest()})
    (folder / "keys.json").write_text(json.dumps(entries))
    return lambda **environment: Server(
        os.environ["CORTEX_BINARY"], models, "--keys-file", folder / "keys.json", environment=environment
    )


@pytest.fixture(scope="module")
def server(start):
    with start(CORTEX_SOCKETS_GENERATIONS="3", CORTEX_SOCKETS_MESSAGE_BYTES="64KiB") as made:
        yield made


class Client:
    """The client's side; `key` as the header that other routes take."""

    def __init__(self, server, key="free", **more):
        headers = {"Authorization": f"Bearer {key}", **more.pop("headers", {})}
        uri = f"ws://127.0.0.1:{server.port}/v1/stream"
        self.socket = connect(uri, additional_headers=headers, compression=None, max_size=None, **more)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def say(self, **message):
        self.socket.send(json.dumps(message))

    def generate(self, id, model="chat", text="Hällo.", **more):
        self.say(type="generate", id=id, model=model, messages=[{"role": "user", "content": text}], **more)

    def hear(self):
        return json.loads(self.socket.recv(timeout=WAIT_S))

    def until(self, type, id=None):
        """The first message of that type, and those before it."""
        before = []
        while True:
            message = self.hear()
            if message["type"] == type and id in (None, message.get("id")):
                return message, before
            before.append(message)

    def closed(self, send=lambda _: None):
        """The code that the server closes with, be it while `send(socket)` still goes on."""
        with pytest.raises(ConnectionClosed) as end:
            send(self.socket)
            while True:
                self.socket.recv(timeout=WAIT_S)
        return end.value.rcvd.code if end.value.rcvd else None


def metrics_sum(server, names):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    connection.request("GET", "/metrics", headers={"Authorization": "Bearer reader"})
    text = connection.getresponse().read().decode()
    connection.close()
    return sum(float(value) for value in re.findall(rf"^{names}{{.*}} (\S+)$", text, re.MULTILINE))


def running(server):
    """Generations inside the models."""
    return metrics_sum(server, r"vllm:num_requests_\w+")


def pauses(server):
    """How often a generation waited for its reader."""
    return metrics_sum(server, "cortex_sequence_pauses_total")


def becomes_quiet(server):
    end = time.monotonic() + WAIT_S
    while running(server) > 0:
        assert time.monotonic() < end, "a generation goes on that nobody reads"


def refused(server, key="free", **headers):
    with pytest.raises(InvalidStatus) as end:
        Client(server, key, headers=headers)
    return end.value.response.status_code


def test_a_generation_is_chunks_and_an_end(server):
    with Client(server) as client:
        client.generate("a")
        done, deltas = client.until("done")
    assert all(delta["type"] == "delta" and delta["id"] == "a" for delta in deltas)
    chunks = [delta["chunk"] for delta in deltas]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks) == "Hällo."
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    assert done["id"] == "a" and done["usage"]["completion_tokens"] > 0


def test_several_run_at_once_and_one_after_the_other(server):
    with Client(server) as client:
        client.generate("endless", "endless", max_tokens=190_000)
        client.until("delta", "endless")
        for name in ("b", "c", "b"):
            client.generate(name, text=name)
            done, before = client.until("done", name)
            said = [m["chunk"]["choices"][0]["delta"].get("content", "") for m in before if m["id"] == name]
            assert "".join(said) == name
        client.say(type="cancel", id="endless")
        done, _ = client.until("done", "endless")
        assert done["cancelled"] is True
        client.generate("endless", text="again")
        client.until("done", "endless")
    becomes_quiet(server)


def test_pings_of_both_kinds_are_answered(server):
    with Client(server) as client:
        client.say(type="ping", id="7")
        assert client.hear() == {"type": "pong", "id": "7"}
        client.say(type="ping")
        assert client.hear() == {"type": "pong"}
        assert client.socket.ping("x").wait(WAIT_S)


def test_mistakes_are_answered_and_the_socket_goes_on(server):
    with Client(server) as client:
        for text, param in [
            ("nonsense", None),
            ("[]", None),
            ("{}", "type"),
            ('{"type": "sing", "id": "x"}', "type"),
            ('{"type": "cancel"}', "id"),
            ('{"type": "generate", "id": ""}', "id"),
        ]:
            client.socket.send(text)
            error = client.hear()
            assert error["type"] == "error" and error["error"]["param"] == param, (text, error)
        client.generate("x", temperature=9)
        error = client.hear()
        assert (error["id"], error["error"]["param"]) == ("x", "temperature")
        client.generate("y", "nobody")
        assert client.hear()["error"]["code"] == "model_not_found"
        client.generate("z", typo=1)
        assert client.hear()["error"]["code"] == "unknown_parameter"
        client.say(type="cancel", id="never")
        client.generate("a")
        client.until("done", "a")


def test_ids_and_numbers_of_generations_are_bounded(server):
    with Client(server) as client:
        for name in ("a", "b", "c"):
            client.generate(name, "endless", max_tokens=190_000)
            client.until("delta", name)
        client.generate("a", "endless")
        error, _ = client.until("error", "a")
        assert error["error"]["param"] == "id"
        client.generate("d", "endless")
        error, _ = client.until("error", "d")
        assert error["error"]["code"] == "rate_limit_exceeded"
        assert "sockets.generations" in error["error"]["message"]
    becomes_quiet(server)


@pytest.mark.parametrize(
    ("send", "code"),
    [
        (lambda socket: socket.send(b"\x00"), 1003),
        (lambda socket: socket.send("x" * 70_000), 1009),
        (lambda socket: socket.send(["x" * 40_000, "x" * 40_000]), 1009),
    ],
)
def test_what_is_no_message_ends_the_socket(server, send, code):
    with Client(server) as client:
        assert client.closed(send) == code


def handshake(server):
    """A raw socket behind the upgrade."""
    raw = socket.socket()
    raw.settimeout(WAIT_S)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect(("127.0.0.1", server.port))
    key = base64.b64encode(bytes(16)).decode()
    raw.sendall(
        f"GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer free\r\nUpgrade: websocket\r\n"
        f"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += raw.recv(1)
    assert head.startswith(b"HTTP/1.1 101 Switching Protocols\r\n"), head
    assert b"Sec-WebSocket-Accept: ICX+Yqv66kxgM0FcWaLWlFLwTAI=\r\n" in head
    assert b"ransfer-encoding" not in head and b"ontent-length" not in head and b"Connection: close" not in head
    return raw


def frame(opcode, content, mask=b"\x01\x02\x03\x04"):
    size = len(content)
    head = bytes([0x80 | opcode, 0x80 | size]) if size < 126 else bytes([0x80 | opcode, 0xFE]) + size.to_bytes(2, "big")
    return head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(content))


@pytest.mark.parametrize(
    ("bytes_", "code"),
    [
        (b"\x81\x01a", 1002),  # not masked
        (b"\xc1\x80\0\0\0\0", 1002),  # a bit of no extension
        (b"\x83\x80\0\0\0\0", 1002),  # no such kind
        (b"\x80\x80\0\0\0\0", 1002),  # nothing to go on with
        (b"\x09\x80\0\0\0\0", 1002),  # half a ping
        (b"\x81\xff\xff\0\0\0\0\0\0\0\0\0\0\0", 1002),  # a length without end
        (b"\x81\xff\x7f\0\0\0\0\0\0\0\0\0\0\0", 1009),
        (frame(1, b"\xff\xfe"), 1007),
        (frame(8, b"\x03\xe8bye"), 1000),
    ],
)
def test_broken_frames_end_the_socket_with_their_code(server, bytes_, code):
    raw = handshake(server)
    raw.sendall(bytes_)
    answer = raw.recv(1000)
    assert answer[0] == 0x88 and int.from_bytes(answer[2:4], "big") == code
    assert raw.recv(1) == b""
    raw.close()


def test_messages_may_come_in_single_bytes_and_in_fragments(server):
    raw = handshake(server)
    for byte in frame(1, b'{"type":"ping","id":"s"}'):
        raw.sendall(bytes([byte]))
    assert raw.recv(1000) == b"\x81\x18" + b'{"type":"pong","id":"s"}'
    first, rest = frame(1, b'{"type":'), frame(0, b'"ping"}')
    raw.sendall(bytes([first[0] & 0x7F]) + first[1:] + frame(9, b"hi") + rest)
    answer = b""
    while len(answer) < 4 + 17:
        answer += raw.recv(1000)
    assert answer == b"\x8a\x02hi" + b"\x81\x0f" + b'{"type":"pong"}'
    raw.close()


def test_the_door_is_that_of_other_routes(server):
    assert refused(server, "wrong") == 401
    assert refused(server, "reader") == 403
    assert refused(server, Origin="http://elsewhere.example") == 403
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=WAIT_S)
    connection.request("GET", "/v1/stream", headers={"Authorization": "Bearer free"})
    answer = connection.getresponse()
    assert (answer.status, answer.getheader("Upgrade")) == (426, "websocket")
    assert json.loads(answer.read())["error"]["type"] == "invalid_request_error"
    connection.close()
    with Client(server, headers={"Origin": f"http://127.0.0.1:{server.port}"}) as client:
        client.say(type="ping")
        assert client.hear() == {"type": "pong"}


def test_quotas_hold_for_generations(server):
    with Client(server, "once") as client:
        client.generate("a")
        client.until("done", "a")
        client.generate("b")
        error, _ = client.until("error", "b")
        assert (error["error"]["type"], error["error"]["code"]) == ("requests", "rate_limit_exceeded")
    with Client(server, "one") as client:
        client.generate("a", "endless", max_tokens=190_000)
        client.until("delta", "a")
        client.generate("b")
        assert "concurrent" in client.until("error", "b")[0]["error"]["message"]
        client.say(type="cancel", id="a")
        client.until("done", "a")
        client.generate("b")
        client.until("done", "b")


def test_a_client_that_vanishes_costs_nothing_more(server):
    client = Client(server)
    for name in ("a", "b"):
        client.generate(name, "endless", max_tokens=190_000)
        client.until("delta", name)
    assert running(server) == 2
    # No close frame, no goodbye.
    client.socket.socket.shutdown(socket.SHUT_RDWR)
    becomes_quiet(server)


def test_a_reader_that_stops_pauses_its_generations_and_is_told_why_it_was_closed(start):
    with start(CORTEX_LIMITS_WRITE_TIMEOUT="2s") as server:
        raw = handshake(server)
        body = {"type": "generate", "id": "f", "model": "flood", "max_tokens": 3_190_000, **LONG_TOKENS}
        raw.sendall(frame(1, json.dumps({**body, "messages": [{"role": "user", "content": "x"}]}).encode()))
        raw.recv(1, socket.MSG_PEEK)
        # Others are served meanwhile, and what is closed runs no more.
        with Client(server) as other:
            other.generate("a")
            other.until("done", "a")
        becomes_quiet(server)
        # Bounded: what was on its way when it stopped, and then the reason.
        sent = b""
        while more := raw.recv(1 << 20):
            sent += more
        assert len(sent) < 64 << 20
        assert sent[-2 - 125 :].count(b"\x0f\xa1nothing was read") == 1
        raw.close()


def test_a_reader_that_pauses_for_a_moment_loses_nothing(server):
    before_it = pauses(server)
    # The system would hold much of it otherwise, all of it where the server is slow.
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", server.port))
    with Client(server, max_queue=1, sock=narrow) as client:
        client.generate("f", "flood", max_tokens=4000, **LONG_TOKENS)
        client.until("delta", "f")
        end = time.monotonic() + WAIT_S
        while pauses(server) == before_it:
            assert time.monotonic() < end, "nothing pauses although nobody reads"
        done, before = client.until("done", "f")
        assert done["usage"]["completion_tokens"] == 4000
        assert before[-1]["chunk"]["choices"][0]["finish_reason"] == "length"


def test_silence_is_pinged_and_idleness_ends(start):
    with start(CORTEX_SOCKETS_PING_INTERVAL="250ms", CORTEX_SOCKETS_IDLE_TIMEOUT="1s") as server:
        with Client(server) as client:
            assert client.closed() == 4000
        raw = handshake(server)  # answers no ping
        answer = b""
        while more := raw.recv(1000):
            answer += more
        assert answer.count(b"\x89\x00") == 2 and b"\x0f\xa0pings were not answered" in answer
        raw.close()


def test_a_server_that_stops_lets_generations_end_and_says_so(start):
    server = start()
    with Client(server) as idle, Client(server) as busy:
        busy.generate("a", "endless", max_tokens=300)
        busy.until("delta", "a")
        server.signal(15)
        assert idle.closed() == 1001
        done, _ = busy.until("done", "a")
        assert "cancelled" not in done
        assert busy.closed() == 1001
    assert server.ended() == 0
