# A Meson project with norma as norma.wrap says: an archive of it, and the recipe laid over. SOURCE is norma, SCRATCH where all this happens.
file(REMOVE_RECURSE "${SCRATCH}")
set(packagefiles "${SCRATCH}/project/subprojects/packagefiles")
file(COPY "${SOURCE}/include" "${SOURCE}/LICENSE" DESTINATION "${SCRATCH}/norma")
file(COPY "${SOURCE}/cmake/packaging/meson/meson.build" DESTINATION "${packagefiles}/norma")
file(COPY "${SOURCE}/cmake/packaging/meson/norma.wrap" DESTINATION "${SCRATCH}/project/subprojects")
file(COPY "${CMAKE_CURRENT_LIST_DIR}/meson/meson.build" "${CMAKE_CURRENT_LIST_DIR}/small.cpp" "${CMAKE_CURRENT_LIST_DIR}/expected_version.hpp"
     DESTINATION "${SCRATCH}/project")
execute_process(COMMAND ${CMAKE_COMMAND} -E tar cz "${packagefiles}/norma.tar.gz" norma WORKING_DIRECTORY "${SCRATCH}" COMMAND_ERROR_IS_FATAL ANY)

# Where pkg-config finds a norma, the wrap is not to be about that one.
set(environment ${CMAKE_COMMAND} -E env --unset=CXXFLAGS "CXX=${COMPILER}")
execute_process(COMMAND ${environment} "${MESON}" setup --wrap-mode=forcefallback "${SCRATCH}/build" "${SCRATCH}/project" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${MESON}" compile -C "${SCRATCH}/build" COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND "${SCRATCH}/build/app" "${VERSION}" COMMAND_ERROR_IS_FATAL ANY)
