# SPDX-License-Identifier: Apache-2.0
# What every library of ours has in common, and how an optional component is declared.

# Every component there can be, with the option that builds it; the package config reads this list.
set(PENSTOCK_COMPONENTS sentencepiece)
set(PENSTOCK_VERSION_SCRIPT "${CMAKE_CURRENT_LIST_DIR}/penstock.map")

# penstock_library(penstock_x): the library and its alias penstock::x (penstock itself is penstock::penstock).
function(penstock_library target)
  add_library(${target})
  string(REGEX REPLACE "^penstock_" "" name "${target}")
  add_library(penstock::${name} ALIAS ${target})
  target_compile_features(${target} PUBLIC cxx_std_17)
  set_target_properties(${target} PROPERTIES
    EXPORT_NAME ${name}
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    POSITION_INDEPENDENT_CODE ON
    DEFINE_SYMBOL ""  # the objects of a static and a shared build are the same
    VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    VERIFY_INTERFACE_HEADER_SETS ${PROJECT_IS_TOP_LEVEL})
  # Hidden visibility does not hide weak symbols of std and absl templates; the version script does.
  if(BUILD_SHARED_LIBS AND CMAKE_SYSTEM_NAME STREQUAL "Linux")
    target_link_options(${target} PRIVATE "LINKER:--version-script=${PENSTOCK_VERSION_SCRIPT}")
    if(NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize")
      target_link_options(${target} PRIVATE "LINKER:--no-undefined")
    endif()
    set_property(TARGET ${target} APPEND PROPERTY LINK_DEPENDS "${PENSTOCK_VERSION_SCRIPT}")
  endif()
  penstock_warnings(${target})
endfunction()

# penstock_component(NAME SOURCES a.cc … HEADERS penstock/adapters/x.h …
#                    [LINK_PRIVATE target …] [PACKAGES Find-module …] [PKGCONFIG_PRIVATE module …])
# An optional library penstock_NAME, alias penstock::NAME, over the core's public headers (it does not see src/), with its
# own export set and penstock-NAME.pc. PACKAGES and PKGCONFIG_PRIVATE are what a static build needs again when it is used.
#   if(PENSTOCK_WITH_SENTENCEPIECE)
#     find_package(SentencePiece REQUIRED GLOBAL)
#     penstock_component(sentencepiece SOURCES adapter.cc HEADERS penstock/adapters/sentencepiece.h
#       LINK_PRIVATE SentencePiece::SentencePiece PACKAGES SentencePiece PKGCONFIG_PRIVATE sentencepiece)
#   endif()
function(penstock_component name)
  cmake_parse_arguments(arg "" "" "SOURCES;HEADERS;LINK_PRIVATE;PACKAGES;PKGCONFIG_PRIVATE" ${ARGN})
  if(NOT name IN_LIST PENSTOCK_COMPONENTS)
    message(FATAL_ERROR "penstock_component(${name}): add it to PENSTOCK_COMPONENTS in cmake/library.cmake")
  endif()
  penstock_library(penstock_${name})
  list(TRANSFORM arg_HEADERS PREPEND "${PROJECT_SOURCE_DIR}/include/")
  target_sources(penstock_${name}
    PRIVATE ${arg_SOURCES}
    PUBLIC FILE_SET HEADERS BASE_DIRS "${PROJECT_SOURCE_DIR}/include" FILES ${arg_HEADERS})
  target_link_libraries(penstock_${name} PUBLIC penstock PRIVATE ${arg_LINK_PRIVATE})
  set_target_properties(penstock_${name} PROPERTIES
    PENSTOCK_PACKAGES "${arg_PACKAGES}" PENSTOCK_PKGCONFIG_PRIVATE "${arg_PKGCONFIG_PRIVATE}")
  set_property(GLOBAL APPEND PROPERTY PENSTOCK_BUILT_COMPONENTS ${name})
endfunction()
