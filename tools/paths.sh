# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Where the tools keep what is not in the tree. Sourced by the shell tools; one place for the names.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/cortex
export CORTEX_DEPS=${CORTEX_DEPS:-$cache/deps}
export CORTEX_VENVS=${CORTEX_VENVS:-$cache/venvs}
# Another clone of the same sources finds its objects in ccache.
export CCACHE_BASEDIR=$root CCACHE_NOHASHDIR=1
# It asks the compiler what a source includes, and does not run the preprocessor first.
export CCACHE_DEPEND=1
# What ccache must overlook to take part in precompiled headers: it checks them by their content.
export CCACHE_SLOPPINESS=pch_defines,time_macros
