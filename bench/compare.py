#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Cortex against the bare loop and the raw engine, in pairs within one run, and prints what it found.

Each figure is a ratio: A and B are run in turn (A B A B …), a pair gives one ratio, and the table shows the median of
the ratios with the interval that holds the true median with at least 95 % confidence (order statistics; Conover,
Practical Nonparametric Statistics, 3.2). CPU time is the process's own, read from /proc.

    compare.py --build build/release [--pairs 10] [--seconds 2] [--json FILE] [--only wire|model|footprint]
"""

import argparse
import contextlib
import json
import math
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def median_interval(values, confidence=0.95):
    """Median and the order statistics that enclose it."""
    ordered = sorted(values)
    n = len(ordered)
    k = 0
    while k < n // 2 and 2 * sum(math.comb(n, i) for i in range(k + 1)) / 2**n <= 1 - confidence:
        k += 1
    low, high = max(k - 1, 0), n - max(k, 1)
    return statistics.median(ordered), ordered[low], ordered[high]


@contextlib.contextmanager
def process(command, **keywords):
    """A child that prints its port first; ended by SIGTERM."""
    child = subprocess.Popen([str(c) for c in command], stdout=subprocess.PIPE, **keywords)
    try:
        yield child
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(30)


@contextlib.contextmanager
def cortex(build, models, *flags):
    command = [build / "cortex", "serve", "--http-port", "0", "--metrics-port", "0",
               "--model-repository", models, *flags]
    with process(command, stderr=subprocess.DEVNULL) as child:
        for line in child.stdout:
            if found := re.search(rb"http://[^:/]+:(\d+)", line):
                yield child, int(found[1])
                return
        raise SystemExit("cortex did not start")


@contextlib.contextmanager
def bare_loop(build, reply_bytes):
    with process([build / "bin/bare_loop", reply_bytes]) as child:
        yield child, int(child.stdout.readline())


def wrk(server, script, connections, seconds, path="/", arguments=()):
    """Requests/s, median latency in µs and the server's CPU per request in µs."""
    child, port = server
    before = cpu_seconds(child.pid)
    out = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", HERE / "wrk" / script,
         f"http://127.0.0.1:{port}{path}", "--", *map(str, arguments)],
        capture_output=True, text=True, check=True,
    ).stdout
    if "Non-2xx" in out or "Socket errors" in out:
        raise SystemExit(f"wrk saw errors:\n{out}")
    spent = cpu_seconds(child.pid) - before
    count = int(re.search(r"(\d+) requests in", out)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1])
    value, unit = re.search(r"50%\s+([\d.]+)(us|ms|s)", out).groups()
    return {"rate": rate, "p50_us": float(value) * {"us": 1, "ms": 1e3, "s": 1e6}[unit], "cpu_us": spent * 1e6 / count}


def raw_engine(build, library, model, workers, threads, seconds, lengths, batch=1):
    out = subprocess.run(
        [build / "bin/raw_engine", library, model, str(workers), str(threads), str(seconds),
         ",".join(map(str, lengths)), str(batch)],
        capture_output=True, text=True, check=True,
    ).stdout
    return json.loads(out)


class Report:
    def __init__(self):
        self.rows = []

    def add(self, name, values, goal, unit="", better="more"):
        middle, low, high = median_interval(values)
        reached = middle >= goal if better == "more" else middle <= goal
        row = {"name": name, "median": round(middle, 4), "low": round(low, 4), "high": round(high, 4),
               "goal": goal, "better": better, "unit": unit, "reached": reached, "pairs": len(values)}
        self.rows.append(row)
        sign = "≥" if better == "more" else "≤"
        print(f"{name:<64} {middle:9.3f} [{low:.3f}, {high:.3f}] {unit:<4} goal {sign} {goal:g}"
              f"  {'reached' if reached else 'MISSED'}", flush=True)


def bench_wire(args, report):
    """The server's own cost: ONNX Identity FP32[16] in binary, against the bare loop."""
    infer = "/v2/models/identity_fp32/infer"
    with tempfile.TemporaryDirectory() as models:
        subprocess.run([args.build / "bin/cortex_make_models", models], check=True, stdout=subprocess.DEVNULL)
        with cortex(args.build, models) as server, bare_loop(args.build, 240) as bare:
            pairs = {64: [], 1: []}
            for connections, results in pairs.items():
                for _ in range(args.pairs + 1):
                    ours = wrk(server, "infer_binary.lua", connections, args.seconds, infer)
                    theirs = wrk(bare, "infer_binary.lua", connections, args.seconds, infer)
                    results.append((ours, theirs))
                results.pop(0)  # the warm-up
    report.add("identity, 64 connections: requests/s against the bare loop",
               [a["rate"] / b["rate"] for a, b in pairs[64]], 0.40)
    report.add("identity, 64 connections: server CPU per request",
               [a["cpu_us"] for a, _ in pairs[64]], 25, "µs", "less")
    report.add("identity, 1 connection: p50 above the bare loop",
               [a["p50_us"] - b["p50_us"] for a, b in pairs[1]], 40, "µs", "less")
    rates = [a["rate"] for a, _ in pairs[64]]
    print(f"    (Cortex {statistics.median(rates):.0f} requests/s, bare loop "
          f"{statistics.median(b['rate'] for _, b in pairs[64]):.0f})")


def best_plan(args, lengths, batch):
    """The thread plan with the best throughput of the raw loop: (workers, threads)."""
    cores = os.cpu_count()
    plans = [(w, t) for w in (1, 2, cores) for t in (1, 2, cores) if w * t <= 2 * cores]
    rates = {plan: raw_engine(args.build, args.library, args.model, *plan, args.seconds, lengths, batch)["rows_per_second"]
             for plan in sorted(set(plans))}
    return max(rates, key=rates.get)


def bench_model(args, report):
    """MiniLM: real text in, embeddings out, against the engine called in a loop."""
    embed = "/v1/embeddings"
    lengths = [8, 16, 24, 32, 48, 64, 96, 128, 192, 256]
    plan = best_plan(args, [32], 1)
    mixed_plan = best_plan(args, lengths, 16)
    cores = os.cpu_count()
    one, busy, best, mixed = [], [], [], []
    with cortex(args.build, args.models) as server:
        wrk(server, "embeddings.lua", 4, args.seconds, embed, ["minilm", 32])
        for _ in range(args.pairs):
            ours = wrk(server, "embeddings.lua", 1, args.seconds, embed, ["minilm", 32])
            raw = raw_engine(args.build, args.library, args.model, 1, 1, args.seconds, [32])
            one.append(ours["cpu_us"] / raw["cpu_us_per_row"])
            ours = wrk(server, "embeddings.lua", cores, args.seconds, embed, ["minilm", 32])
            raw = raw_engine(args.build, args.library, args.model, cores, 1, args.seconds, [32])
            busy.append(ours["cpu_us"] / raw["cpu_us_per_row"])
            rates = [wrk(server, "embeddings.lua", c, args.seconds, embed, ["minilm", 32])["rate"] for c in (2, 4, 16)]
            raw = raw_engine(args.build, args.library, args.model, *plan, args.seconds, [32])
            best.append(max(rates) / raw["rows_per_second"])
            ours = wrk(server, "embeddings.lua", 16, 2 * args.seconds, embed, ["minilm", *lengths])
            raw = raw_engine(args.build, args.library, args.model, *mixed_plan, 2 * args.seconds, lengths, 16)
            mixed.append(ours["rate"] / raw["rows_per_second"])
    report.add("MiniLM, 32 tokens: CPU per request against the raw session, one client", one, 1.03, "", "less")
    report.add("MiniLM, 32 tokens: the same, a client for every core", busy, 1.03, "", "less")
    report.add(f"MiniLM, 32 tokens: best throughput against the raw loop {plan}", best, 0.97)
    report.add("MiniLM, 8 to 256 tokens, 16 clients: against padding to the longest", mixed, 1.0)


def bench_footprint(args, report):
    starts = []
    with tempfile.TemporaryDirectory() as empty:
        for _ in range(args.pairs):
            before = time.monotonic()
            with cortex(args.build, empty) as (_, port):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/health/ready").read()
                starts.append(time.monotonic() - before)
    report.add("ready without models", starts, 0.3, "s", "less")
    with tempfile.NamedTemporaryFile() as stripped:
        subprocess.run(["strip", "-o", stripped.name, args.build / "cortex"], check=True)
        size = os.path.getsize(stripped.name) + args.library.resolve().stat().st_size
    report.add("installed footprint: program (stripped) and engine library", [size / 1e6], 80, "MB", "less")


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {"cpu": cpu[1] if cpu else platform.processor(), "cores": os.cpu_count(),
            "memory_gib": round(int(memory[1]) / 2**20), "kernel": platform.release()}


def main():
    deps = pathlib.Path(os.environ.get("CORTEX_DEPS", pathlib.Path.home() / ".cache/cortex/deps"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build/release")
    parser.add_argument("--library", type=pathlib.Path, default=deps / "lib/libonnxruntime.so.1")
    parser.add_argument("--models", type=pathlib.Path, default=deps / "models")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--only", choices=["wire", "model", "footprint"])
    args = parser.parse_args()
    args.model = args.models / "minilm/1/model.onnx"
    report = Report()
    print(json.dumps(machine()))
    for name, bench in {"footprint": bench_footprint, "wire": bench_wire, "model": bench_model}.items():
        if args.only in (None, name):
            bench(args, report)
    if args.json:
        args.json.write_text(json.dumps({"machine": machine(), "figures": report.rows}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
