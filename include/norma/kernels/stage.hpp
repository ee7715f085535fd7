// stage: copies one strided run of any element type to or from a contiguous tile of the arithmetic type.
#pragma once

#include <norma/core/scalar.hpp>
#include <norma/kernels/grid.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// A block of elements in L1, in the order of the reduction.
template <class T>
struct Tile {
  alignas(64) T element[block_length];
};

/// tile[i] = source[i * stride] * scale for i in [0, count). scale is a power of two.
template <class T, class Source>
NORMA_INLINE void stage_run(T* tile, const Source* source, index_t stride, index_t count, T scale) {
  for (index_t i = 0; i < count; ++i) tile[i] = static_cast<T>(source[i * stride]) * scale;
}

/// target[i * stride] = tile[i], rounded to the target's type.
template <class T, class Target>
NORMA_INLINE void unstage_run(Target* target, index_t stride, const T* tile, index_t count) {
  for (index_t i = 0; i < count; ++i) target[i * stride] = static_cast<Target>(tile[i]);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
