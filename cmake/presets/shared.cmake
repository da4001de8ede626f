# SPDX-License-Identifier: Apache-2.0
# libpenstock.so with hidden visibility and a version script. cmake -B build-shared -C cmake/presets/shared.cmake
# The tests see the inside and need the static library.
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
set(BUILD_SHARED_LIBS ON CACHE BOOL "")
set(PENSTOCK_BUILD_TESTS OFF CACHE BOOL "")
set(PENSTOCK_BUILD_EXAMPLES OFF CACHE BOOL "")
