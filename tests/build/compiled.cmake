# norma::compiled: what it chooses and refuses, that its bits are the header-only form's, and that nothing of its AVX code gets to where it may
# not run. In the preset compiled all numeric tests are linked to it.
if(NOT NORMA_BUILD_COMPILED)
  norma_add_skipped_test(build.compiled "NORMA_BUILD_COMPILED is off")
  return()
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64" OR NORMA_PORTABLE)
  norma_add_skipped_test(build.compiled "this is no x86-64 machine")
  return()
endif()

function(norma_set_compiled_test name)
  set_tests_properties(${name} PROPERTIES LABELS build TIMEOUT 300 ${ARGN})
endfunction()

add_library(norma_half_compiled OBJECT two_flags/half.cpp)
norma_program_settings(norma_half_compiled ARCH)
target_compile_definitions(norma_half_compiled PRIVATE HALF=compiled)
target_link_libraries(norma_half_compiled PRIVATE norma::compiled)
add_library(norma_compiled_main OBJECT compiled/main.cpp)
norma_program_settings(norma_compiled_main ARCH)
target_link_libraries(norma_compiled_main PRIVATE norma::compiled)
set(compiled_objects $<TARGET_OBJECTS:norma_half_compiled> $<TARGET_OBJECTS:norma_compiled_main>)

add_executable(norma_compiled_test ${compiled_objects} ${objects_sse2} ${objects_avx2})
target_link_libraries(norma_compiled_test PRIVATE norma::compiled)
add_test(NAME build.compiled/all COMMAND norma_compiled_test all)
norma_set_compiled_test(build.compiled/all)
# The environment chooses as well, and what it asks for in vain is said in the first call.
add_test(NAME build.compiled/environment COMMAND norma_compiled_test expect sse2)
norma_set_compiled_test(build.compiled/environment ENVIRONMENT NORMA_ISA=sse2)
add_test(NAME build.compiled/environment_is_refused COMMAND sh -c "ulimit -c 0; '$<TARGET_FILE:norma_compiled_test>' expect sse2 2>&1")
norma_set_compiled_test(build.compiled/environment_is_refused ENVIRONMENT NORMA_ISA=pentium PASS_REGULAR_EXPRESSION
                        "NORMA_ISA: pentium is not to be had here")

# On emulated processors of 2008 and 2013.
foreach(processor_and_set IN ITEMS Nehalem:sse2 Haswell:avx2)
  string(REPLACE ":" ";" processor_and_set "${processor_and_set}")
  list(GET processor_and_set 0 processor)
  list(GET processor_and_set 1 set)
  if(NORMA_QEMU)
    add_test(NAME build.compiled/${processor} COMMAND ${NORMA_QEMU} -cpu ${processor} $<TARGET_FILE:norma_compiled_test> expect ${set})
    norma_set_compiled_test(build.compiled/${processor})
  else()
    norma_add_skipped_test(build.compiled/${processor} "qemu-x86_64 was not found (Debian: qemu-user)")
  endif()
endforeach()

# Without the header-only half for AVX2, whose functions are AVX, and no secret.
add_executable(norma_compiled_alone ${compiled_objects} compiled/alone.cpp)
target_link_libraries(norma_compiled_alone PRIVATE norma::compiled)
norma_program_settings(norma_compiled_alone ARCH)
add_test(NAME build.compiled/no_avx
         COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/compiled/no_avx.sh" "${CMAKE_NM}" "${CMAKE_OBJDUMP}" $<TARGET_FILE:norma_compiled_alone>
                 ${compiled_objects} COMMAND_EXPAND_LISTS)
norma_set_compiled_test(build.compiled/no_avx)

# All results, of plain types.
norma_add_subjects(norma_test_subjects_compiled PLAIN_TYPES ARCH)
target_link_libraries(norma_test_subjects_compiled PUBLIC norma::compiled)
target_link_libraries(norma_test_subjects_compiled_engine PUBLIC norma::compiled)
norma_add_output_hash(compiled norma_test_subjects_compiled ARCH)
add_test(NAME build.compiled/same_bits
         COMMAND ${CMAKE_COMMAND} "-DLEFT=$<TARGET_FILE:norma_output_hash_compiled>" "-DRIGHT=$<TARGET_FILE:norma_output_hash_avx2>"
                 "-DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/compiled/same_bits" -P "${PROJECT_SOURCE_DIR}/tests/properties/compare_hashes.cmake")
norma_set_compiled_test(build.compiled/same_bits ENVIRONMENT NORMA_ISA=avx2)
