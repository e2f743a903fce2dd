#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The log on standard error, from outside: both forms, who is told of which request, and what clients cannot write there.

    log_test.py --binary build/asan/cortex
"""

import argparse
import datetime
import http.client
import json
import pathlib
import re
import socket
import sys
import tempfile
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

BINARY = None
MODELS = HERE.parent / "wire/models"
WANTED = ("failing", "identity", "slow", "unloadable")
LEVELS = ("debug", "info", "warning", "error")
INFER = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "FP32", "data": [1]}]})
TEXT_LINE = re.compile(r"(?P<time>\S+) (?P<level>\w+) (?P<message>.*?)(?P<fields>( \w+=(\"([^\"\\]|\\.)*\"|[^\s\"=]*))*)")
# What would end a line or a value, begin a field, or move a terminal's cursor.
HOSTILE = 'a"}\r\n{"level":"error"}\u2028 status=200 \x1b[2K\x00\\'


def encoded(text):
    return "".join(f"%{byte:02X}" for byte in text.encode())


def send(server, head, body="", headers=""):
    """A connection on which a request went out as it is: no client stands between."""
    connection = socket.create_connection(("127.0.0.1", server.port), 30)
    text = f"{head} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: {len(body.encode())}\r\n{headers}\r\n{body}"
    connection.sendall(text.encode())
    return connection


def ask(server, *request):
    """The id and the status of an answer."""
    with send(server, *request) as connection:
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer.headers["x-request-id"], answer.status


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the awaited state did not come")
        time.sleep(0.01)


def parse_text(line):
    """The same as the JSON form has, of a line of the text form."""
    found = TEXT_LINE.fullmatch(line)
    if not found:
        raise AssertionError(f"no line: {line!r}")
    fields = re.findall(r" (\w+)=(\"(?:[^\"\\]|\\.)*\"|\S*)", found["fields"])
    values = {name: json.loads(value) if value.startswith('"') else value for name, value in fields}
    return {**{name: found[name] for name in ("time", "level", "message")}, **values}


class Log(unittest.TestCase):
    def setUp(self):
        self.models = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        for name in WANTED:
            (self.models / name).symlink_to(MODELS / name)

    def serve(self, *flags):
        return self.enterContext(Server(BINARY, self.models, *flags))

    def lines(self, server, parse=json.loads):
        """What a server wrote to its end, parsed, after a look at each line."""
        self.assertEqual(server.stop(), 0, server.output())
        text = server.logged()
        self.assertTrue(text.endswith("\n"))
        self.assertNotRegex(text, r"[^\n -~\u00a0-\uffff]", "a control character")
        parsed = [parse(line) for line in text.removesuffix("\n").split("\n")]
        for line in parsed:
            moment = datetime.datetime.fromisoformat(line["time"])
            self.assertEqual(moment.utcoffset(), datetime.timedelta(0))
            self.assertIn(line["level"], LEVELS)
            self.assertTrue(line["message"])
        return parsed

    def requests(self, server, parse=json.loads):
        return [line for line in self.lines(server, parse) if line["message"] == "request"]

    def test_a_line_of_the_json_form_is_an_object(self):
        (self.models / "broken/1").mkdir(parents=True)
        (self.models / "broken/1/model.onnx").write_bytes(b"this is no model")
        (self.models / 'no "name"\n\x1b[2K').mkdir()
        server = self.serve("--log-format", "json", "--log-level", "debug")
        lines = self.lines(server)
        messages = {line["message"]: line for line in lines}
        self.assertEqual(messages["stopped"].keys(), {"time", "level", "message"})
        self.assertIn(f"'{self.models}/no \"name\"\n\x1b[2K' is left out: not a model name", messages)
        failed = {line["model"]: line for line in lines if line["message"] == "model version failed to load"}
        self.assertEqual(failed.keys(), {"broken", "unloadable"})
        self.assertEqual(failed["unloadable"]["level"], "warning")
        self.assertIn("made of paper", failed["unloadable"]["reason"])
        loaded = [line for line in lines if line["message"] == "model loaded"]
        self.assertEqual({line["model"] for line in loaded}, {"failing", "identity", "slow"})
        self.assertTrue(all(isinstance(line["seconds"], float) for line in loaded))
        self.assertIn("debug", {line["level"] for line in lines})

    def test_a_request_has_a_line_with_the_id_of_its_answer(self):
        server = self.serve("--log-format", "json", "--log-access", "all")
        infer = "/v2/models/{model}/infer"
        expected = []
        for head, body, headers, route, status in (
            ("GET /health/live", "", "", "/health/live", 200),
            ("POST /v2/models/identity/infer", INFER, "x-request-id: mine/1\r\n", infer, 200),
            ("POST /v2/models/identity/infer", "{", "", infer, 400),
            ("HEAD /v2/models/nobody", "", "", "/v2/models/{model}", 404),
            ("POST /v2/models/unloadable/infer", INFER, "", infer, 503),
            ("GET /nothing/here", "", "", "", 404),
        ):
            id, answered = ask(server, head, body, headers)
            self.assertEqual(answered, status, head)
            level = "warning" if status >= 500 else "info"
            expected.append((id, level, head.split()[0], route, status))
        self.assertEqual(expected[1][0], "mine/1")
        self.assertEqual(len({id for id, *_ in expected}), len(expected))
        lines = self.requests(server)
        names = ("id", "level", "method", "route", "status")
        self.assertEqual([tuple(line[name] for name in names) for line in lines], expected)
        ran = lines[1]
        self.assertEqual((ran["api"], ran["model"], ran["version"], ran["error"]), ("oip", "identity", "1", ""))
        self.assertEqual(ran["batch_size"], 1)
        self.assertGreater(ran["bytes_in"], len(INFER))
        self.assertGreater(ran["bytes_out"], 0)
        self.assertGreaterEqual(ran["total_us"], ran["queue_us"] + ran["compute_us"])
        self.assertIn("unknown model: 'nobody'", lines[3]["error"])

    def test_the_text_form_says_the_same(self):
        server = self.serve("--log-access", "all")
        expected = [
            ask(server, "POST /v2/models/identity/infer", INFER),
            ask(server, "GET /v2/models/nobody", "", 'x-request-id: "a"=b\\\r\n'),
        ]
        self.assertEqual(expected[1], ('"a"=b\\', 404))
        lines = self.requests(server, parse_text)
        self.assertEqual([(line["id"], int(line["status"])) for line in lines], expected)
        self.assertEqual((lines[0]["model"], lines[0]["error"]), ("identity", ""))
        self.assertIn("unknown model: 'nobody'", lines[1]["error"])

    def test_what_a_failure_does_not_tell_stands_under_its_id(self):
        server = self.serve("--log-format", "json")
        id, status = ask(server, "POST /v2/models/failing/infer", INFER)
        self.assertEqual(status, 500)
        lines = self.lines(server)
        (cause,) = [line for line in lines if line.get("request_id") == id]
        self.assertEqual(cause["level"], "error")
        self.assertIn("fails as told", cause["error"])
        self.assertEqual([line["status"] for line in lines if line.get("id") == id], [500])

    def logged_statuses(self, *flags):
        """Of one request that is answered, one that is refused, and one that finds its model broken."""
        server = self.serve("--log-format", "json", *flags)
        answered = [ask(server, f"GET {path}")[1] for path in ("/v2", "/v2/models/nobody", "/v2/models/unloadable")]
        self.assertEqual(answered, [200, 404, 503])
        lines = self.lines(server)
        return lines, [line["status"] for line in lines if line["message"] == "request"]

    def test_everybody_is_told_of(self):
        self.assertEqual(self.logged_statuses("--log-access", "all")[1], [200, 404, 503])

    def test_those_that_failed_are_told_of(self):
        self.assertEqual(self.logged_statuses("--log-access", "errors")[1], [404, 503])
        self.assertEqual(self.logged_statuses()[1], [404, 503])

    def test_nobody_is_told_of(self):
        self.assertEqual(self.logged_statuses("--log-access", "off")[1], [])

    def test_who_left_before_the_answer_failed(self):
        server = self.serve("--log-format", "json")
        send(server, "POST /v2/models/slow/infer", INFER).close()
        wait_until(lambda: '"message":"request"' in server.logged())
        (line,) = self.requests(server)
        self.assertEqual((line["status"], line["model"], line["level"], line["bytes_out"]), (0, "slow", "info", 0))
        self.assertIn("the client left", line["error"])

    def test_a_level_leaves_out_what_is_less_important(self):
        lines, statuses = self.logged_statuses("--log-access", "all", "--log-level", "warning")
        self.assertEqual({line["level"] for line in lines}, {"warning"})
        self.assertEqual(statuses, [503])

    def ask_hostile(self, server):
        """Ids and statuses of requests that carry what could break a line, wherever a client can put it."""
        quoted = re.sub("[\0-\x1f]", "", HOSTILE)
        name = json.dumps(HOSTILE)
        tensor = f'{{"id": {name}, "inputs": [{{"name": {name}, "shape": [1, 1], "datatype": "FP32", "data": [1]}}]}}'
        return [
            ask(server, f"GET /v2/models/{encoded(HOSTILE)}"),
            ask(server, f"GET /v2/models/{encoded(quoted)}"),
            ask(server, f"GET /{encoded(quoted)}"),
            ask(server, "GET /v2/models/%FF%FE%C3"),
            ask(server, "GET /v2", "", f"x-request-id: {quoted}\r\n"),
            ask(server, "GET /v2", "", 'x-request-id: "}{"level":"error\\\r\n'),
            ask(server, "GET /v2", "", f"authorization: Bearer {quoted}\r\nuser-agent: {quoted}\r\n"),
            ask(server, "GET /v2", "", "x-more: \x1b[2K\r\n"),
            ask(server, "POST /v1/embeddings", f'{{"model": {name}, "input": "a"}}'),
            ask(server, "POST /v2/models/identity/infer", tensor),
            ask(server, "GET /v2\rGET"),
        ]

    def hostile_requests(self, parse, *flags):
        server = self.serve("--log-access", "all", *flags)
        asked = self.ask_hostile(server)
        self.assertEqual([status for _, status in asked], [400, 400, 404, 404, 200, 200, 200, 400, 400, 400, 400])
        lines = self.requests(server, parse)
        self.assertEqual([(line["id"], int(line["status"])) for line in lines], asked)
        self.assertEqual(asked[5][0], '"}{"level":"error\\')
        self.assertEqual({line["level"] for line in lines}, {"info"})
        self.assertIn(HOSTILE, lines[9]["error"])

    def test_a_client_breaks_no_line_of_the_json_form(self):
        self.hostile_requests(json.loads, "--log-format", "json")

    def test_a_client_breaks_no_line_of_the_text_form(self):
        self.hostile_requests(parse_text)

    def test_a_folder_breaks_no_line_of_the_text_form(self):
        (self.models / "no name\n2001-01-01T00:00:00.000+00:00 error forged\x1b[2K").mkdir()
        lines = self.lines(self.serve(), parse_text)
        self.assertEqual(len([line for line in lines if "left out: not a model name" in line["message"]]), 1)
        self.assertNotIn("error", {line["level"] for line in lines})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    known, rest = parser.parse_known_args()
    BINARY = known.binary
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
