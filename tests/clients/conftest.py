# SPDX-License-Identifier: Apache-2.0
"""One server for all client tests: synthetic models, and the demo model where tools/deps brought it."""

import os
import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from server import Server  # noqa: E402

DATATYPES = [
    "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64",
    "FP16", "BF16", "FP32", "FP64", "BYTES",
]  # fmt: skip
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "world", "the", "cat", "##s", ".", ","]


def write_model(folder, name, synthetic, *settings):
    version = folder / name / "1"
    version.mkdir(parents=True)
    (version / "model.synthetic").write_text("\n".join(synthetic) + "\n")
    (folder / name / "model.yaml").write_text("\n".join(["backend: synthetic", *settings]) + "\n")


def write_repository(folder):
    for datatype in DATATYPES:
        write_model(folder, f"identity_{datatype.lower()}", [f"inputs: INPUT0 {datatype} [-1,-1]"], "max_batch_size: 0")
    write_model(folder, "batched", ["inputs: INPUT0 FP32 [-1,-1]"], "max_batch_size: 8")
    write_model(folder, "sum", ["inputs: A FP32 [-1,2]; B FP32 [-1,2]", "result: sum"], "max_batch_size: 4")
    write_model(folder, "failing", ["inputs: INPUT0 FP32 [-1,-1]", "fail_every: 1"])
    write_model(folder, "spare", ["inputs: INPUT0 FP32 [-1,-1]"])
    write_model(folder, "slow", ["inputs: INPUT0 FP32 [-1,-1]", "delay_us: 300000"])
    write_model(
        folder, "text", ["result: text", "width: 4"],
        "max_batch_size: 8", "tokenizer: vocab.txt", "pooling: mean", "normalize: true", "context_length: 16",
    )  # fmt: skip
    (folder / "text" / "vocab.txt").write_text("\n".join(WORDS) + "\n")


@pytest.fixture(scope="session")
def start(tmp_path_factory):
    """start(*flags, environment=…) -> a server over the synthetic models."""
    binary = os.environ.get("CORTEX_BINARY")
    if not binary:
        pytest.skip("CORTEX_BINARY names the server to test")
    folder = tmp_path_factory.mktemp("models")
    write_repository(folder)

    def start_server(*flags, environment=None):
        return Server(binary, folder, *flags, environment=environment)

    return start_server


@pytest.fixture(scope="session")
def demo_models():
    folder = os.environ.get("CORTEX_MODELS", "")
    return folder if (pathlib.Path(folder) / "minilm").is_dir() else None


@pytest.fixture(scope="session")
def server(start, demo_models):
    flags = ["--model-control-mode", "explicit", "--load-model", "*"]
    if demo_models:
        flags += ["--model-repository", demo_models]
    with start(*flags) as running:
        yield running


@pytest.fixture(scope="session")
def smollm2(server, demo_models):
    """The server, where it has the demo language model."""
    if not demo_models or not (pathlib.Path(demo_models) / "smollm2/1/model.gguf").exists():
        pytest.skip("without the demo language model")
    return server
