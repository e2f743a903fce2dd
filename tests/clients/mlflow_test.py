# SPDX-License-Identifier: Apache-2.0
"""Unmodified mlflow, 3.x or 2.x, whichever is installed: CORTEX_BINARY=… pytest tests/clients/mlflow_test.py"""

import base64
import hashlib
import hmac
import http.server
import json
import math
import os
import pathlib
import random
import sys
import threading
import time
import urllib.error
import urllib.request
import uuid

import pytest

mlflow = pytest.importorskip("mlflow")

import mlflow.pyfunc  # noqa: E402
from mlflow.entities import Metric, Param, RunTag, ViewType  # noqa: E402
from mlflow.exceptions import MlflowException  # noqa: E402

MAJOR = int(mlflow.__version__.split(".")[0])
# Without them mlflow loads each model once more, in a process of its own, to see what it imports.
REQUIREMENTS = ["numpy"]


@pytest.fixture(scope="module")
def tracking(start, tmp_path_factory):
    """A server of its own, with a database and artifacts."""
    with start("--data", tmp_path_factory.mktemp("data"), "--webhooks-allow-private") as running:
        before = {name: os.environ.get(name) for name in ("MLFLOW_TRACKING_URI", "MLFLOW_HTTP_REQUEST_MAX_RETRIES")}
        os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = "2"
        mlflow.set_tracking_uri(f"http://127.0.0.1:{running.port}")
        yield running
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture
def client(tracking):
    return mlflow.MlflowClient()


@pytest.fixture
def name():
    """A name that no other test has."""
    return f"n-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def experiment(client, name):
    return client.create_experiment(name)


@pytest.fixture
def run(client, experiment):
    return client.create_run(experiment).info.run_id


def fails_with(code, call, *arguments, **options):
    with pytest.raises(MlflowException) as caught:
        call(*arguments, **options)
    assert caught.value.error_code == code, caught.value
    return caught.value


# Experiments


def test_the_default_experiment_is_there(client):
    default = client.get_experiment("0")
    assert default.name == "Default"
    assert default.lifecycle_stage == "active"


def test_an_experiment_from_beginning_to_end(client, name):
    made = client.create_experiment(name, tags={"team": "a b", "é": "ü"})
    found = client.get_experiment_by_name(name)
    assert found.experiment_id == made
    assert found.tags == {"team": "a b", "é": "ü"}
    assert found.artifact_location == f"mlflow-artifacts:/{made}"
    client.set_experiment_tag(made, "team", "c")
    client.rename_experiment(made, name + "-new")
    assert client.get_experiment(made).name == name + "-new"
    assert client.get_experiment(made).tags["team"] == "c"
    client.delete_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "deleted"
    assert not [e for e in client.search_experiments() if e.experiment_id == made]
    client.restore_experiment(made)
    assert client.get_experiment(made).lifecycle_stage == "active"


def test_experiments_are_searched_and_paged(client, name):
    for i in range(5):
        client.create_experiment(f"{name}-{i}", tags={"group": name})
    seen, token = [], None
    while True:
        page = client.search_experiments(
            filter_string=f"tags.group = '{name}'", order_by=["name DESC"], max_results=2, page_token=token
        )
        seen += [e.name for e in page]
        token = page.token
        if not token:
            break
    assert seen == [f"{name}-{i}" for i in (4, 3, 2, 1, 0)]
    assert len(client.search_experiments(filter_string=f"name LIKE '{name}-%'")) == 5
    assert [e.name for e in client.search_experiments(filter_string=f"name = '{name}-3'")] == [f"{name}-3"]


def test_errors_of_experiments(client, name):
    client.create_experiment(name)
    fails_with("RESOURCE_ALREADY_EXISTS", client.create_experiment, name)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_experiment, "987654321")
    assert client.get_experiment_by_name(name + "-none") is None
    fails_with("INVALID_PARAMETER_VALUE", client.search_experiments, filter_string="nonsense ~ 1")


# Runs


def test_a_run_from_beginning_to_end(client, name):
    mlflow.set_experiment(name)
    with mlflow.start_run(run_name="first", tags={"kind": "test"}) as run:
        mlflow.log_param("lr", 0.1)
        mlflow.log_params({"depth": 3, "name": "x y"})
        for step in range(5):
            mlflow.log_metric("loss", 1 / (step + 1), step=step)
        mlflow.log_metrics({"acc": 0.5, "nan": math.nan, "inf": math.inf, "minus": -math.inf}, step=1)
        mlflow.set_tag("note", "hä")
    found = client.get_run(run.info.run_id)
    assert found.info.status == "FINISHED"
    assert found.info.run_name == "first"
    assert found.info.end_time >= found.info.start_time
    assert found.data.params == {"lr": "0.1", "depth": "3", "name": "x y"}
    assert found.data.metrics["loss"] == 0.2
    assert found.data.metrics["acc"] == 0.5
    assert math.isnan(found.data.metrics["nan"])
    # A store may keep the nearest finite value instead.
    assert found.data.metrics["inf"] >= sys.float_info.max
    assert found.data.metrics["minus"] <= -sys.float_info.max
    assert found.data.tags["kind"] == "test"
    assert found.data.tags["note"] == "hä"
    history = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in history] == [(s, 1 / (s + 1)) for s in range(5)]


def test_a_run_that_fails_says_so(client, name):
    mlflow.set_experiment(name)
    with pytest.raises(ZeroDivisionError):
        with mlflow.start_run() as run:
            raise ZeroDivisionError
    assert client.get_run(run.info.run_id).info.status == "FAILED"


def test_batches_are_whole_and_may_come_twice(client, run):
    now = int(time.time() * 1000)
    batch = {
        "metrics": [Metric(f"m{i % 10}", i / 3, now + i, i) for i in range(1000)],
        "params": [Param(f"p{i}", str(i)) for i in range(100)],
        "tags": [RunTag(f"t{i}", str(i)) for i in range(100)],
    }
    client.log_batch(run, **batch)
    client.log_batch(run, **batch)
    found = client.get_run(run)
    assert len(found.data.params) == 100
    assert len([t for t in found.data.tags if t.startswith("t")]) == 100
    assert len(client.get_metric_history(run, "m3")) == 100
    assert found.data.metrics["m3"] == 993 / 3


def test_a_metric_is_the_number_that_was_logged_and_is_found_by_it(client, experiment, run):
    drawn = random.Random(1)
    values = [drawn.random() for _ in range(50)]
    values += [drawn.uniform(-1, 1) * 10.0 ** drawn.randint(-300, 300) for _ in range(50)]
    client.log_batch(run, metrics=[Metric(f"m{i}", value, 1, 0) for i, value in enumerate(values)])
    client.log_metric(run, "one", 0.036712383142708804)
    read = client.get_run(run).data.metrics
    assert [read[f"m{i}"] for i in range(len(values))] == values
    assert read["one"] == 0.036712383142708804
    found = client.search_runs([experiment], "metrics.one = 0.036712383142708804")
    assert [one.info.run_id for one in found] == [run]


def test_a_param_keeps_its_value(client, run):
    client.log_param(run, "p", "1")
    client.log_param(run, "p", "1")
    fails_with("INVALID_PARAMETER_VALUE", client.log_param, run, "p", "2")
    assert client.get_run(run).data.params == {"p": "1"}


def test_runs_are_deleted_and_restored(client, experiment, run):
    client.delete_run(run)
    assert client.get_run(run).info.lifecycle_stage == "deleted"
    assert not client.search_runs([experiment])
    assert len(client.search_runs([experiment], run_view_type=ViewType.DELETED_ONLY)) == 1
    fails_with("INVALID_PARAMETER_VALUE", client.log_metric, run, "m", 1)
    client.restore_run(run)
    client.log_metric(run, "m", 1)
    assert len(client.search_runs([experiment])) == 1


def test_runs_are_searched_ordered_and_paged(client, experiment):
    ids = []
    for i in range(7):
        made = client.create_run(experiment, run_name=f"run-{i}", tags={"even": str(i % 2 == 0)}).info.run_id
        client.log_metric(made, "score", i / 10)
        client.log_param(made, "i", str(i))
        ids.append(made)

    def search(text, **options):
        return [r.info.run_id for r in client.search_runs([experiment], text, **options)]

    assert set(search("metrics.score > 0.35")) == set(ids[4:])
    assert set(search("metrics.score >= 0.1 and params.i != '2' and tags.even = 'False'")) == {ids[1], ids[3], ids[5]}
    assert search("attributes.run_name = 'run-2'") == [ids[2]]
    assert set(search("tags.mlflow.runName ILIKE 'RUN-%'")) == set(ids)
    assert search("", order_by=["metrics.score DESC"]) == ids[::-1]
    assert search("", order_by=["params.i ASC"]) == ids
    seen, token = [], None
    while True:
        page = client.search_runs([experiment], order_by=["metrics.score ASC"], max_results=3, page_token=token)
        seen += [r.info.run_id for r in page]
        token = page.token
        if not token:
            break
    assert seen == ids
    fails_with("INVALID_PARAMETER_VALUE", client.search_runs, [experiment], "metrics.score >")
    frame = mlflow.search_runs([experiment], filter_string="metrics.score < 0.15")
    assert sorted(frame["metrics.score"]) == [0.0, 0.1]


def test_long_histories_come_in_pages(client, run):
    now = int(time.time() * 1000)
    for start in range(0, 3000, 1000):
        client.log_batch(run, metrics=[Metric("m", i, now + i, i) for i in range(start, start + 1000)])
    assert [m.value for m in client.get_metric_history(run, "m")] == list(range(3000))


def test_tags_come_and_go(client, run):
    client.set_tag(run, "a", "1")
    client.set_tag(run, "a", "2")
    assert client.get_run(run).data.tags["a"] == "2"
    client.delete_tag(run, "a")
    assert "a" not in client.get_run(run).data.tags
    fails_with("RESOURCE_DOES_NOT_EXIST", client.delete_tag, run, "a")


def test_errors_of_runs(client):
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_run, uuid.uuid4().hex)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.log_metric, uuid.uuid4().hex, "m", 1)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.create_run, "987654321")


def test_datasets_belong_to_runs(client, name):
    pandas = pytest.importorskip("pandas")
    mlflow.set_experiment(name)
    dataset = mlflow.data.from_pandas(pandas.DataFrame({"a": [1, 2]}), source="rows.csv", name="rows")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="training")
    found = client.get_run(run.info.run_id).inputs.dataset_inputs
    assert [(d.dataset.name, d.dataset.digest) for d in found] == [("rows", dataset.digest)]
    assert [(t.key, t.value) for t in found[0].tags] == [("mlflow.data.context", "training")]


# Artifacts


def paths(files):
    return [(f.path, f.is_dir) for f in files]


def test_artifacts_go_up_and_come_down(client, run, tmp_path):
    (tmp_path / "a b.txt").write_text("one")
    folder = tmp_path / "folder" / "deep"
    folder.mkdir(parents=True)
    (folder / "data.bin").write_bytes(bytes(range(256)) * 20_000)
    (folder / "empty").write_bytes(b"")
    client.log_artifact(run, tmp_path / "a b.txt")
    client.log_artifact(run, tmp_path / "a b.txt", "sub/folder")
    client.log_artifacts(run, tmp_path / "folder", "all")
    client.log_text(run, "hällo", "texts/hello.txt")
    client.log_dict(run, {"k": [1, 2]}, "d.json")
    assert paths(client.list_artifacts(run)) == [
        ("a b.txt", False), ("all", True), ("d.json", False), ("sub", True), ("texts", True),
    ]  # fmt: skip
    assert paths(client.list_artifacts(run, "all/deep")) == [("all/deep/data.bin", False), ("all/deep/empty", False)]
    assert client.list_artifacts(run, "all/deep")[0].file_size == 256 * 20_000
    assert client.list_artifacts(run, "a b.txt") == []
    there = tmp_path / "down"
    there.mkdir()
    got = pathlib.Path(client.download_artifacts(run, "", there))
    assert (got / "all/deep/data.bin").read_bytes() == (folder / "data.bin").read_bytes()
    assert (got / "all/deep/empty").read_bytes() == b""
    assert (got / "sub/folder/a b.txt").read_text() == "one"
    assert mlflow.artifacts.load_text(f"runs:/{run}/texts/hello.txt") == "hällo"
    assert mlflow.artifacts.load_dict(f"runs:/{run}/d.json") == {"k": [1, 2]}
    with pytest.raises(Exception, match="nothing"):
        client.download_artifacts(run, "nothing", there)


def test_artifacts_are_replaced_and_removed(client, run):
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    client.log_text(run, "one", "x/a.txt")
    client.log_text(run, "two", "x/a.txt")
    client.log_text(run, "three", "x/b.txt")
    assert mlflow.artifacts.load_text(f"runs:/{run}/x/a.txt") == "two"
    repository = get_artifact_repository(client.get_run(run).info.artifact_uri)
    repository.delete_artifacts("x/a.txt")
    assert paths(client.list_artifacts(run, "x")) == [("x/b.txt", False)]
    repository.delete_artifacts()
    assert client.list_artifacts(run) == []


def test_large_artifacts_go_up_in_parts(client, run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "true")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", str(5 * 1024 * 1024))
    big = tmp_path / "big.bin"
    big.write_bytes(os.urandom(12_345_678))
    (tmp_path / "down").mkdir()
    client.log_artifact(run, str(big), "parts")
    got = pathlib.Path(client.download_artifacts(run, "parts/big.bin", tmp_path / "down"))
    assert got.read_bytes() == big.read_bytes()


def test_downloads_that_cannot_be_presigned_go_through_the_proxy(client, run, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD", "true")
    client.log_text(run, "text", "t.txt")
    there = tmp_path / "down"
    there.mkdir()
    assert pathlib.Path(client.download_artifacts(run, "t.txt", there)).read_text() == "text"


def test_no_path_leads_out_of_a_run(tracking, client, run):
    client.log_text(run, "x", "a.txt")
    base = f"http://127.0.0.1:{tracking.port}/api/2.0/mlflow-artifacts/artifacts"
    for path in ("..%2f..%2fetc%2fpasswd", "%252e%252e/x", "a%5c..%5cb", "%2fetc%2fpasswd"):
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"{base}/{path}", timeout=60)
        assert caught.value.code in (400, 404)


# Models


def linear_model():
    np = pytest.importorskip("numpy")
    linear = pytest.importorskip("sklearn.linear_model")
    rows = np.array([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [2.0, 1.0]])
    return linear.LinearRegression().fit(rows, rows @ np.array([1.0, 2.0]) + 0.5), rows


def onnx_model():
    """y = x · w, without a framework that would make it."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, float32 = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "linear",
        [helper.make_tensor_value_info("x", float32, [None, 2])],
        [helper.make_tensor_value_info("y", float32, [None, 1])],
        [helper.make_tensor("w", float32, [2, 1], [1.0, 2.0])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    return model


class Doubling(mlflow.pyfunc.PythonModel):
    def predict(self, context, model_input, params=None):
        return [2 * value for value in model_input]


def log_model(flavour, model, name, **options):
    """log_model as each major version of mlflow wants it."""
    place = {"name": "model"} if MAJOR > 2 else {"artifact_path": "model"}
    kind = {"python_model": model} if flavour is mlflow.pyfunc else {}
    arguments = [] if kind else [model]
    return flavour.log_model(
        *arguments, **kind, **place, registered_model_name=name, pip_requirements=REQUIREMENTS, **options
    )


def test_sklearn_from_log_model_to_load_by_alias(client, name):
    import mlflow.sklearn
    from mlflow.models import infer_signature

    model, rows = linear_model()
    mlflow.set_experiment(name)
    with mlflow.start_run():
        info = log_model(mlflow.sklearn, model, name, signature=infer_signature(rows, model.predict(rows)))
    client.set_registered_model_alias(name, "champion", 1)
    assert client.get_model_version_by_alias(name, "champion").version in (1, "1")
    expected = list(model.predict(rows))
    for uri in (f"models:/{name}@champion", f"models:/{name}/1", f"models:/{name}/latest", info.model_uri):
        assert list(mlflow.sklearn.load_model(uri).predict(rows)) == expected
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    assert list(loaded.predict(rows)) == expected
    assert loaded.metadata.signature is not None


def test_onnx_from_log_model_to_load_by_alias(client, name):
    import mlflow.onnx

    np = pytest.importorskip("numpy")
    mlflow.set_experiment(name)
    with mlflow.start_run():
        log_model(mlflow.onnx, onnx_model(), name)
        log_model(mlflow.onnx, onnx_model(), name)
    client.set_registered_model_alias(name, "champion", 2)
    loaded = mlflow.pyfunc.load_model(f"models:/{name}@champion")
    assert loaded.predict(np.array([[1, 1], [3, 0]], dtype=np.float32))["y"].ravel().tolist() == [3.0, 3.0]
    assert mlflow.onnx.load_model(f"models:/{name}@champion").graph.name == "linear"


def served_version(port, model):
    """Which version answers, and what; None while none does."""
    tensor = {"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1, 1, 3, 0]}
    body = json.dumps({"inputs": [tensor]}).encode()
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/models/{model}/infer", body, timeout=30)
    except urllib.error.HTTPError:
        return None
    document = json.load(answer)
    return document["model_version"], document["outputs"][0]["data"]


def test_what_an_alias_points_to_is_served(client, tracking, name):
    import mlflow.onnx

    mlflow.set_experiment(name)
    with mlflow.start_run():
        log_model(mlflow.onnx, onnx_model(), name)
        log_model(mlflow.onnx, onnx_model(), name)
    for version in ("1", "2", "1"):
        client.set_registered_model_alias(name, "champion", version)
        deadline = time.monotonic() + 30
        while (served := served_version(tracking.port, f"{name}@champion")) is None or served[0] != version:
            assert time.monotonic() < deadline, tracking.output()
            time.sleep(0.02)
        assert served == (version, [3.0, 3.0])


def completion(port, model):
    """What it says to a prompt; None while it is not served."""
    body = json.dumps({"model": model, "prompt": "The sky is", "max_tokens": 4, "temperature": 0}).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/completions", body)
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError:
        return None
    return json.load(answer)["choices"][0]["text"]


def test_a_registered_language_model_is_served(client, tracking, name, run, demo_models, tmp_path):
    if not demo_models:
        pytest.skip("without the demo language model")
    weights = tmp_path / "SmolLM2-135M-Instruct.gguf"
    weights.symlink_to(pathlib.Path(demo_models) / "smollm2/1/model.gguf")
    client.log_artifact(run, str(weights), "model")
    client.create_registered_model(name)
    client.create_model_version(name, client.get_run(run).info.artifact_uri + "/model", run)
    client.set_registered_model_alias(name, "champion", "1")
    deadline = time.monotonic() + 60
    while (said := completion(tracking.port, f"{name}@champion")) is None:
        assert time.monotonic() < deadline, tracking.output()
        time.sleep(0.1)
    assert said and said == completion(tracking.port, f"models:/{name}/1")


def test_a_python_model(client, name):
    mlflow.set_experiment(name)
    with mlflow.start_run():
        log_model(mlflow.pyfunc, Doubling(), name)
    assert mlflow.pyfunc.load_model(f"models:/{name}/1").predict([1, 2]) == [2, 4]


def test_registering_what_a_run_logged(client, name, run):
    client.log_text(run, "x", "model/MLmodel")
    version = mlflow.register_model(f"runs:/{run}/model", name)
    assert int(version.version) == 1
    assert version.run_id == run
    assert int(mlflow.register_model(f"runs:/{run}/model", name).version) == 2


# The registry


@pytest.fixture
def model(client, name, run):
    """A registered model of three versions."""
    client.log_text(run, "x", "model/MLmodel")
    client.create_registered_model(name, tags={"team": "a"}, description="first")
    source = client.get_run(run).info.artifact_uri + "/model"
    for _ in range(3):
        client.create_model_version(name, source, run)
    return name


def test_registered_models_are_changed_and_removed(client, model):
    found = client.get_registered_model(model)
    assert found.tags == {"team": "a"}
    assert found.description == "first"
    client.update_registered_model(model, description="second")
    client.set_registered_model_tag(model, "team", "b")
    client.set_registered_model_tag(model, "more", "c")
    client.delete_registered_model_tag(model, "more")
    found = client.get_registered_model(model)
    assert (found.description, found.tags) == ("second", {"team": "b"})
    client.rename_registered_model(model, model + "-new")
    assert client.get_model_version(model + "-new", "2").name == model + "-new"
    client.delete_registered_model(model + "-new")
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, model + "-new")


def test_registered_models_are_searched_and_paged(client, name):
    for i in range(5):
        client.create_registered_model(f"{name}-{i}", tags={"group": name})
    seen, token = [], None
    while True:
        page = client.search_registered_models(
            f"tags.group = '{name}'", max_results=2, order_by=["name DESC"], page_token=token
        )
        seen += [m.name for m in page]
        token = page.token
        if not token:
            break
    assert seen == [f"{name}-{i}" for i in (4, 3, 2, 1, 0)]
    assert len(client.search_registered_models(f"name LIKE '{name}-%'")) == 5


def test_versions_are_changed_searched_and_removed(client, model, run):
    client.update_model_version(model, "1", "described")
    client.set_model_version_tag(model, "1", "validated", "yes")
    found = client.get_model_version(model, "1")
    assert (found.description, found.tags, found.status) == ("described", {"validated": "yes"}, "READY")
    client.delete_model_version_tag(model, "1", "validated")
    assert client.get_model_version(model, "1").tags == {}
    assert {int(v.version) for v in client.search_model_versions(f"name = '{model}'")} == {1, 2, 3}
    by_number = client.search_model_versions(f"name = '{model}'", order_by=["version_number ASC"])
    assert [int(v.version) for v in by_number] == [1, 2, 3]
    assert len(client.search_model_versions(f"run_id = '{run}'")) == 3
    client.delete_model_version(model, "3")
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_model_version, model, "3")
    again = client.create_model_version(model, client.get_model_version(model, "1").source, run)
    assert int(again.version) == 4
    assert client.get_model_version_download_uri(model, "1") == client.get_model_version(model, "1").source


def test_aliases_come_move_and_go(client, model):
    client.set_registered_model_alias(model, "champion", "1")
    client.set_registered_model_alias(model, "champion", "2")
    client.set_registered_model_alias(model, "challenger", "2")
    assert int(client.get_model_version_by_alias(model, "champion").version) == 2
    assert sorted(client.get_model_version(model, "2").aliases) == ["challenger", "champion"]
    assert {k: int(v) for k, v in client.get_registered_model(model).aliases.items()} == {
        "champion": 2, "challenger": 2,
    }  # fmt: skip
    client.delete_registered_model_alias(model, "champion")
    fails_with("INVALID_PARAMETER_VALUE", client.get_model_version_by_alias, model, "champion")
    fails_with("RESOURCE_DOES_NOT_EXIST", client.set_registered_model_alias, model, "x", "99")


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_stages_of_old_clients(client, model):
    client.transition_model_version_stage(model, "1", "Production")
    client.transition_model_version_stage(model, "2", "Staging")
    client.transition_model_version_stage(model, "3", "Production", archive_existing_versions=True)
    assert client.get_model_version(model, "1").current_stage == "Archived"
    latest = {v.current_stage: int(v.version) for v in client.get_latest_versions(model)}
    assert latest == {"Archived": 1, "Staging": 2, "Production": 3}
    got = mlflow.artifacts.download_artifacts(f"models:/{model}/Production")
    assert (pathlib.Path(got) / "MLmodel").read_text() == "x"
    fails_with("INVALID_PARAMETER_VALUE", client.transition_model_version_stage, model, "1", "Nowhere")


def test_errors_of_the_registry(client, model, run):
    fails_with("RESOURCE_ALREADY_EXISTS", client.create_registered_model, model)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_registered_model, model + "-none")
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_model_version, model, "99")
    fails_with("INVALID_PARAMETER_VALUE", client.create_model_version, model, "file:///etc/passwd", run)
    fails_with("INVALID_PARAMETER_VALUE", client.create_model_version, model, "mlflow-artifacts:/../../etc", run)
    fails_with("INVALID_PARAMETER_VALUE", client.search_model_versions, "nonsense = '1'")


# What came with 3.x


@pytest.mark.skipif(MAJOR < 3, reason="logged models came with 3.x")
def test_logged_models_have_metrics_params_and_links(client, name):
    mlflow.set_experiment(name)
    with mlflow.start_run() as run:
        info = log_model(mlflow.pyfunc, Doubling(), name, params={"depth": "3"})
        mlflow.log_metric("score", 0.75, model_id=info.model_id)
    found = client.get_logged_model(info.model_id)
    assert found.status.name == "READY"
    assert found.source_run_id == run.info.run_id
    assert found.params == {"depth": "3"}
    assert [(m.key, m.value) for m in found.metrics] == [("score", 0.75)]
    assert [m.model_id for m in client.get_run(run.info.run_id).outputs.model_outputs] == [info.model_id]
    searched = client.search_logged_models([found.experiment_id], filter_string="metrics.score > 0.5")
    assert [m.model_id for m in searched] == [info.model_id]
    assert client.get_model_version(name, "1").source == f"models:/{info.model_id}"
    client.set_logged_model_tags(info.model_id, {"k": "v"})
    assert client.get_logged_model(info.model_id).tags["k"] == "v"
    assert mlflow.pyfunc.load_model(f"models:/{info.model_id}").predict([4]) == [8]
    client.delete_logged_model(info.model_id)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_logged_model, info.model_id)


# Webhooks


class Receiver:
    """Keeps what it is told: (headers, body)."""

    def __init__(self):
        self.seen = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.seen.append((dict(self.headers), body))
                self.send_response(200)
                self.send_header("Content-Length", "5")
                self.end_headers()
                self.wfile.write(b"taken")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def wait(self, count):
        deadline = time.monotonic() + 60
        while len(self.seen) < count:
            assert time.monotonic() < deadline, self.seen
            time.sleep(0.02)
        return [json.loads(body) for _, body in self.seen]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


def check_signature(headers, body, secret):
    """As MLflow's documentation tells receivers to."""
    kind, _, signature = headers["X-MLflow-Signature"].partition(",")
    assert kind == "v1"
    assert abs(time.time() - int(headers["X-MLflow-Timestamp"])) < 300
    signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body.decode()}"
    expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
    assert hmac.compare_digest(base64.b64encode(expected).decode(), signature)


@pytest.mark.skipif(MAJOR < 3, reason="webhooks came with 3.x")
def test_a_webhook_is_told_of_the_registry(client, model, receiver, name):
    events = ["registered_model.created", "model_version.created", "model_version_tag.set", "model_version_tag.deleted",
              "model_version_alias.created", "model_version_alias.deleted"]  # fmt: skip
    hook = client.create_webhook(name=name, url=receiver.url, events=events, secret="geheim", description="told")
    assert (hook.name, hook.url, hook.description, hook.status) == (name, receiver.url, "told", "ACTIVE")
    assert sorted(map(str, hook.events)) == sorted(events)
    client.create_registered_model(name + "-2", tags={"a": "b"}, description="text")
    source = client.get_model_version(model, "1").source
    client.create_model_version(model, source, tags={"c": "d"})
    client.set_model_version_tag(model, "4", "k", "v")
    client.delete_model_version_tag(model, "4", "k")
    client.set_registered_model_alias(model, "champion", "4")
    client.delete_registered_model_alias(model, "champion")
    told = receiver.wait(6)
    assert [f"{t['entity']}.{t['action']}" for t in told] == events
    assert told[0]["data"] == {"name": name + "-2", "tags": {"a": "b"}, "description": "text"}
    assert told[1]["data"]["version"] == "4"
    assert told[2]["data"] == {"name": model, "version": "4", "key": "k", "value": "v"}
    assert told[4]["data"] == {"name": model, "alias": "champion", "version": "4"}
    assert told[5]["data"] == {"name": model, "alias": "champion"}
    for headers, body in receiver.seen:
        check_signature(headers, body, "geheim")
    assert len({headers["X-MLflow-Delivery-Id"] for headers, _ in receiver.seen}) == 6
    client.delete_webhook(hook.webhook_id)


@pytest.mark.skipif(MAJOR < 3, reason="webhooks came with 3.x")
def test_webhooks_are_listed_changed_tried_and_deleted(client, receiver, name):
    first = client.create_webhook(name=name, url=receiver.url, events=["prompt.created"], secret="s")
    second = client.create_webhook(name=name + "b", url=receiver.url, events=["model_version.created"], status="DISABLED")
    assert {first.webhook_id, second.webhook_id} <= {w.webhook_id for w in client.list_webhooks()}
    page = client.list_webhooks(max_results=1)
    assert page[0].webhook_id == second.webhook_id and page.token
    changed = client.update_webhook(first.webhook_id, description="d", events=["model_version.created"])
    assert changed.description == "d"
    assert client.get_webhook(first.webhook_id).url == receiver.url
    tried = client.test_webhook(first.webhook_id)
    assert (tried.success, tried.response_status, tried.response_body) == (True, 200, "taken")
    assert receiver.wait(1)[0]["data"]["source"] == "models:/123"
    check_signature(*receiver.seen[0], "s")
    client.test_webhook(first.webhook_id, "model_version_alias.created")
    assert receiver.wait(2)[1]["entity"] == "model_version_alias"
    fails_with("INVALID_PARAMETER_VALUE", client.create_webhook, name="-", url=receiver.url, events=["prompt.created"])
    fails_with("INVALID_PARAMETER_VALUE", client.create_webhook, name=name, url="ftp://x", events=["prompt.created"])
    client.delete_webhook(first.webhook_id)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.get_webhook, first.webhook_id)
    fails_with("RESOURCE_DOES_NOT_EXIST", client.test_webhook, first.webhook_id)
    client.delete_webhook(second.webhook_id)


# After a restart


def test_all_of_it_outlives_the_server(start, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for attempt in range(2):
        with start("--data", folder) as running:
            client = mlflow.MlflowClient(f"http://127.0.0.1:{running.port}")
            if attempt == 0:
                run = client.create_run("0", tags={"a": "1"}).info.run_id
                client.log_metric(run, "m", 0.25)
                client.create_registered_model("kept")
            found = client.get_run(run)
            assert found.data.metrics == {"m": 0.25}
            assert found.data.tags["a"] == "1"
            assert client.get_registered_model("kept").name == "kept"
            assert running.stop() == 0


def infer_when_served(port, model):
    body = json.dumps({"inputs": [{"name": "INPUT0", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}).encode()
    deadline = time.monotonic() + 30
    while True:
        try:
            request = f"http://127.0.0.1:{port}/v2/models/{model}/infer"
            return json.load(urllib.request.urlopen(request, body, timeout=30))["model_version"]
        except urllib.error.HTTPError as error:
            assert time.monotonic() < deadline, error.read()
            time.sleep(0.02)


def test_what_a_version_does_is_written_as_a_run(start, tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.synthetic").write_text("inputs: INPUT0 FP32 [-1,2]\n")
    (folder / "model.yaml").write_text("backend: synthetic\nmax_batch_size: 4\n")
    data = tmp_path / "data"
    data.mkdir()
    often = {"CORTEX_TRACKING_SERVING_INTERVAL": "100ms"}
    with start("--data", data, environment=often) as running:
        before = {n: os.environ.get(n) for n in ("MLFLOW_TRACKING_URI",)}
        uri = f"http://127.0.0.1:{running.port}"
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        try:
            run = client.create_run("0").info
            client.log_artifacts(run.run_id, str(folder), "model")
            client.create_registered_model("written")
            client.create_model_version("written", f"{run.artifact_uri}/model", run.run_id)
            for _ in range(5):
                assert infer_when_served(running.port, "written") == "1"
            deadline = time.monotonic() + 30
            while "cortex.serving_run" not in client.get_model_version("written", "1").tags:
                assert time.monotonic() < deadline, running.output()
                time.sleep(0.02)
            serving = client.get_run(client.get_model_version("written", "1").tags["cortex.serving_run"])
            assert client.get_experiment(serving.info.experiment_id).name == "serving"
            assert serving.info.run_name == "written version 1"
            assert serving.data.tags["cortex.model"] == "written"
            assert serving.data.metrics["serving.failures"] == 0
            assert serving.data.metrics["serving.latency_ms_p50"] > 0

            def total():
                history = client.get_metric_history(serving.info.run_id, "serving.requests")
                return sum(value.value for value in history)

            while total() != 5:
                assert time.monotonic() < deadline, running.output()
                time.sleep(0.02)
            assert running.stop() == 0
        finally:
            for name_of, value in before.items():
                os.environ.pop(name_of, None) if value is None else os.environ.__setitem__(name_of, value)
            mlflow.set_tracking_uri(before["MLFLOW_TRACKING_URI"])
    with start("--data", data, environment={"CORTEX_TRACKING_SERVING_RUNS": "false"}) as running:
        client = mlflow.MlflowClient(f"http://127.0.0.1:{running.port}")
        assert client.get_run(serving.info.run_id).info.status == "FINISHED"
