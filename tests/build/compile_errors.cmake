# Wrong types, and flags that norma cannot live with, are compile-time errors that say so in a sentence.
set(all_errors "")
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  set(all_errors -ferror-limit=0)
endif()
add_test(NAME build.compile_error/mistakes COMMAND ${CMAKE_COMMAND} "-DCOMMAND=${syntax_check};${all_errors}"
                                                   "-DSOURCE=${CMAKE_CURRENT_SOURCE_DIR}/compile_errors.cpp" -P
                                                   "${CMAKE_CURRENT_SOURCE_DIR}/check_errors.cmake")
set_tests_properties(build.compile_error/mistakes PROPERTIES LABELS build TIMEOUT 120)

# norma_add_refusal(name sentence flag...): no file that includes norma compiles with these flags, and the first error says why.
function(norma_add_refusal name sentence)
  set(test build.compile_error/${name})
  add_test(NAME ${test} COMMAND ${CMAKE_COMMAND} "-DCOMMAND=${syntax_check};${ARGN};${CMAKE_CURRENT_SOURCE_DIR}/consumers/second.cpp"
                                "-DSENTENCE=${sentence}" -P "${CMAKE_CURRENT_SOURCE_DIR}/check_refusal.cmake")
  set_tests_properties(${test} PROPERTIES LABELS build TIMEOUT 120)
endfunction()
norma_add_refusal(cxx17 "needs C..20" -std=c++17)
norma_add_refusal(fast_math "fast-math" -ffast-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # clang defines no macro for these
  norma_add_refusal(unsafe_math "fast-math" -Ofast -fno-finite-math-only)
  norma_add_refusal(reciprocal_math "fast-math" -freciprocal-math)
  norma_add_refusal(associative_math "fast-math" -fassociative-math -fno-signed-zeros -fno-trapping-math)
  norma_add_refusal(no_signed_zeros "fast-math" -fno-signed-zeros)
endif()

# Of an old library only its version is there.
set(too_old "${CMAKE_CURRENT_BINARY_DIR}/too_old")
file(WRITE "${too_old}/xsimd_7/xsimd/xsimd.hpp" "#define XSIMD_VERSION_MAJOR 7\n")
file(WRITE "${too_old}/eigen_3_3/Eigen/Core" "#define EIGEN_VERSION_AT_LEAST(x, y, z) ((x) < 3 || ((x) == 3 && (y) <= 3))\n")
norma_add_refusal(xsimd_7 "xsimd is too old" "-I${too_old}/xsimd_7")
norma_add_refusal(eigen_3_3 "Eigen is too old" "-I${too_old}/eigen_3_3")
