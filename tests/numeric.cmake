# The numeric tests, compiled with NORMA_ARCH: a GoogleTest program for each folder of unit tests, and one of the properties of all subjects.

option(NORMA_TEST_EACH_CASE "Each case of a test program is a CTest case of its own; off: each suite (each property of each norm) is one" OFF)
set(NORMA_TEST_FOLDERS "core;simd;stats;kernels;engine;doors;weights;interop;api;properties" CACHE STRING "Which folders of the numeric tests to build")

set(norma_test_libraries GTest::gtest OpenMP::OpenMP_CXX)
include(subjects.cmake)
norma_add_subjects(norma_test_subjects)
target_compile_options(norma_test_subjects_engine PRIVATE ${NORMA_TEST_KERNEL_OPTIONS})
# What many files begin with is read once: with all of norma for what compiles its norms, without for the rest, which a change of norma then
# does not compile anew. That each header stands alone is build.header_alone's matter.
target_precompile_headers(norma_test_subjects PRIVATE <gtest/gtest.h> "support/property.hpp" "subjects/engine.hpp")
set(first_program "")
# What tests of interop want beside Eigen and OpenMP: the package of <name>_test.cpp, its target, its name in Debian.
set(interop_packages tbb dlpack xtensor)
set(package_tbb TBB TBB::tbb libtbb-dev)
set(package_dlpack dlpack dlpack::dlpack libdlpack-dev)
set(package_xtensor xtensor xtensor libxtensor-dev)
foreach(name IN LISTS interop_packages)
  list(GET package_${name} 0 package)
  find_package(${package} CONFIG QUIET)
endforeach()

# norma_add_gtest_program(name source...)
function(norma_add_gtest_program target)
  norma_add_program(${target} ${ARGN})
  target_link_libraries(${target} PRIVATE norma_test_subjects GTest::gtest GTest::gtest_main)
endfunction()

# A program as one CTest case; what it skips inside may not go unseen.
function(norma_add_gtest_as_one_test name target label)
  add_test(NAME ${name} COMMAND ${target})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT 1200 SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]")
endfunction()

# norma_register_suites(target prefix): each suite of a program, or each case, as a CTest case. Listed while building: a program that cannot
# even list its tests fails the build instead of leaving them out.
function(norma_register_suites target prefix)
  set(tests "${CMAKE_CURRENT_BINARY_DIR}/${target}_tests.cmake")
  set(include "${CMAKE_CURRENT_BINARY_DIR}/${target}_include.cmake")
  add_custom_command(
    TARGET ${target}
    POST_BUILD
    COMMAND ${CMAKE_COMMAND} "-DPROGRAM=$<TARGET_FILE:${target}>" "-DPREFIX=${prefix}" "-DEACH=${NORMA_TEST_EACH_CASE}" "-DTESTS=${tests}" -P
            "${PROJECT_SOURCE_DIR}/tests/register_suites.cmake"
    BYPRODUCTS "${tests}"
    VERBATIM)
  file(WRITE "${include}" "if(EXISTS \"${tests}\")\n  include(\"${tests}\")\nelse()\n  add_test(${target}_was_not_built false)\nendif()\n")
  set_property(DIRECTORY APPEND PROPERTY TEST_INCLUDE_FILES "${include}")
endfunction()

if("numeric" IN_LIST NORMA_TEST_GROUPS)
  foreach(folder IN LISTS NORMA_TEST_FOLDERS)
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${folder}/*_test.cpp")
    set(packages "")
    if(folder STREQUAL "interop")
      foreach(name IN LISTS interop_packages)
        list(POP_FRONT package_${name} package library debian)
        if(${package}_FOUND)
          list(APPEND packages ${library})
        else()
          list(FILTER sources EXCLUDE REGEX "/${name}_test\\.cpp$")
          norma_add_skipped_test(interop.${name} "${package} was not found (Debian: ${debian})")
        endif()
      endforeach()
    endif()
    set(target norma_${folder}_tests)
    if(folder STREQUAL "properties")  # which has a main of its own
      norma_add_program(${target} ${sources} support/property.cpp)
      target_link_libraries(${target} PRIVATE norma_test_subjects GTest::gtest)
    else()
      norma_add_gtest_program(${target} ${sources})
    endif()
    target_link_libraries(${target} PRIVATE ${packages})
    if(folder STREQUAL "api")
      target_precompile_headers(${target} REUSE_FROM norma_test_subjects)
    elseif(first_program)
      target_precompile_headers(${target} REUSE_FROM ${first_program})
    else()
      target_precompile_headers(${target} PRIVATE <gtest/gtest.h> <xsimd/xsimd.hpp> "support/property.hpp")
      set(first_program ${target})
    endif()
    norma_register_suites(${target} ${folder}.)
  endforeach()

  # The unit tests of simd/ once more, for the portable register, compiled without -m flags: here it fuses by arithmetic.
  file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/simd/*_test.cpp")
  add_executable(norma_portable_tests ${sources})
  norma_program_settings(norma_portable_tests ARCH -DNORMA_PORTABLE)
  target_link_libraries(norma_portable_tests PRIVATE norma_test_support GTest::gtest GTest::gtest_main)
  norma_register_suites(norma_portable_tests portable.)
endif()
