# SPDX-License-Identifier: Apache-2.0
# Addresses, leaks and undefined behaviour; checks on. cmake -B build-asan -C cmake/presets/asan.cmake
# Left out of the latter, for a third of the compile time: null and object-size, whose accesses the former catches, and vptr.
set(CMAKE_BUILD_TYPE None CACHE STRING "")
set(CMAKE_CXX_FLAGS
  "-O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize=null,vptr,object-size -fno-sanitize-recover=all" CACHE STRING "")
set(PENSTOCK_TEST_WHOLE_PROGRAMS ON CACHE BOOL "")
set(PENSTOCK_INSTALL OFF CACHE BOOL "")
