# Install rules, the package config that find_package(norma) reads, the pkg-config file, and packages by CPack.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(norma_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/norma")
set(norma_pc_dir "${CMAKE_INSTALL_DATADIR}/pkgconfig")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/norma" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DATADIR}/licenses/norma")
install(TARGETS norma EXPORT norma-targets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
set(norma_any_architecture ARCH_INDEPENDENT)
if(NORMA_BUILD_COMPILED)
  install(TARGETS norma_compiled EXPORT norma-targets ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}")
  set(norma_any_architecture "")
endif()
install(EXPORT norma-targets NAMESPACE norma:: DESTINATION "${norma_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/norma-config.cmake.in" "${PROJECT_BINARY_DIR}/norma-config.cmake"
                              INSTALL_DESTINATION "${norma_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/norma-config-version.cmake" COMPATIBILITY SameMinorVersion
                                 ${norma_any_architecture})
install(FILES "${PROJECT_BINARY_DIR}/norma-config.cmake" "${PROJECT_BINARY_DIR}/norma-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/norma-dependencies.cmake" DESTINATION "${norma_package_dir}")

# What is installed may be moved: the way to its prefix is told from where the file lies.
file(RELATIVE_PATH norma_pc_to_prefix "/${norma_pc_dir}" "/")
string(REGEX REPLACE "/$" "" norma_pc_to_prefix "${norma_pc_to_prefix}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/norma.pc.in" "${PROJECT_BINARY_DIR}/norma.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/norma.pc" DESTINATION "${norma_pc_dir}")

if(PROJECT_IS_TOP_LEVEL)
  set(CPACK_GENERATOR TGZ DEB)
  set(CPACK_PACKAGE_NAME libnorma-dev)
  set(CPACK_PACKAGE_VENDOR "norma contributors")
  set(CPACK_PACKAGE_CONTACT "norma contributors")
  set(CPACK_RESOURCE_FILE_LICENSE "${PROJECT_SOURCE_DIR}/LICENSE")
  set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
  set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
  if(NOT NORMA_BUILD_COMPILED)
    set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
  endif()
  set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
  set(CPACK_DEBIAN_PACKAGE_DEPENDS "libxsimd-dev (>= 8.1)")
  set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "libeigen3-dev (>= 3.4)")
  include(CPack)
endif()
