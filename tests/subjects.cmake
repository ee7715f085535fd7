# What the numeric tests and the output hash are made of: norma_test_support, and norms under test compiled for an instruction set. They are
# linked to norma_test_libraries: GoogleTest and OpenMP, of which the hash alone, on a platform that has neither, needs nothing.

# Kernels are tested as users compile them, and what computes for minutes is worth seconds of compilation; the rest of the tests is not.
set(NORMA_TEST_KERNEL_OPTIONS "" CACHE STRING "Flags of what compiles the engine and references, in addition to those of all tests")

# References, tensors, comparisons: nothing of it knows an instruction set.
file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/support/*.cpp")
list(FILTER sources EXCLUDE REGEX "/property\\.cpp$")
if(NOT norma_test_libraries)
  list(FILTER sources EXCLUDE REGEX "/(compare|counting_new)\\.cpp$")
endif()
add_library(norma_test_support STATIC ${sources})
norma_program_settings(norma_test_support)
target_compile_options(norma_test_support PRIVATE ${NORMA_TEST_KERNEL_OPTIONS})
target_include_directories(norma_test_support PUBLIC "${PROJECT_SOURCE_DIR}/tests")
target_link_libraries(norma_test_support PUBLIC ${norma_test_libraries})

# norma_add_subjects(name [PLAIN_TYPES] [ARCH flag...]): the norms under test, compiled for one instruction set; with PLAIN_TYPES x, y and
# parameters are all float or all double. Here alone the properties and oracles compile the library; the engine is a library of its own,
# <name>_engine.
file(GLOB subject_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/subjects/*.cpp")
function(norma_add_subjects target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "PLAIN_TYPES" "" "ARCH")
  set(engine_sources ${subject_sources})
  list(FILTER engine_sources INCLUDE REGEX "/engine_[a-z0-9]+\\.cpp$")
  list(REMOVE_ITEM subject_sources ${engine_sources})
  add_library(${target}_engine STATIC ${engine_sources})
  add_library(${target} STATIC ${subject_sources})
  foreach(library IN ITEMS ${target}_engine ${target})
    norma_program_settings(${library} ${ARGN})
    target_include_directories(${library} PUBLIC "${PROJECT_SOURCE_DIR}/tests")
    target_link_libraries(${library} PUBLIC ${norma_test_libraries})
    target_compile_definitions(${library} PRIVATE $<$<BOOL:${arg_PLAIN_TYPES}>:NORMA_TEST_PLAIN_TYPES>)
  endforeach()
  target_link_libraries(${target} PUBLIC ${target}_engine norma_test_support)
endfunction()
