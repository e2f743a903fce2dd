# SPDX-License-Identifier: Apache-2.0
# On, the sources of a room are compiled in one go, at most sixteen at a time, in less than half of the time: what is a
# file's own bears a name that no other file of the room uses. Tests stay apart. Off in the presets dev, fuzz and lint.
option(CORTEX_UNITY "Compile the sources of a room together" OFF)

# add_room(NAME scheduler SOURCES a.cpp … HEADERS a.h … TESTS a_test.cpp … DEPS base request … LIBS Boost::json …)
#   makes the static library cortex_NAME, and, where GoogleTest is installed, the program cortex_NAME_tests that ctest
#   runs under the label "unit". DEPS are rooms (public); LIBS are third-party targets (private). COLD: nothing of it is on
#   the path of an inference, so release compiles it in one go and optimises less, in half of the time. A folder inside a
#   room that is its own library takes its path with "_": frontend/http is NAME frontend_http.
function(add_room)
  cmake_parse_arguments(ROOM "COLD" "NAME" "SOURCES;HEADERS;TESTS;DEPS;LIBS" ${ARGN})
  set(_kind PUBLIC)
  if(ROOM_SOURCES)
    add_library(cortex_${ROOM_NAME} STATIC ${ROOM_SOURCES} ${ROOM_HEADERS})
    target_link_libraries(cortex_${ROOM_NAME} PRIVATE ${ROOM_LIBS})
    precompile(cortex_${ROOM_NAME})
    if(CORTEX_UNITY)
      set_target_properties(cortex_${ROOM_NAME} PROPERTIES UNITY_BUILD ON UNITY_BUILD_BATCH_SIZE 16)
      # It takes the sources for headers, and strings for too short (as in Precompiled.cmake).
      target_compile_options(cortex_${ROOM_NAME} PRIVATE -Wno-subobject-linkage -Wno-stringop-overread)
    endif()
    if(ROOM_COLD)
      # What g++ 12 knows of values at -Og is too little for the warning.
      target_compile_options(cortex_${ROOM_NAME} PRIVATE
        $<$<CONFIG:RelWithDebInfo>:-Og> $<$<CONFIG:RelWithDebInfo>:-Wno-maybe-uninitialized>)
      set_target_properties(cortex_${ROOM_NAME} PROPERTIES UNITY_BUILD_BATCH_SIZE 0)
    endif()
  else()
    add_library(cortex_${ROOM_NAME} INTERFACE)
    set(_kind INTERFACE)
  endif()
  target_link_libraries(cortex_${ROOM_NAME} ${_kind} cortex_flags)
  foreach(_dep IN LISTS ROOM_DEPS)
    target_link_libraries(cortex_${ROOM_NAME} ${_kind} cortex_${_dep})
  endforeach()
  if(ROOM_TESTS AND GTest_FOUND)
    add_executable(cortex_${ROOM_NAME}_tests ${ROOM_TESTS})
    target_link_libraries(cortex_${ROOM_NAME}_tests
      PRIVATE cortex_${ROOM_NAME} ${ROOM_LIBS} GTest::gmock GTest::gtest_main)
    precompile(cortex_${ROOM_NAME}_tests TESTS)
    add_test(NAME unit_${ROOM_NAME} COMMAND cortex_${ROOM_NAME}_tests)
    set_tests_properties(unit_${ROOM_NAME} PROPERTIES LABELS unit TIMEOUT 300)
  endif()
endfunction()
