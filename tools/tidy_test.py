#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tests of tools/tidy and tools/count_tests: every rule has text that it refuses and text that it lets pass."""

import importlib.machinery
import importlib.util
import sys
import unittest
from pathlib import Path

sys.dont_write_bytecode = True


def load(name):
    loader = importlib.machinery.SourceFileLoader(name, str(Path(__file__).with_name(name)))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader))
    loader.exec_module(module)
    return module


tidy = load("tidy")
count_tests = load("count_tests")

SPDX = "// SPDX-License-Identifier: Apache-2.0\n"
LAYERS = tidy.parse_layers(
    """
    base      ->
    request   -> base
    backend   -> request base
    scheduler -> backend/tensor_backend.h request base
    registry  -> base
    frontend  -> request base
    app       -> *
    frontend/codec/oip -> registry
    scheduler tests -> backend/synthetic
    """
)


def rules(files):
    """The rules that a tree breaks; SPDX lines, READMEs and CMake lists are added where a case is not about them."""
    tree = {}
    for path, text in files.items():
        tree[path] = (SPDX if path.endswith((".h", ".cpp")) and "SPDX" not in text else "") + text
    rooms = {p.split("/")[1] for p in tree if p.startswith("src/") and p.count("/") > 1}
    for room in rooms:
        tree.setdefault(f"src/{room}/README.md", "what it is")
    names = " ".join(p.split("/")[-1] for p in files)
    tree.setdefault("src/CMakeLists.txt", f"# SPDX-License-Identifier: Apache-2.0\n{names}\n")
    return [fault.rule for fault in tidy.check(tree, LAYERS)]


class BannedCode(unittest.TestCase):
    def refused(self, rule, code, path="src/request/x.cpp"):
        self.assertEqual(rules({path: code + "\n"}), [rule])

    def allowed(self, code, path="src/request/x.cpp"):
        self.assertEqual(rules({path: code + "\n"}), [])

    def test_each_banned_call(self):
        self.refused("thread", "std::thread t(f);")
        self.refused("detach", "t.detach();")
        self.refused("sleep", "std::this_thread::sleep_for(1ms);")
        self.refused("getenv", 'auto* v = std::getenv("X");')
        self.refused("mutex", "std::mutex m;")
        self.refused("using-namespace", "using namespace std;")
        self.refused("vague-name", "class QueueManager;")

    def test_where_they_belong(self):
        self.allowed("std::thread t(f);", "src/base/thread.cpp")
        self.allowed("std::mutex m;", "src/base/mutex.h")
        self.allowed("std::thread::id owner;")
        self.allowed("using namespace std::chrono_literals;")

    def test_comments_and_literals_are_not_code(self):
        self.allowed("// a std::thread would be wrong")
        self.allowed('auto s = "std::mutex";')
        self.allowed('auto s = R"(x.detach())";')
        self.allowed("int n = 1'000'000;")

    def test_loops_over_what_a_temporary_owns(self):
        self.refused("loop-over-temporary", "for (const auto& [name, model] : reconciler_->table()->models) {}")
        self.allowed("for (const auto& model : table->models) {}")
        self.allowed("for (const auto& name : models().ready()) {}")

    def test_catch_all_needs_its_reason(self):
        self.refused("catch-all", "void f() { try { g(); } catch (...) {\n  h();\n} }")
        self.allowed("void f() { try { g(); } catch (...) {  // the engine throws its own types\n} }")
        self.allowed("void f() { try { g(); } catch (...) {\n  // the engine throws its own types\n} }")


class BannedText(unittest.TestCase):
    def test_in_any_file(self):
        for text, rule in {
            "// TO" "DO: later": "unfinished",
            "see https://pypi" ".org/simple": "registry-host",
            "cp /ro" "ot/x .": "machine-path",
            "read ../shar" "ed/design.md": "machine-path",
        }.items():
            self.assertEqual(rules({"docs/a.md": text}), [rule], text)

    def test_alike_but_fine(self):
        for text in ("a package of de" "bian.", "usr/wo" "rk/x", "$HOME/wo" "rk/x", "../shar" "ed_ptr.h", "/v2/repository/index"):
            self.assertEqual(rules({"docs/a.md": text}), [], text)


class CoroutineTemporaries(unittest.TestCase):
    def faults(self, body):
        return rules({"src/frontend/x.cpp": "awaitable<void> f() {\n" + body + "\n}\n"})

    def test_refused(self):
        for body in (
            "co_await send(Reply{1, text});",
            "co_await send({1, text});",
            "auto n = co_await run([s] { return s.size(); });",
            "co_spawn(co_await this_coro::executor, [s] { return s->run(); }, detached);",
            "if (co_await send(Reply{1})) { g(); }",
            "g(); { h(); } co_await send(\n  Reply{1});",
        ):
            self.assertEqual(self.faults(body), ["co-await-temporary"], body)

    def test_allowed(self):
        for body in (
            "auto reply = Reply{1, text};\nco_await send(std::move(reply));",
            "auto l = [s] { return 1; };\nco_await run(std::move(l));",
            "co_spawn(ex, [s]() -> awaitable<void> { co_await s->run(); }, detached);",
            "for (;;) { auto n = co_await read(buffer[0]); if (!n) { co_return; } }",
            "if (co_await read(b)) { g(Reply{1}); } else { h({1}); }",
            "while (co_await more()) { g(); }\nauto r = Reply{1};",
            "try { co_await g(); } catch (const std::exception& e) { h(Reply{1}); }",
            "switch (co_await g()) { case 1: { h(Reply{}); break; } }",
        ):
            self.assertEqual(self.faults(body), [], body)


class Layers(unittest.TestCase):
    def faults(self, path, include, *others):
        files = {f"src/{path}": f'#include "{include}"\n', f"src/{include}": ""}
        return rules(files | {f"src/{other}": "" for other in others})

    def test_allowed(self):
        self.assertEqual(self.faults("request/a.h", "base/status.h"), [])
        self.assertEqual(self.faults("scheduler/lane.cpp", "backend/tensor_backend.h"), [])
        self.assertEqual(self.faults("frontend/codec/oip/a.cpp", "registry/handle.h"), [])
        self.assertEqual(self.faults("scheduler/lane_test.cpp", "backend/synthetic/s.h"), [])
        self.assertEqual(self.faults("app/main.cpp", "scheduler/lane.h"), [])
        self.assertEqual(self.faults("base/a.cpp", "base/detail/b.h"), [])

    def test_refused(self):
        self.assertEqual(self.faults("base/a.h", "request/request.h"), ["layers"])
        self.assertEqual(self.faults("scheduler/lane.cpp", "backend/onnx/onnx.h"), ["layers"])
        self.assertEqual(self.faults("scheduler/lane.cpp", "backend/synthetic/s.h"), ["layers"])
        self.assertEqual(self.faults("frontend/codec/openai/a.cpp", "registry/handle.h"), ["layers"])
        self.assertEqual(self.faults("app/main.cpp", "base/detail/b.h"), ["layers"])
        self.assertEqual(self.faults("cellar/a.h", "cellar/b.h"), ["layers"])

    def test_includes_start_at_src(self):
        self.assertEqual(rules({"src/base/a.h": '#include "b.h"\n', "src/base/b.h": ""}), ["layers"])
        self.assertEqual(rules({"src/base/a.cpp": '#include "model.pb.h"\n'}), [])

    def test_third_party_in_a_header_that_others_include(self):
        public = {"src/base/a.h": "#include <boost/asio.hpp>\n", "src/request/b.cpp": '#include "base/a.h"\n'}
        private = {"src/base/a.h": "#include <boost/asio.hpp>\n", "src/base/b.cpp": '#include "base/a.h"\n'}
        system = {"src/base/a.h": "#include <sys/types.h>\n#include <vector>\n", "src/request/b.cpp": '#include "base/a.h"\n'}
        self.assertEqual(rules(public), ["third-party-header"])
        self.assertEqual(rules(private), [])
        self.assertEqual(rules(system), [])


class Files(unittest.TestCase):
    def test_spdx(self):
        self.assertEqual([f.rule for f in tidy.check({"tools/x": "#!/bin/bash\n"}, LAYERS)], ["spdx"])
        self.assertEqual([f.rule for f in tidy.check({"tests/a.json": "{}"}, LAYERS)], [])

    def test_room_readme(self):
        self.assertEqual([f.rule for f in tidy.check_room_readmes({"src/base/a.h": ""})], ["room-readme"])

    def test_dead_file(self):
        listed = {"src/base/a.cpp": "", "src/base/CMakeLists.txt": "SOURCES a.cpp"}
        self.assertEqual(list(tidy.check_dead_files(listed)), [])
        unlisted = {"src/base/a.cpp": "", "src/base/CMakeLists.txt": "SOURCES aa.cpp a_test.cpp"}
        self.assertEqual([f.rule for f in tidy.check_dead_files(unlisted)], ["dead-file"])

    def test_this_tree_can_be_read(self):
        root = Path(__file__).resolve().parent.parent
        self.assertIn("tools/tidy", tidy.read_tree(root))


class CountTests(unittest.TestCase):
    def test_runners(self):
        self.assertEqual(count_tests.count_entry("run", "x\n[  PASSED  ] 12 tests.\n"), (12, 0))
        self.assertEqual(count_tests.count_entry("fail", "[  PASSED  ] 3 tests.\n[  FAILED  ] 2 tests, listed below:\n"), (3, 2))
        self.assertEqual(count_tests.count_entry("run", "===== 4 passed, 1 skipped in 0.10s =====\n"), (4, 0))
        self.assertEqual(count_tests.count_entry("fail", "=== 1 failed, 4 passed in 1.20s ===\n"), (4, 1))
        self.assertEqual(count_tests.count_entry("run", "240 passed, 0 failed\n"), (240, 0))

    def test_an_entry_without_a_closing_counts_as_one(self):
        self.assertEqual(count_tests.count_entry("run", "done"), (1, 0))
        self.assertEqual(count_tests.count_entry("fail", "Segmentation fault"), (0, 1))
        self.assertEqual(count_tests.count_entry("fail", "[  PASSED  ] 3 tests.\nERROR: LeakSanitizer\n"), (3, 1))
        self.assertEqual(count_tests.count_entry("notrun", ""), (0, 1))
        self.assertEqual(count_tests.count_entry("disabled", ""), (0, 0))


if __name__ == "__main__":
    unittest.main()
