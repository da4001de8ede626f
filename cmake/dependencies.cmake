# SPDX-License-Identifier: Apache-2.0
# What the core needs. A parent project's targets win over packages; what we look up ourselves is GLOBAL, because a parent
# that links penstock has to see it.
function(penstock_core_dependencies)
  if(NOT TARGET absl::statusor)
    find_package(absl CONFIG REQUIRED GLOBAL)
  endif()
  if(NOT TARGET Threads::Threads)
    find_package(Threads REQUIRED GLOBAL)
  endif()
  target_link_libraries(penstock
    PUBLIC absl::status absl::statusor absl::span absl::time absl::any_invocable absl::core_headers
    PRIVATE absl::strings Threads::Threads)
  set_target_properties(penstock PROPERTIES
    PENSTOCK_PKGCONFIG "absl_status;absl_statusor;absl_span;absl_time;absl_any_invocable;absl_core_headers"
    PENSTOCK_PKGCONFIG_PRIVATE "absl_strings"
    PENSTOCK_PACKAGES "")
endfunction()

# penstock_private_dependency(PACKAGE target pkg-config-module)   what a module needs and no public header shows
#   penstock_private_dependency(PCRE2 PCRE2::8BIT libpcre2-8)
#   penstock_private_dependency(simdjson simdjson::simdjson simdjson)
# Call it in the module's src/<module>/CMakeLists.txt; twice is harmless. The installed package and penstock.pc look it up
# again for static builds.
macro(penstock_private_dependency package target pkgconfig)
  if(NOT TARGET ${target})
    find_package(${package} REQUIRED GLOBAL)
  endif()
  get_target_property(_penstock_linked penstock LINK_LIBRARIES)
  if(NOT "${target}" IN_LIST _penstock_linked)
    target_link_libraries(penstock PRIVATE ${target})
    set_property(TARGET penstock APPEND PROPERTY PENSTOCK_PACKAGES ${package})
    set_property(TARGET penstock APPEND PROPERTY PENSTOCK_PKGCONFIG_PRIVATE ${pkgconfig})
  endif()
endmacro()
