// Columns: numbers of neighbouring cells or sets, in whole registers.
#pragma once

#include <norma/simd/convert.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Columns [0, count), up to a whole register.
NORMA_INLINE void clear_columns(double* column, index_t count) {
  for (index_t r = 0; r < count; r += pack_size<double>) store(column + r, Pack<double>(0.0));
}

template <class A>
NORMA_INLINE void clear_numbers(A* column, index_t count) {
  for (index_t r = 0; r < count; r += pack_size<A>) store(column + r, Pack<A>(A(0)));
}
/// sums += those in A, which are cleared for the next chain.
template <class A>
NORMA_INLINE void take_up(double* sums, A* running, index_t cells) {
  for (index_t r = 0; r < cells; r += pack_size<double>) store(sums + r, load(sums + r) + load_doubles(running + r));
  clear_numbers(running, cells);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
