# Configures PROJECT in SCRATCH from nothing, builds it and runs its program `app`; or installs it to PREFIX, if that is given.
file(REMOVE_RECURSE "${SCRATCH}")
set(environment ${CMAKE_COMMAND} -E env --unset=CXXFLAGS)

execute_process(
  COMMAND ${environment} ${CMAKE_COMMAND} -S "${PROJECT}" -B "${SCRATCH}" -G "${GENERATOR}" "-DCMAKE_CXX_COMPILER=${COMPILER}" ${ARGUMENTS}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${environment} ${CMAKE_COMMAND} --build "${SCRATCH}" COMMAND_ERROR_IS_FATAL ANY)
if(PREFIX)
  execute_process(COMMAND ${CMAKE_COMMAND} --install "${SCRATCH}" --prefix "${PREFIX}" COMMAND_ERROR_IS_FATAL ANY)
else()
  execute_process(COMMAND "${SCRATCH}/app" COMMAND_ERROR_IS_FATAL ANY)
endif()
