# The same bits on every width: output_hash.cpp is compiled for this machine and for plain AVX2, and what the programs print is compared. What
# the library fuses is not the compiler's choice: one of the two may fuse, the other may not. Types that are mixed go through the same kernels:
# plain ones stand for them.

if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  norma_add_skipped_test(properties.avx2_and_avx512_same_bits "this is no x86-64 machine")
  return()
endif()

# norma_add_output_hash(name subjects flag...)
function(norma_add_output_hash name subjects)
  add_executable(norma_output_hash_${name} "${PROJECT_SOURCE_DIR}/tests/properties/output_hash.cpp")
  norma_program_settings(norma_output_hash_${name} ${ARGN})
  target_link_libraries(norma_output_hash_${name} PRIVATE ${subjects})
endfunction()

norma_add_output_hash(native norma_test_subjects)
norma_add_subjects(norma_test_subjects_avx2 PLAIN_TYPES ARCH -mavx2 -mfma -ffp-contract=off)
norma_add_output_hash(avx2 norma_test_subjects_avx2 ARCH -mavx2 -mfma -ffp-contract=off)
if(NORMA_CPU_HAS_AVX512)
  set(test properties.avx2_and_avx512_same_bits)
else()
  norma_add_skipped_test(properties.avx2_and_avx512_same_bits "this CPU has no AVX-512")
  set(test properties.avx2_same_bits_without_contraction)
endif()
add_test(NAME ${test}
         COMMAND ${CMAKE_COMMAND} "-DLEFT=$<TARGET_FILE:norma_output_hash_native>" "-DRIGHT=$<TARGET_FILE:norma_output_hash_avx2>"
                 "-DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/${test}" -P "${PROJECT_SOURCE_DIR}/tests/properties/compare_hashes.cmake")
set_tests_properties(${test} PROPERTIES LABELS build TIMEOUT 600)
