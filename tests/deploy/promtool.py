#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs Prometheus' own tool, or fails and says where it comes from.

    promtool.py ARGUMENT...
"""

import os
import shutil
import sys


def main(arguments):
    program = shutil.which("promtool")
    if program is None:
        sys.exit("promtool is not there: `tools/deps test` brings it (Debian: the package prometheus)")
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
