# SPDX-License-Identifier: Apache-2.0
"""What the benchmarks share: servers as processes, load from wrk, and figures as medians with intervals.

Each figure is a ratio: A and B are run in turn (A B A B …), a pair gives one ratio, and the table shows the median of
the ratios with the interval that holds the true median with at least 95 % confidence (order statistics; Conover,
Practical Nonparametric Statistics, 3.2). CPU time is the process's own, read from /proc.
"""

import contextlib
import math
import os
import pathlib
import platform
import re
import signal
import statistics
import subprocess

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
    """The child and its port."""
    command = [build / "cortex", "serve", "--http-port", "0", "--metrics-port", "0",
               "--model-repository", models, *flags]
    with process(command, stderr=subprocess.DEVNULL) as child:
        for line in child.stdout:
            if found := re.search(rb"http://[^:/]+:(\d+)", line):
                yield child, int(found[1])
                return
        raise SystemExit("cortex did not start")


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


class Report:
    def __init__(self):
        self.rows = []

    def add(self, name, values, goal, unit="", better="more"):
        """`better`: more, less, or same: the goal lies within the interval."""
        middle, low, high = median_interval(values)
        reached = {"more": middle >= goal, "less": middle <= goal, "same": low <= goal <= high}[better]
        row = {"name": name, "median": round(middle, 4), "low": round(low, 4), "high": round(high, 4),
               "goal": goal, "better": better, "unit": unit, "reached": reached, "pairs": len(values)}
        self.rows.append(row)
        sign = {"more": "≥", "less": "≤", "same": "="}[better]
        print(f"{name:<64} {middle:9.3f} [{low:.3f}, {high:.3f}] {unit:<4} goal {sign} {goal:g}"
              f"  {'reached' if reached else 'MISSED'}", flush=True)


def machine():
    cpu = re.search(r"model name\s*:\s*(.+)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = re.search(r"MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text())
    return {"cpu": cpu[1] if cpu else platform.processor(), "cores": os.cpu_count(),
            "memory_gib": round(int(memory[1]) / 2**20), "kernel": platform.release()}
