# Wrong types, and flags that norma cannot live with, are compile-time errors that say so in a sentence.

# norma_add_compile_error(name "sentence" flag...): compile_errors.cpp with these flags is an error with this sentence.
function(norma_add_compile_error name sentence)
  set(test build.compile_error/${name})
  add_test(NAME ${test} COMMAND ${syntax_check} ${ARGN} "${CMAKE_CURRENT_SOURCE_DIR}/compile_errors.cpp")
  # Compilers differ in what stands between "error" and the sentence; a line that says error ends the compilation as failed.
  set_tests_properties(${test} PROPERTIES LABELS build TIMEOUT 120 PASS_REGULAR_EXPRESSION "error:[^\n]*${sentence}")
endfunction()

norma_add_compile_error(eigen_expression_as_input "this Eigen expression has no storage" "-DMISTAKE=ln(a + b, y)")
norma_add_compile_error(eigen_expression_as_output "this Eigen expression has no storage" "-DMISTAKE=ln(a, y + b)")
norma_add_compile_error(integer_tensor "the elements of a tensor must be float, double or 16-bit" "-DMISTAKE=ln(integers, integers)")
norma_add_compile_error(no_tensor_at_all "this is not a tensor" "-DMISTAKE=ln(42, y)")
norma_add_compile_error(constant_output "an output must be writable" "-DMISTAKE=ln(floats, constant)")
norma_add_compile_error(folded_switchable_norm "takes statistics of x at inference"
                        "-DMISTAKE=norma::fold_batch_norm(a, floats, norma::SwitchableNorm<float>(4))")
norma_add_compile_error(sync_forward_alone "SyncBatchNorm trains with a communicator: forward" "-DMISTAKE=sync.forward(a, y, saved)")
norma_add_compile_error(sync_backward_alone "SyncBatchNorm trains with a communicator: backward" "-DMISTAKE=sync.backward(a, b, saved, y)")
norma_add_compile_error(eigen_index_list "this Eigen expression has no storage" "-DMISTAKE=ln(a(Eigen::seqN(0, 2, Eigen::fix<2>), Eigen::all), y)")
norma_add_compile_error(temporary_output "the result would be lost" "-DMISTAKE=norma::layer_norm(floats, std::vector<float>(8))")
norma_add_compile_error(temporary_matrix_output "the result would be lost" "-DMISTAKE=ln.forward(a, Eigen::MatrixXf(4, 8), saved)")
norma_add_compile_error(view_of_a_temporary "a view of it would dangle" "-DMISTAKE=norma::view(std::vector<float>(8))")
norma_add_compile_error(temporary_weight "a view of it would dangle"
                        "-DMISTAKE=norma::layer_norm(floats, floats, {.weight = std::vector<float>(8)})")
norma_add_compile_error(fast_math "fast-math" -ffast-math)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU") # clang defines no macro for these
  norma_add_compile_error(unsafe_math "fast-math" -Ofast -fno-finite-math-only)
  norma_add_compile_error(reciprocal_math "fast-math" -freciprocal-math)
  norma_add_compile_error(associative_math "fast-math" -fassociative-math -fno-signed-zeros -fno-trapping-math)
endif()

# The same file without any of the errors compiles, so that each test above fails for its own reason.
add_test(NAME build.compile_error/none COMMAND ${syntax_check} "${CMAKE_CURRENT_SOURCE_DIR}/compile_errors.cpp")
set_tests_properties(build.compile_error/none PROPERTIES LABELS build TIMEOUT 120)
