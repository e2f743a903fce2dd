# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2034,SC2154  # read and set by tools/deps
# ONNX Runtime: the shared library that cortex opens at run time, and the headers of its C API
# (level 17: the API is versioned, so old headers work with every later library).
# The wheel has the library under its full version only; the link is the name its SONAME says.
downloads="onnxruntime amd-quark"
files="lib/libonnxruntime.so.1.31.1 lib/libonnxruntime.so.1 \
  include/onnxruntime/onnxruntime_c_api.h include/onnxruntime/onnxruntime_cxx_api.h \
  include/onnxruntime/onnxruntime_cxx_inline.h include/onnxruntime/onnxruntime_float16.h"

assemble() {
  unzip -qojd lib "$(download_path onnxruntime)" 'onnxruntime/capi/libonnxruntime.so.*'
  ln -sf libonnxruntime.so.1.31.1 lib/libonnxruntime.so.1
  unzip -qojd include/onnxruntime "$(download_path amd-quark)" \
    '*/include/onnxruntime-1.17.0/onnxruntime/core/session/*.h'
}
