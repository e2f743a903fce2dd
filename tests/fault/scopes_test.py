#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every route against keys of one scope each: the server describes its routes, and does what it says.

    scopes_test.py --binary build/asan/cortex
"""

import argparse
import hashlib
import http.client
import json
import pathlib
import re
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

BINARY = None
ROLES = {"read": "reader", "infer": "inference_user", "admin": "model_admin"}
KEPT = ("/api/2.0/mlflow", "/api/3.0/mlflow", "/api/v2/", "/get-artifact", "/model-versions/", "/ajax-api/")
# What reads although it is no GET, and who needs no key: the address of a part holds the random id of its upload, and
# what the server is says nothing of what it keeps.
READS = ("/search", "/get-latest-versions", "/presigned-download-url")
OPEN = ("/mpu/parts/{upload}/{number}", "/server-info")
# Who copies everything sees everything; who is told of changes, and where, is an operator's.
WHOLE = ("/api/v2/backups", "/api/v2/blobs", "/api/v2/webhooks", "/api/2.0/mlflow/webhooks")


def expected_scope(method, path):
    if path.endswith(OPEN):
        return "none"
    if path.startswith(WHOLE):
        return "admin"
    return "read" if method == "get" or path.endswith(READS) else "admin"


class Scopes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        keys = [
            {"name": role, "scopes": [role], "sha256": hashlib.sha256(scope.encode()).hexdigest()}
            for scope, role in ROLES.items()
        ]
        folder = pathlib.Path(cls.folder.name)
        (folder / "keys.json").write_text(json.dumps(keys))
        (folder / "models").mkdir()
        cls.server = Server(BINARY, folder / "models", "--data", folder / "data", "--keys-file", folder / "keys.json")
        cls.connection = http.client.HTTPConnection("127.0.0.1", cls.server.port, timeout=30)
        cls.paths = json.loads(cls.ask("get", "/openapi.json", "read")[1])["paths"]

    @classmethod
    def tearDownClass(cls):
        cls.connection.close()
        code = cls.server.stop()
        cls.folder.cleanup()
        assert code == 0, cls.server.output()

    @classmethod
    def ask(cls, method, path, key=None):
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        cls.connection.request(method.upper(), path, headers=headers)
        answer = cls.connection.getresponse()
        return answer.status, answer.read()

    def operations(self):
        for path, methods in self.paths.items():
            for method, operation in methods.items():
                yield method, path, operation["x-scope"]

    def test_every_kept_thing_is_read_with_read_and_changed_with_admin(self):
        seen = 0
        for method, path, scope in self.operations():
            if path.startswith(KEPT):
                seen += 1
                self.assertEqual(scope, expected_scope(method, path), f"{method} {path}")
        self.assertGreater(seen, 90)

    def test_every_route_lets_in_the_key_of_its_scope_alone(self):
        for method, path, scope in self.operations():
            forms = [path]
            if path.startswith("/api/"):
                forms.append("/ajax-api/" + path.removeprefix("/api/"))
            for form in forms:
                target = re.sub(r"{[^}]*}", "x", form)
                if scope == "none":
                    continue
                self.assertIn(self.ask(method, target)[0], (401, 404), f"{method} {form} without a key")
                for other in ROLES.keys() - {scope}:
                    self.assertIn(self.ask(method, target, other)[0], (403, 404), f"{method} {form} with {other}")

    def test_the_right_key_gets_past_the_door(self):
        for method, path, scope in self.operations():
            if scope != "none" and path.startswith(KEPT):
                target = re.sub(r"{[^}]*}", "x", path)
                self.assertNotIn(self.ask(method, target, scope)[0], (401, 403, 405), f"{method} {path}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    BINARY = arguments.binary
    unittest.main(argv=[sys.argv[0], *rest])
