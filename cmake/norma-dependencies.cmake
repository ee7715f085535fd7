# Where Eigen's and xsimd's headers are; used by norma's own build and, once installed, by its package config.

# The include directories of a target that the project around brought: what is known of an imported one, which other directories of that
# project may not see, and what will be known of one that is built there.
function(norma_include_directories_of target variable)
  get_target_property(aliased ${target} ALIASED_TARGET)
  if(aliased)
    set(target ${aliased})
  endif()
  get_target_property(imported ${target} IMPORTED)
  get_target_property(directories ${target} INTERFACE_INCLUDE_DIRECTORIES)
  if(NOT imported OR NOT directories)
    set(directories "$<TARGET_PROPERTY:${target},INTERFACE_INCLUDE_DIRECTORIES>")
  endif()
  set(${variable} "${directories}" PARENT_SCOPE)
endfunction()

# Sets three variables of the caller: the two include directories, and a sentence about what is missing (empty if nothing is). A target
# Eigen3::Eigen, xsimd or xsimd::xsimd that is there already wins over any search, so that no program has two versions. Eigen is optional:
# without one its variable is empty.
function(norma_find_dependencies eigen_include xsimd_include missing)
  # No version in find_package: Eigen 5 declares itself incompatible with a request for 3.4.
  if(NOT TARGET Eigen3::Eigen)
    find_package(Eigen3 QUIET CONFIG)
  endif()
  set(eigen "")
  if(TARGET Eigen3::Eigen AND NOT (DEFINED Eigen3_VERSION AND Eigen3_VERSION VERSION_LESS 3.4))
    norma_include_directories_of(Eigen3::Eigen eigen)
  elseif(NOT norma_FIND_QUIETLY)
    message(STATUS "norma: no Eigen of 3.4 or newer was found, so there are no Eigen tensors and no SpectralNorm (Debian: libeigen3-dev; "
                   "elsewhere set Eigen3_DIR)")
  endif()
  set(${eigen_include} "${eigen}" PARENT_SCOPE)

  # None of it where NORMA_PORTABLE is on, and for processors that include/norma/core/config.hpp has no instructions for.
  set(sentence "")
  set(xsimd "")
  if(NORMA_PORTABLE OR NOT CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64|i[3-6]86|x86|aarch64|arm64|ARM64)$")
    # standard C++ alone
  elseif(TARGET xsimd)
    norma_include_directories_of(xsimd xsimd)
  elseif(TARGET xsimd::xsimd)
    norma_include_directories_of(xsimd::xsimd xsimd)
  else()
    # Not xsimd's CMake package: Debian's exported target links a library xtl that is not there.
    find_path(NORMA_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp DOC "Directory that holds xsimd/xsimd.hpp")
    mark_as_advanced(NORMA_XSIMD_INCLUDE_DIR)
    set(xsimd "${NORMA_XSIMD_INCLUDE_DIR}")
    if(NOT xsimd)
      set(sentence "xsimd was not found (Debian: libxsimd-dev; elsewhere set NORMA_XSIMD_INCLUDE_DIR, or NORMA_PORTABLE=ON)")
    endif()
  endif()
  set(${xsimd_include} "${xsimd}" PARENT_SCOPE)
  set(${missing} "${sentence}" PARENT_SCOPE)
endfunction()
