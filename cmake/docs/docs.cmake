# The API reference, by Doxygen.
find_program(NORMA_DOXYGEN doxygen)
mark_as_advanced(NORMA_DOXYGEN)

# What users name is in these headers, the engine's own names are in others.
set(norma_documented)
foreach(header IN ITEMS core/communicator core/config core/error core/execution core/extents core/half_precision core/instruction_set core/scalar core/tensor_view core/view
        doors/batch_layer doors/calls doors/fused doors/load doors/parameters doors/plain_layer doors/plane_layer doors/query_key_calls
        doors/row_norm doors/running_statistics doors/saved doors/shared_layer doors/view_norm doors/visits engine/fusion kernels/ops
        stats/running weights/reparameterised weights/spectral_norm weights/weight_norm)
  list(APPEND norma_documented "${PROJECT_SOURCE_DIR}/include/norma/${header}.hpp")
endforeach()
list(APPEND norma_documented "${PROJECT_SOURCE_DIR}/include/norma/layers" "${PROJECT_SOURCE_DIR}/include/norma/interop"
     "${CMAKE_CURRENT_LIST_DIR}/mainpage.md")

# Names in them that are not for users.
set(norma_docs_internal
    # what a norm is to the doors
    *Spec *Name BatchSets NormAxes AffineOperands BatchLayerOptions TrainingViewsOf ParameterOfTensor
    # views of users' objects become operands
    ExecutorRef CommunicatorRef view_of_arrays is_std_array extents_of takes_dense dlpack_view with_dlpack_view parameter_operand with_planes
    view_axes view_operands grouped_weight checked_normalized_shape checked_trailing_axes
    # passes
    FusedForward FusedDerivative check_stream join_stream fused_forward fused_backward normalize_shared
    normalize_shared_backward normalize_views normalize_views_backward RunningStep update_running update_running_of
    Pass AnyFusion Fusion CallRef Numbers Block
    # messages
    select_instruction_set IntegerList append_part current_error_handler rounded_to_odd
    # loading
    look_up for_each_name Kept keep with_found for_each_tensor check_found copy_found found_count
    # specialisations for std
    std)
list(JOIN norma_docs_internal " " norma_docs_internal)

set(norma_docs_folder "${CMAKE_CURRENT_LIST_DIR}")

# norma_doxyfile(file OUTPUT folder INPUT path...|NO WARN_AS_ERROR value): writes a Doxyfile.
function(norma_doxyfile file)
  cmake_parse_arguments(PARSE_ARGV 1 norma_docs "" "OUTPUT;WARN_AS_ERROR" "INPUT")
  list(JOIN norma_docs_INPUT "\" \"" norma_docs_INPUT)
  configure_file("${norma_docs_folder}/Doxyfile.in" "${file}" @ONLY)
endfunction()
