# Where Eigen's and xsimd's headers are; used by norma's own build and, once installed, by its package config.

# Sets three variables of the caller: the two include directories, and a sentence about what is missing (empty if nothing is).
function(norma_find_dependencies eigen_include xsimd_include missing)
  set(sentence "")

  # No version in find_package: Eigen 5 declares itself incompatible with a request for 3.4.
  if(NOT TARGET Eigen3::Eigen)
    find_package(Eigen3 QUIET CONFIG)
    if(Eigen3_FOUND AND Eigen3_VERSION VERSION_LESS 3.4)
      set(sentence "Eigen ${Eigen3_VERSION} is too old, 3.4 is the oldest that works. ")
    endif()
  endif()
  if(TARGET Eigen3::Eigen)
    get_target_property(eigen Eigen3::Eigen ALIASED_TARGET)
    if(NOT eigen)
      set(eigen Eigen3::Eigen)
    endif()
    get_target_property(directories ${eigen} INTERFACE_INCLUDE_DIRECTORIES)
  else()
    set(directories "")
    string(APPEND sentence "Eigen 3.4 or newer was not found (Debian: libeigen3-dev; elsewhere set Eigen3_DIR). ")
  endif()
  set(${eigen_include} "${directories}" PARENT_SCOPE)

  # Not xsimd's CMake package: Debian's exported target links a library xtl that is not there. Nor any of it where NORMA_PORTABLE is on, and
  # for processors that include/norma/core/config.hpp has no instructions for.
  if(NORMA_PORTABLE OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64|i[3-6]86|x86|aarch64|arm64|ARM64)$")
    set(NORMA_XSIMD_INCLUDE_DIR "")
  else()
    find_path(NORMA_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp DOC "Directory that holds xsimd/xsimd.hpp")
    mark_as_advanced(NORMA_XSIMD_INCLUDE_DIR)
    if(NOT NORMA_XSIMD_INCLUDE_DIR)
      string(APPEND sentence "xsimd was not found (Debian: libxsimd-dev; elsewhere set NORMA_XSIMD_INCLUDE_DIR, or NORMA_PORTABLE=ON). ")
    endif()
  endif()
  set(${xsimd_include} "${NORMA_XSIMD_INCLUDE_DIR}" PARENT_SCOPE)

  string(STRIP "${sentence}" sentence)
  set(${missing} "${sentence}" PARENT_SCOPE)
endfunction()
