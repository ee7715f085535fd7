# The same bits on every processor: output_hash.cpp is compiled for the platform of this build, emulated if need be, and what it prints is
# compared with what the preset hash-avx2 has printed on this machine. WebAssembly, without exceptions and threads, has layer_hash.cpp instead.
set(NORMA_HASH_REFERENCE "" CACHE PATH "Where an AVX2 build has left what its programs printed; empty: this is that build")

# norma_add_platform_hash(program least): the program norma_<program>, which prints so many lines at least, as a test.
function(norma_add_platform_hash program least)
  add_executable(norma_${program} properties/${program}.cpp)
  norma_program_settings(norma_${program})
  set(reference "")
  if(NORMA_HASH_REFERENCE)
    set(reference "-DREFERENCE=${NORMA_HASH_REFERENCE}/${program}/LEFT.txt")
  endif()
  add_test(NAME properties.${program}
           COMMAND ${CMAKE_COMMAND} "-DLEFT=$<TARGET_FILE:norma_${program}>" "-DEMULATOR=${CMAKE_CROSSCOMPILING_EMULATOR}" -DLEAST=${least}
                   ${reference} "-DSCRATCH=${CMAKE_CURRENT_BINARY_DIR}/hash/${program}" -P
                   "${PROJECT_SOURCE_DIR}/tests/properties/compare_hashes.cmake")
  set_tests_properties(properties.${program} PROPERTIES LABELS build TIMEOUT 3600)
endfunction()

set(is_wasm OFF)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^wasm")
  set(is_wasm ON)
endif()
if(is_wasm OR NOT NORMA_HASH_REFERENCE)
  norma_add_platform_hash(layer_hash 300)
endif()
if(NOT is_wasm)
  include(subjects.cmake)
  norma_add_subjects(norma_test_subjects PLAIN_TYPES)
  target_compile_options(norma_test_subjects_engine PRIVATE ${NORMA_TEST_KERNEL_OPTIONS})
  norma_add_platform_hash(output_hash 100000)
  target_link_libraries(norma_output_hash PRIVATE norma_test_subjects)
endif()
