# SPDX-License-Identifier: Apache-2.0
# The library and every public header by itself, without exceptions and RTTI. Compile only:
#   cmake -B build-strict -C cmake/presets/no-exceptions.cmake -DCMAKE_CXX_COMPILER=clang++
#   cmake --build build-strict --target penstock all_verify_interface_header_sets
set(CMAKE_BUILD_TYPE None CACHE STRING "")
set(CMAKE_CXX_FLAGS "-O0 -fno-exceptions -fno-rtti" CACHE STRING "")
set(CMAKE_VERIFY_INTERFACE_HEADER_SETS ON CACHE BOOL "")
set(PENSTOCK_BUILD_TESTS OFF CACHE BOOL "")
set(PENSTOCK_BUILD_EXAMPLES OFF CACHE BOOL "")
