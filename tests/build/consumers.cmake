# Projects that use norma in each of the three ways; a CTest case configures, builds and runs each from nothing.

# norma_add_consumer(name cmake-argument...)
function(norma_add_consumer name)
  add_test(
    NAME build.consumer/${name}
    COMMAND
      ${CMAKE_COMMAND} "-DPROJECT=${CMAKE_CURRENT_SOURCE_DIR}/consumers/${name}" "-DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/consumers/${name}"
      "-DGENERATOR=${CMAKE_GENERATOR}" "-DCOMPILER=${CMAKE_CXX_COMPILER}" "-DARGUMENTS=${ARGN};-DNORMA_EXPECTED_VERSION=${PROJECT_VERSION}" -P
      "${CMAKE_CURRENT_SOURCE_DIR}/consumers/run_consumer.cmake")
  set_tests_properties(build.consumer/${name} PROPERTIES LABELS build TIMEOUT 300)
endfunction()

norma_add_consumer(add_subdirectory "-DNORMA_SOURCE=${PROJECT_SOURCE_DIR}")
norma_add_consumer(fetch_content "-DFETCHCONTENT_SOURCE_DIR_NORMA=${PROJECT_SOURCE_DIR}" -DFETCHCONTENT_FULLY_DISCONNECTED=ON)

if(NORMA_INSTALL)
  set(prefix "${CMAKE_CURRENT_BINARY_DIR}/consumers/prefix")
  add_test(NAME build.consumer/install COMMAND ${CMAKE_COMMAND} --install "${PROJECT_BINARY_DIR}" --prefix "${prefix}")
  set_tests_properties(build.consumer/install PROPERTIES LABELS build TIMEOUT 60 FIXTURES_SETUP installed)
  norma_add_consumer(find_package "-DCMAKE_PREFIX_PATH=${prefix}")
  set_tests_properties(build.consumer/find_package PROPERTIES FIXTURES_REQUIRED installed)
else()
  norma_add_skipped_test(build.consumer/find_package "NORMA_INSTALL is off")
endif()
