# Projects that use norma, one for each way to it; a CTest case configures, builds and runs each from nothing. Only find_package compiles a
# layer: a layer is the same in all of them, and takes long.
set(consumers "${CMAKE_CURRENT_SOURCE_DIR}/consumers")
set(consumers_scratch "${CMAKE_CURRENT_BINARY_DIR}/consumers")

# norma_add_consumer_test(name script define...): a test that runs one of the scripts there.
function(norma_add_consumer_test name script)
  cmake_parse_arguments(PARSE_ARGV 2 arg "" "" "") # unlike ARGN, keeps defines that are lists
  add_test(NAME build.consumer/${name} COMMAND ${CMAKE_COMMAND} "-DSCRATCH=${consumers_scratch}/${name}" "-DCOMPILER=${CMAKE_CXX_COMPILER}"
                                               "-DVERSION=${PROJECT_VERSION}" ${arg_UNPARSED_ARGUMENTS} -P "${consumers}/${script}.cmake")
  set_tests_properties(build.consumer/${name} PROPERTIES LABELS build TIMEOUT 300)
endfunction()

# norma_add_consumer(name project cmake-argument...)
function(norma_add_consumer name project)
  norma_add_consumer_test(${name} run_consumer "-DPROJECT=${consumers}/${project}" "-DGENERATOR=${CMAKE_GENERATOR}"
                          "-DARGUMENTS=${ARGN};-DNORMA_EXPECTED_VERSION=${PROJECT_VERSION}")
endfunction()

norma_add_consumer(add_subdirectory add_subdirectory "-DNORMA_SOURCE=${PROJECT_SOURCE_DIR}")
norma_add_consumer(fetch_content fetch_content "-DFETCHCONTENT_SOURCE_DIR_NORMA=${PROJECT_SOURCE_DIR}" -DFETCHCONTENT_FULLY_DISCONNECTED=ON)
norma_add_consumer(parent_targets/embedded parent_targets "-DNORMA_SOURCE=${PROJECT_SOURCE_DIR}" -DXSIMD_TARGET=xsimd)

find_program(NORMA_MESON meson)
if(NORMA_MESON)
  norma_add_consumer_test(meson run_meson "-DMESON=${NORMA_MESON}" "-DSOURCE=${PROJECT_SOURCE_DIR}")
else()
  norma_add_skipped_test(build.consumer/meson "meson was not found (Debian: meson)")
endif()

# A project that installs a target of its own along with the norma that it embeds, and one that uses what is there then.
set(reexported "${consumers_scratch}/reexported")
norma_add_consumer_test(reexport run_consumer "-DPROJECT=${consumers}/reexport" "-DGENERATOR=${CMAKE_GENERATOR}"
                        "-DARGUMENTS=-DNORMA_SOURCE=${PROJECT_SOURCE_DIR}" "-DPREFIX=${reexported}")
norma_add_consumer(reexport_user reexport/user "-DCMAKE_PREFIX_PATH=${reexported}")
set_tests_properties(build.consumer/reexport PROPERTIES FIXTURES_SETUP reexported)
set_tests_properties(build.consumer/reexport_user PROPERTIES FIXTURES_REQUIRED reexported)

# What follows uses an installed norma.
set(installed_consumers find_package parent_targets/installed include_path pkg_config pkg_config_eigen)
if(NOT NORMA_INSTALL)
  foreach(name IN LISTS installed_consumers)
    norma_add_skipped_test(build.consumer/${name} "NORMA_INSTALL is off")
  endforeach()
  return()
endif()

set(prefix "${consumers_scratch}/prefix")
add_test(NAME build.consumer/install COMMAND ${CMAKE_COMMAND} --install "${PROJECT_BINARY_DIR}" --prefix "${prefix}")
set_tests_properties(build.consumer/install PROPERTIES LABELS build TIMEOUT 60 FIXTURES_SETUP installed)

norma_add_consumer(find_package find_package "-DCMAKE_PREFIX_PATH=${prefix}")
norma_add_consumer(parent_targets/installed parent_targets "-DCMAKE_PREFIX_PATH=${prefix}" -DXSIMD_TARGET=xsimd::xsimd)

# Without a word about Eigen there is none, unless the compiler finds it by itself.
set(no_eigen -DEXPECT_NO_EIGEN)
if(norma_eigen_include IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  set(no_eigen -DEXPECT_EIGEN)
endif()
set(xsimd_flag "")
if(NOT norma_xsimd_include IN_LIST CMAKE_CXX_IMPLICIT_INCLUDE_DIRECTORIES)
  set(xsimd_flag "-I${norma_xsimd_include}")
endif()
norma_add_consumer_test(include_path run_compiler "-DFLAGS=-I${prefix}/include;${xsimd_flag};${no_eigen}")
find_program(NORMA_PKG_CONFIG NAMES pkg-config pkgconf)
if(NORMA_PKG_CONFIG)
  set(pkg_config "-DPKG_CONFIG=${NORMA_PKG_CONFIG}" "-DPREFIX=${prefix}")
  norma_add_consumer_test(pkg_config run_compiler ${pkg_config} -DPACKAGES=norma "-DFLAGS=${no_eigen}")
  norma_add_consumer_test(pkg_config_eigen run_compiler ${pkg_config} "-DPACKAGES=norma;eigen3" "-DFLAGS=-DEXPECT_EIGEN")
else()
  norma_add_skipped_test(build.consumer/pkg_config "pkg-config was not found (Debian: pkgconf)")
  list(REMOVE_ITEM installed_consumers pkg_config pkg_config_eigen)
endif()
list(TRANSFORM installed_consumers PREPEND build.consumer/)
set_tests_properties(${installed_consumers} PROPERTIES FIXTURES_REQUIRED installed)
