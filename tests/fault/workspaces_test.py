#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Two workspaces and keys that are bound to them: what lies in one is not there for the other.

    workspaces_test.py --binary build/asan/cortex
"""

import argparse
import hashlib
import http.client
import json
import pathlib
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

BINARY = None
SCOPES = ["read", "infer", "admin"]
KEYS = {"red": "team-red", "blue": "team-blue", "plain": None, "free": "*"}


def key_entry(name, workspace):
    entry = {"name": name, "scopes": SCOPES, "sha256": hashlib.sha256(name.encode()).hexdigest()}
    return entry if workspace is None else {**entry, "workspace": workspace}


class Workspaces(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.folder.name)
        (folder / "keys.json").write_text(json.dumps([key_entry(*item) for item in KEYS.items()]))
        (folder / "models").mkdir()
        cls.server = Server(
            BINARY, folder / "models", "--data", folder / "data", "--keys-file", folder / "keys.json",
            "--workspace", "team-red", "--workspace", "team-blue",
        )

    @classmethod
    def tearDownClass(cls):
        code = cls.server.stop()
        cls.folder.cleanup()
        assert code == 0, cls.server.output()

    def ask(self, key, method, path, body=None, workspace=None):
        headers = {"Authorization": f"Bearer {key}"}
        if workspace is not None:
            headers["X-MLFLOW-WORKSPACE"] = workspace
        if isinstance(body, dict):
            body = json.dumps(body)
            headers["Content-Type"] = "application/json"
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if data and answer.getheader("content-type", "").startswith("application/json"):
            data = json.loads(data)
        return answer.status, data

    def mlflow(self, key, method, path, body=None, workspace=None):
        return self.ask(key, method, "/api/2.0/mlflow" + path, body, workspace)

    def done(self, answer):
        self.assertIn(answer[0], (200, 201, 204), answer)
        return answer[1]

    def test_a_key_asks_for_its_own_workspace_alone(self):
        self.assertEqual(self.mlflow("red", "GET", "/experiments/get?experiment_id=0")[0], 200)
        self.assertEqual(self.mlflow("red", "GET", "/experiments/get?experiment_id=0", workspace="team-red")[0], 200)
        status, body = self.mlflow("red", "GET", "/experiments/get?experiment_id=0", workspace="team-blue")
        self.assertEqual((status, body["error_code"]), (403, "PERMISSION_DENIED"))
        self.assertEqual(self.mlflow("red", "GET", "/experiments/get?experiment_id=0", workspace="nowhere")[0], 403)
        self.assertEqual(self.mlflow("plain", "GET", "/experiments/get?experiment_id=0", workspace="team-red")[0], 403)
        self.assertEqual(self.mlflow("free", "GET", "/experiments/get?experiment_id=0", workspace="nowhere")[0], 400)

    def test_a_key_sees_the_names_that_it_may_ask_for(self):
        names = lambda key: [w["name"] for w in self.done(self.ask(key, "GET", "/api/3.0/mlflow/workspaces"))["workspaces"]]
        self.assertEqual(names("red"), ["team-red"])
        self.assertEqual(names("plain"), ["default"])
        self.assertEqual(names("free"), ["default", "team-red", "team-blue"])
        self.assertEqual(self.ask("red", "GET", "/api/3.0/mlflow/workspaces/team-blue")[0], 404)
        self.assertEqual(self.ask("free", "POST", "/api/3.0/mlflow/workspaces", {"name": "new"})[0], 501)

    def test_what_one_team_keeps_is_not_there_for_the_other(self):
        experiment = self.done(self.mlflow("red", "POST", "/experiments/create", {"name": "secret"}))["experiment_id"]
        run = self.done(self.mlflow("red", "POST", "/runs/create", {"experiment_id": experiment}))["run"]["info"]["run_id"]
        self.done(self.mlflow("red", "POST", "/registered-models/create", {"name": "model"}))
        stored = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/{run}/artifacts"
        self.done(self.ask("red", "PUT", f"{stored}/model/MLmodel", "flavors: {sklearn: {}}\n"))
        version = {"name": "model", "source": f"runs:/{run}/model", "run_id": run}
        self.done(self.mlflow("red", "POST", "/model-versions/create", version))
        file = f"{stored}/a.txt"
        self.done(self.ask("red", "PUT", file, "red's"))
        hidden = [
            ("GET", f"/experiments/get?experiment_id={experiment}"),
            ("GET", "/experiments/get-by-name?experiment_name=secret"),
            ("GET", f"/runs/get?run_id={run}"),
            ("GET", f"/artifacts/list?run_id={run}"),
            ("GET", "/registered-models/get?name=model"),
            ("GET", "/model-versions/get?name=model&version=1"),
        ]
        for method, path in hidden:
            self.assertEqual(self.mlflow("red", method, path)[0], 200, path)
            self.assertEqual(self.mlflow("free", method, path, workspace="team-red")[0], 200, path)
            self.assertEqual(self.mlflow("blue", method, path)[0], 404, path)
            self.assertEqual(self.mlflow("plain", method, path)[0], 404, path)
        self.assertEqual(self.ask("red", "GET", file)[1], b"red's")
        self.assertEqual(self.ask("blue", "GET", file)[0], 404)
        self.assertEqual(self.mlflow("blue", "POST", "/runs/delete", {"run_id": run})[0], 404)
        self.assertEqual(self.ask("blue", "GET", "/api/v2/registry/models/model")[0], 404)
        found = self.done(self.mlflow("blue", "POST", "/runs/search", {"experiment_ids": [experiment, "0"]}))
        self.assertEqual(found.get("runs", []), [])
        self.assertEqual(self.done(self.ask("blue", "GET", "/api/v2/audit")).get("rows", []), [])

    def test_the_same_name_is_another_model_in_each(self):
        for key in ("red", "blue", "plain"):
            self.done(self.mlflow(key, "POST", "/registered-models/create", {"name": "same"}))
            tag = {"name": "same", "key": "owner", "value": key}
            self.done(self.mlflow(key, "POST", "/registered-models/set-tag", tag))
        for key in ("red", "blue", "plain"):
            model = self.done(self.mlflow(key, "GET", "/registered-models/get?name=same"))["registered_model"]
            self.assertEqual(model["tags"], [{"key": "owner", "value": key}])

    def test_a_backup_is_of_all_and_for_free_keys_alone(self):
        self.assertEqual(self.ask("red", "POST", "/api/v2/backups")[0], 403)
        self.assertEqual(self.ask("red", "GET", "/api/v2/blobs")[0], 403)
        copy = self.done(self.ask("free", "POST", "/api/v2/backups"))
        self.assertEqual(self.ask("blue", "GET", f"/api/v2/backups/{copy['id']}/content")[0], 403)
        self.done(self.ask("free", "DELETE", f"/api/v2/backups/{copy['id']}"))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    arguments, rest = parser.parse_known_args()
    BINARY = pathlib.Path(arguments.binary).resolve()
    unittest.main(argv=[sys.argv[0], *rest])
