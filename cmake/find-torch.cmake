# libtorch, for the oracles and as a peer in the benchmark: sets NORMA_TORCH_FOUND, _INCLUDE_DIRS and _LIBRARIES.
# Not find_package(Torch): it wants protobuf, gflags and glog, and adds flags of its own; two paths and three libraries are enough.
find_path(NORMA_TORCH_INCLUDE_DIR torch/torch.h PATH_SUFFIXES torch/csrc/api/include)
find_path(NORMA_ATEN_INCLUDE_DIR ATen/ATen.h)
find_library(NORMA_TORCH_LIBRARY torch)
find_library(NORMA_TORCH_CPU_LIBRARY torch_cpu)
find_library(NORMA_C10_LIBRARY c10)
mark_as_advanced(NORMA_TORCH_INCLUDE_DIR NORMA_ATEN_INCLUDE_DIR NORMA_TORCH_LIBRARY NORMA_TORCH_CPU_LIBRARY NORMA_C10_LIBRARY)

set(NORMA_TORCH_INCLUDE_DIRS "${NORMA_TORCH_INCLUDE_DIR}" "${NORMA_ATEN_INCLUDE_DIR}")
set(NORMA_TORCH_LIBRARIES "${NORMA_TORCH_LIBRARY}" "${NORMA_TORCH_CPU_LIBRARY}" "${NORMA_C10_LIBRARY}")
set(NORMA_TORCH_FOUND ON)
foreach(part IN LISTS NORMA_TORCH_INCLUDE_DIRS NORMA_TORCH_LIBRARIES)
  if(NOT part)
    set(NORMA_TORCH_FOUND OFF)
  endif()
endforeach()
