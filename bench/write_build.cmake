# SPDX-License-Identifier: Apache-2.0
# Writes bench_build.h when what it says has changed: cmake -D OUT=… -D ROOT=… -D COMPILER=… -D FLAGS=… -P write_build.cmake
execute_process(COMMAND git -C "${ROOT}" describe --always --dirty --abbrev=12
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE result)
if(NOT result EQUAL 0)
  set(commit unknown)
endif()
file(CONFIGURE OUTPUT "${OUT}" @ONLY CONTENT
"#define PENSTOCK_BENCH_COMMIT \"@commit@\"
#define PENSTOCK_BENCH_COMPILER \"@COMPILER@\"
#define PENSTOCK_BENCH_FLAGS \"@FLAGS@\"
")
