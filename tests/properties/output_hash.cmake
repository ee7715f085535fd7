# The same bits on every width: output_hash.cpp is compiled for SSE2, AVX2 and AVX-512, and what the programs print is compared.

# norma_add_output_hash(name flag...): the program output_hash_<name>, compiled with these instruction set flags and no others.
function(norma_add_output_hash name)
  set(target norma_output_hash_${name})
  norma_add_test_support(norma_test_support_${name} ARCH ${ARGN})
  add_executable(${target} "${PROJECT_SOURCE_DIR}/tests/properties/output_hash.cpp")
  norma_program_settings(${target} ARCH ${ARGN})
  target_link_libraries(${target} PRIVATE norma_test_support_${name})
endfunction()

# norma_add_hash_comparison(test left right): both print the same lines.
function(norma_add_hash_comparison test left right)
  add_test(NAME properties.${test}
           COMMAND ${CMAKE_COMMAND} "-DLEFT=$<TARGET_FILE:norma_output_hash_${left}>" "-DRIGHT=$<TARGET_FILE:norma_output_hash_${right}>"
                   "-DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/${test}" -P "${PROJECT_SOURCE_DIR}/tests/properties/compare_hashes.cmake")
  set_tests_properties(properties.${test} PROPERTIES LABELS build TIMEOUT 600)
endfunction()

if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  norma_add_output_hash(sse2 -msse2)
  norma_add_output_hash(avx2 -mavx2 -mfma)
  # Eigen insists on -mfma beside -mavx512f. What the library fuses is not the compiler's choice: one of the two may fuse, the other may not.
  norma_add_output_hash(avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -ffp-contract=off)
  if(NORMA_CPU_HAS_AVX512)
    norma_add_hash_comparison(avx2_and_avx512_same_bits avx2 avx512)
  else()
    norma_add_skipped_test(properties.avx2_and_avx512_same_bits "this CPU has no AVX-512")
  endif()
else()
  norma_add_skipped_test(properties.avx2_and_avx512_same_bits "this is no x86-64 machine")
endif()
