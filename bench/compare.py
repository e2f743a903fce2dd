#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Measures Cortex against the bare loop and the raw engine, in pairs within one run, and prints what it found.

    compare.py --build build/release [--pairs 10] [--seconds 2] [--json FILE] [--only wire|model|footprint]
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

from measure import HERE, Report, cortex, machine, process, wrk


@contextlib.contextmanager
def bare_loop(build, reply_bytes):
    with process([build / "bin/bare_loop", reply_bytes]) as child:
        yield child, int(child.stdout.readline())


def raw_engine(build, library, model, workers, threads, seconds, lengths, batch=1):
    out = subprocess.run(
        [build / "bin/raw_engine", library, model, str(workers), str(threads), str(seconds),
         ",".join(map(str, lengths)), str(batch)],
        capture_output=True, text=True, check=True,
    ).stdout
    return json.loads(out)


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
        for _ in range(3 * args.pairs):  # a few percent are to be told from a shared machine's noise
            for clients, ratios in ((1, one), (cores, busy)):
                ours = wrk(server, "embeddings.lua", clients, args.seconds, embed, ["minilm", 32])
                raw = raw_engine(args.build, args.library, args.model, clients, 1, args.seconds, [32])
                ratios.append(ours["cpu_us"] / raw["cpu_us_per_row"])
        for _ in range(args.pairs):
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
