# SPDX-License-Identifier: Apache-2.0
# Data races; checks on. cmake -B build-tsan -C cmake/presets/tsan.cmake; then ctest -L threads
set(CMAKE_BUILD_TYPE None CACHE STRING "")
set(CMAKE_CXX_FLAGS "-O1 -g1 -fno-omit-frame-pointer -fsanitize=thread" CACHE STRING "")
set(PENSTOCK_TEST_WHOLE_PROGRAMS ON CACHE BOOL "")
set(PENSTOCK_INSTALL OFF CACHE BOOL "")
