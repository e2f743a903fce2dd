# SPDX-License-Identifier: Apache-2.0
"""Unmodified tritonclient.http: CORTEX_BINARY=… pytest tests/clients"""

import gzip
import http.client
import json

import ml_dtypes
import numpy as np
import pytest
import tritonclient.http as triton
from conftest import DATATYPES
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

BINARY_ONLY = {"FP16", "BF16"}
SAMPLES = {
    "BOOL": np.array([[True, False, True]]),
    "UINT8": np.array([[0, 255]], np.uint8),
    "UINT16": np.array([[0, 65535]], np.uint16),
    "UINT32": np.array([[0, 2**32 - 1]], np.uint32),
    "UINT64": np.array([[0, 2**64 - 1]], np.uint64),
    "INT8": np.array([[-128, 127]], np.int8),
    "INT16": np.array([[-32768, 32767]], np.int16),
    "INT32": np.array([[-(2**31), 2**31 - 1]], np.int32),
    "INT64": np.array([[-(2**63), 2**63 - 1]], np.int64),
    "FP16": np.array([[0.5, -2.0, 65504.0]], np.float16),
    "BF16": np.array([[0.5, -2.0, 3e38]], ml_dtypes.bfloat16),
    "FP32": np.array([[0.1, -3.4e38, 1e-45]], np.float32),
    "FP64": np.array([[0.1, 1.7e308, -5e-324]], np.float64),
    "BYTES": np.array([[b"a\x00b", b"", "é😀".encode()]], object),
}


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", concurrency=8, network_timeout=60) as client:
        yield client


def tensor(name, array, datatype=None, binary=True):
    out = triton.InferInput(name, list(array.shape), datatype or np_to_triton_dtype(array.dtype))
    out.set_data_from_numpy(array, binary_data=binary)
    return out


def refusal(call):
    with pytest.raises(InferenceServerException) as caught:
        call()
    return caught.value


def test_server_is_live_and_ready(client):
    assert client.is_server_live()
    assert client.is_server_ready()
    metadata = client.get_server_metadata()
    assert metadata["name"] == "cortex"
    assert "binary_tensor_data" in metadata["extensions"]


def test_model_metadata_has_the_batch_dimension(client):
    assert client.is_model_ready("batched")
    assert client.is_model_ready("batched", "1")
    assert not client.is_model_ready("batched", "7")
    assert not client.is_model_ready("nobody")
    metadata = client.get_model_metadata("batched")
    assert metadata["versions"] == ["1"]
    assert metadata["inputs"] == [{"name": "INPUT0", "datatype": "FP32", "shape": [-1, -1]}]


def test_model_config_is_tritons(client):
    config = client.get_model_config("batched")
    assert config["name"] == "batched"
    assert config["max_batch_size"] == 8
    assert config["input"][0]["data_type"] == "TYPE_FP32"
    assert config["input"][0]["dims"] == [-1]
    assert config["model_transaction_policy"]["decoupled"] is False


def test_unknown_model_is_named(client):
    error = refusal(lambda: client.get_model_metadata("nobody"))
    assert error.status() == "404"
    assert error.message().startswith("Request for unknown model: 'nobody' is not found")


@pytest.mark.parametrize("binary_output", [True, False])
@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("datatype", DATATYPES)
def test_every_datatype_comes_back_as_it_went(client, datatype, binary_input, binary_output):
    if datatype in BINARY_ONLY and not (binary_input and binary_output):
        pytest.skip("no JSON form")
    sent = SAMPLES[datatype]
    if datatype == "BYTES" and not binary_input:
        sent = np.array([["a", "", "é😀"]], object)
    result = client.infer(
        f"identity_{datatype.lower()}",
        [tensor("INPUT0", sent, datatype, binary_input)],
        outputs=[triton.InferRequestedOutput("OUTPUT0", binary_data=binary_output)],
    )
    got = result.as_numpy("OUTPUT0")
    assert got.shape == sent.shape
    if datatype == "BYTES":
        decoded = [v.decode() if isinstance(v, bytes) else v for v in got.ravel()]
        assert decoded == [v.decode() if isinstance(v, bytes) else v for v in sent.ravel()]
    else:
        np.testing.assert_array_equal(got, sent)


@pytest.mark.parametrize("datatype", sorted(BINARY_ONLY))
def test_half_floats_as_json_are_refused(client, datatype):
    inputs = [tensor("INPUT0", SAMPLES[datatype], datatype)]
    outputs = [triton.InferRequestedOutput("OUTPUT0", binary_data=False)]
    error = refusal(lambda: client.infer(f"identity_{datatype.lower()}", inputs, outputs=outputs))
    assert error.status() == "400"


@pytest.mark.parametrize("shape", [(0, 3), (2, 0)])
def test_tensors_without_elements(client, shape):
    result = client.infer("identity_fp32", [tensor("INPUT0", np.zeros(shape, np.float32))])
    assert result.as_numpy("OUTPUT0").shape == shape


def test_all_outputs_come_binary_when_none_is_named(client):
    result = client.infer("identity_fp32", [tensor("INPUT0", SAMPLES["FP32"])], request_id="abc")
    assert result.get_response()["id"] == "abc"
    assert result.get_response()["model_version"] == "1"
    assert "binary_data_size" in result.get_output("OUTPUT0")["parameters"]


def test_several_inputs(client):
    a, b = np.array([[1, 2]], np.float32), np.array([[10, 20]], np.float32)
    result = client.infer("sum", [tensor("B", b), tensor("A", a, binary=False)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), a + b)


def test_a_large_tensor(client):
    sent = np.random.default_rng(1).random((1000, 1000), np.float32)
    result = client.infer("identity_fp32", [tensor("INPUT0", sent)])
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), sent)


def test_async_infer(client):
    sent = [np.full((1, 3), i, np.float32) for i in range(32)]
    under_way = [client.async_infer("batched", [tensor("INPUT0", value)]) for value in sent]
    for value, request in zip(sent, under_way):
        np.testing.assert_array_equal(request.get_result().as_numpy("OUTPUT0"), value)


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests_and_answers(client, algorithm):
    sent = np.zeros((10, 1000), np.float32)
    result = client.infer(
        "identity_fp32",
        [tensor("INPUT0", sent)],
        request_compression_algorithm=algorithm,
        response_compression_algorithm=algorithm,
    )
    np.testing.assert_array_equal(result.as_numpy("OUTPUT0"), sent)


def test_classification(client):
    scores = np.array([[0.25, 4.0, -1.0], [9.0, 3.0, 8.0]], np.float32)
    for binary in (True, False):
        outputs = [triton.InferRequestedOutput("OUTPUT0", binary_data=binary, class_count=2)]
        got = client.infer("batched", [tensor("INPUT0", scores)], outputs=outputs).as_numpy("OUTPUT0")
        labels = [v.decode() if isinstance(v, bytes) else v for v in got.ravel()]
        assert labels == ["4:1", "0.25:0", "9:0", "8:2"]
        assert got.shape == (2, 2)


def test_raw_binary_request(server):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    sent = np.array([1, 2, 3], np.float32).tobytes()
    connection.request("POST", "/v2/models/batched/infer", sent, {"Inference-Header-Content-Length": "0"})
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == 200, body
    head = int(answer.headers["Inference-Header-Content-Length"])
    assert json.loads(body[:head])["outputs"][0]["shape"] == [1, 3]
    assert body[head:] == sent


def test_header_length_counts_unpacked_bytes(server):
    head = json.dumps(
        {"inputs": [{"name": "INPUT0", "datatype": "INT8", "shape": [1, 2], "parameters": {"binary_data_size": 2}}]}
    ).encode()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    headers = {"Content-Encoding": "gzip", "Inference-Header-Content-Length": str(len(head))}
    connection.request("POST", "/v2/models/identity_int8/infer", gzip.compress(head + b"\x01\xff"), headers)
    answer = connection.getresponse()
    assert json.loads(answer.read())["outputs"][0]["data"] == [1, -1]


def infer(client, model, *inputs, **options):
    return lambda: client.infer(model, list(inputs), **options)


def test_mistakes_are_the_clients(client):
    ones = np.ones((1, 2), np.float32)
    mistakes = [
        (infer(client, "nobody", tensor("INPUT0", ones)), "404", "unknown model"),
        (infer(client, "sum", tensor("A", ones)), "400", "missing required input(s) ['B']"),
        (infer(client, "batched", tensor("X", ones)), "400", "unexpected inference input 'X'"),
        (infer(client, "batched", tensor("INPUT0", np.ones((1, 2), np.int32))), "400", "data-type is 'INT32'"),
        (infer(client, "sum", tensor("A", np.ones((1, 3), np.float32)), tensor("B", ones)), "400", "unexpected shape"),
        (infer(client, "batched", tensor("INPUT0", np.ones((9, 2), np.float32))), "400", "batch-size must be <= 8"),
        (
            infer(client, "batched", tensor("INPUT0", ones), outputs=[triton.InferRequestedOutput("Y")]),
            "400",
            "unexpected inference output 'Y'",
        ),
        (infer(client, "batched", tensor("INPUT0", ones), sequence_id=5), "400", "sequences are not supported"),
        (infer(client, "batched", tensor("INPUT0", ones), model_version="7"), "404", ""),
        (infer(client, "batched", tensor("INPUT0", ones), model_version="x"), "400", "version"),
    ]
    for mistake, status, text in mistakes:
        error = refusal(mistake)
        assert error.status() == status, error
        assert text in error.message()


def test_a_failing_model_is_our_fault(client):
    error = refusal(infer(client, "failing", tensor("INPUT0", np.ones((1, 2), np.float32))))
    assert error.status() == "500"


def test_statistics(client):
    client.infer("identity_fp32", [tensor("INPUT0", np.ones((3, 1), np.float32))])
    (model,) = client.get_inference_statistics("identity_fp32", "1")["model_stats"]
    assert (model["name"], model["version"]) == ("identity_fp32", "1")
    assert model["inference_count"] >= 3
    assert model["inference_stats"]["success"]["count"] >= 1
    assert model["inference_stats"]["success"]["ns"] > model["inference_stats"]["compute_infer"]["ns"] > 0
    assert model["last_inference"] > 0
    assert len(client.get_inference_statistics()["model_stats"]) > 1
    assert refusal(lambda: client.get_inference_statistics("nobody")).status() == "404"


def index_of(client):
    return {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}


def test_load_and_unload(client):
    assert index_of(client)["spare"] == "READY"
    client.unload_model("spare", unload_dependents=True)
    assert not client.is_model_ready("spare")
    client.load_model("spare")
    assert client.is_model_ready("spare")
    assert index_of(client)["spare"] == "READY"


def test_load_with_another_configuration(client):
    config = {"name": "spare", "backend": "synthetic", "max_batch_size": 4}
    client.load_model("spare", config=json.dumps(config))
    assert client.get_model_config("spare")["max_batch_size"] == 4
    client.load_model("spare")


def test_files_in_a_load_are_refused(client):
    error = refusal(lambda: client.load_model("spare", config="{}", files={"file:1/model.synthetic": b"x"}))
    assert error.status() == "400"
    assert client.is_model_ready("spare")


def test_loading_nothing_is_refused(client):
    assert refusal(lambda: client.load_model("nobody")).status() in ("400", "404")


def test_timeout_of_the_client_leaves_the_server_well(server):
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=0.05) as impatient:
        with pytest.raises(Exception):  # noqa: B017  the client's own kind
            impatient.infer("slow", [tensor("INPUT0", np.ones((1, 1), np.float32))])
    with triton.InferenceServerClient(f"127.0.0.1:{server.port}", network_timeout=60) as patient:
        result = patient.infer("slow", [tensor("INPUT0", np.ones((1, 1), np.float32))])
        assert result.as_numpy("OUTPUT0")[0, 0] == 1


def test_keys(start):
    with start(environment={"CORTEX_API_KEYS": "secret"}) as locked:
        with triton.InferenceServerClient(f"127.0.0.1:{locked.port}", network_timeout=60) as client:
            inputs = [tensor("INPUT0", np.ones((1, 1), np.float32))]
            assert client.is_server_live()
            assert refusal(lambda: client.infer("identity_fp32", inputs)).status() == "401"
            headers = {"Authorization": "Bearer secret"}
            assert client.infer("identity_fp32", inputs, headers=headers).as_numpy("OUTPUT0")[0, 0] == 1
