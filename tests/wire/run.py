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
A body line "EVENTS" is followed by the data of a stream's events, one a line. How a text or the arguments of a call were cut is
not compared: the events of one choice stand together, in the order of their choices, and what they stream is joined.
"CLOSED" as expected status: the server closes the connection without an answer.

    run.py --binary build/asan/cortex --config configs/default.yaml [--only NAME] FILES…
"""

import argparse
import copy
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
# What streams in parts: of a choice, and of a message's block.
CHOICE_PARTS = ("reasoning_content", "content", "text", "tool_calls")
BLOCK_TEXTS = ("text", "thinking", "partial_json")


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


def said_by(event):
    """Who says something in an event that streams a part of an answer, and what, by its name; else nothing is said."""
    if isinstance(event, dict) and event.get("type") == "content_block_delta":
        return event["delta"], {name: event["delta"][name] for name in BLOCK_TEXTS if name in event["delta"]}
    if not isinstance(event, dict) or not event.get("choices") or event["choices"][0]["finish_reason"]:
        return {}, {}
    (choice,) = event["choices"]
    holder = choice.get("delta", choice)
    return holder, {name: holder[name] for name in CHOICE_PARTS if holder.get(name)}


def pieces_of(event):
    """The event, or where it says several things of its choice, one for each."""
    holder, said = said_by(event)
    if len(said) < 2:
        return [event]
    for name in said:
        del holder[name]
    pieces = [copy.deepcopy(event) for _ in said]
    for piece, (name, part) in zip(pieces, said.items()):
        piece["choices"][0]["delta"][name] = part
    return pieces


def join_calls(calls, more):
    for call in more:
        goes_on = calls and set(call) == {"index", "function"} and call["index"] == calls[-1].get("index")
        if goes_on and set(call["function"]) == {"arguments"}:
            calls[-1]["function"]["arguments"] += call["function"]["arguments"]
        else:
            calls.append(call)


def join_texts(events):
    """Events of one choice or message, with neighbours that only stream the same made one."""
    out = []
    for event in events:
        holder, said = said_by(event)
        before, said_before = said_by(out[-1]) if out else ({}, {})
        if not said or list(said) != list(said_before) or event.get("index") != out[-1].get("index"):
            out.append(event)
            continue
        (name,) = said
        if name == "tool_calls":
            join_calls(before[name], said[name])
        else:
            before[name] += said[name]
    return out


def event_of(block):
    """The data of an event: JSON, or the text that is none. Where the event has a name, its data says the same."""
    parts = re.fullmatch(r"(?:event: (.*)\n)?data: (.+)", block)
    if not parts:
        raise Mismatch(f"no event: {block!r}")
    name, data = parts.groups()
    event = json.loads(data) if data[0] == "{" else data
    if name and event.get("type") != name:
        raise Mismatch(f"an event of two types: {block!r}")
    return event


def events_of(got):
    """The data of a stream's events; comments are left out."""
    blocks = got.decode().split("\n\n")
    if blocks.pop():
        raise Mismatch(f"the stream does not end with an empty line: {got[-200:]!r}")
    choices, rest = {}, []
    for event in [event_of(block) for block in blocks if not block.startswith(":")]:
        of_choice = isinstance(event, dict) and event.get("choices")
        if of_choice:
            choices.setdefault(event["choices"][0]["index"], []).extend(pieces_of(event))
        else:
            rest.append(event)
    joined = [event for index in sorted(choices) for event in join_texts(choices[index])]
    return joined + (rest if choices else join_texts(rest))


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


def applies(case_path, config):
    """Not where a forced configuration changes it on purpose, and only where an .only file asks for it."""
    name = f"{case_path.parent.name}/{case_path.stem}"
    asked_for = {listing.stem: listing.read_text().split() for listing in config.parent.glob("*.only")}
    if config.stem in asked_for:
        return name in asked_for[config.stem]
    changed = config.with_suffix(".except")
    names = [changed.read_text().split() if changed.exists() else [], *asked_for.values()]
    return not any(name in listed for listed in names)


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
        flags = ["--config", args.config, "--data", pathlib.Path(folder) / "data", "--adapters", HERE / "adapters"]
        if (keys := args.config.with_suffix(".keys")).exists():
            flags += ["--keys-file", keys]
        return run(args, files, Server(args.binary, models, *flags))


def run(args, files, server):
    failed = passed = 0
    for path in files:
        if not applies(path, args.config):
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
