# SPDX-License-Identifier: Apache-2.0
# Language level, warnings, linker and sanitizers: one place, for our targets only.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

# -O2, not -O3: g++ 12 reports false -Wrestrict on string concatenation at -O3.
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 -fno-omit-frame-pointer")
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1 -fno-omit-frame-pointer")
if(CORTEX_SANITIZE MATCHES "address")  # optimising what UBSan adds doubles the time to compile
  set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1 -fno-omit-frame-pointer")
endif()

# The compiler collects its garbage only when it holds half a GiB: a tenth of the time to compile a room.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:--param=ggc-min-heapsize=524288>)
endif()

find_program(CORTEX_CCACHE ccache)
if(CORTEX_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CORTEX_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${CORTEX_CCACHE}")
endif()
find_program(CORTEX_MOLD mold)

add_library(cortex_flags INTERFACE)
target_compile_options(cortex_flags INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  # It warns of members that are left to their defaults, and of what the system's stable_sort uses.
  target_compile_options(cortex_flags INTERFACE -Wno-missing-field-initializers -Wno-deprecated-declarations)
endif()
target_include_directories(cortex_flags INTERFACE "${CMAKE_SOURCE_DIR}/src")
if(CORTEX_MOLD)
  target_link_options(cortex_flags INTERFACE -fuse-ld=mold)
endif()
if(CORTEX_SANITIZE)
  target_compile_options(cortex_flags INTERFACE -fsanitize=${CORTEX_SANITIZE} -fno-sanitize-recover=all)
  target_link_options(cortex_flags INTERFACE -fsanitize=${CORTEX_SANITIZE})
endif()
