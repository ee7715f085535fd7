# One program with a translation unit for plain x86-64, one for AVX2 and FMA, and one for the portable register, all using norma: no code of the
# one may end up in the other, in whatever order they are linked.
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  norma_add_skipped_test(build.two_flags "this is no x86-64 machine")
  return()
endif()

function(norma_add_half name)
  add_library(norma_half_${name} OBJECT two_flags/half.cpp)
  norma_program_settings(norma_half_${name} ARCH ${ARGN})
  target_compile_definitions(norma_half_${name} PRIVATE HALF=${name})
endfunction()
norma_add_half(sse2 -msse2)
norma_add_half(avx2 -mavx2 -mfma)
norma_add_half(portable -DNORMA_PORTABLE)
# The engine of the AVX2 half is compiled already, for output_hash.
target_compile_options(norma_half_avx2 PRIVATE "SHELL:-include \"${PROJECT_SOURCE_DIR}/tests/subjects/engine.hpp\"")
target_include_directories(norma_half_avx2 PRIVATE "${PROJECT_SOURCE_DIR}/tests")
set(objects_sse2 $<TARGET_OBJECTS:norma_half_sse2>)
set(objects_portable $<TARGET_OBJECTS:norma_half_portable>)
set(objects_avx2 $<TARGET_OBJECTS:norma_half_avx2> $<TARGET_OBJECTS:norma_test_subjects_avx2_engine>)

# The linker keeps the first of two equal symbols, so both orders count.
function(norma_add_two_flags_program target first second)
  add_executable(${target} ${objects_${first}} ${objects_${second}} ${objects_portable} two_flags/main.cpp)
  norma_program_settings(${target} ARCH)
endfunction()
norma_add_two_flags_program(norma_two_flags_sse2_first sse2 avx2)
norma_add_two_flags_program(norma_two_flags_avx2_first avx2 sse2)

find_program(NORMA_QEMU qemu-x86_64)
foreach(order IN ITEMS sse2_first avx2_first)
  set(test build.two_flags/${order})
  add_test(NAME ${test} COMMAND norma_two_flags_${order} sse2 avx2 portable)
  set_tests_properties(${test} PROPERTIES LABELS build TIMEOUT 60)

  # On an emulated CPU of 2008 the SSE2 half runs, and the AVX2 half cannot: an instruction that leaks over shows.
  if(NORMA_QEMU)
    add_test(NAME ${test}/without_avx COMMAND ${NORMA_QEMU} -cpu Nehalem $<TARGET_FILE:norma_two_flags_${order}> sse2 portable)
    add_test(NAME ${test}/avx_is_refused
             COMMAND sh -c "ulimit -c 0; '${NORMA_QEMU}' -cpu Nehalem '$<TARGET_FILE:norma_two_flags_${order}>' avx2; echo exit $?")
    set_tests_properties(${test}/avx_is_refused PROPERTIES PASS_REGULAR_EXPRESSION "exit 132")
    set_tests_properties(${test}/without_avx ${test}/avx_is_refused PROPERTIES LABELS build TIMEOUT 120)
  else()
    norma_add_skipped_test(${test}/without_avx "qemu-x86_64 was not found (Debian: qemu-user)")
  endif()
endforeach()

foreach(others IN ITEMS avx2 portable)
  set(test build.two_flags/shared_symbols/sse2_${others})
  add_test(NAME ${test} COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/two_flags/shared_symbols.sh" "${CMAKE_NM}" ${objects_sse2} -- ${objects_${others}}
           COMMAND_EXPAND_LISTS)
  set_tests_properties(${test} PROPERTIES LABELS build TIMEOUT 60)
endforeach()
