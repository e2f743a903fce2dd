# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# llama-server 0.5.0, with which `make bench-llm` compares: its own sources, from the git bundle of the npm package,
# linked to the prebuilt libraries that cortex opens, so that both compute with the same code. Without its web pages.
# Compiled once, in some minutes.
downloads="@node-llama-cpp/linux-x64 node-llama-cpp"
files="lib/llama/llama-server lib/llama/libllama-common.so"

compile() { # SOURCE, below sources/
  local compiler=(g++ -x c++ -std=c++17) folder include=()
  [[ $1 == *.c && $1 != */sha1.c ]] && compiler=(gcc)
  for folder in . include ggml/include common vendor vendor/hash tools/mtmd tools/server; do include+=(-I "sources/$folder"); done
  "${compiler[@]}" -O2 -w -DLLAMA_SUBPROCESS -DLLAMA_SHARED -DGGML_SHARED -DGGML_BACKEND_SHARED "${include[@]}" \
    -c "$1" -o "objects/${1//\//_}.o"
}

assemble() {
  tar -xzf "$(download_path @node-llama-cpp/linux-x64)" -C lib/llama --strip-components=3 --wildcards \
    'package/bins/linux-x64/lib*'
  tar -xzf "$(download_path node-llama-cpp)" --strip-components=2 package/llama/gitRelease.bundle
  git clone --quiet --bare gitRelease.bundle sources.git
  mkdir sources objects
  git -C sources.git archive HEAD | tar -x -C sources
  (cd sources && cmake -DUI_SOURCE_DIR="$PWD/tools/ui" -DUI_BINARY_DIR="$PWD" -DLLAMA_SOURCE_DIR="$PWD" \
    -DHF_ENABLED=OFF -DBUILD_UI=OFF -DLLAMA_UI_GZIP=OFF -P scripts/ui-assets.cmake >/dev/null 2>&1)
  say "compiling llama-server, some minutes"
  export -f compile
  find sources/ui.cpp sources/tools/server/*.cpp sources/tools/mtmd/*.cpp sources/tools/mtmd/models/*.cpp \
    sources/vendor/cpp-httplib/httplib.cpp sources/vendor/hash -name '*.c*' -type f \
    ! -name mtmd-cli.cpp ! -name deprecation-warning.cpp ! -name CMakeLists.txt -print0 |
    xargs -0 -P "$(nproc)" -I {} bash -c 'compile "$1"' _ {}
  g++ -o lib/llama/llama-server objects/*.o -Wl,-rpath,"\$ORIGIN" -L lib/llama -l:libllama-common.so \
    -l:libllama.v0.5.0.so -l:libggml.v0.5.0.so -l:libggml-base.so -Wl,--allow-shlib-undefined -pthread -ldl
  find lib/llama ! -type d ! -name llama-server ! -name libllama-common.so -delete
  rm -rf gitRelease.bundle sources.git sources objects
}
