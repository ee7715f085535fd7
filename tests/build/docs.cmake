# Every name that users write has a docstring: Doxygen's warnings are errors. And it does warn.
include("${PROJECT_SOURCE_DIR}/cmake/docs/docs.cmake")
set(names undocumented finds_undocumented)
if(NOT NORMA_DOXYGEN)
  foreach(name IN LISTS names)
    add_test(NAME build.docs/${name} COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED: Doxygen was not found (Debian: doxygen)")
    set_tests_properties(build.docs/${name} PROPERTIES LABELS build SKIP_REGULAR_EXPRESSION "SKIPPED: ")
  endforeach()
  return()
endif()

set(undocumented_input ${norma_documented})
set(finds_undocumented_input "${CMAKE_CURRENT_SOURCE_DIR}/undocumented.hpp")
foreach(name IN LISTS names)
  set(folder "${CMAKE_CURRENT_BINARY_DIR}/docs/${name}")
  file(MAKE_DIRECTORY "${folder}")
  norma_doxyfile("${folder}/Doxyfile" OUTPUT "${folder}" INPUT ${${name}_input} WARN_AS_ERROR FAIL_ON_WARNINGS)
endforeach()

add_test(NAME build.docs/undocumented COMMAND "${NORMA_DOXYGEN}" "${CMAKE_CURRENT_BINARY_DIR}/docs/undocumented/Doxyfile")
add_test(
  NAME build.docs/finds_undocumented
  COMMAND ${CMAKE_COMMAND} "-DCOMMAND=${NORMA_DOXYGEN};${CMAKE_CURRENT_BINARY_DIR}/docs/finds_undocumented/Doxyfile"
          "-DSENTENCES=undocumented_option;undocumented_function" -P "${CMAKE_CURRENT_SOURCE_DIR}/check_complaints.cmake")
set_tests_properties(build.docs/undocumented build.docs/finds_undocumented PROPERTIES LABELS build TIMEOUT 60)
