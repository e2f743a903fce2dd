# SPDX-License-Identifier: Apache-2.0
"""Unmodified npm openai: CORTEX_BINARY=… CORTEX_MODELS=… CORTEX_NODE=…/bin/node pytest tests/clients/openai_node_test.py

The tests are openai_test.mjs; Node.js runs them all once, and each is one here.
"""

import os
import pathlib
import re
import subprocess

import pytest

SUITE = pathlib.Path(__file__).with_name("openai_test.mjs")
NAMES = re.findall(r'^test\("([^"]+)"', SUITE.read_text(), re.MULTILINE)


@pytest.fixture(scope="module")
def results(smollm2):
    """name -> whether it passed, and what Node.js said of them all."""
    node = pathlib.Path(os.environ.get("CORTEX_NODE", ""))
    package = node.parent.parent / "lib/node_modules/openai/index.mjs"
    if not node.is_file() or not package.is_file():
        pytest.skip("without Node.js and the package openai")
    run = subprocess.run(
        [node, "--test", "--test-reporter=tap", "--test-timeout=120000", SUITE],
        env={**os.environ, "CORTEX_URL": f"http://127.0.0.1:{smollm2.port}", "OPENAI_PACKAGE": str(package)},
        capture_output=True, text=True, timeout=540,
    )  # fmt: skip
    found = re.findall(r"^ *(ok|not ok) \d+ - (.+?)(?: # .*)?$", run.stdout, re.MULTILINE)
    return {name: verdict == "ok" for verdict, name in found}, run.stdout + run.stderr


@pytest.mark.parametrize("name", NAMES)
def test_openai_of_npm(results, name):
    passed, output = results
    assert passed.get(name), output[-6000:]
