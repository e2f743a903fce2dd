# SPDX-License-Identifier: Apache-2.0
# Imported target onnxruntime::headers. The library itself is opened at run time: a linked program would be
# tied to one exact release through the symbol version VERS_x.y.z.
find_path(OnnxRuntimeHeaders_INCLUDE_DIR onnxruntime_c_api.h
  PATH_SUFFIXES onnxruntime onnxruntime/core/session)
if(OnnxRuntimeHeaders_INCLUDE_DIR)
  file(STRINGS "${OnnxRuntimeHeaders_INCLUDE_DIR}/onnxruntime_c_api.h" _line REGEX "^#define ORT_API_VERSION ")
  string(REGEX MATCH "[0-9]+" OnnxRuntimeHeaders_VERSION "${_line}")
endif()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OnnxRuntimeHeaders
  REQUIRED_VARS OnnxRuntimeHeaders_INCLUDE_DIR VERSION_VAR OnnxRuntimeHeaders_VERSION
  REASON_FAILURE_MESSAGE "Run tools/deps first.")
if(OnnxRuntimeHeaders_FOUND AND NOT TARGET onnxruntime::headers)
  add_library(onnxruntime::headers INTERFACE IMPORTED)
  target_include_directories(onnxruntime::headers SYSTEM INTERFACE "${OnnxRuntimeHeaders_INCLUDE_DIR}")
  target_compile_definitions(onnxruntime::headers INTERFACE ORT_API_MANUAL_INIT)
endif()
