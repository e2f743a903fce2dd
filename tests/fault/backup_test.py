#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands for what a server keeps, against the real program: aliases, runs, files, backup and restore.

    backup_test.py --binary build/asan/cortex
"""

import argparse
import http.client
import json
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from server import Server  # noqa: E402

BINARY = None
LARGE = bytes(range(256)) * (80 << 10)  # 20 MiB: three parts


class Commands(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "models").mkdir()
        self.data = self.folder / "data"

    def serve(self, data=None):
        return Server(BINARY, self.folder / "models", "--data", data or self.data)

    def run_command(self, *arguments, code=0):
        done = subprocess.run([BINARY, *map(str, arguments)], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def cortex(self, server, *arguments, code=0):
        return self.run_command(*arguments, "--url", f"http://127.0.0.1:{server.port}", code=code)

    def call(self, server, method, path, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        connection.request(method, path, json.dumps(fields), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        self.assertIn(answer.status, (200, 201), body)
        return json.loads(body)

    def fill(self, server):
        """A run with a metric and a model, and two versions of it; the run's id."""
        mlflow = "/api/2.0/mlflow"
        run = self.call(server, "POST", f"{mlflow}/runs/create", experiment_id="0")["run"]["info"]["run_id"]
        values = [{"key": "loss", "value": 1 / (i + 1), "timestamp": i, "step": i} for i in range(50)]
        self.call(server, "POST", f"{mlflow}/runs/log-batch", run_id=run, metrics=values, params=[{"key": "depth", "value": "4"}])
        mlmodel = self.folder / "MLmodel"
        mlmodel.write_text("flavors: {sklearn: {}}\n")
        self.cortex(server, "artifacts", "put", run, mlmodel, "--to", "model/")
        self.call(server, "POST", "/api/v2/registry/models", name="churn")
        for _ in range(2):
            self.call(server, "POST", "/api/v2/registry/models/churn/versions", source=f"runs:/{run}/model", increment="minor")
        return run

    def test_an_alias_is_moved_and_rolled_back(self):
        with self.serve() as server:
            self.fill(server)
            self.assertIn("none -> 1", self.cortex(server, "registry", "set-alias", "churn", "champion", 1))
            self.cortex(server, "registry", "set-alias", "churn", "champion", 2, "--expect", 1, "--reason", "better")
            stale = self.cortex(server, "registry", "set-alias", "churn", "champion", 1, "--expect", 1, code=1)
            self.assertIn("expected version 1, found version 2", stale)
            self.assertIn("2 -> 1", self.cortex(server, "registry", "rollback", "churn", "champion", "--reason", "worse"))
            history = self.cortex(server, "registry", "history", "churn", "champion")
            self.assertRegex(history, r"3 .* rolled_back +2 +1 +worse\n")
            changes = json.loads(self.cortex(server, "registry", "history", "churn", "champion", "--json"))["changes"]
            self.assertEqual([change["to"] for change in changes], [1, 2, 1])
            self.assertRegex(self.cortex(server, "registry", "models"), r"churn +champion=1")
            self.assertRegex(self.cortex(server, "registry", "versions", "churn"), r"2 +1\.1\.0 +ready")
            self.assertIn("semantic", self.cortex(server, "registry", "compare", "churn", 1, 2))
            self.assertIn("is whole", self.cortex(server, "registry", "verify-audit"))
            self.assertIn("not found", self.cortex(server, "registry", "versions", "nothing", code=1))
            self.assertEqual(server.stop(), 0, server.output())

    def test_runs_are_listed_compared_and_drawn(self):
        with self.serve() as server:
            run = self.fill(server)
            self.assertIn("Default", self.cortex(server, "experiments", "list"))
            self.assertIn(run, self.cortex(server, "runs", "list"))
            drawing = self.cortex(server, "runs", "plot", run, "loss")
            self.assertIn("1 │", drawing)
            self.assertIn("0.02 │", drawing)
            other = self.call(server, "POST", "/api/2.0/mlflow/runs/create", experiment_id="0")["run"]["info"]["run_id"]
            difference = json.loads(self.cortex(server, "runs", "compare", run, other, "--json"))
            self.assertEqual(difference["params"], [{"name": "depth", "left": "4", "right": None}])
            self.assertIn("no values", self.cortex(server, "runs", "plot", other, "loss", code=1))
            self.assertEqual(server.stop(), 0, server.output())

    def test_large_files_go_in_parts_and_come_back_whole(self):
        with self.serve() as server:
            run = self.fill(server)
            large = self.folder / "large file.bin"
            large.write_bytes(LARGE)
            self.cortex(server, "artifacts", "put", run, large, "--to", "weights/")
            self.assertRegex(self.cortex(server, "artifacts", "list", run, "weights"), r"large file\.bin +20\.0 MiB")
            back = self.folder / "back.bin"
            self.cortex(server, "artifacts", "get", run, "weights/large file.bin", "--output", back)
            self.assertEqual(back.read_bytes(), LARGE)
            empty = self.folder / "empty"
            empty.touch()
            self.cortex(server, "artifacts", "put", run, empty)
            self.cortex(server, "artifacts", "get", run, "empty", "--output", back)
            self.assertEqual(back.read_bytes(), b"")
            self.cortex(server, "artifacts", "get", run, "nothing", "--output", self.folder / "none", code=1)
            self.assertFalse((self.folder / "none").exists() or (self.folder / "none.part").exists())
            self.assertEqual(server.stop(), 0, server.output())

    def test_a_backup_of_a_running_server_is_restored_elsewhere(self):
        backup = self.folder / "backup.tar"
        with self.serve() as server:
            run = self.fill(server)
            large = self.folder / "large.bin"
            large.write_bytes(LARGE)
            self.cortex(server, "artifacts", "put", run, large)
            self.cortex(server, "registry", "set-alias", "churn", "champion", 2)
            told = re.search(r"(\d+) artifacts", self.cortex(server, "backup", backup))
            # MLmodel, the large file, and two of its three parts, which nobody needs any more: the third is like the first.
            self.assertEqual(int(told[1]), 4)
            self.assertIn("exists already", self.cortex(server, "backup", backup, code=1))
            self.assertIn("in use", self.run_command("restore", backup, "--data", self.data, code=1))
            self.cortex(server, "registry", "set-alias", "churn", "champion", 1)
            self.assertEqual(server.stop(), 0, server.output())
        with tarfile.open(backup) as archive:
            self.assertEqual(len(archive.getnames()), 2 + int(told[1]))
        self.assertIn("is there already", self.run_command("restore", backup, "--data", self.data, code=1))

        restored = self.folder / "restored"
        self.assertIn(f"{told[1]} artifacts", self.run_command("restore", backup, "--data", restored))
        with self.serve(restored) as server:
            self.assertIn("2", self.cortex(server, "registry", "aliases", "churn"))
            alias = self.call(server, "GET", "/api/v2/registry/models/churn/aliases/champion")
            self.assertEqual(alias["version"], 2)
            back = self.folder / "back.bin"
            self.cortex(server, "artifacts", "get", run, "large.bin", "--output", back)
            self.assertEqual(back.read_bytes(), LARGE)
            self.assertIn("is whole", self.cortex(server, "registry", "verify-audit"))
            self.assertEqual(server.stop(), 0, server.output())

    def test_a_broken_backup_leaves_nothing_behind(self):
        backup = self.folder / "backup.tar"
        with self.serve() as server:
            self.fill(server)
            self.cortex(server, "backup", backup)
            self.assertEqual(server.stop(), 0, server.output())
        whole = backup.read_bytes()
        flipped = bytearray(whole)
        flipped[600] ^= 1
        target = self.folder / "target"
        for broken in (whole[:-1024], whole[: len(whole) // 2], bytes(flipped), b"", b"x" * 4096):
            backup.write_bytes(broken)
            self.assertRegex(self.run_command("restore", backup, "--data", target, code=1), "backup")
            self.assertEqual([path.name for path in target.iterdir()], ["lock"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    known, rest = parser.parse_known_args()
    BINARY = known.binary
    unittest.main(argv=[sys.argv[0], *rest], verbosity=1)
