# SPDX-License-Identifier: Apache-2.0
# Imported target llama::headers. The library itself is opened at run time: a program that is linked to it would not
# start without it, and carries one exact release in its name.
find_path(LlamaHeaders_INCLUDE_DIR llama.h PATH_SUFFIXES llama)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(LlamaHeaders
  REQUIRED_VARS LlamaHeaders_INCLUDE_DIR REASON_FAILURE_MESSAGE "Run tools/deps first.")
if(LlamaHeaders_FOUND AND NOT TARGET llama::headers)
  add_library(llama::headers INTERFACE IMPORTED)
  target_include_directories(llama::headers SYSTEM INTERFACE "${LlamaHeaders_INCLUDE_DIR}")
endif()
