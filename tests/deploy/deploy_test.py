#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alerts of deploy/ speak of metrics that the server has, with labels that these metrics have.

    deploy_test.py ROOT
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(sys.argv.pop() if len(sys.argv) > 1 else __file__).resolve()
ROOT = ROOT if ROOT.is_dir() else ROOT.parents[2]
OF_PROMETHEUS = {"up": set()}  # what the scraper itself adds
ALWAYS = {"job", "instance", "le", "__name__"}
WORDS = {"by", "without", "on", "ignoring", "group_left", "group_right", "and", "or", "unless", "offset", "bool"}


def golden_metrics():
    """name -> labels, of every series that the server has been seen to write."""
    metrics = dict(OF_PROMETHEUS)
    for line in (ROOT / "tests/golden/metrics.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, _, labels = line.partition("{")
        metrics.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    return metrics


def selectors(expression):
    """[(metric, labels in its braces)] and the labels by which the expression groups."""
    text = re.sub(r'"(?:\\.|[^"\\])*"', '""', expression)
    groups = set()

    def grouping(match):
        groups.update(re.findall(r"\w+", match[1]))
        return " "

    text = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", grouping, text)
    text = re.sub(r"\[[^\]]*\]", " ", text)  # durations
    text = re.sub(r"\boffset\s+\w+", " ", text)
    found = []
    for match in re.finditer(r"([a-zA-Z_:][\w:]*)\s*(\(|\{[^}]*\})?", text):
        name, behind = match[1], match[2] or ""
        if behind == "(" or name in WORDS:
            continue
        found.append((name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", behind))))
    return found, groups


def faults_of(expression, metrics):
    found, groups = selectors(expression)
    if not found:
        yield f"no metric in: {expression}"
    known = set(ALWAYS)
    for name, labels in found:
        if name not in metrics:
            yield f"no metric {name}: {expression}"
            continue
        known |= metrics[name]
        if wrong := labels - metrics[name] - ALWAYS:
            yield f"{name} has no label {sorted(wrong)}: {expression}"
    if wrong := groups - known:
        yield f"grouped by {sorted(wrong)}, which nothing in it has: {expression}"


def dashboard():
    return json.loads((ROOT / "deploy/grafana/cortex.json").read_text())


def dashboard_expressions():
    board = dashboard()
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]
    for note in board["annotations"]["list"]:
        yield note["expr"]


def alerts():
    """name -> expression; the file is ours, so its form is known."""
    text = (ROOT / "deploy/prometheus/cortex.rules.yml").read_text()
    out = {}
    for block in re.split(r"\n      - alert: ", text)[1:]:
        name, rest = block.split("\n", 1)
        one_line = re.match(r"        expr: (?!\|)(.+)\n", rest)
        many = re.match(r"        expr: \|\n((?:          .*\n)+)", rest)
        out[name] = (one_line or many)[1]
    return out


class Names(unittest.TestCase):
    metrics = golden_metrics()

    def test_the_check_finds_what_is_wrong(self):
        good = 'sum by (model, le) (rate(cortex_queue_duration_seconds_bucket{model=~"$m"}[5m])) > 1 unless up offset 1m'
        self.assertEqual(list(faults_of(good, self.metrics)), [])
        for bad in ("sum(rate(cortex_nobody_total[5m]))", 'cortex_http_connections{model="m"}', "sum by (modl) (up)", "vector(1)"):
            self.assertEqual(len(list(faults_of(bad, self.metrics))), 1, bad)

    def test_the_list_of_metrics_has_both_kinds_of_models(self):
        for name in ("nv_inference_count", "vllm:num_requests_running", "cortex_sequence_step_seconds_bucket"):
            self.assertIn(name, self.metrics)

    def test_alerts_ask_for_metrics_that_the_server_has(self):
        found = alerts()
        self.assertGreater(len(found), 20)
        self.assertEqual([f for e in found.values() for f in faults_of(e, self.metrics)], [])

    def test_alerts_ask_for_our_job_alone(self):
        for name, expression in alerts().items():
            for metric, labels in selectors(expression)[0]:
                self.assertIn("job", labels, f"{name}: {metric}")

    def test_every_alert_is_tested_quiet_and_firing(self):
        tests = (ROOT / "deploy/prometheus/cortex.rules.test.yml").read_text()
        for name in alerts():
            self.assertRegex(tests, rf"\{{eval_time: \w+, alertname: {name}\}}\n      - eval_time: \w+\n        alertname: {name}\n")

    def test_panels_ask_for_metrics_that_the_server_has(self):
        expressions = list(dashboard_expressions())
        self.assertGreater(len(expressions), 60)
        self.assertEqual([f for e in expressions for f in faults_of(e, self.metrics)], [])

    def test_variables_are_values_of_labels_that_exist(self):
        names = set()
        for variable in dashboard()["templating"]["list"]:
            names.add(variable["name"])
            if variable["type"] != "query":
                continue
            expression, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()
            self.assertEqual(list(faults_of(expression, self.metrics)), [])
            (metric, _), = selectors(expression)[0]
            self.assertIn(label, self.metrics[metric] | ALWAYS)
            self.assertEqual(variable["query"]["query"], variable["definition"])
        used = set(re.findall(r"\$\{?(\w+)", json.dumps(dashboard()))) - {"__rate_interval", "__all"}
        self.assertEqual(used - names, set())


class Layout(unittest.TestCase):
    def test_panels_have_ids_of_their_own_and_do_not_overlap(self):
        panels = dashboard()["panels"]
        self.assertEqual(len({panel["id"] for panel in panels}), len(panels))
        taken = {}
        for panel in panels:
            at = panel["gridPos"]
            self.assertLessEqual(at["x"] + at["w"], 24, panel["title"])
            for x in range(at["x"], at["x"] + at["w"]):
                for y in range(at["y"], at["y"] + at["h"]):
                    self.assertIsNone(taken.get((x, y)), f'{panel["title"]} lies on {taken.get((x, y))}')
                    taken[x, y] = panel["title"]

    def test_every_target_names_the_data_source_that_is_chosen(self):
        for panel in dashboard()["panels"]:
            for target in panel.get("targets", []):
                self.assertEqual(target["datasource"]["uid"], "${datasource}", panel["title"])


class Promtool(unittest.TestCase):
    def test_its_tests_fail_and_say_what_to_do_where_it_is_missing(self):
        with tempfile.TemporaryDirectory() as nothing:
            script = ROOT / "tests/deploy/promtool.py"
            ran = subprocess.run([sys.executable, script, "--version"], env={"PATH": nothing}, capture_output=True, text=True)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("tools/deps test", ran.stderr)

    def test_the_set_up_for_tests_brings_it(self):
        packages = [line.split() for line in (ROOT / "tools/debian-packages.txt").read_text().splitlines()]
        self.assertIn(["test", "prometheus"], [words[:2] for words in packages])


if __name__ == "__main__":
    unittest.main()
