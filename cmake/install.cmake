# Install rules and the package config that find_package(norma) reads.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(norma_package_dir "${CMAKE_INSTALL_DATADIR}/cmake/norma")

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/norma" DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}" FILES_MATCHING PATTERN "*.hpp")
install(TARGETS norma EXPORT norma-targets INCLUDES DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(EXPORT norma-targets NAMESPACE norma:: DESTINATION "${norma_package_dir}")

configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/norma-config.cmake.in" "${PROJECT_BINARY_DIR}/norma-config.cmake"
                              INSTALL_DESTINATION "${norma_package_dir}")
write_basic_package_version_file("${PROJECT_BINARY_DIR}/norma-config-version.cmake" COMPATIBILITY SameMinorVersion
                                 ARCH_INDEPENDENT)
install(FILES "${PROJECT_BINARY_DIR}/norma-config.cmake" "${PROJECT_BINARY_DIR}/norma-config-version.cmake"
              "${PROJECT_SOURCE_DIR}/cmake/norma-dependencies.cmake" DESTINATION "${norma_package_dir}")
