# Packs norma, SOURCE, without an Eigen on the machine, and looks into the archive and the Debian package.
file(REMOVE_RECURSE "${SCRATCH}")
execute_process(
  COMMAND ${CMAKE_COMMAND} -S "${SOURCE}" -B "${SCRATCH}/build" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" -DNORMA_BUILD_TESTS=OFF
          -DNORMA_BUILD_BENCHMARKS=OFF -DNORMA_BUILD_EXAMPLES=OFF -DCMAKE_DISABLE_FIND_PACKAGE_Eigen3=ON
  OUTPUT_VARIABLE said COMMAND_ERROR_IS_FATAL ANY)
if(NOT said MATCHES "no Eigen of 3.4 or newer was found")
  message(FATAL_ERROR "nothing is said about the Eigen that is not there:\n${said}")
endif()
execute_process(COMMAND "${CPACK}" -B "${SCRATCH}/packages" WORKING_DIRECTORY "${SCRATCH}/build" COMMAND_ERROR_IS_FATAL ANY)

file(GLOB archive "${SCRATCH}/packages/*.tar.gz")
execute_process(COMMAND ${CMAKE_COMMAND} -E tar tf "${archive}" OUTPUT_VARIABLE in_archive COMMAND_ERROR_IS_FATAL ANY)
set(listings in_archive)
set(deb "${SCRATCH}/packages/libnorma-dev_${VERSION}_all.deb")
if(DPKG_DEB)
  execute_process(COMMAND "${DPKG_DEB}" --contents "${deb}" OUTPUT_VARIABLE in_deb COMMAND_ERROR_IS_FATAL ANY)
  execute_process(COMMAND "${DPKG_DEB}" --field "${deb}" Depends Recommends OUTPUT_VARIABLE fields COMMAND_ERROR_IS_FATAL ANY)
  if(NOT fields MATCHES "Depends: libxsimd-dev.*Recommends: libeigen3-dev")
    message(FATAL_ERROR "the Debian package says: ${fields}")
  endif()
  list(APPEND listings in_deb)
endif()
foreach(listing IN LISTS listings)
  foreach(file IN ITEMS include/norma/norma.hpp share/licenses/norma/LICENSE share/pkgconfig/norma.pc share/cmake/norma/norma-config.cmake
                        share/cmake/norma/norma-targets.cmake)
    if(NOT "${${listing}}" MATCHES "/${file}\n")
      message(FATAL_ERROR "${listing} is no ${file}:\n${${listing}}")
    endif()
  endforeach()
endforeach()
