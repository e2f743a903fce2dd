# SPDX-License-Identifier: Apache-2.0
"""The ONNX project's operator tests, served: CORTEX_BINARY=… pytest tests/conformance"""

import os
import pathlib
import sys
import warnings

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime
import pytest
import tritonclient.http as http

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))

from server import Server  # noqa: E402

NAMES = [line for line in (HERE / "cases.txt").read_text().splitlines() if line and not line.startswith("#")]
# By TensorProto.DataType.
DATATYPES = {
    1: "FP32", 2: "UINT8", 3: "INT8", 4: "UINT16", 5: "INT16", 6: "INT32", 7: "INT64",
    8: "BYTES", 9: "BOOL", 10: "FP16", 11: "FP64", 12: "UINT32", 13: "UINT64", 16: "BF16",
}  # fmt: skip
BINARY_ONLY = {"FP16", "BF16"}


def load_cases():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases

        return {case.name: case for case in collect_testcases(None)}


CASES = load_cases()


def datatypes(values):
    return [DATATYPES[value.type.tensor_type.elem_type] for value in values]


def write_repository(folder):
    for name in NAMES:
        version = folder / name / "1"
        version.mkdir(parents=True)
        (version / "model.onnx").write_bytes(CASES[name].model.SerializeToString())
        (folder / name / "model.yaml").write_text("backend: onnx\nmax_batch_size: 0\n")


@pytest.fixture(scope="session")
def client(tmp_path_factory):
    binary = os.environ.get("CORTEX_BINARY")
    if not binary:
        pytest.skip("CORTEX_BINARY names the server to test")
    folder = tmp_path_factory.mktemp("models")
    write_repository(folder)
    with Server(binary, folder) as server:
        yield http.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60)


def to_wire(value, datatype):
    if isinstance(value, onnx.TensorProto):
        value = onnx.numpy_helper.to_array(value)
    if datatype == "BYTES":
        return np.asarray(value, dtype=np.object_)
    return np.ascontiguousarray(value).reshape(np.shape(value))


def has_json_form(case):
    """JSON knows no infinities; FP16 and BF16 have none in the client."""
    kinds = datatypes([*case.model.graph.input, *case.model.graph.output])
    values = [np.asarray(v) for sent, expected in case.data_sets for v in (*sent, *expected)]
    return not BINARY_ONLY.intersection(kinds) and all(np.isfinite(v).all() for v in values if v.dtype.kind == "f")


def infer(client, case, data, binary):
    graph = case.model.graph
    inputs = []
    for value, array, datatype in zip(graph.input, data, datatypes(graph.input)):
        array = to_wire(array, datatype)
        tensor = http.InferInput(value.name, list(array.shape), datatype)
        tensor.set_data_from_numpy(array, binary_data=binary)
        inputs.append(tensor)
    outputs = [http.InferRequestedOutput(value.name, binary_data=binary) for value in graph.output]
    result = client.infer(case.name, inputs, outputs=outputs)
    return [result.as_numpy(value.name) for value in graph.output]


def compare(case, got, expected, datatype):
    expected = to_wire(expected, datatype)
    assert got.shape == expected.shape
    if datatype == "BYTES":
        decoded = [item.decode() if isinstance(item, bytes) else item for item in got.flatten()]
        assert decoded == list(expected.flatten())
    elif datatype in ("FP16", "BF16", "FP32", "FP64"):
        np.testing.assert_allclose(
            got.astype(np.float64), expected.astype(np.float64),
            rtol=max(case.rtol, 1e-3), atol=max(case.atol, 1e-7),
        )  # fmt: skip
    else:
        np.testing.assert_array_equal(got, expected)


def test_the_sample_covers_every_datatype():
    seen = {d for name in NAMES for d in datatypes([*CASES[name].model.graph.input, *CASES[name].model.graph.output])}
    assert seen == set(DATATYPES.values())


def engine_outputs(case, data):
    """What the engine itself says: the package of the same release, without a server around it."""
    session = onnxruntime.InferenceSession(case.model.SerializeToString(), providers=["CPUExecutionProvider"])
    graph = case.model.graph
    feeds = {v.name: to_wire(a, d) for v, a, d in zip(graph.input, data, datatypes(graph.input))}
    return session.run([value.name for value in graph.output], feeds)


def kinds(name):
    graph = CASES[name].model.graph
    return datatypes([*graph.input, *graph.output])


@pytest.mark.parametrize("name", [name for name in NAMES if "BF16" not in kinds(name)])  # numpy has no BF16
def test_the_server_says_what_the_engine_says_to_the_bit(client, name):
    case = CASES[name]
    for data, _ in case.data_sets:
        for output, raw in zip(infer(client, case, data, binary=True), engine_outputs(case, data), strict=True):
            assert output.dtype == raw.dtype or output.dtype == np.object_
            if output.dtype == np.object_:
                assert [o.decode() for o in output.flatten()] == list(raw.flatten())
            else:
                assert output.tobytes() == raw.tobytes()


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "json"])
@pytest.mark.parametrize("name", NAMES)
def test_operator(client, name, binary):
    case = CASES[name]
    if not binary and not has_json_form(case):
        pytest.skip("no JSON form")
    for data, expected in case.data_sets:
        got = infer(client, case, data, binary)
        for output, array, datatype in zip(got, expected, datatypes(case.model.graph.output)):
            compare(case, output, array, datatype)
