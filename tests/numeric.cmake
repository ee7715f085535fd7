# The numeric tests, each file a GoogleTest program of its own, compiled with NORMA_ARCH.
include(GoogleTest)

option(NORMA_TEST_EACH_CASE "Each case of a test program is a CTest case of its own; off: each program is one" ON)
set(NORMA_TEST_FILES "." CACHE STRING "Regular expression: which <folder>/<file> of the numeric tests to build")

file(GLOB support_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/support/*.cpp")

# norma_add_test_support(name [ARCH flag...]): tests/support as a library, compiled for one instruction set.
function(norma_add_test_support target)
  add_library(${target} STATIC ${support_sources})
  norma_program_settings(${target} ${ARGN})
  target_include_directories(${target} PUBLIC "${PROJECT_SOURCE_DIR}/tests")
  target_link_libraries(${target} PUBLIC OpenMP::OpenMP_CXX)
endfunction()

norma_add_test_support(norma_test_support)
find_package(TBB CONFIG QUIET)

# norma_add_gtest_program(name source)
function(norma_add_gtest_program target source)
  norma_add_program(${target} "${source}")
  target_link_libraries(${target} PRIVATE norma_test_support GTest::gtest_main)
endfunction()

# A program as one CTest case; what it skips inside may not go unseen.
function(norma_add_gtest_as_one_test name target label)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 1200 SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()

if("numeric" IN_LIST NORMA_TEST_GROUPS)
  foreach(folder IN ITEMS core simd stats kernels engine layers weights interop properties)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_test.cpp")
    foreach(source IN LISTS sources)
      cmake_path(GET source STEM file)
      if(NOT "${folder}/${file}" MATCHES "${NORMA_TEST_FILES}")
        continue()
      endif()
      if(file STREQUAL "tbb_test" AND NOT TBB_FOUND)
        norma_add_skipped_test("${folder}.${file}" "oneTBB was not found (Debian: libtbb-dev)")
        continue()
      endif()
      set(target norma_${folder}_${file})
      norma_add_gtest_program(${target} "${source}")
      if(file STREQUAL "tbb_test")
        target_link_libraries(${target} PRIVATE TBB::tbb)
      endif()
      # Where ranks exchange, waiting for ever would be the failure.
      set(timeout 600)
      if(file MATCHES "sync_|split_")
        set(timeout 30)
      endif()
      if(NORMA_TEST_EACH_CASE)
        # Listed while building: a program that cannot even list its tests fails the build instead of leaving them out.
        gtest_discover_tests(
          ${target}
          TEST_PREFIX "${folder}."
          NO_PRETTY_VALUES
          NO_PRETTY_TYPES
          DISCOVERY_TIMEOUT 300
          PROPERTIES LABELS numeric TIMEOUT ${timeout})
      else()
        norma_add_gtest_as_one_test(${folder}.${file} ${target} numeric)
      endif()
    endforeach()
  endforeach()
endif()
