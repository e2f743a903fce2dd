# SPDX-License-Identifier: Apache-2.0
"""`cortex sign` and `cortex verify` against the package model-signing, both ways, and what a server makes of signatures:
CORTEX_BINARY=… pytest tests/clients/signing_test.py"""

import datetime
import json
import os
import subprocess
import time
import urllib.error
import urllib.request

import pytest

pytest.importorskip("model_signing")

from cryptography import x509  # noqa: E402
from cryptography.hazmat.primitives import hashes, serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import ec  # noqa: E402
from model_signing import hashing, signing, verifying  # noqa: E402


def run(*arguments):
    binary = os.environ.get("CORTEX_BINARY")
    if not binary:
        pytest.skip("CORTEX_BINARY names the program to test")
    return subprocess.run([binary, *map(str, arguments)], capture_output=True, text=True, timeout=120)


def good(*arguments):
    done = run(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout


def bad(*arguments):
    done = run(*arguments)
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    return done.stderr


class Key:
    """A key pair, and a certificate chain for it, in files."""

    def __init__(self, folder, curve):
        folder.mkdir()
        self.private, self.public = folder / "key.pem", folder / "pub.pem"
        self.certificate, self.root = folder / "cert.pem", folder / "root.pem"
        key, authority = ec.generate_private_key(curve), ec.generate_private_key(curve)
        pem = serialization.Encoding.PEM
        self.private.write_bytes(
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        )
        self.public.write_bytes(key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo))
        root = certificate_of("root", authority, "root", authority, True)
        self.root.write_bytes(root.public_bytes(pem))
        self.certificate.write_bytes(certificate_of("signer", key, "root", authority, False).public_bytes(pem))


def certificate_of(name, key, issuer, issuer_key, authority):
    def named(text):
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.timezone.utc)
    usage = dict.fromkeys(
        ["content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "crl_sign",
         "encipher_only", "decipher_only"], False,
    )  # fmt: skip
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(digital_signature=not authority, key_cert_sign=authority, **usage), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )


@pytest.fixture(params=[ec.SECP256R1, ec.SECP384R1, ec.SECP521R1], ids=lambda curve: curve.name)
def key(request, tmp_path):
    return Key(tmp_path / "keys", request.param())


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "sub" / ".hidden").mkdir(parents=True)
    (folder / "model.onnx").write_bytes(os.urandom(3_000_000))
    (folder / "empty").write_bytes(b"")
    (folder / "sub" / "a b.txt").write_text("text")
    (folder / "sub-x").write_text("sorted otherwise than sub/")
    (folder / "sub" / ".hidden" / "模型.bin").write_text("unicode")
    (folder / ".gitignore").write_text("never signed")
    return folder


def test_what_cortex_signs_the_package_verifies(key, model):
    good("sign", model, "--key", key.private)
    signature = model / "model.sig"
    verifying.Config().use_elliptic_key_verifier(public_key=key.public).verify(model, signature)
    (model / "empty").write_text("not any more")
    with pytest.raises(ValueError, match="empty"):
        verifying.Config().use_elliptic_key_verifier(public_key=key.public).verify(model, signature)


def test_what_the_package_signs_cortex_verifies(key, model):
    signature = model / "model.sig"
    config = hashing.Config().set_ignored_paths(paths=[signature])
    signing.Config().use_elliptic_key_signer(private_key=key.private).set_hashing_config(config).sign(model, signature)
    assert "good, 5 files" in good("verify", model, "--key", key.public)
    (model / "sub" / "more").write_text("x")
    assert "'sub/more' is not signed" in bad("verify", model, "--key", key.public)


def test_shards_and_blake2_of_the_package(key, model, tmp_path):
    for name, config in {
        "shards": hashing.Config().use_shard_serialization(shard_size=1_000_000),
        "blake2": hashing.Config().use_file_serialization(hashing_algorithm="blake2"),
        "sharded blake2": hashing.Config().use_shard_serialization(hashing_algorithm="blake2", shard_size=999),
    }.items():
        signature = tmp_path / (name + ".sig")
        signing.Config().use_elliptic_key_signer(private_key=key.private).set_hashing_config(config).sign(
            model, signature
        )
        good("verify", model, "--signature", signature, "--key", key.public)
    content = bytearray((model / "model.onnx").read_bytes())
    content[2_500_000] ^= 1
    (model / "model.onnx").write_bytes(content)
    for name in ("shards", "blake2", "sharded blake2"):
        fault = bad("verify", model, "--signature", tmp_path / (name + ".sig"), "--key", key.public)
        assert "'model.onnx' is not what was signed" in fault


def test_certificates_both_ways(key, model, tmp_path):
    good("sign", model, "--key", key.private, "--certificate", key.certificate, "--out", tmp_path / "ours.sig")
    verifying.Config().use_certificate_verifier(certificate_chain=[key.root]).verify(model, tmp_path / "ours.sig")
    signing.Config().use_certificate_signer(
        private_key=key.private, signing_certificate=key.certificate, certificate_chain=[key.root]
    ).sign(model, tmp_path / "theirs.sig")
    assert "CN=signer" in good("verify", model, "--signature", tmp_path / "theirs.sig", "--key", key.root)
    for signature in ("ours.sig", "theirs.sig"):
        assert bad("verify", model, "--signature", tmp_path / signature, "--key", key.public)


def test_one_file(key, model, tmp_path):
    file = model / "model.onnx"
    good("sign", file, "--key", key.private)
    verifying.Config().use_elliptic_key_verifier(public_key=key.public).verify(file, f"{file}.sig")
    good("verify", file, "--key", key.public)


def test_a_stranger_is_not_believed(model, tmp_path):
    mine, theirs = Key(tmp_path / "mine", ec.SECP256R1()), Key(tmp_path / "theirs", ec.SECP256R1())
    good("sign", model, "--key", theirs.private)
    assert "is not trusted here" in bad("verify", model, "--key", mine.public)


# What a server serves


class Registry:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"

    def ask(self, method, path, body=None):
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        request = urllib.request.Request(self.base + path, data, {"Content-Type": kind}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"{}")

    def post(self, path, **body):
        return self.ask("POST", "/api/2.0/mlflow" + path, body)

    def upload(self, folder, place):
        for file in folder.rglob("*"):
            if file.is_file():
                path = f"/api/2.0/mlflow-artifacts/artifacts/{place}/{file.relative_to(folder)}"
                self.ask("PUT", path, file.read_bytes())

    def served(self, model):
        try:
            body = {"inputs": [{"name": "X", "shape": [1, 1], "datatype": "FP32", "data": [1]}]}
            return self.ask("POST", f"/v2/models/{model}/infer", body)["model_version"]
        except urllib.error.HTTPError:
            return None

    def reasons(self, model):
        return {e["version"]: e.get("reason", "") for e in self.ask("POST", "/v2/repository/index") if e["name"] == model}


def until(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_alias_that_requires_signatures_serves_signed_versions_alone(start, tmp_path):
    key = Key(tmp_path / "keys", ec.SECP256R1())
    flags = ["--data", tmp_path / "data", "--trusted-key", key.public, "--stored-versions", "4"]
    model = tmp_path / "model"
    model.mkdir()
    (model / "model.synthetic").write_text("inputs: X FP32 [-1,-1]\n")
    with start(*flags) as server:
        registry = Registry(server.port)
        registry.post("/registered-models/create", name="m")
        registry.ask("PUT", "/api/v2/registry/models/m/aliases/champion/signature-policy", {"policy": "require"})
        for version, signed in (("1", True), ("2", False), ("3", True)):
            (model / "model.sig").unlink(missing_ok=True)
            if signed:
                good("sign", model, "--key", key.private)
            if version == "3":  # signed, and changed behind it
                (model / "more").write_text("x")
            registry.upload(model, f"0/{version}/artifacts/model")
            registry.post("/model-versions/create", name="m", source=f"mlflow-artifacts:/0/{version}/artifacts/model")
            registry.post("/registered-models/alias", name="m", alias="champion", version=version)
            registry.post("/registered-models/alias", name="m", alias="other", version=version)
            until(lambda: registry.served("m@other") == version)
            until(lambda: registry.served("m@champion") == "1")
        assert "'champion' requires a signature: 'more' is not signed; it stays on version 1" in registry.reasons("m")["3"]
        policy = registry.ask("GET", "/api/v2/registry/models/m/signature-policies")["policies"][0]
        assert (policy["verified_version"], policy["refused_version"]) == (1, 3)
        assert server.stop() == 0
    # What it serves outlives the server, and a key that is not trusted any more takes effect.
    with start(*flags) as server:
        registry = Registry(server.port)
        until(lambda: registry.served("m@champion") == "1")
        assert server.stop() == 0
    stranger = Key(tmp_path / "stranger", ec.SECP256R1())
    flags[flags.index(key.public)] = stranger.public
    with start(*flags) as server:
        registry = Registry(server.port)
        until(lambda: registry.served("m@other") == "3")
        assert registry.served("m@champion") is None
        assert server.stop() == 0
