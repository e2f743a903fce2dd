# SPDX-License-Identifier: Apache-2.0
# precompile(TARGET [TESTS]): the target sees the standard library, and with TESTS also GoogleTest, already parsed:
# about half of a small file's compile time. Off in the presets dev, fuzz and lint, where a file must include what it
# uses to compile at all. A source with options of its own sets SKIP_PRECOMPILE_HEADERS.
option(CORTEX_PRECOMPILED "Parse the standard headers once" OFF)

# Those that most files reach; more of them would cost every file more to map than they save.
set(_standard_headers
  <algorithm> <array> <atomic> <charconv> <chrono> <cstdint> <cstring> <functional> <map> <memory> <optional> <span>
  <string> <string_view> <utility> <variant> <vector>)

function(_precompiled_target NAME)
  # A C++ file of its own: the headers are compiled with the options of a target that has one.
  file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/${NAME}.cpp" CONTENT "// Compiles the headers of ${NAME} once.\n")
  add_library(${NAME} OBJECT "${CMAKE_BINARY_DIR}/${NAME}.cpp")
  target_link_libraries(${NAME} PRIVATE cortex_flags)
  target_precompile_headers(${NAME} PRIVATE ${ARGN})
endfunction()

if(CORTEX_PRECOMPILED)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # ccache needs -fpch-preprocess. The others: g++ 12 takes strings that a precompiled operator+ makes for too short.
    foreach(_option IN ITEMS -fpch-preprocess -Wno-array-bounds -Wno-stringop-overflow)
      add_compile_options($<$<COMPILE_LANGUAGE:CXX>:${_option}>)
    endforeach()
  endif()
  _precompiled_target(cortex_precompiled ${_standard_headers})
  if(GTest_FOUND)
    _precompiled_target(cortex_precompiled_tests ${_standard_headers} <gmock/gmock.h> <gtest/gtest.h>)
    target_link_libraries(cortex_precompiled_tests PRIVATE GTest::gmock)
  endif()
endif()

function(precompile TARGET)
  cmake_parse_arguments(PRECOMPILE "TESTS" "" "" ${ARGN})
  if(CORTEX_PRECOMPILED AND PRECOMPILE_TESTS)
    target_precompile_headers(${TARGET} REUSE_FROM cortex_precompiled_tests)
  elseif(CORTEX_PRECOMPILED)
    target_precompile_headers(${TARGET} REUSE_FROM cortex_precompiled)
  endif()
endfunction()
