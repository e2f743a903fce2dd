# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# llama.cpp 0.5.0: its libraries, which cortex opens at run time (one CPU variant of ggml for each
# generation of processors; the best one is chosen then), and the headers of the same release:
# structures are passed by value, so the two belong together. One of them describes the inside of a device. The second package carries the
# sources as a git bundle, of which the headers are taken, and for the tests the chat templates of many models.
downloads="@node-llama-cpp/linux-x64 node-llama-cpp"
files="lib/llama/libllama.v0.5.0.so lib/llama/libllama.so lib/llama/libggml.v0.5.0.so \
  lib/llama/libggml-base.so lib/llama/libggml-cpu-x64.so lib/llama/libggml-cpu-haswell.so \
  include/llama/llama.h include/llama/ggml.h include/llama/ggml-backend.h include/llama/ggml-cpu.h include/llama/ggml-backend-impl.h \
  share/llama/templates/Qwen-Qwen3-0.6B.jinja share/llama/templates/google-gemma-2-2b-it.jinja"

assemble() {
  tar -xzf "$(download_path @node-llama-cpp/linux-x64)" -C lib/llama --strip-components=3 --wildcards \
    'package/bins/linux-x64/libllama.v*' 'package/bins/linux-x64/libggml*'
  ln -sf libllama.v0.5.0.so lib/llama/libllama.so
  tar -xzf "$(download_path node-llama-cpp)" --strip-components=2 package/llama/gitRelease.bundle
  git clone --quiet --bare gitRelease.bundle sources.git
  git -C sources.git archive HEAD include/llama.h ggml/include ggml/src/ggml-backend-impl.h models/templates | tar -x
  mv include/llama.h ggml/include/*.h ggml/src/*.h include/llama/
  mv models/templates/*.jinja share/llama/templates/
  rm -rf gitRelease.bundle sources.git ggml models
}
