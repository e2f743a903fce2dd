# SPDX-License-Identifier: Apache-2.0
"""Starts the program under test for suites that talk to it from outside."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 60


class Server:
    """`cortex serve` on a free port, without the caller's CORTEX_ variables. Ends with stop(), or with the test."""

    def __init__(self, binary, models, *flags, environment=None):
        self.log = tempfile.TemporaryFile()
        clean = {k: v for k, v in os.environ.items() if not k.startswith("CORTEX_")}
        command = [binary, "serve", "--model-repository", models, "--http-port", "0", "--metrics-port", "0", *flags]
        self.process = subprocess.Popen(
            [str(part) for part in command], stdout=subprocess.PIPE, stderr=self.log, env={**clean, **(environment or {})}
        )
        self.port = self._wait_for_port()
        # Whatever else is printed must not fill the pipe.
        self.rest = threading.Thread(target=self.process.stdout.read, daemon=True)
        self.rest.start()

    def _wait_for_port(self):
        watchdog = threading.Timer(START_TIMEOUT_S, self.process.kill)
        watchdog.start()
        try:
            for line in self.process.stdout:
                if found := re.search(rb"http://[^:/]+:(\d+)", line):
                    return int(found[1])
        finally:
            watchdog.cancel()
        raise SystemExit(f"the server did not get ready:\n{self.output()}")

    def wait_until_ready(self):
        """Until every model that it is to serve is loaded."""
        end = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=START_TIMEOUT_S).close()
                return
            except urllib.error.HTTPError:
                time.sleep(0.01)
        raise SystemExit(f"the models did not get ready:\n{self.output()}")

    def logged(self):
        """All that it logged. It writes where the file stands, so this reads past that."""
        log = self.log.fileno()
        return os.pread(log, os.fstat(log).st_size, 0).decode("utf-8", "replace")

    def output(self):
        """The end of what it logged."""
        return self.logged()[-4000:]

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """Ends it as an operator would; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self._wait(STOP_TIMEOUT_S)

    def ended(self):
        """Waits for its end, which somebody else brings about; its exit code."""
        return self._wait(STOP_TIMEOUT_S)

    def _wait(self, timeout=None):
        code = self.process.wait(timeout)
        self.rest.join()
        self.process.stdout.close()
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            self.process.kill()
        code = self._wait()
        if kind is not None:
            print(f"the server ended with {code}; it said:\n{self.output()}", file=sys.stderr)
        self.log.close()
