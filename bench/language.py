#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how a language model is shared: what one client's work does to the others.

    language.py --build build/release [--model smollm2] [--url http://127.0.0.1:8080] [--only NAME,…] [--json FILE]

Starts Cortex with the demo model, or asks the server at --url (any that speaks OpenAI's API). Every figure but the
counts of tokens is a ratio to the same server when it is quiet, in the same run.

TTFT: from sending to the first streamed token. Gap: between two streamed tokens of one answer. Prompts are seeded
words; answers are drawn greedily and go on past the end-of-text token, so that their length is known.
"""

import argparse
import concurrent.futures
import contextlib
import http.client
import json
import os
import pathlib
import random
import statistics
import tempfile
import threading
import time
import urllib.parse

from measure import cortex, cpu_seconds, machine

WORDS = ("time year people way day man thing woman life child world school state family student group country problem "
         "hand part place case week company system program question work number night point home water room mother "
         "area money story fact month lot right study book eye job word business issue side kind head house").split()


class Answer:
    """One streamed answer: when it was asked, when each token came, what the server counted."""

    def __init__(self, url, model, prompt, tokens, key="bench", stop=None):
        body = {"model": model, "prompt": prompt, "max_tokens": tokens, "temperature": 0, "ignore_eos": True,
                "stream": True, "stream_options": {"include_usage": True}}
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {key}"}
        where = urllib.parse.urlsplit(url)
        self.times, self.usage, self.error, self.text = [], {}, None, ""
        connection = http.client.HTTPConnection(where.hostname, where.port, timeout=600)
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
        return self.times[0] - self.began

    @property
    def gaps(self):
        return [b - a for a, b in zip(self.times, self.times[1:])]

    @property
    def cached(self):
        return (self.usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)


class Bench:
    def __init__(self, url, model):
        self.url, self.model, self.child = url, model, None
        self.seed = random.Random(20261121)
        self.rows = {}

    def words(self, count):
        """A text of about `count` tokens that no other call gives."""
        return " ".join(self.seed.choice(WORDS) for _ in range(count))

    def ask(self, prompt, tokens, **keywords):
        return Answer(self.url, self.model, prompt, tokens, **keywords)

    def say(self, name, value, goal, better="less", **more):
        reached = None if goal is None else value <= goal if better == "less" else value >= goal
        self.rows[name] = {"value": round(value, 3), "goal": goal, "better": better, "reached": reached, **more}
        sign = "≤" if better == "less" else "≥"
        print(f"{name:<72} {value:10.3f}" + ("" if goal is None else f"  goal {sign} {goal:g}  {'reached' if reached else 'MISSED'}")
              + (f"  {more}" if more else ""), flush=True)

    # Scenarios

    def single(self):
        """One stream: tokens per second, and per CPU second of the server."""
        self.ask(self.words(8), 8)
        before = cpu_seconds(self.child.pid) if self.child else 0
        answers = [self.ask(self.words(32), 128) for _ in range(3)]
        rates = [1 / statistics.median(a.gaps) for a in answers]
        self.say("one stream: tokens per second", statistics.median(rates), None)
        if self.child:
            spent = cpu_seconds(self.child.pid) - before
            self.say("one stream: tokens per CPU second, prompts included", sum(len(a.times) for a in answers) / spent, None)

    def intrusion(self):
        """Three streams while a prompt of about 4 000 tokens arrives."""
        alone = self.ask(self.words(3600), 1)
        done = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            streams = [pool.submit(self.ask, self.words(16), 4096, stop=lambda _: done.is_set()) for _ in range(3)]
            time.sleep(8)
            entered = time.monotonic()
            long = self.ask(self.words(3600), 1)
            left = time.monotonic()
            done.set()
            streams = [s.result() for s in streams]
        quiet = [g for s in streams for t, g in zip(s.times[1:], s.gaps) if t < entered]
        during = [g for s in streams for t, g in zip(s.times[1:], s.gaps) if entered < t < left]
        median = statistics.median(quiet)
        self.say("long prompt: largest gap of three streams against their quiet median", max(during) / median, 4,
                 quiet_ms=round(median * 1000, 1), largest_ms=round(max(during) * 1000, 1))
        rate = len(during) / (left - entered) / (len(quiet) / max(sum(quiet) / 3, 1e-9))
        self.say("long prompt: rate of the three streams against quiet", rate, 0.4, "more")
        self.say("long prompt: its own TTFT against alone", long.ttft / alone.ttft, 2.5, alone_s=round(alone.ttft, 2),
                 tokens=long.usage.get("prompt_tokens"))

    def dropped(self):
        """A client sends a prompt of about 4 000 tokens and leaves; another asks."""
        quiet = statistics.median(self.ask(self.words(4), 2).ttft for _ in range(5))
        where = urllib.parse.urlsplit(self.url)
        ratios = []
        for _ in range(3):
            leaver = http.client.HTTPConnection(where.hostname, where.port, timeout=60)
            leaver.request("POST", "/v1/completions", json.dumps(
                {"model": self.model, "prompt": self.words(3600), "max_tokens": 1, "stream": True}),
                {"Content-Type": "application/json", "Authorization": "Bearer bench"})
            time.sleep(1)
            leaver.close()
            ratios.append(self.ask(self.words(4), 2).ttft / quiet)
        self.say("dropped long prompt: the next TTFT against quiet", statistics.median(ratios), 3, quiet_ms=round(quiet * 1000, 1))

    def shared(self):
        """Four cold requests with 600 tokens in common."""
        prefix = self.words(560)
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: self.ask(prefix + " " + self.words(25), 4), range(4)))
        asked = sum(a.usage["prompt_tokens"] for a in answers)
        computed = asked - sum(a.cached for a in answers)
        needed = asked - 3 * min(a.usage["prompt_tokens"] for a in answers)
        self.say("four cold requests with a common prefix: prompt tokens computed", computed, 760, asked=asked, about_needed=needed)

    def pressure(self):
        """Eight requests of about 204 + 204 tokens (start the server with 1 024 cells)."""
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.ask(self.words(190), 204), range(8)))
        whole = sum(a.whole and a.usage.get("completion_tokens") == 204 for a in answers)
        self.say("8 x (204 + 204) tokens in little memory: complete", whole, 8, "more", errors=[a.error for a in answers if a.error][:2])

    def flood(self):
        """One key floods with 49 clients, another asks one at a time."""
        polite = lambda: (lambda a: a.ended - a.began)(self.ask(self.words(16), 16, key="polite"))
        quiet = statistics.median(polite() for _ in range(5))
        done = threading.Event()

        def flood(_):
            while not done.is_set():
                if self.ask(self.words(64), 64, key="flood", stop=lambda _: done.is_set()).status == 429:
                    time.sleep(0.2)

        with concurrent.futures.ThreadPoolExecutor(49) as pool:
            floods = [pool.submit(flood, i) for i in range(49)]
            time.sleep(5)
            busy = statistics.median(polite() for _ in range(5))
            done.set()
            concurrent.futures.wait(floods)
        self.say("flood by another key: latency of one at a time against quiet", busy / quiet, 3, quiet_ms=round(quiet * 1000))

    def persona(self):
        """A prefix of about 600 tokens: warm against cold."""
        prefix = self.words(560)
        cold = self.ask(prefix + " one", 2).ttft
        warm = statistics.median(self.ask(prefix + f" {w}", 2).ttft for w in ("two", "three", "four", "five", "six"))
        self.say("600-token prefix: TTFT warm against cold", warm / cold, 1 / 35, cold_ms=round(cold * 1000), warm_ms=round(warm * 1000, 1))

    def overload(self):
        """Twice the capacity, open loop: what meets first token ≤ 5 x alone and gaps ≤ 4 x quiet."""
        shape = (48, 32)
        alone = self.ask(self.words(shape[0]), shape[1])
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            began = time.monotonic()
            closed = list(pool.map(lambda _: self.ask(self.words(shape[0]), shape[1]), range(32)))
            capacity = len(closed) / (time.monotonic() - began)
        quiet_gap = statistics.median(g for a in closed for g in a.gaps)
        rate, answers, seconds = 2 * capacity, [], 20
        with concurrent.futures.ThreadPoolExecutor(256) as pool:
            start = time.monotonic()
            at = 0.0
            while at < seconds:
                time.sleep(max(0, start + at - time.monotonic()))
                answers.append(pool.submit(self.ask, self.words(shape[0]), shape[1]))
                at += self.seed.expovariate(rate)
            answers = [a.result() for a in answers]
        good = [a for a in answers if a.whole and a.ttft <= 5 * alone.ttft and max(a.gaps, default=0) <= 4 * quiet_gap]
        refused = sum(a.status == 429 for a in answers)
        self.say("twice the capacity: goodput against capacity", len(good) / seconds / capacity, 0.9, "more",
                 capacity=round(capacity, 2), asked=len(answers), refused=refused, late=len(answers) - refused - len(good))


SCENARIOS = ["single", "persona", "shared", "dropped", "intrusion", "flood", "overload", "pressure"]
KEYS = "bench,polite,flood"  # of three who ask


def little_memory(models, model, folder):
    """The same model with a memory of 1 024 cells."""
    (folder / model / "1").mkdir(parents=True)
    (folder / model / "1/model.gguf").symlink_to((models / model / "1/model.gguf").resolve())
    (folder / model / "model.yaml").write_text("backend: llama\ngeneration:\n  context_length: 1024\n  cells: 1024\n")
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--models", type=pathlib.Path, help="the folder that holds the model")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--url", help="a server that runs already; else Cortex is started")
    parser.add_argument("--only", type=lambda text: text.split(","), default=SCENARIOS)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    os.environ["CORTEX_API_KEYS"] = KEYS
    bench = Bench(arguments.url, arguments.model)

    def run(names, models):
        with contextlib.ExitStack() as stack:
            if not arguments.url:
                bench.child, port = stack.enter_context(cortex(arguments.build, models))
                bench.url = f"http://127.0.0.1:{port}"
            for name in names:
                getattr(bench, name)()

    if usual := [name for name in arguments.only if name != "pressure"]:
        run(usual, arguments.models)
    if "pressure" in arguments.only:
        with tempfile.TemporaryDirectory() as folder:
            run(["pressure"], arguments.url or little_memory(arguments.models, arguments.model, pathlib.Path(folder)))
    if arguments.json:
        arguments.json.write_text(json.dumps({"machine": machine(), "figures": bench.rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
