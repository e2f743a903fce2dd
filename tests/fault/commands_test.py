# SPDX-License-Identifier: Apache-2.0
"""The commands for models against a running server, with NumPy's files: CORTEX_BINARY=… pytest tests/fault/commands_test.py"""

import http.client
import json
import os
import pathlib
import re
import subprocess
import sys

import numpy
import onnx
import pytest
from onnx import TensorProto, helper

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))

from server import Server  # noqa: E402

MODELS = pathlib.Path(__file__).resolve().parent.parent / "wire/models"
LOADED = ["failing", "identity", "text", "two_inputs", "versions", "negate", "shaky"]
LOADED += [f"identity_{type}" for type in ("bool", "bytes", "fp16", "fp64", "int64", "uint8")]
BRIEF = ("--warm-up", "0.05", "--duration", "0.2")
SHAPED = ("--shape", "INPUT0:1,4")
ONES = numpy.ones((1, 2), "<f4")


def write_models(folder):
    """What the wire tests serve, one model that fails now and then, and one of ONNX Runtime."""
    folder.mkdir()
    for path in MODELS.iterdir():
        (folder / path.name).symlink_to(path)
    for name in ("negate", "shaky"):
        (folder / name / "1").mkdir(parents=True)
    (folder / "shaky/1/model.synthetic").write_text("inputs: INPUT0 FP32 [-1,-1]\nfail_every: 5\n")
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 4]) for name in ("INPUT0", "OUTPUT0")]
    graph = helper.make_graph([helper.make_node("Neg", ["INPUT0"], ["OUTPUT0"])], "negate", ends[:1], ends[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "negate/1/model.onnx")
    return folder


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    return write_models(tmp_path_factory.mktemp("commands") / "models")


@pytest.fixture(scope="module")
def server(models):
    load = [word for name in LOADED for word in ("--load-model", name)]
    with Server(os.environ["CORTEX_BINARY"], models, "--model-control-mode", "explicit", *load) as made:
        yield made
        assert made.stop() == 0


@pytest.fixture
def cortex(server):
    """Runs a command: what it prints on standard output, and where it is to fail, on standard error too."""

    def run(*arguments, code=0, stdin="", url=f"http://127.0.0.1:{server.port}"):
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CORTEX_")}
        command = [os.environ["CORTEX_BINARY"], *map(str, arguments)]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, env={**clean, "CORTEX_URL": url})
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr if code else done.stdout

    return run


def ask(server, method, path, **fields):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request(method, path, json.dumps(fields) if fields else None)
    answer = connection.getresponse().read()
    connection.close()
    return json.loads(answer)


def rows(table):
    """The rows of a table by their first two cells."""
    return {tuple(line.split()[:2]): line.split()[2:] for line in table.splitlines()}


# cortex models


def test_models_are_listed_with_their_state(server, cortex):
    table = cortex("models", "list")
    assert table.splitlines()[0].split() == ["NAME", "VERSION", "STATE", "REASON"]
    listed = rows(table)
    assert listed["identity", "1"] == ["READY"]
    assert (listed["versions", "1"], listed["versions", "2"]) == (["READY"], ["READY"])
    assert listed["spare", "1"] == ["UNAVAILABLE", "not", "loaded"]
    assert listed["broken_config", "1"] == "UNAVAILABLE config.pbtxt: sequence_batching: not supported".split()
    index = json.loads(cortex("models", "list", "--json"))
    assert index == ask(server, "POST", "/v2/repository/index")
    assert [(entry["name"], entry["version"]) for entry in index] == list(listed)[1:]


def test_a_model_is_inspected(server, cortex):
    told = json.loads(cortex("models", "inspect", "two_inputs"))
    assert told == {
        "metadata": ask(server, "GET", "/v2/models/two_inputs"),
        "config": ask(server, "GET", "/v2/models/two_inputs/config"),
    }
    assert [(entry["name"], entry["shape"]) for entry in told["metadata"]["inputs"]] == [("INPUT0", [-1, 2]), ("INPUT1", [-1, 2])]
    assert told["config"]["max_batch_size"] == 4
    assert "404: Request for unknown model: 'nobody'" in cortex("models", "inspect", "nobody", code=1)


def test_a_folder_is_inspected_without_a_server(cortex):
    nowhere = "http://127.0.0.1:1"
    told = json.loads(cortex("models", "inspect", MODELS / "text", url=nowhere))
    assert (told["name"], told["versions"]) == ("text", [1])
    assert (told["config"]["backend"], told["config"]["max_batch_size"]) == ("synthetic", 8)
    assert told["config"]["text"] == {"tokenizer": "vocab.txt", "pooling": "mean", "normalize": True, "context_length": 16}
    assert "sequence_batching: not supported" in cortex("models", "inspect", MODELS / "broken_config", url=nowhere, code=1)


def test_a_model_is_loaded_and_unloaded(cortex, tmp_path):
    request = tmp_path / "request.json"
    request.write_text(json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 1], "datatype": "FP32", "data": [7]}]}))
    for _ in range(2):
        assert "503: Request for unknown model: 'spare'" in cortex("infer", "spare", "--json", request, code=1)
        assert cortex("models", "load", "spare") == "spare: loaded\n"
        assert rows(cortex("models", "list"))["spare", "1"] == ["READY"]
        assert json.loads(cortex("infer", "spare", "--json", request))["outputs"][0]["data"] == [7]
        assert cortex("models", "unload", "spare") == "spare: unloaded\n"
        assert rows(cortex("models", "list"))["spare", "1"] == ["UNAVAILABLE", "unloaded"]


def test_what_cannot_be_loaded_says_why(cortex):
    assert "no folder of that name" in cortex("models", "load", "nobody", code=1)
    assert "no model of that name" in cortex("models", "unload", "nobody", code=1)
    assert "the weights are made of paper" in cortex("models", "load", "unloadable", code=1)


def test_a_server_without_explicit_control_loads_nothing_and_may_want_a_key(cortex, models, tmp_path):
    (tmp_path / "identity").symlink_to(MODELS / "identity")
    with Server(os.environ["CORTEX_BINARY"], tmp_path, environment={"CORTEX_API_KEYS": "secret"}) as closed:
        url = f"http://127.0.0.1:{closed.port}"
        assert "401: a key is needed" in cortex("models", "list", url=url, code=1)
        assert rows(cortex("models", "list", "--key", "secret", url=url))["identity", "1"] == ["READY"]
        refused = cortex("models", "load", "identity", "--key", "secret", url=url, code=1)
        assert "explicit model load / unload is not allowed" in refused
        assert closed.stop() == 0


def test_no_server_is_3_and_a_wrong_command_line_2(cortex):
    nowhere = "http://127.0.0.1:1"
    for words in (["models", "list"], ["models", "load", "spare"], ["embed", "hello"], ["bench", "identity"]):
        assert "cannot connect to 127.0.0.1:1" in cortex(*words, "--url", nowhere, code=3)
    for words in (["models"], ["models", "load"], ["models", "list", "--nothing"], ["infer", "identity"], ["embed"], ["bench"]):
        assert cortex(*words, code=2)


# cortex infer


def test_json_goes_in_and_out(cortex, tmp_path):
    sent = {"id": "7", "inputs": [{"name": "INPUT0", "shape": [2, 2], "datatype": "FP32", "data": [1, 2.5, -3, 0.001]}]}
    request = tmp_path / "request.json"
    request.write_text(json.dumps(sent))
    answer = json.loads(cortex("infer", "identity", "--json", request))
    assert answer == {"id": "7", "model_name": "identity", "model_version": "1", "outputs": [{**sent["inputs"][0], "name": "OUTPUT0"}]}
    assert json.loads(cortex("infer", "identity", "--json", "-", stdin=json.dumps(sent))) == answer
    assert json.loads(cortex("infer", "versions@1", "--json", request))["model_version"] == "1"


@pytest.mark.parametrize(
    "model, values, printed",
    [
        ("identity", numpy.array([[1, 2.5, -3], [1e-3, 0.1, 7]], "<f4"), "FP32[2,3]: 1, 2.5, -3, 0.001, 0.1, 7"),
        ("identity", numpy.arange(10, dtype="<f4").reshape(1, 10), "FP32[1,10]: 0, 1, 2, 3, 4, 5, 6, 7, …"),
        ("identity_fp64", numpy.array([0.1, 1e300]), "FP64[2]: 0.1, 1e+300"),
        ("identity_fp16", numpy.array([0.5, -2], "<f2"), "FP16[2]: 0.5, -2"),
        ("identity_int64", numpy.array([-(2**63), 2**63 - 1]), f"INT64[2]: {-(2**63)}, {2**63 - 1}"),
        ("identity_uint8", numpy.array([0, 255], "u1"), "UINT8[2]: 0, 255"),
        ("identity_bool", numpy.array([True, False]), "BOOL[2]: true, false"),
        ("identity_bytes", numpy.array([b"a", b"", b'say "x"']), 'BYTES[3]: "a", "", "say \\"x\\""'),
    ],
)
def test_numpy_files_go_in_and_out(cortex, tmp_path, model, values, printed):
    numpy.save(tmp_path / "in.npy", values)
    told = cortex("infer", model, "--input", f"INPUT0=@{tmp_path}/in.npy", "--output", f"OUTPUT0=@{tmp_path}/out.npy")
    assert told == f"OUTPUT0 {printed}\n"
    back = numpy.load(tmp_path / "out.npy")
    assert back.dtype == values.dtype
    numpy.testing.assert_array_equal(back, values)


def test_several_inputs_are_named(cortex, tmp_path):
    numpy.save(tmp_path / "a.npy", ONES)
    numpy.save(tmp_path / "b.npy", ONES * 10)
    inputs = ["--input", f"INPUT0=@{tmp_path}/a.npy", "--input", f"INPUT1=@{tmp_path}/b.npy"]
    assert cortex("infer", "two_inputs", *inputs) == "OUTPUT0 FP32[1,2]: 11, 11\n"
    texts = numpy.array(["hällo", "x"])
    numpy.save(tmp_path / "texts.npy", texts)
    assert cortex("infer", "identity_bytes", "--input", f"INPUT0=@{tmp_path}/texts.npy") == 'OUTPUT0 BYTES[2]: "hällo", "x"\n'


def test_wrong_tensors_are_refused(cortex, tmp_path):
    ones, wide, fortran, broken = (tmp_path / f"{name}.npy" for name in ("ones", "wide", "fortran", "broken"))
    numpy.save(ones, ONES)
    numpy.save(wide, numpy.ones((1, 3), "<f4"))
    numpy.save(fortran, numpy.asfortranarray(numpy.ones((2, 2), "<f4")))
    broken.write_bytes(ones.read_bytes()[:-1])
    two = ["two_inputs", "--input", f"INPUT0=@{wide}", "--input", f"INPUT1=@{wide}"]
    assert "400: unexpected shape for input 'INPUT0'" in cortex("infer", *two, code=1)
    assert "missing required input(s) ['INPUT1']" in cortex("infer", "two_inputs", "--input", f"INPUT0=@{ones}", code=1)
    assert "404: Request for unknown model: 'nobody'" in cortex("infer", "nobody", "--input", f"INPUT0=@{ones}", code=1)
    assert "500: Internal error." in cortex("infer", "failing", "--input", f"INPUT0=@{ones}", code=1)
    assert "Fortran order" in cortex("infer", "identity", "--input", f"INPUT0=@{fortran}", code=2)
    assert f"{broken}: not a .npy file" in cortex("infer", "identity", "--input", f"INPUT0=@{broken}", code=2)
    assert "is not NAME=@FILE.npy" in cortex("infer", "identity", "--input", "INPUT0", code=2)
    assert "cannot open" in cortex("infer", "identity", "--input", f"INPUT0=@{tmp_path}/none.npy", code=1)


def test_an_output_that_is_not_there_writes_nothing(cortex, tmp_path):
    numpy.save(tmp_path / "in.npy", ONES)
    told = cortex("infer", "identity", "--input", f"INPUT0=@{tmp_path}/in.npy", "--output", f"NOPE=@{tmp_path}/out.npy", code=1)
    assert told.splitlines() == ["OUTPUT0 FP32[1,2]: 1, 1", "cortex: the answer has no output 'NOPE'"]
    assert not (tmp_path / "out.npy").exists()


# cortex embed


def test_texts_become_vectors(server, cortex):
    texts = ["hello world", "the cats."]
    answer = ask(server, "POST", "/v1/embeddings", model="text", input=texts)
    assert json.loads(cortex("embed", *texts, "--model", "text", "--json")) == answer
    vectors = [numpy.array(entry["embedding"]) for entry in answer["data"]]
    assert [abs(numpy.linalg.norm(vector) - 1) < 1e-5 for vector in vectors] == [True, True]
    printed = cortex("embed", *texts, "--model", "text").splitlines()
    assert [line.partition(": ")[0] for line in printed] == ["4 dimensions"] * 2
    for line, vector in zip(printed, vectors):
        numpy.testing.assert_allclose([float(value) for value in line.partition(": ")[2].split(", ")], vector, rtol=1e-6)


def test_the_only_model_needs_no_name(cortex, tmp_path):
    (tmp_path / "text").symlink_to(MODELS / "text")
    with Server(os.environ["CORTEX_BINARY"], tmp_path) as alone:
        url = f"http://127.0.0.1:{alone.port}"
        assert cortex("embed", "hello", url=url) == cortex("embed", "hello", "--model", "text")
        assert alone.stop() == 0


def test_of_several_models_one_is_named(cortex, tmp_path):
    for name in ("text", "again"):
        (tmp_path / name).symlink_to(MODELS / "text")
    with Server(os.environ["CORTEX_BINARY"], tmp_path) as both:
        url = f"http://127.0.0.1:{both.port}"
        assert "name one with --model" in cortex("embed", "hello", url=url, code=2)
        assert cortex("embed", "hello", "--model", "again", url=url) == cortex("embed", "hello", "--model", "text")
        assert both.stop() == 0


def test_what_embeds_nothing_is_refused(cortex):
    assert "404: Request for unknown model: 'nobody'" in cortex("embed", "hello", "--model", "nobody", code=1)
    assert "400: model 'identity' takes no text" in cortex("embed", "hello", "--model", "identity", code=1)


# cortex bench


def succeeded(server, model):
    """Requests that the server answered for a model, as it counts them itself."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    counts = re.findall(rf'^nv_inference_request_success{{model="{model}",.*}} (\S+)$', text, re.M)
    return sum(map(float, counts))


def check_run(run, loop, **expected):
    assert {name: run[name] for name in ("loop", "errors", *expected)} == {"loop": loop, "errors": 0, **expected}
    assert run["requests"] > 0
    assert run["throughput"] > 0
    assert 0 < run["p50_us"] <= run["p90_us"] <= run["p99_us"]
    assert run["server_cpu_us"] >= 0


def table_rows(table):
    """Numbers of a bench's rows: how it asked, throughput, percentiles, processor time, errors."""
    lines = table.splitlines()
    assert lines[1].split() == "clients requests/s p50 us p90 us p99 us cpu us errors".split()
    return [(words[0], *map(float, words[1:])) for words in map(str.split, lines[2:])]


def test_clients_that_wait_for_their_answers(server, cortex):
    before = succeeded(server, "identity")
    table = cortex("bench", "identity", *SHAPED, *BRIEF, "--concurrency", "1,3")
    assert table.startswith("identity: infer, synthetic tensors; ")
    one, three = table_rows(table)
    assert (one[0], three[0]) == ("1", "3")
    for _, throughput, p50, p90, p99, _, errors in (one, three):
        assert throughput > 0 and 0 < p50 <= p90 <= p99 and errors == 0
    told = json.loads(cortex("bench", "identity", *SHAPED, *BRIEF, "--concurrency", "1,3", "--json"))
    assert (told["model"], told["work"]) == ("identity", "infer, synthetic tensors")
    assert told["machine"].keys() == {"cpu", "cores", "memory_bytes"}
    for run, clients in zip(told["runs"], (1, 3), strict=True):
        check_run(run, "closed", concurrency=clients)
        assert run["requests"] / run["throughput"] > 0.18, "as long as it was told to"
    assert succeeded(server, "identity") - before > sum(run["requests"] for run in told["runs"])


def test_requests_that_come_when_they_are_due(cortex):
    rates = ["--rate", "80,400", "--warm-up", "0.05", "--duration", "0.5"]
    assert [row[0] for row in table_rows(cortex("bench", "identity", *SHAPED, *rates))] == ["80/s", "400/s"]
    told = json.loads(cortex("bench", "identity", *SHAPED, *rates, "--json"))
    for run, rate in zip(told["runs"], (80, 400), strict=True):
        check_run(run, "open", rate=rate)
        # As many as were due, however fast the server is: a Poisson process, within four of its deviations.
        assert abs(run["requests"] - rate / 2) < 4 * (rate / 2) ** 0.5


def test_texts_of_so_many_tokens(server, cortex):
    before = succeeded(server, "text")
    told = json.loads(cortex("bench", "text", "--tokens", "4-8", "--concurrency", "2", *BRIEF, "--json"))
    assert re.fullmatch(r"embeddings, 4-8 tokens \([4-8] on average\)", told["work"])
    check_run(told["runs"][0], "closed", concurrency=2)
    assert succeeded(server, "text") - before > told["runs"][0]["requests"]
    assert "--tokens takes a number from 3" in cortex("bench", "text", "--tokens", "2", code=2)


def test_the_engine_alone_takes_its_turns(cortex, models):
    versus = ["negate", "--vs-engine", models / "negate/1/model.onnx", "--pairs", 2, "--concurrency", 1]
    brief = ["--warm-up", "0.05", "--duration", "0.1"]
    told = json.loads(cortex("bench", *versus, *brief, "--json"))
    assert told["runs"] == []
    (row,) = told["versus_engine"]
    assert (row["concurrency"], row["pairs"]) == (1, 2)
    assert min(row["server_throughput"], row["engine_throughput"], row["server_cpu_us"], row["engine_cpu_us"]) > 0
    for ratio in (row["throughput_ratio"], row["cpu_ratio"]):
        assert 0 < ratio["low"] <= ratio["mean"] <= ratio["high"]
    # The server runs the same model and speaks HTTP on top of that.
    assert row["throughput_ratio"]["mean"] < 1
    title, columns, numbers = cortex("bench", *versus, *brief).splitlines()[2:]
    assert title == "Server and engine alone, interleaved; ratios with their 95 % interval"
    assert columns.split()[:3] == ["clients", "server/s", "engine/s"]
    interval = r"\d+\.\d{3} \[\d+\.\d{3}, \d+\.\d{3}\]"
    assert re.fullmatch(rf" +1 +\d+\.\d +\d+\.\d +{interval} +\d+\.\d +\d+\.\d +{interval}", numbers)


def test_an_engine_without_its_file_is_an_error(cortex, tmp_path):
    told = cortex("bench", "negate", "--vs-engine", tmp_path / "none.onnx", *BRIEF, code=1)
    assert "there is no file" in told


def test_a_model_that_fails_now_and_then(cortex):
    _, _, row, error = cortex("bench", "shaky", *SHAPED, *BRIEF, "--concurrency", 1, code=1).splitlines()
    assert int(row.split()[-1]) > 0
    assert re.fullmatch("first error: .* 500: Internal error.", error)


def test_what_cannot_be_measured_is_refused(cortex):
    assert "404: Request for unknown model: 'nobody'" in cortex("bench", "nobody", *BRIEF, code=1)
    assert "give them with --shape INPUT0:1,16" in cortex("bench", "identity", *BRIEF, code=2)
    wrong = ["--shape", "INPUT0:1,3", "--shape", "INPUT1:1,3"]
    told = cortex("bench", "two_inputs", *wrong, *BRIEF, code=1)
    assert "no request succeeded" in told
    assert "unexpected shape for input 'INPUT0'" in told
    assert "no request succeeded" in cortex("bench", "failing", *SHAPED, *BRIEF, code=1)
    assert "--rate" in cortex("bench", "identity", "--rate", "0", code=2)


# cortex version


def test_the_version_names_the_libraries_and_the_devices_that_they_compute_with(cortex):
    lines = cortex("version").splitlines()
    assert lines[0].startswith("cortex ")
    library = next(number for number, line in enumerate(lines) if line.startswith("libllama "))
    assert re.fullmatch(r"  CPU: .+, processor", lines[library + 1])
