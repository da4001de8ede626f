# SPDX-License-Identifier: Apache-2.0
# The installed package: find_package(penstock), one export set and one .pc file for the core and for each component.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(_penstock_package_dir "${CMAKE_INSTALL_LIBDIR}/cmake/penstock")

# The prefix as seen from lib/pkgconfig, so that the tree may be moved.
file(RELATIVE_PATH _penstock_pc_prefix
  "/prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/prefix")
string(REGEX REPLACE "/$" "" _penstock_pc_prefix "${_penstock_pc_prefix}")

function(_penstock_install target export_name pc_description pc_requires)
  install(TARGETS ${target} EXPORT ${export_name}
    ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}"
    FILE_SET HEADERS DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
  install(EXPORT ${export_name} NAMESPACE penstock:: DESTINATION "${_penstock_package_dir}")

  get_target_property(pc_requires_private ${target} PENSTOCK_PKGCONFIG_PRIVATE)
  string(REGEX REPLACE "^penstock_" "penstock-" pc_name "${target}")
  set(pc_library "${target}")
  list(JOIN pc_requires " " pc_requires)
  list(JOIN pc_requires_private " " pc_requires_private)
  configure_file("${PROJECT_SOURCE_DIR}/cmake/penstock.pc.in" "${PROJECT_BINARY_DIR}/${pc_name}.pc" @ONLY)
  install(FILES "${PROJECT_BINARY_DIR}/${pc_name}.pc" DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
endfunction()

get_target_property(_penstock_pc_requires penstock PENSTOCK_PKGCONFIG)
_penstock_install(penstock penstock-targets "${PROJECT_DESCRIPTION}" "${_penstock_pc_requires}")
get_target_property(_penstock_private_packages penstock PENSTOCK_PACKAGES)

get_property(_penstock_built GLOBAL PROPERTY PENSTOCK_BUILT_COMPONENTS)
set(_penstock_component_packages "")
foreach(_name IN LISTS _penstock_built)
  _penstock_install(penstock_${_name} penstock-${_name}-targets "penstock with ${_name}" "penstock = ${PROJECT_VERSION}")
  get_target_property(_packages penstock_${_name} PENSTOCK_PACKAGES)
  string(APPEND _penstock_component_packages "set(_penstock_packages_of_${_name} \"${_packages}\")\n")
endforeach()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/penstock-config.cmake.in" "${PROJECT_BINARY_DIR}/penstock-config.cmake"
  INSTALL_DESTINATION "${_penstock_package_dir}" NO_SET_AND_CHECK_MACRO NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file("${PROJECT_BINARY_DIR}/penstock-config-version.cmake"
  VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/penstock-config.cmake" "${PROJECT_BINARY_DIR}/penstock-config-version.cmake"
  cmake/FindPCRE2.cmake cmake/FindSentencePiece.cmake
  DESTINATION "${_penstock_package_dir}")
install(FILES LICENSE DESTINATION "${CMAKE_INSTALL_DOCDIR}")
