# SPDX-License-Identifier: Apache-2.0
# Which lines the tests reach. sh tests/run.sh coverage prints them for the tokenizer; by hand:
#   cmake -B build-coverage -C cmake/presets/coverage.cmake, build, run tests, gcov
set(CMAKE_BUILD_TYPE None CACHE STRING "")
# Exceptions off: gcov counts clean-up that never runs as lines.
set(CMAKE_CXX_FLAGS "-O0 -g1 --coverage -fno-exceptions" CACHE STRING "")
set(PENSTOCK_TEST_WHOLE_PROGRAMS ON CACHE BOOL "")
set(PENSTOCK_INSTALL OFF CACHE BOOL "")
set(PENSTOCK_BUILD_EXAMPLES OFF CACHE BOOL "")
