# Every header compiles alone, included twice, without a warning: one CTest case each, of the compiler only.

# The compiler as a test's command, with norma's include directories; sources and further flags follow.
set(syntax_check ${CMAKE_CXX_COMPILER} -std=c++20 -fsyntax-only "-I${PROJECT_SOURCE_DIR}/include")
foreach(directory IN LISTS norma_eigen_include norma_xsimd_include)
  if(NOT directory IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
    list(APPEND syntax_check -isystem "${directory}")
  endif()
endforeach()

set(header_warnings ${norma_warnings} -Wold-style-cast -Wdouble-promotion -Wnon-virtual-dtor -Woverloaded-virtual)

file(GLOB_RECURSE headers CONFIGURE_DEPENDS RELATIVE "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/include/norma/*.hpp")
foreach(header IN LISTS headers)
  set(source "${CMAKE_CURRENT_BINARY_DIR}/headers/${header}.cpp")
  file(CONFIGURE OUTPUT "${source}" CONTENT "#include <${header}>\n#include <${header}>\n")
  set(flags "")
  if(header STREQUAL "norma/interop/openmp.hpp")
    set(flags -fopenmp)
  endif()
  add_test(NAME "build.header_alone/${header}" COMMAND ${syntax_check} ${NORMA_ARCH} ${flags} ${header_warnings} -Werror "${source}")
  set_tests_properties("build.header_alone/${header}" PROPERTIES LABELS build TIMEOUT 120)
endforeach()
