# The same bits on every processor: output_hash.cpp is compiled for the platform of this build, emulated if need be, and what it prints is
# compared with what the AVX2 build printed on this machine (NORMA_HASH_REFERENCE; test properties.avx2_* of the preset "test" leaves it).
set(NORMA_HASH_REFERENCE "" CACHE FILEPATH "What norma_output_hash of an AVX2 build has printed; empty: print it only")

norma_add_subjects(norma_test_subjects PLAIN_TYPES)
target_compile_options(norma_test_subjects_engine PRIVATE ${NORMA_TEST_KERNEL_OPTIONS})
add_executable(norma_output_hash properties/output_hash.cpp)
norma_program_settings(norma_output_hash)
target_link_libraries(norma_output_hash PRIVATE norma_test_subjects)

add_test(NAME properties.output_hash
         COMMAND ${CMAKE_COMMAND} "-DLEFT=$<TARGET_FILE:norma_output_hash>" "-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}"
                 "-DREFERENCE=${NORMA_HASH_REFERENCE}" "-DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/hash" -P
                 "${PROJECT_SOURCE_DIR}/tests/properties/compare_hashes.cmake")
set_tests_properties(properties.output_hash PROPERTIES LABELS build TIMEOUT 3600)
