# SPDX-License-Identifier: Apache-2.0
# add_fuzz_target(NAME SOURCES x_fuzz.cpp … DEPS text … LIBS target … CORPUS folder)
#   SOURCES define LLVMFuzzerTestOneInput. With CORTEX_FUZZ (preset fuzz, clang) the program fuzz_NAME is linked with
#   libFuzzer and is run by hand: fuzz_NAME -max_total_time=60 FOLDER-FOR-FINDS CORPUS. Without it, the program runs
#   every file of the corpus once, as the test fuzz_NAME
#   (its main is the target cortex_fuzz_replay of tests/fuzz). The target fuzzers is all of them.
if(CORTEX_FUZZ)
  target_compile_options(cortex_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

add_custom_target(fuzzers)

function(add_fuzz_target NAME)
  cmake_parse_arguments(FUZZ "" "CORPUS" "SOURCES;DEPS;LIBS" ${ARGN})
  cmake_path(ABSOLUTE_PATH FUZZ_CORPUS)
  add_executable(fuzz_${NAME} ${FUZZ_SOURCES})
  list(TRANSFORM FUZZ_DEPS PREPEND cortex_)
  target_link_libraries(fuzz_${NAME} PRIVATE cortex_flags ${FUZZ_DEPS} ${FUZZ_LIBS})
  precompile(fuzz_${NAME})
  add_dependencies(fuzzers fuzz_${NAME})
  if(CORTEX_FUZZ)
    target_link_options(fuzz_${NAME} PRIVATE -fsanitize=fuzzer)
    set(_arguments -runs=0)
  else()
    target_link_libraries(fuzz_${NAME} PRIVATE cortex_fuzz_replay)
    set(_arguments "")
  endif()
  add_test(NAME fuzz_${NAME} COMMAND fuzz_${NAME} ${_arguments} "${FUZZ_CORPUS}")
  set_tests_properties(fuzz_${NAME} PROPERTIES LABELS fuzz TIMEOUT 300)
endfunction()
