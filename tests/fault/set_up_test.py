#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tools/deps when something goes wrong on the way: what was checked is there whole, or not at all.

    set_up_test.py ROOT

Without a network: pip takes its package from a folder, and a script in npm's place another.
"""

import hashlib
import io
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest
import zipfile

ROOT = pathlib.Path(sys.argv.pop() if len(sys.argv) > 1 else __file__).resolve()
ROOT = ROOT if ROOT.is_dir() else ROOT.parents[2]
WAIT_S = 60
NOBODY = 65534
ALPHA = "alpha-1.0-py3-none-any.whl"
BETA = "beta-2.0.tgz"
LIBRARY = b"what the library of a package holds\n" * 100

# Says that it got there, and goes no further while the test holds it.
HOLD = """hold() { # PLACE
  [[ ${TEST_HOLD:-} != "$1" ]] || { : >"$TEST_FOLDER/reached"; until [[ -e $TEST_FOLDER/go ]]; do read -rt 0.05 <> <(:) || true; done; }
}
"""
NPM = f"""#!/usr/bin/env bash
{HOLD}
[[ $* == "pack --silent --ignore-scripts "* ]] || exit 2
hold download
cp "$TEST_FOLDER/registry/${{4/@/-}}.tgz" .
"""
# The two pieces that `build` asks for, from packages of our own.
PIECES = {
    "onnxruntime": """downloads="alpha"
files="lib/alpha.so"
assemble() { unzip -qojd lib "$(download_path alpha)" '*/alpha.so'; }
""",
    "llama": f"""downloads="beta"
files="lib/beta.so include/beta.h"
{HOLD}
assemble() {{
  tar -xzf "$(download_path beta)" --strip-components=1 package/lib
  hold assemble
  tar -xzf "$(download_path beta)" --strip-components=1 package/include
}}
""",
}


def wheel():
    out = io.BytesIO()
    about = "alpha-1.0.dist-info"
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("alpha/alpha.so", LIBRARY)
        archive.writestr(f"{about}/METADATA", "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return out.getvalue()


def npm_package():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name in ("lib/beta.so", "include/beta.h"):
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(LIBRARY)
            archive.addfile(entry, io.BytesIO(LIBRARY))
    return out.getvalue()


def wait_until(condition):
    deadline = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("the awaited state did not come")
        time.sleep(0.01)


class SetUp(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="cortex-set-up.")
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.tools = self.folder / "tree/tools"
        (self.tools / "deps.d").mkdir(parents=True)
        for name in ("deps", "paths.sh"):
            shutil.copy(ROOT / "tools" / name, self.tools)
        for name, recipe in PIECES.items():
            (self.tools / f"deps.d/{name}.sh").write_text(recipe)
        (self.tools / "debian-packages.txt").write_text("")
        (self.folder / "registry").mkdir()
        self.digests = {}
        for name, content in {ALPHA: wheel(), BETA: npm_package()}.items():
            (self.folder / "registry" / name).write_bytes(content)
            self.digests[name.split("-")[0]] = hashlib.sha256(content).hexdigest()
        self.write_lock(self.digests)
        (self.folder / "bin").mkdir()
        npm = self.folder / "bin/npm"
        npm.write_text(NPM)
        npm.chmod(0o755)
        self.cache = self.folder / "cache"
        self.cache.mkdir()
        self.downloads = self.cache / "cortex/downloads"
        self.prefix = self.cache / "cortex/deps"

    def write_lock(self, digests):
        (self.tools / "deps.lock").write_text(
            f"# registry name version platform size sha256\n"
            f"pypi  alpha  1.0  any  1KB  {digests['alpha']}\nnpm   beta   2.0  any  1KB  {digests['beta']}\n"
        )

    def environment(self, **more):
        return {
            "PATH": f"{self.folder}/bin:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "XDG_CACHE_HOME": str(self.cache),
            "TEST_FOLDER": str(self.folder),
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.folder / "registry"),
            **more,
        }

    def start(self, environment=None, **options):
        return subprocess.Popen(
            [self.tools / "deps"], env=environment or self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, start_new_session=True, **options,
        )

    def run_deps(self, **options):
        """Exit code, standard output, standard error."""
        with self.start(**options) as process:
            out, error = process.communicate(timeout=WAIT_S)
        return process.returncode, out, error

    def files(self, folder):
        return sorted(str(f.relative_to(folder)) for f in folder.rglob("*") if not f.is_dir()) if folder.exists() else []

    def check_complete(self):
        for name in ("lib/alpha.so", "lib/beta.so", "include/beta.h"):
            self.assertEqual((self.prefix / name).read_bytes(), LIBRARY, name)
        self.assertEqual(
            self.files(self.prefix), [".stamps/llama", ".stamps/onnxruntime", "include/beta.h", "lib/alpha.so", "lib/beta.so"]
        )
        self.check_downloads("alpha", "beta")

    def check_downloads(self, *names):
        """They are there, are what the lock says, and nothing else is."""
        found = {f: hashlib.sha256((self.downloads / f).read_bytes()).hexdigest() for f in self.files(self.downloads)}
        self.assertEqual(sorted(f.split("-")[0] for f in found), sorted(names), found)
        for file, digest in found.items():
            self.assertEqual(digest, self.digests[file.split("-")[0]])

    def seed(self, *names):
        """What an earlier run downloaded."""
        self.downloads.mkdir(parents=True, exist_ok=True)
        for source, to in ((ALPHA, "alpha-1.0-{}.whl"), (BETA, "beta-2.0-{}.tgz")):
            if (name := source.split("-")[0]) in names:
                shutil.copy(self.folder / "registry" / source, self.downloads / to.format(self.digests[name][:12]))

    def cut_off(self, name):
        (file,) = self.downloads.glob(f"{name}-*")
        os.truncate(file, file.stat().st_size // 2)

    def test_what_the_lock_names_is_brought_once(self):
        code, _, error = self.run_deps()
        self.assertEqual(code, 0, error)
        self.check_complete()
        shutil.rmtree(self.folder / "registry")
        self.assertEqual(self.run_deps(), (0, "", ""), "nothing is left to do, so nothing is asked for")

    def test_a_wrong_digest_stops_the_run_before_anything_is_assembled(self):
        wrong = {**self.digests, "beta": "0" * 64}
        self.write_lock(wrong)
        self.seed("alpha")
        code, _, error = self.run_deps()
        self.assertEqual(code, 1)
        self.assertIn("beta 2.0 has the wrong digest", error)
        self.assertRegex(error, f"expected sha256 {wrong['beta']}\\s+found    sha256 {self.digests['beta']}")
        self.assertEqual(self.files(self.prefix), [])
        self.check_downloads("alpha")
        self.write_lock(self.digests)
        self.assertEqual(self.run_deps()[0], 0)
        self.check_complete()

    def test_a_download_that_was_cut_off_is_fetched_again(self):
        self.seed("alpha", "beta")
        self.cut_off("beta")
        code, out, error = self.run_deps()
        self.assertEqual(code, 0, error)
        self.assertIn("fetching beta 2.0", out)
        self.assertNotIn("fetching alpha", out)
        self.check_complete()

    def test_without_a_network_it_says_what_is_missing(self):
        self.seed("alpha", "beta")
        self.cut_off("beta")
        shutil.move(self.folder / "registry", self.folder / "away")
        code, _, error = self.run_deps()
        self.assertEqual(code, 1)
        self.assertIn("could not download beta 2.0 from npm", error)
        self.assertEqual(self.files(self.prefix), [])
        self.check_downloads("alpha")
        shutil.move(self.folder / "away", self.folder / "registry")
        self.assertEqual(self.run_deps()[0], 0)
        self.check_complete()

    def test_a_run_that_was_killed_can_be_repeated(self):
        for place in ("download", "assemble"):
            with self.subTest(place):
                self.seed("alpha")
                with self.start(self.environment(TEST_HOLD=place)) as process:
                    wait_until((self.folder / "reached").exists)
                    os.killpg(process.pid, signal.SIGKILL)
                    process.communicate(timeout=WAIT_S)
                left = [f for f in self.files(self.prefix) if not f.startswith(".stage/")]
                self.assertEqual([f for f in left if "llama" in f or "beta" in f], [])
                code, _, error = self.run_deps()
                self.assertEqual(code, 0, error)
                self.check_complete()
                shutil.rmtree(self.cache / "cortex")
                (self.folder / "reached").unlink()

    def test_what_a_killed_run_started_ends_and_the_next_one_waits_for_it(self):
        self.seed("alpha")
        with self.start(self.environment(TEST_HOLD="download")) as killed:
            wait_until((self.folder / "reached").exists)
            killed.kill()
            with self.start() as following:
                self.assertIn("another run is at work", following.stdout.readline())
                (self.folder / "go").touch()
                # Both ends of the pipe: nobody goes on writing.
                killed.communicate(timeout=WAIT_S)
                _, error = following.communicate(timeout=WAIT_S)
            self.assertEqual(following.returncode, 0, error)
        self.check_complete()

    @unittest.skipUnless(shutil.which("dpkg-query"), "this is not Debian")
    def test_without_root_and_sudo_it_says_what_to_install(self):
        (self.tools / "debian-packages.txt").write_text(
            "build  dpkg                1.0\n"
            "build  cortex-test-absent  1.0\n"
            "build  bash                99:1\n"  # too old
            "build  cortex-test-other   1.0  bash\n"  # the program is there
            "test   cortex-test-tests   1.0\n"  # not asked for
        )
        programs = self.folder / "programs"
        programs.mkdir()
        for folder in ("/usr/bin", "/bin"):
            for entry in os.scandir(folder):
                if entry.name != "sudo" and not (programs / entry.name).is_symlink():
                    (programs / entry.name).symlink_to(entry.path)
        other = {}
        if os.geteuid() == 0:
            other = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            self.folder.chmod(0o755)
            os.chown(self.cache, NOBODY, NOBODY)
        for _ in ("the first time", "and again"):
            code, _, error = self.run_deps(environment=self.environment(PATH=str(programs)), **other)
            self.assertEqual(code, 1)
            self.assertIn("neither root nor sudo is at hand", error)
            self.assertEqual(error.splitlines()[-1].strip(), "apt-get install cortex-test-absent bash")
            self.assertEqual(self.files(self.prefix) + self.files(self.downloads), [])


if __name__ == "__main__":
    unittest.main()
