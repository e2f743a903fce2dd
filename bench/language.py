#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures how a language model is shared: what one client's work does to the others.

    language.py --build build/release --models FOLDER [--peer llama-server] [--rounds 3] [--only NAME,…] [--json FILE]
    language.py --url http://127.0.0.1:8080 [--only NAME,…]

Starts Cortex with the demo model and, where there is one, llama.cpp's llama-server: same file, same threads, same
memory, each scenario in turn on one and on the other (A B A B …). With --url it asks a server that runs already (any
that speaks OpenAI's API). Every figure but counts and rates of tokens is a ratio to the same server when it is quiet,
in the same run; a figure is the median of its rounds. Goals are Cortex's; of rates of tokens they are of the ratio to
llama-server.

TTFT: from sending to the first streamed token. Gap: between two streamed tokens of one answer. Prompts are seeded
words; answers are drawn greedily and go on past the end-of-text token, so that their length is known.
"""

import argparse
import concurrent.futures
import contextlib
import json
import os
import pathlib
import random
import statistics
import tempfile
import threading
import time

from language_servers import Answer, Cortex, Elsewhere, LlamaServer, Unmeasured
from lora import write_adapter
from measure import machine

WORDS = ("time year people way day man thing woman life child world school state family student group country problem "
         "hand part place case week company system program question work number night point home water room mother "
         "area money story fact month lot right study book eye job word business issue side kind head house").split()
KEYS = "bench,polite,flood"  # of three who ask
ADAPTERS = 8


# Scenarios: each says figures of a server. `start` runs it anew with other settings.


class Bench:
    def __init__(self, start, seed, quick):
        self.start, self.server, self.figures = start, None, {}
        self.seed = random.Random(seed)
        self.share = 0.1 if quick else 1

    def words(self, count):
        """A text of about `count` tokens that no other call gives."""
        return " ".join(self.seed.choice(WORDS) for _ in range(max(1, int(count))))

    def ask(self, prompt, tokens, **keywords):
        return Answer(self.server, prompt, tokens, **keywords)

    def some(self, count):
        """Fewer for a run that shows only that everything works."""
        return max(1, int(count * self.share))

    def say(self, name, value, goal=None, better="less", **more):
        self.figures[name] = {"value": value, "goal": goal, "better": better, **more}

    def together(self, count, what):
        with concurrent.futures.ThreadPoolExecutor(count) as pool:
            return list(pool.map(what, range(count)))

    def single(self):
        """One stream: tokens per second, and per CPU second of the server."""
        self.ask(self.words(8), 8)
        before = self.server.cpu()
        answers = [self.ask(self.words(32), self.some(128)) for _ in range(3)]
        rates = [(a.tokens - 1) / (a.times[-1] - a.times[0]) for a in answers]
        self.say("one stream: tokens per second", statistics.median(rates), better="more")
        self.say("one stream: tokens per CPU second, prompts included", sum(a.tokens for a in answers) / (self.server.cpu() - before),
                 better="more", peer_goal=0.98)

    def repetition(self):
        """A text that repeats itself: where guessing what comes next pays."""
        line = self.words(12)
        before = self.server.cpu()
        answers = [self.ask(" ".join([line] * 12), self.some(192)) for _ in range(3)]
        self.say("one stream of repetitive text: tokens per CPU second", sum(a.tokens for a in answers) / (self.server.cpu() - before), better="more", peer_goal=1.2)

    def intrusion(self):
        """Three streams while a prompt of about 4 000 tokens arrives."""
        size = self.some(3600)
        alone = self.ask(self.words(size), 1)
        done = threading.Event()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            streams = [pool.submit(self.ask, self.words(16), 4096, stop=lambda _: done.is_set()) for _ in range(3)]
            time.sleep(8 * max(self.share, 0.3))
            entered = time.monotonic()
            long = self.ask(self.words(size), 1)
            left = time.monotonic()
            done.set()
            streams = [s.result() for s in streams]
        quiet = [g for s in streams for t, g in zip(s.times[1:], s.gaps) if t < entered]
        during = {t: g for s in streams for t, g in zip(s.times[1:], s.gaps) if t > entered and t - g < left}
        if not quiet or not during:
            raise Unmeasured("the streams gave no tokens to measure")
        median = statistics.median(quiet)
        at, largest = max(during.items(), key=lambda gap: gap[1])
        self.say("long prompt: largest gap of three streams against their quiet median", largest / median, 4,
                 quiet_ms=round(median * 1000, 1), largest_ms=round(largest * 1000, 1), largest_at_s=round(at - entered, 1))
        rate = len(during) / (left - entered) / (3 * len(quiet) / sum(quiet))
        self.say("long prompt: rate of the three streams against quiet", rate, 0.4, "more")
        self.say("long prompt: its own TTFT against alone", long.ttft / alone.ttft, 2.5, alone_s=round(alone.ttft, 2),
                 tokens=long.usage.get("prompt_tokens"))

    def dropped(self):
        """A client sends a prompt of about 4 000 tokens and leaves; another asks."""
        quiet = statistics.median(self.ask(self.words(4), 2).ttft for _ in range(5))
        ratios = []
        for _ in range(3):
            leaver = self.server.connect()
            leaver.request("POST", "/v1/completions", json.dumps(
                {"model": self.server.model, "prompt": self.words(self.some(3600)), "max_tokens": 1, "stream": True}),
                {"Content-Type": "application/json", "Authorization": "Bearer bench"})
            time.sleep(1)
            leaver.close()
            ratios.append(self.ask(self.words(4), 2).ttft / quiet)
        self.say("dropped long prompt: the next TTFT against quiet", statistics.median(ratios), 3, quiet_ms=round(quiet * 1000, 1))

    def shared(self):
        """Four cold requests with 600 tokens in common."""
        prefix = self.words(560)
        prompts = [prefix + " " + self.words(25) for _ in range(4)]
        answers = self.together(4, lambda i: self.ask(prompts[i], 4))
        asked = sum(a.usage["prompt_tokens"] for a in answers)
        computed = asked - sum(a.cached for a in answers)
        self.say("four cold requests with a common prefix: prompt tokens computed", computed, 760, asked=asked)

    def pressure(self):
        """Eight requests of about 204 + 204 tokens in 1 024 cells."""
        with self.start(cells=1024) as self.server:
            prompts = [self.words(190) for _ in range(8)]
            answers = self.together(8, lambda i: self.ask(prompts[i], 204))
        whole = sum(a.whole and a.usage.get("completion_tokens") == 204 for a in answers)
        self.say("8 x (204 + 204) tokens in 1 024 cells: complete", whole, 8, "more", errors=[str(a.error)[:120] for a in answers if a.error][:2])

    def flood(self):
        """One key floods with 49 clients, another asks one at a time."""
        def polite():
            answer = self.ask(self.words(16), 16, key="polite")
            return answer.ended - answer.began

        quiet = statistics.median(polite() for _ in range(5))
        done = threading.Event()
        prompts = [self.words(64) for _ in range(49)]

        def flood(number):
            count = 0
            while not done.is_set():
                count += 1
                if self.ask(f"{count} {prompts[number]}", 64, key="flood", stop=lambda _: done.is_set()).status != 200:
                    time.sleep(0.2)

        with concurrent.futures.ThreadPoolExecutor(49) as pool:
            floods = [pool.submit(flood, i) for i in range(49)]
            time.sleep(5 * max(self.share, 0.2))
            busy = statistics.median(polite() for _ in range(self.some(5)))
            done.set()
            concurrent.futures.wait(floods)
        self.say("flood by another key: latency of one at a time against quiet", busy / quiet, 3, quiet_ms=round(quiet * 1000))

    def persona(self):
        """A prefix of about 600 tokens: warm against cold."""
        prefix = self.words(560)
        cold = self.ask(prefix + " one", 2).ttft
        warm = statistics.median(self.ask(prefix + f" {w}", 2).ttft for w in ("two", "three", "four", "five", "six"))
        self.say("600-token prefix: TTFT warm against cold", warm / cold, 1 / 35, cold_ms=round(cold * 1000), warm_ms=round(warm * 1000, 1))

    def restart(self):
        """The same prefix after a restart."""
        prefix = self.words(560)
        with tempfile.TemporaryDirectory() as data:
            with self.start(keep=data) as self.server:
                self.ask(self.words(4), 2)
                cold = self.ask(prefix + " one", 2).ttft
            with self.start(keep=data) as self.server:
                self.ask(self.words(4), 2)
                again = self.ask(prefix + " two", 2)
        self.say("600-token prefix: TTFT after a restart against cold", again.ttft / cold, 1 / 5, cold_ms=round(cold * 1000),
                 cached=again.cached)

    def personas(self):
        """Eight personas, two conversations of three turns with each, in turn."""
        personas = [self.words(560) for _ in range(8)]
        talks = [{"text": personas[i % 8], "reusable": 0} for i in range(16)]
        known = {}  # persona -> tokens of it that somebody asked before
        reusable = cached = 0
        warm, cold = [], []
        for turn in range(3):
            for number, talk in enumerate(talks):
                prompt = talk["text"] + " " + self.words(12)
                answer = self.ask(prompt, 8)
                total = answer.usage["prompt_tokens"]
                there = max(talk["reusable"], known.get(number % 8, 0))
                known.setdefault(number % 8, total - 12)  # less than the persona's own by what a question may take
                reusable += there
                cached += min(answer.cached, there)
                if there:
                    warm.append(answer.ttft)
                    if len(cold) < self.some(16):
                        cold.append(self.ask(prompt, 8, **self.server.uncached(f"{turn}-{number}")).ttft)
                talk["text"], talk["reusable"] = prompt + answer.text, total
        self.say("8 personas: reusable prompt tokens that came from the cache", cached / reusable, 0.95, "more", reusable=reusable)
        self.say("8 personas: TTFT against no cache", statistics.median(warm) / statistics.median(cold), 0.4,
                 no_cache_ms=round(statistics.median(cold) * 1000))

    def overload(self):
        """Twice the capacity, open loop: what meets first token ≤ 5 x alone and gaps ≤ 4 x quiet."""
        shape, seconds = (48, 32), 45 * max(self.share, 0.07)
        with self.start() as self.server:
            self.ask(self.words(4), 2)
            first_token_max = 5 * statistics.median(self.ask(self.words(shape[0]), shape[1]).ttft for _ in range(3))
        with self.start(first_token_max=first_token_max) as self.server:
            self.ask(self.words(4), 2)
            def closed_loop():
                prompts = [self.words(shape[0]) for _ in range(self.some(32))]
                with concurrent.futures.ThreadPoolExecutor(8) as pool:
                    began = time.monotonic()
                    closed = list(pool.map(lambda prompt: self.ask(prompt, shape[1]), prompts))
                    return sum(a.whole for a in closed) / (time.monotonic() - began), [g for a in closed for g in a.gaps]

            capacity, gaps = closed_loop()
            quiet_gap = statistics.median(gaps)
            answers = []
            with concurrent.futures.ThreadPoolExecutor(256) as pool:
                start = time.monotonic()
                at = 0.0
                while at < seconds:
                    time.sleep(max(0, start + at - time.monotonic()))
                    answers.append((start + at, pool.submit(self.ask, self.words(shape[0]), shape[1])))
                    at += self.seed.expovariate(2 * capacity)
                answers = [(due, a.result()) for due, a in answers]
            capacity = (capacity + closed_loop()[0]) / 2  # a shared machine has become faster or slower meanwhile
        served = [(due, a) for due, a in answers if a.whole]
        late = sum(a.times[0] - due > first_token_max for due, a in served)
        halting = sum(max(a.gaps, default=0) > 4 * quiet_gap for _, a in served)
        good = sum(a.times[0] - due <= first_token_max and max(a.gaps, default=0) <= 4 * quiet_gap for due, a in served)
        self.say("twice the capacity: goodput against capacity", good / seconds / capacity, 0.9, "more",
                 capacity=round(capacity, 2), asked=len(answers), refused=sum(a.status == 429 for _, a in answers), late=late, halting=halting,
                 first_token_max_ms=round(first_token_max * 1000), quiet_gap_ms=round(quiet_gap * 1000, 1))

    # Adapters

    @contextlib.contextmanager
    def adapted(self):
        with tempfile.TemporaryDirectory() as folder:
            adapters = pathlib.Path(folder)
            for number in range(ADAPTERS):
                write_adapter(self.start.gguf, adapters / f"a{number}.gguf", seed=number)
            with self.start(adapters=adapters) as self.server:
                for number in range(ADAPTERS):  # loaded, and warm
                    warm = self.ask(self.words(4), 1, **self.server.with_adapter(f"a{number}"))
                    if not warm.whole:
                        raise Unmeasured(f"adapter a{number} does not answer: {str(warm.error)[:200]}")
                yield

    def adapter_arrives(self):
        """Adapter B arrives while adapter A generates."""
        with self.adapted():
            first, second = self.server.with_adapter("a0"), self.server.with_adapter("a1")
            alone = statistics.median(self.ask(self.words(16), 2, **second).ttft for _ in range(5))
            done = threading.Event()
            with concurrent.futures.ThreadPoolExecutor(1) as pool:
                stream = pool.submit(self.ask, self.words(16), self.some(1024), stop=lambda _: done.is_set(), **first)
                time.sleep(1)
                arrived = [self.ask(self.words(16), 2, **second).ttft for _ in range(self.some(3))]
                done.set()
                stream.result()
        self.say("adapter B while A generates: its TTFT against alone", statistics.median(arrived) / alone, 3, alone_ms=round(alone * 1000, 1))

    def adapters_mixed(self):
        """Eight adapters at once, each with a stream: against one stream of one adapter, which is the same batch in every step."""
        tokens = self.some(128)
        with self.adapted():
            def rate(names):
                prompts = [self.words(16) for _ in names]
                began = time.monotonic()
                answers = self.together(len(names), lambda i: self.ask(prompts[i], tokens, **self.server.with_adapter(names[i])))
                seconds = time.monotonic() - began
                return sum(a.tokens for a in answers) / seconds, max((g for a in answers for g in a.gaps), default=0)

            same = statistics.median(rate(["a0"])[0] for _ in range(3))
            mixed, longest = rate([f"a{i}" for i in range(ADAPTERS)])
        self.say("8 adapters mixed: tokens per second against one adapter, same batch", mixed / same, 0.9, "more", longest_wait_ms=round(longest * 1000))


USUAL = ["single", "repetition", "persona", "personas", "shared", "dropped", "intrusion", "flood"]
OF_THEIR_OWN = ["overload", "pressure", "restart", "adapter_arrives", "adapters_mixed"]  # they start the server as they need it


class Start:
    """Starts one kind of server, as often as a scenario wants."""

    def __init__(self, kind, folder, gguf):
        self.kind, self.folder, self.gguf = kind, folder, gguf

    def __call__(self, **settings):
        return self.kind.run(self.folder, **settings)


def figures_of(start, scenario, seed, quick):
    """What one scenario says about one server; nothing where it cannot be shown."""
    bench = Bench(start, seed, quick)
    try:
        if scenario in OF_THEIR_OWN:
            getattr(bench, scenario)()
        else:
            with start() as bench.server:
                bench.ask(bench.words(4), 2)
                getattr(bench, scenario)()
    except (Unmeasured, statistics.StatisticsError) as error:
        print(f"  {scenario}, {start.kind.kind}: not measured, {error}", flush=True)
    return bench.figures


def summary(rounds):
    """Figures of several rounds, each {kind: {name: figure}}, as rows."""
    names = list(dict.fromkeys(name for turn in rounds for figures in turn.values() for name in figures))
    rows = {}
    for name in names:
        row = {}
        for kind in dict.fromkeys(kind for turn in rounds for kind in turn):
            found = [turn[kind][name] for turn in rounds if name in turn.get(kind, {})]
            if found:
                row[kind] = {**found[-1], "value": round(statistics.median(f["value"] for f in found), 4), "values": [round(f["value"], 4) for f in found]}
        both = [(turn["cortex"][name]["value"], turn["llama-server"][name]["value"]) for turn in rounds
                if name in turn.get("cortex", {}) and name in turn.get("llama-server", {})]
        if both and all(theirs for _, theirs in both):
            row["cortex_to_llama_server"] = round(statistics.median(ours / theirs for ours, theirs in both), 4)
        ours = row.get("cortex") or row.get("elsewhere")
        if ours and ours["goal"] is not None:
            row["reached"] = ours["value"] <= ours["goal"] if ours["better"] == "less" else ours["value"] >= ours["goal"]
        elif ours and "peer_goal" in ours and "cortex_to_llama_server" in row:
            row["reached"] = row["cortex_to_llama_server"] >= ours["peer_goal"]
        rows[name] = row
    return rows


def show(name, row):
    ours, theirs = row.get("cortex") or row.get("elsewhere"), row.get("llama-server")
    line = f"{name:<74}" + (f" {ours['value']:10.3f}" if ours else f" {'-':>10}") + (f"  llama-server {theirs['value']:10.3f}" if theirs else "")
    if "cortex_to_llama_server" in row:
        line += f"  ratio {row['cortex_to_llama_server']:.3f}"
    if "reached" in row:
        goal = ours["peer_goal"] if ours["goal"] is None else ours["goal"]
        line += f"  goal {'≤' if ours['better'] == 'less' else '≥'} {goal:.3g} {'reached' if row['reached'] else 'MISSED'}"
    print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("--models", type=pathlib.Path, help="the folder that holds the model")
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--peer", type=pathlib.Path, help="a llama-server; without it Cortex is measured alone")
    parser.add_argument("--url", help="a server that runs already; else Cortex is started")
    parser.add_argument("--threads", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="shows that everything works; its figures say nothing")
    parser.add_argument("--only", type=lambda text: text.split(","), default=USUAL + OF_THEIR_OWN)
    parser.add_argument("--json", type=pathlib.Path)
    arguments = parser.parse_args()
    if unknown := set(arguments.only) - {*USUAL, *OF_THEIR_OWN}:
        parser.error(f"no scenario {', '.join(sorted(unknown))}: one of {', '.join(USUAL + OF_THEIR_OWN)}")
    os.environ["CORTEX_API_KEYS"] = KEYS

    with tempfile.TemporaryDirectory() as folder:
        if arguments.url:
            gguf, kinds = None, [Elsewhere(arguments.url, arguments.model)]
        else:
            gguf = (arguments.models / arguments.model / "1/model.gguf").resolve()
            kinds = [Cortex(arguments.build, gguf, arguments.threads)]
            if arguments.peer and arguments.peer.is_file():
                kinds.append(LlamaServer(arguments.peer, gguf, arguments.threads))
        starts = [Start(kind, folder, gguf) for kind in kinds]
        rows = {}
        for number, scenario in enumerate(arguments.only):
            # The same prompts for both, others in every round; who begins changes.
            rounds = []
            for turn in range(arguments.rounds):
                order = starts if turn % 2 == 0 else starts[::-1]
                rounds.append({s.kind.kind: figures_of(s, scenario, 1000 * number + turn, arguments.quick) for s in order})
            for name, row in summary(rounds).items():
                rows[name] = row
                show(name, row)
    if arguments.json:
        arguments.json.write_text(json.dumps(
            {"machine": machine(), "threads": arguments.threads, "rounds": arguments.rounds, "figures": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
