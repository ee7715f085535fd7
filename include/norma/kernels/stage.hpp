// stage: copies one strided run of any element type to or from a contiguous tile of the arithmetic type.
#pragma once

#include <norma/core/scalar.hpp>
#include <norma/kernels/grid.hpp>
#include <norma/simd/convert.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A block of elements in L1, in the order of the reduction.
template <class T>
struct Tile {
  alignas(64) T element[block_length];
};

/// tile[i] = source[i * stride] * scale for i in [0, count). scale is a power of two.
template <class T, class Source>
NORMA_INLINE void stage_run(T* tile, const Source* source, index_t stride, index_t count, T scale) {
  if (scale != T(1)) {
    for (index_t i = 0; i < count; ++i) tile[i] = static_cast<T>(source[i * stride]) * scale;
    return;
  }
  index_t i = 0;
  for (; i + 4 <= count; i += 4) {  // compilers leave it one by one
    const Source* const four = source + i * stride;
    const T a = static_cast<T>(four[0]), b = static_cast<T>(four[stride]), c = static_cast<T>(four[2 * stride]),
            d = static_cast<T>(four[3 * stride]);
    tile[i] = a;
    tile[i + 1] = b;
    tile[i + 2] = c;
    tile[i + 3] = d;
  }
  for (; i < count; ++i) tile[i] = static_cast<T>(source[i * stride]);
}

/// target[i * stride] = tile[i], rounded to the target's type.
template <class T, class Target>
NORMA_INLINE void unstage_run(Target* target, index_t stride, const T* tile, index_t count) {
  for (index_t i = 0; i < count; ++i) target[i * stride] = static_cast<Target>(tile[i]);
}

/// Whether these are n numbers one behind the other.
inline bool consecutive(const index_t* number, index_t n) {
  for (index_t i = 1; i < n; ++i) {
    if (number[i] != number[0] + i) return false;
  }
  return true;
}

/// column[i] = source[place[i] * stride], widened; the column reaches to whole registers, which are filled.
template <class Source>
inline void gather(const Source* source, index_t stride, const index_t* place, index_t n, double* column) {
  constexpr index_t W = pack_size<double>;
  index_t i = 0;
  for (; stride == 1 && i + W <= n && consecutive(place + i, W); i += W) store(column + i, load_doubles(source + place[i]));
  for (; i < n; ++i) column[i] = static_cast<double>(source[place[i] * stride]);
  for (; i % W != 0; ++i) column[i] = 0;
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
