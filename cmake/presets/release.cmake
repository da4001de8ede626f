# SPDX-License-Identifier: Apache-2.0
# cmake -B build -C cmake/presets/release.cmake      (a preset is read on the first configure only)
set(CMAKE_BUILD_TYPE Release CACHE STRING "")
