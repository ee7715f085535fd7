# Other people's answers as oracles: libtorch, and the node tests that ONNX ships. What is absent is reported as skipped.

# One CTest case for each source file: a process that loads libtorch takes half a second to start.
function(norma_add_oracle_test source)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "INCLUDES;LIBRARIES;DEFINITIONS")
  cmake_path(GET source STEM name)
  norma_add_gtest_program(norma_oracle_${name} "${source}")
  target_include_directories(norma_oracle_${name} SYSTEM PRIVATE ${arg_INCLUDES})
  target_link_libraries(norma_oracle_${name} PRIVATE ${arg_LIBRARIES})
  target_compile_definitions(norma_oracle_${name} PRIVATE ${arg_DEFINITIONS})
  norma_add_gtest_as_one_test(oracles.${name} norma_oracle_${name} oracles)
endfunction()

include("${PROJECT_SOURCE_DIR}/cmake/find-torch.cmake")
find_path(NORMA_ONNX_NODE_TESTS test_layer_normalization_2d_axis0/model.onnx PATH_SUFFIXES share/libonnx-testdata/data/node)

# oneDNN is a column of the accuracy table only; the table says when it is missing.
find_path(NORMA_DNNL_INCLUDE_DIR dnnl.hpp)
find_library(NORMA_DNNL_LIBRARY dnnl)
set(onednn_includes)
set(onednn_libraries)
set(onednn_definitions)
if(NORMA_DNNL_INCLUDE_DIR AND NORMA_DNNL_LIBRARY)
  set(onednn_includes "${NORMA_DNNL_INCLUDE_DIR}")
  set(onednn_libraries "${NORMA_DNNL_LIBRARY}")
  set(onednn_definitions NORMA_HAVE_DNNL=1)
endif()

file(GLOB torch_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/torch_*_test.cpp")
foreach(source IN LISTS torch_sources)
  if(NORMA_TORCH_FOUND)
    norma_add_oracle_test(
      "${source}"
      INCLUDES ${NORMA_TORCH_INCLUDE_DIRS} ${onednn_includes}
      LIBRARIES ${NORMA_TORCH_LIBRARIES} ${onednn_libraries}
      DEFINITIONS ${onednn_definitions})
  else()
    cmake_path(GET source STEM name)
    norma_add_skipped_test(oracles.${name} "libtorch was not found (Debian: libtorch-dev)")
  endif()
endforeach()

file(GLOB onnx_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_LIST_DIR}/onnx_*_test.cpp")
foreach(source IN LISTS onnx_sources)
  if(NORMA_ONNX_NODE_TESTS)
    norma_add_oracle_test("${source}" DEFINITIONS "NORMA_ONNX_NODE_TESTS=\"${NORMA_ONNX_NODE_TESTS}\"")
  else()
    cmake_path(GET source STEM name)
    norma_add_skipped_test(oracles.${name} "the ONNX node tests were not found (Debian: libonnx-testdata)")
  endif()
endforeach()
