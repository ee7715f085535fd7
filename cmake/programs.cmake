# What norma's own tests, benchmarks and examples are compiled with. Consumers of norma::norma get none of it.

if(NOT norma_eigen_include)
  message(FATAL_ERROR "norma: tests, benchmarks and examples need Eigen (Debian: libeigen3-dev), or switch NORMA_BUILD_TESTS, NORMA_BUILD_BENCHMARKS "
                      "and NORMA_BUILD_EXAMPLES off")
endif()

# The instruction set of these programs, for example "-march=native" or "-mavx2;-mfma". Empty: the compiler's default.
set(NORMA_ARCH "" CACHE STRING "Instruction set flags of norma's own tests, benchmarks and examples")

# A kernel that needs an instruction this machine lacks must not end as a mysterious crash of a test.
set(NORMA_CPU_HAS_AVX512 OFF)
if(EXISTS /proc/cpuinfo)
  file(STRINGS /proc/cpuinfo norma_cpu_flags REGEX "^flags" LIMIT_COUNT 1)
  if(norma_cpu_flags MATCHES " avx512f " AND norma_cpu_flags MATCHES " avx512bw " AND norma_cpu_flags MATCHES " avx512dq " AND norma_cpu_flags
                                                                                                                            MATCHES " avx512vl")
    set(NORMA_CPU_HAS_AVX512 ON)
  endif()
endif()
if(NORMA_ARCH MATCHES "avx512" AND NOT NORMA_CPU_HAS_AVX512)
  message(FATAL_ERROR "norma: NORMA_ARCH is ${NORMA_ARCH}, but this CPU has no AVX-512")
endif()

# Demanded of the project's own programs; errors where CMAKE_COMPILE_WARNING_AS_ERROR is on, as in all presets.
set(norma_warnings -Wall -Wextra -Wpedantic -Wconversion -Wshadow)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # g++ 12 takes its own _mm512_undefined_ps for an uninitialized variable wherever Eigen's AVX-512 code is inlined.
  list(APPEND norma_warnings -Wno-maybe-uninitialized -Wno-uninitialized)
endif()

if(NORMA_BUILD_COMPILED)
  foreach(set IN LISTS NORMA_COMPILED_SETS)
    target_compile_options(norma_engine_${set} PRIVATE ${norma_warnings})
  endforeach()
  target_compile_options(norma_compiled PRIVATE ${norma_warnings})
endif()

find_package(OpenMP QUIET COMPONENTS CXX)
include("${CMAKE_CURRENT_LIST_DIR}/find-mpi.cmake")

# Whether these programs are linked to norma::compiled and do not compile the engine.
option(NORMA_TEST_COMPILED "Link norma's own tests, benchmarks and examples to norma::compiled" OFF)
if(NORMA_TEST_COMPILED AND NOT NORMA_BUILD_COMPILED)
  message(FATAL_ERROR "norma: NORMA_TEST_COMPILED wants NORMA_BUILD_COMPILED")
endif()

# Warnings, and the instruction set: NORMA_ARCH, or the flags that follow ARCH (which may be none).
function(norma_program_settings target)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" ARCH)
  target_link_libraries(${target} PRIVATE norma::norma $<$<BOOL:${NORMA_TEST_COMPILED}>:norma::compiled>)
  target_compile_options(${target} PRIVATE ${norma_warnings})
  if("ARCH" IN_LIST ARGN)
    target_compile_options(${target} PRIVATE ${arg_ARCH})
  else()
    target_compile_options(${target} PRIVATE ${NORMA_ARCH})
  endif()
endfunction()

# norma_add_user_program(name source...): a program as users write it. Among tests it finds the engine compiled (tests/subjects/engine.hpp):
# it would be compiled once more for each; and the first one reads norma for all. That users can do without is what the presets demo and bench,
# and the consumers, show.
function(norma_add_user_program target)
  norma_add_program(${target} ${ARGN})
  if(NOT NORMA_BUILD_TESTS)
    return()
  endif()
  target_link_libraries(${target} PRIVATE norma_test_subjects_engine)
  get_property(first GLOBAL PROPERTY norma_first_user_program)
  if(first)
    target_precompile_headers(${target} REUSE_FROM ${first})
  else()
    target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/tests/subjects/engine.hpp")
    set_property(GLOBAL PROPERTY norma_first_user_program ${target})
  endif()
endfunction()

# norma_add_program(name source...): a program with those settings, and OpenMP where there is one.
function(norma_add_program target)
  add_executable(${target} ${ARGN})
  norma_program_settings(${target})
  if(OpenMP_CXX_FOUND)
    target_link_libraries(${target} PRIVATE OpenMP::OpenMP_CXX)
  endif()
endfunction()
