# SPDX-License-Identifier: Apache-2.0
"""What the benchmark of language models asks: Cortex, llama.cpp's llama-server, or a server that runs already."""

import contextlib
import http.client
import json
import pathlib
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse

from measure import cortex, cpu_seconds, process

CELLS, CONTEXT, SLOTS = 16384, 8192, 16


class Answer:
    """One streamed answer: when it was asked, when each token came, what the server counted."""

    def __init__(self, server, prompt, tokens, key="bench", stop=None, **fields):
        body = {"model": server.model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True,
                "stream": True, "stream_options": {"include_usage": True}, **fields}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        self.times, self.usage, self.error, self.text = [], {}, None, ""
        connection = server.connect()
        self.began = time.monotonic()
        try:
            connection.request("POST", "/v1/completions", json.dumps(body), headers)
            answer = connection.getresponse()
            self.status = answer.status
            if answer.status != 200:
                self.error = answer.read().decode("utf-8", "replace")
                return
            self._read(answer, stop)
        except OSError as error:
            self.status, self.error = 0, repr(error)
        finally:
            connection.close()
            self.ended = time.monotonic()

    def _read(self, answer, stop):
        for line in answer:
            if not line.startswith(b"data: ") or line.startswith(b"data: [DONE]"):
                continue
            event = json.loads(line[6:])
            if "error" in event:
                self.error = event["error"]
                return
            if event.get("usage"):
                self.usage = event["usage"]
            if event.get("choices") and (text := event["choices"][0].get("text")):
                self.times.append(time.monotonic())
                self.text += text
            if stop and stop(self):
                return

    @property
    def whole(self):
        return self.status == 200 and not self.error and bool(self.times)

    @property
    def ttft(self):
        if not self.times:
            raise Unmeasured(f"no token came: {self.status} {self.error}")
        return self.times[0] - self.began

    @property
    def gaps(self):
        return [b - a for a, b in zip(self.times, self.times[1:])]

    @property
    def tokens(self):
        """What it says of one that was heard to its end; a part may carry several."""
        return self.usage.get("completion_tokens", len(self.times))

    @property
    def cached(self):
        return (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)


class Unmeasured(Exception):
    """A scenario that this server cannot show; the text says why."""


class Running:
    """A server that answers. `child` is None where it is somebody else's."""

    def __init__(self, kind, url, model, child=None):
        self.kind, self.model, self.child = kind, model, child
        self.where = urllib.parse.urlsplit(url)

    def connect(self, timeout=600):
        return http.client.HTTPConnection(self.where.hostname, self.where.port, timeout=timeout)

    def post(self, path, body):
        connection = self.connect()
        try:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json", "Authorization": "Bearer bench"})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        finally:
            connection.close()

    def cpu(self):
        if not self.child:
            raise Unmeasured("its CPU time is not known here")
        return cpu_seconds(self.child.pid)

    def with_adapter(self, name):
        """The fields of a request for an adapter."""
        return {"model": f"{self.model}+{name}"} if self.kind == "cortex" else {"lora": [{"id": int(name[1:]), "scale": 1.0}]}

    def uncached(self, number):
        """The fields of a request that takes nothing from a cache."""
        return {"cache_salt": f"nobody-{number}"} if self.kind == "cortex" else {"cache_prompt": False}


class Cortex:
    kind = "cortex"

    def __init__(self, build, gguf, threads):
        self.build, self.gguf, self.threads = build, gguf, threads

    @contextlib.contextmanager
    def run(self, folder, cells=CELLS, adapters=None, keep=None, first_token_max=None):
        """`keep`: a data folder that outlasts the server. `first_token_max`: seconds that a client wants to wait for a first token."""
        first_token_us = round((first_token_max or 0) * 1e6)
        models = pathlib.Path(folder) / f"models-{cells}-{first_token_us}"
        if not models.exists():
            (models / "m/1").mkdir(parents=True)
            (models / "m/1/model.gguf").symlink_to(self.gguf)
            (models / "m/model.yaml").write_text(
                f"backend: llama\nthreads: {self.threads}\ngeneration:\n  context_length: {min(CONTEXT, cells)}\n  cells: {cells}\n"
                f"  first_token_max_us: {first_token_us}\n")
        flags = ["--data", keep] if keep else []
        if adapters:
            flags += ["--adapters", adapters, "--data", tempfile.mkdtemp(dir=folder)]
        with cortex(self.build, models, *flags) as (child, port):
            server = Running("cortex", f"http://127.0.0.1:{port}", "m", child)
            for name in sorted(path.stem for path in adapters.iterdir()) if adapters else []:
                status, text = server.post("/v1/load_lora_adapter", {"lora_name": name, "lora_path": f"{name}.gguf", "base_model": "m"})
                if status // 100 != 2:
                    raise Unmeasured(f"adapter {name} is not loaded: {status} {text[:200]}")
            yield server


class LlamaServer:
    kind = "llama-server"

    def __init__(self, binary, gguf, threads):
        self.binary, self.gguf, self.threads = binary, gguf, threads

    @contextlib.contextmanager
    def run(self, folder, cells=CELLS, adapters=None, keep=None, first_token_max=None):
        # It has no such bound.
        if keep:
            raise Unmeasured("it keeps nothing over a restart")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [self.binary, "-m", self.gguf, "--host", "127.0.0.1", "--port", port, "-t", self.threads, "-tb", self.threads,
                   "-c", cells, "-np", SLOTS, "--kv-unified"]
        for path in sorted(adapters.iterdir()) if adapters else []:
            command += ["--lora-scaled", f"{path}:0"]
        with process(command, stderr=subprocess.DEVNULL) as child:
            threading.Thread(target=child.stdout.read, daemon=True).start()
            server = Running("llama-server", f"http://127.0.0.1:{port}", "m", child)
            deadline = time.monotonic() + 120
            while not self._is_ready(server):
                if child.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit("llama-server did not start")
                time.sleep(0.1)
            yield server

    @staticmethod
    def _is_ready(server):
        try:
            connection = server.connect(5)
            connection.request("GET", "/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


class Elsewhere:
    kind = "elsewhere"

    def __init__(self, url, model):
        self.url, self.model = url, model

    @contextlib.contextmanager
    def run(self, folder, cells=CELLS, adapters=None, keep=None, first_token_max=None):
        if adapters or keep or first_token_max:
            raise Unmeasured("it is somebody else's to start")
        yield Running("cortex", self.url, self.model)
