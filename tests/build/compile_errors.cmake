# Wrong types, and flags that norma cannot live with, are compile-time errors that say so in a sentence.
set(all_errors "")
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(all_errors -ferror-limit=0)
endif()
add_test(NAME build.compile_error/mistakes COMMAND ${CMAKE_COMMAND} "-DCOMMAND=${syntax_check};${all_errors}"
                                                   "-DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/compile_errors.cpp" -P
                                                   "${CMAKE_CURRENT_SOURCE_DIR}/check_errors.cmake")
set_tests_properties(build.compile_error/mistakes PROPERTIES LABELS build TIMEOUT 120)

# norma_add_wrong_flags(name flag...): no file that includes norma compiles with them. The first error ends the compilation.
function(norma_add_wrong_flags name)
  set(test build.compile_error/${name})
  add_test(NAME ${test} COMMAND ${syntax_check} -Wfatal-errors ${ARGN} "${CMAKE_CURRENT_SOURCE_DIR}/consumers/second.cpp")
  set_tests_properties(${test} PROPERTIES LABELS build TIMEOUT 120 PASS_REGULAR_EXPRESSION "error:[^\n]*fast-math")
endfunction()
norma_add_wrong_flags(fast_math -ffast-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # clang defines no macro for these
  norma_add_wrong_flags(unsafe_math -Ofast -fno-finite-math-only)
  norma_add_wrong_flags(reciprocal_math -freciprocal-math)
  norma_add_wrong_flags(associative_math -fassociative-math -fno-signed-zeros -fno-trapping-math)
endif()
