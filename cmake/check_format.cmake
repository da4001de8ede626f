# SPDX-License-Identifier: Apache-2.0
#
#   cmake -P cmake/check_format.cmake      what clang-format 14 would change, and comments over 100 columns
#
# Other versions lay code out differently, so without version 14 the check says SKIPPED.
cmake_minimum_required(VERSION 3.25)
get_filename_component(ROOT "${CMAKE_CURRENT_LIST_DIR}/.." ABSOLUTE)
file(GLOB_RECURSE found "${ROOT}/include/*.h" "${ROOT}/src/*.h" "${ROOT}/src/*.cc" "${ROOT}/tests/*.h" "${ROOT}/tests/*.cc"
  "${ROOT}/bench/*.h" "${ROOT}/bench/*.cc" "${ROOT}/examples/*.h" "${ROOT}/examples/*.cc")
set(files "")
foreach(file IN LISTS found)
  file(READ "${file}" head LIMIT 600)
  if(NOT head MATCHES "[Gg]enerated (by|from|with)")
    list(APPEND files "${file}")
  endif()
endforeach()

# clang-format leaves comments alone. Lines with a string literal may have to be long.
execute_process(
  COMMAND "${CMAKE_COMMAND}" -E env LC_ALL=C.UTF-8 grep -nE "^.{101,}" ${files}
  COMMAND grep -v "\""
  OUTPUT_VARIABLE wide)
if(NOT wide STREQUAL "")
  message(NOTICE "over 100 columns:\n${wide}")
endif()

find_program(CLANG_FORMAT NAMES clang-format-14 clang-format)
if(CLANG_FORMAT)
  execute_process(COMMAND "${CLANG_FORMAT}" --version OUTPUT_VARIABLE version)
endif()
if(NOT CLANG_FORMAT OR NOT version MATCHES "version 14\\.")
  message(STATUS "SKIPPED: clang-format 14 is not installed")
else()
  execute_process(COMMAND "${CLANG_FORMAT}" --dry-run -Werror ${files} RESULT_VARIABLE result)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "run: clang-format-14 -i on the files above")
  endif()
endif()
if(NOT wide STREQUAL "")
  message(FATAL_ERROR "lines over 100 columns, see above")
endif()
