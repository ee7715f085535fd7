// fold: the moments of R sets, chunk by chunk over the fixed grid.
#pragma once

#include <norma/engine/statistics.hpp>
#include <norma/kernels/fold_run.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Moments of R sets about their pivots. For an uncentred formula pivot and mean are 0 and m2 is the sum of squares.
template <std::size_t R>
struct PivotedMoments {
  double pivot[R] = {};
  Moments moments[R];
  /// m2 over the size of the set: variance or mean square.
  double second[R] = {};
};

/// The pivot of a chunk whose first element is `first` and whose leading elements deviate from it by `sum` in all. Going by way of
/// `first` makes the pivot of a constant set that constant exactly.
template <class A>
NORMA_INLINE A pivot_from(A first, double sum, double inverse_count) {
  return static_cast<A>(std::fma(sum, inverse_count, static_cast<double>(first)));
}

/// `read(first, count, x)` points x[r] at elements [first, first + count) of set r, count <= block_length.
template <class F, std::size_t R, class A, class Read>
NORMA_INLINE void fold_sets(index_t size, PivotedMoments<R>& result, Read&& read) {
  const A* x[R];
  A pivot[R] = {};
  for (index_t chunk = 0; chunk < size; chunk += chunk_length) {
    const index_t length = size - chunk < chunk_length ? size - chunk : chunk_length;
    if constexpr (F::centred) {
      const index_t lead = length < pivot_length ? length : pivot_length;
      read(chunk, lead, x);
      double sums[1][R];
      for (std::size_t r = 0; r < R; ++r) pivot[r] = x[r][0];
      fold_run<DeviationTerm, R>(x, lead, pivot, sums);
      const double inverse = 1.0 / static_cast<double>(lead);
      for (std::size_t r = 0; r < R; ++r) pivot[r] = pivot_from(pivot[r], sums[0][r], inverse);
    }
    using Term = std::conditional_t<F::centred, CentredTerm, SquareTerm>;
    constexpr std::size_t second = Term::sums - 1;
    double total[Term::sums][R] = {};
    for (index_t block = 0; block < length; block += block_length) {
      const index_t count = length - block < block_length ? length - block : block_length;
      read(chunk + block, count, x);
      double sums[Term::sums][R];
      fold_run<Term, R>(x, count, pivot, sums);
      for (std::size_t s = 0; s < Term::sums; ++s) {
        for (std::size_t r = 0; r < R; ++r) total[s][r] += sums[s][r];
      }
    }
    const double inverse = 1.0 / static_cast<double>(length);
    for (std::size_t r = 0; r < R; ++r) {
      const double first_sum = F::centred ? total[0][r] : 0.0;
      const Moments chunk_moments = Moments::from_sums(static_cast<double>(length), inverse, first_sum, total[second][r]);
      if (chunk == 0) {
        result.pivot[r] = static_cast<double>(pivot[r]);
        result.moments[r] = chunk_moments;
      } else {
        // Means relative to the first pivot stay small, so merging loses nothing when |mean| >> sigma.
        result.moments[r] = merge(result.moments[r], chunk_moments.shifted(static_cast<double>(pivot[r]) - result.pivot[r]));
      }
    }
  }
  const double inverse_size = 1.0 / static_cast<double>(size);
  for (std::size_t r = 0; r < R; ++r) result.second[r] = result.moments[r].m2 * inverse_size;
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
