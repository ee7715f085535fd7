# For toolchain files: xsimd's headers, which are the same for every processor, behind a link in a directory of their own: /usr/include would
# bring this machine's C library along.
find_path(NORMA_XSIMD_HERE xsimd/xsimd.hpp PATHS /usr/include /usr/local/include NO_CMAKE_FIND_ROOT_PATH)
mark_as_advanced(NORMA_XSIMD_HERE)
if(NORMA_XSIMD_HERE)
  file(MAKE_DIRECTORY "${CMAKE_BINARY_DIR}/headers")
  file(CREATE_LINK "${NORMA_XSIMD_HERE}/xsimd" "${CMAKE_BINARY_DIR}/headers/xsimd" SYMBOLIC)
  set(NORMA_XSIMD_INCLUDE_DIR "${CMAKE_BINARY_DIR}/headers" CACHE PATH "Directory that holds xsimd/xsimd.hpp")
endif()
