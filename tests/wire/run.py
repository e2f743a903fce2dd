#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the wire tests: text files of requests and expected answers, against the real program.

A file holds cases separated by lines of "====". A case is

    # what it shows (one or more lines)
    POST /v2/models/identity/infer          request line; the version and Host are added
    content-type: application/json          headers; Content-Length is added unless one is given
                                            an empty line
    {"inputs": []}                          the body, its lines joined by newlines
    ----
    200                                     expected status; 4?? is any of them
    content-type: application/json          headers that must be there; "~" before the value makes it a regex,
    retry-after: -                          "-" means that it must not be there
    etag: =TAG                              "=" keeps it: ${TAG} stands for it in heads further down in the file
                                            an empty line
    {"error": "~unknown model"}             the body: JSON is compared as values, in which a string "~regex" matches
                                            a string and "*" anything; objects may have more keys when one is "...": 1.
                                            "~regex" alone matches the text; no lines at all: anything

"RAW" instead of a request line sends the lines that follow as they are, with Python's escapes and no newline added: for
requests that no client library would send. A body line "BYTES" is followed by such a line too, on both sides.
A body line "EVENTS" is followed by the data of a stream's events, one a line. How a text was cut is not compared: the events of
one choice stand together, in the order of their choices, and their texts are joined.
"CLOSED" as expected status: the server closes the connection without an answer.

    run.py --binary build/asan/cortex --config configs/default.yaml [--only NAME] FILES…
"""

import argparse
import json
import pathlib
import re
import shutil
import socket
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

ANSWER_TIMEOUT_S = 20


class Mismatch(Exception):
    """An answer that is not what the case expects."""


def unescape(text):
    return text.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1")


def body_bytes(lines):
    if lines and lines[0] == "BYTES":
        return b"".join(unescape(line) for line in lines[1:])
    return "\n".join(lines).encode()


def split_head(lines):
    """The first line, the headers and the body's lines of one side of a case."""
    first, rest = lines[0], lines[1:]
    headers = []
    while rest and rest[0]:
        name, _, value = rest.pop(0).partition(":")
        headers.append((name.strip().lower(), value.strip()))
    return first, headers, rest[1:]


def fill_in(text, kept):
    return re.sub(r"\$\{(\w+)\}", lambda name: kept[name[1]], text)


class Case:
    def __init__(self, path, text):
        lines = text.strip("\n").split("\n")
        comments = [line[1:].strip() for line in lines if line.startswith("#")]
        self.name = f"{path.parent.name}/{path.stem}: {' '.join(comments)}"
        lines = [line for line in lines if not line.startswith("#")]
        cut = lines.index("----")
        self.request_lines = lines[:cut]
        self.is_head = lines[0].startswith("HEAD ")
        self.status, self.headers, self.body = split_head(lines[cut + 1 :])

    def request(self, kept):
        """The bytes to send; `kept` are the headers that earlier cases of the file kept."""
        return self.request_bytes([fill_in(line, kept) for line in self.request_lines])

    @staticmethod
    def request_bytes(lines):
        if lines[0] == "RAW":
            return b"".join(unescape(line) for line in lines[1:])
        line, headers, body_lines = split_head(lines)
        body = body_bytes(body_lines)
        names = [name for name, _ in headers]
        if "host" not in names:
            headers.insert(0, ("host", "localhost"))
        if body and not {"content-length", "transfer-encoding"} & set(names):
            headers.append(("content-length", str(len(body))))
        head = "".join(f"{name}: {value}\r\n" for name, value in headers)
        return f"{line} HTTP/1.1\r\n{head}\r\n".encode() + body


class Answer:
    """Reads one HTTP answer from a socket."""

    def __init__(self, connection, is_head):
        self.file = connection.makefile("rb")
        line = self.file.readline()
        if not line:
            self.status, self.headers, self.body = "CLOSED", {}, b""
            return
        self.status = line.split()[1].decode()
        self.headers = {}
        while (line := self.file.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            self.headers[name.lower()] = value.strip()
        self.body = b"" if is_head or self.status in ("204", "304") else self.read_body()

    def read_body(self):
        if self.headers.get("transfer-encoding") == "chunked":
            out = b""
            while size := int(self.file.readline(), 16):
                out += self.file.read(size)
                self.file.readline()
            self.file.readline()
            return out
        return self.file.read(int(self.headers.get("content-length", "0")))


def compare_json(want, got, where="body"):
    if isinstance(want, str):
        if want == "*":
            return
        if want.startswith("~"):
            if not isinstance(got, str) or not re.search(want[1:], got):
                raise Mismatch(f"{where}: {got!r} does not match {want[1:]!r}")
            return
    if isinstance(want, dict) and isinstance(got, dict):
        open_ended = "..." in want
        keys = set(want) - {"..."}
        if keys - set(got) or (set(got) - keys and not open_ended):
            raise Mismatch(f"{where}: keys {sorted(got)}, expected {sorted(keys)}")
        for key in keys:
            compare_json(want[key], got[key], f"{where}.{key}")
    elif isinstance(want, list) and isinstance(got, list):
        if len(want) != len(got):
            raise Mismatch(f"{where}: {len(got)} elements, expected {len(want)}")
        for i, (w, g) in enumerate(zip(want, got)):
            compare_json(w, g, f"{where}[{i}]")
    elif want != got or isinstance(want, bool) != isinstance(got, bool):
        raise Mismatch(f"{where}: {got!r}, expected {want!r}")


def text_of(event):
    """The object and the name of the text that an event streams, of a choice that goes on."""
    (choice,) = event["choices"]
    if choice["finish_reason"]:
        return None
    holder = choice.get("delta", choice)
    names = [name for name in ("content", "text", "reasoning_content") if holder.get(name)]
    return (holder, names[0]) if len(names) == 1 and "tool_calls" not in holder else None


def join_texts(events):
    """Events of one choice, with neighbours that only stream the same kind of text made one."""
    out = []
    for event in events:
        piece = text_of(event)
        before = text_of(out[-1]) if out else None
        if piece and before and piece[1] == before[1]:
            before[0][before[1]] += piece[0][piece[1]]
        else:
            out.append(event)
    return out


def events_of(got):
    """The data of a stream's events: JSON, or the text that is none; comments are left out."""
    blocks = got.decode().split("\n\n")
    if blocks.pop():
        raise Mismatch(f"the stream does not end with an empty line: {got[-200:]!r}")
    choices, rest = {}, []
    for block in blocks:
        if block.startswith(":"):
            continue
        if not block.startswith("data: ") or "\n" in block:
            raise Mismatch(f"no event: {block!r}")
        event = json.loads(block[6:]) if block[6] == "{" else block[6:]
        of_choice = isinstance(event, dict) and event.get("choices")
        (choices.setdefault(event["choices"][0]["index"], []) if of_choice else rest).append(event)
    return [event for index in sorted(choices) for event in join_texts(choices[index])] + rest


def compare_events(lines, got):
    want = [json.loads(line) if line[0] == "{" else line for line in lines if line]
    compare_json(want, events_of(got), "event")


def compare_body(lines, got):
    if not any(lines):
        return
    if lines[0] == "EVENTS":
        return compare_events(lines[1:], got)
    if lines[0] == "BYTES":
        if body_bytes(lines) != got:
            raise Mismatch(f"body: {got!r}, expected {body_bytes(lines)!r}")
        return
    text = "\n".join(lines)
    if text.startswith("~"):
        if not re.search(text[1:], got.decode("utf-8", "replace"), re.S):
            raise Mismatch(f"body: {got[:2000]!r} does not match {text[1:]!r}")
    elif text[0] in '{["':
        try:
            parsed = json.loads(got)
        except ValueError:
            raise Mismatch(f"body is not JSON: {got[:2000]!r}") from None
        compare_json(json.loads(text), parsed)
    elif text.encode() != got:
        raise Mismatch(f"body: {got!r}, expected {text!r}")


def check(case, answer, kept):
    if not re.fullmatch(case.status.replace("?", r"\d"), answer.status):
        raise Mismatch(f"status {answer.status}, expected {case.status}; body {answer.body[:500]!r}")
    for name, want in case.headers:
        want = fill_in(want, kept)
        got = answer.headers.get(name)
        if want == "-":
            matches = got is None
        elif want.startswith("="):
            matches = got is not None
            kept[want[1:]] = got
        elif want.startswith("~"):
            matches = got is not None and re.search(want[1:], got)
        else:
            matches = got == want
        if not matches:
            raise Mismatch(f"header {name}: {got!r}, expected {want!r}")
    compare_body(case.body, answer.body)


def forced_models(models, config, folder):
    """A copy of the model folders, with the lines of the configuration's .model file where a model says nothing else."""
    lines = config.with_suffix(".model")
    if not lines.exists():
        return models
    copy = folder / "models"
    shutil.copytree(models, copy)
    for path in copy.glob("*/model.yaml"):
        if "batching:" not in path.read_text() and "max_batch_size" in path.read_text():
            path.write_text(path.read_text() + lines.read_text())
    return copy


def ask(port, case, kept):
    with socket.create_connection(("127.0.0.1", port), ANSWER_TIMEOUT_S) as connection:
        try:
            connection.sendall(case.request(kept))
        except (BrokenPipeError, ConnectionResetError):
            pass  # refused before all was sent: the answer is there to read
        try:
            return Answer(connection, case.is_head)
        except ConnectionResetError:
            raise Mismatch("connection reset") from None


def cases_of(path):
    text = path.read_text()
    return [Case(path, part) for part in re.split(r"^====$", text, flags=re.M) if part.strip()]


def excluded(case_path, config):
    """Files that a forced configuration changes on purpose: named in its .except file."""
    listing = config.with_suffix(".except")
    names = listing.read_text().split() if listing.exists() else []
    return f"{case_path.parent.name}/{case_path.stem}" in names


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", required=True, type=pathlib.Path)
    parser.add_argument("--config", default=HERE / "configs/default.yaml", type=pathlib.Path)
    parser.add_argument("--models", default=HERE / "models", type=pathlib.Path)
    parser.add_argument("--only", default="")
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    args = parser.parse_args()
    files = args.files or sorted(HERE.glob("*/*.wire"))
    with tempfile.TemporaryDirectory() as folder:
        models = forced_models(args.models, args.config, pathlib.Path(folder))
        data = pathlib.Path(folder) / "data"
        return run(args, files, Server(args.binary, models, "--config", args.config, "--data", data, "--adapters", HERE / "adapters"))


def run(args, files, server):
    failed = passed = 0
    for path in files:
        if excluded(path, args.config):
            continue
        kept = {}
        for case in cases_of(path):
            if args.only not in case.name:
                continue
            try:
                check(case, ask(server.port, case, kept), kept)
                passed += 1
            except (Mismatch, TimeoutError, OSError, ValueError) as error:
                failed += 1
                print(f"FAILED {case.name}\n    {type(error).__name__}: {error}")
    code = server.stop()
    if code != 0:
        failed += 1
        print(f"FAILED the server ended with {code}:\n{server.output()}")
    print(f"{args.config.stem}: {passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
