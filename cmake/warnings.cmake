# SPDX-License-Identifier: Apache-2.0
# Warnings are ours alone: private, and only when penstock is the top-level project.
function(penstock_warnings target)
  if(PROJECT_IS_TOP_LEVEL)
    target_compile_options(${target} PRIVATE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion
      $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
  endif()
endfunction()
