# What makes packages of norma: CPack, and the recipes of cmake/packaging. Debian has neither vcpkg nor Conan: what they call is called here.
# norma_add_packaging_test(name command...)
function(norma_add_packaging_test name)
  add_test(NAME build.packaging/${name} COMMAND ${ARGN})
  set_tests_properties(build.packaging/${name} PROPERTIES LABELS build TIMEOUT 120)
endfunction()
set(packaging "${CMAKE_CURRENT_SOURCE_DIR}/packaging")
set(recipes "${PROJECT_SOURCE_DIR}/cmake/packaging")
set(scratch "${CMAKE_CURRENT_BINARY_DIR}/packaging")
set(settings "-DVERSION=${PROJECT_VERSION}" "-DGENERATOR=${CMAKE_GENERATOR}" "-DCOMPILER=${CMAKE_CXX_COMPILER}")

find_program(NORMA_DPKG_DEB dpkg-deb)
norma_add_packaging_test(cpack ${CMAKE_COMMAND} "-DSCRATCH=${scratch}/cpack" ${settings} "-DSOURCE=${PROJECT_SOURCE_DIR}"
                         "-DCPACK=${CMAKE_CPACK_COMMAND}" "-DDPKG_DEB=$<$<BOOL:${NORMA_DPKG_DEB}>:${NORMA_DPKG_DEB}>" -P "${packaging}/packages.cmake")
norma_add_packaging_test(vcpkg ${CMAKE_COMMAND} "-DSCRATCH=${scratch}/vcpkg" ${settings} "-DPORT=${recipes}/vcpkg" -P "${packaging}/vcpkg.cmake")

find_program(NORMA_PYTHON python3)
if(NORMA_PYTHON)
  norma_add_packaging_test(conan ${CMAKE_COMMAND} -E env "PYTHONPATH=${packaging}" PYTHONDONTWRITEBYTECODE=1 "${NORMA_PYTHON}"
                           "${packaging}/run_conanfile.py" "${recipes}/conan/conanfile.py" "${scratch}/conan" ${PROJECT_VERSION})
else()
  norma_add_skipped_test(build.packaging/conan "python3 was not found (Debian: python3)")
endif()
