# MPI through its C interface, for the tests and the example that run in several processes; norma::norma does not know it. Gives
# MPI_CXX_FOUND, MPI::MPI_CXX, and norma_mpi_test.
set(MPI_CXX_SKIP_MPICXX ON CACHE BOOL "MPI's C interface is enough; its C++ bindings are gone since MPI 3")
find_package(MPI QUIET COMPONENTS CXX)

# mpirun on one machine: more processes than cores, as root in a container, over shared memory, waiting politely.
set(norma_mpi_environment
    OMPI_ALLOW_RUN_AS_ROOT=1
    OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    OMPI_MCA_rmaps_base_oversubscribe=1
    OMPI_MCA_hwloc_base_binding_policy=none
    OMPI_MCA_mpi_yield_when_idle=1
    OMPI_MCA_plm=isolated
    OMPI_MCA_btl=self,vader
    OMPI_MCA_btl_vader_single_copy_mechanism=none)

# norma_mpi_command(variable ranks program argument...): the command that runs a program on so many ranks of this machine.
function(norma_mpi_command variable ranks)
  set(${variable} ${CMAKE_COMMAND} -E env ${norma_mpi_environment} ${MPIEXEC_EXECUTABLE} ${MPIEXEC_NUMPROC_FLAG} ${ranks} ${ARGN} PARENT_SCOPE)
endfunction()

# norma_add_mpi_test(name label timeout ranks program argument...): that as a CTest case. Processes that wait for one another for ever end
# with the timeout.
function(norma_add_mpi_test name label timeout ranks)
  norma_mpi_command(command ${ranks} ${ARGN})
  add_test(NAME ${name} COMMAND ${command})
  set_tests_properties(${name} PROPERTIES LABELS ${label} TIMEOUT ${timeout} PROCESSORS 2)
endfunction()
