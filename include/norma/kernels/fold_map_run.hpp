// fold_map_rows: folds rows and maps others in one sweep, so that reading from afar and writing to afar go on at once.
#pragma once

#include <norma/kernels/fold_run.hpp>
#include <norma/kernels/map_run.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Whether the registers hold the sums of one row and the coefficients of another.
template <class T>
inline constexpr bool folds_while_mapping = lane_packs<T> <= 4;

/// fold_run over `folded` and map_run from x to y, each [0, n), register by register.
template <class Term, bool WeightRuns, bool BiasRuns, bool Stream, class T>
NORMA_INLINE void fold_map_run(const T* const (&folded)[1], const T* pivot, double* const (&sums)[Term::sums], const T* const (&x)[1],
                               T* const (&y)[1], index_t n, const Coefficients<T>& c, const AffineRun<T>& affine) {
  RunSums<Term, 1, T> running;
  RunMap<WeightRuns, BiasRuns, Stream, true, 1, T> map;
  running.start(pivot);
  map.start(c, affine);
  const index_t head = map.head(x, y, n);
  index_t i = 0;
  for (; i + lanes<T> + head <= n; i += lanes<T>) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) {
      running.step(folded, i + k * pack_size<T>, k);
      map.step(x, y, head + i + k * pack_size<T>);
    });
  }
  map.finish(x, y, head + i, n);
  for (; i + lanes<T> <= n; i += lanes<T>) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) { running.step(folded, i + k * pack_size<T>, k); });
  }
  running.finish(folded, i, n);
  running.fold(sums);
}

/// Row after row, the r-th folded row together with the r-th mapped one; pivots, sums, coefficients and affine are arrays over rows. One
/// function per Term and T, as map_rows.
template <class Term, class T>
void fold_map_rows(const MapFlags& flags, const T* const* folded, const T* pivots, double* const (&sums)[Term::sums], const T* const* x,
                   T* const* y, index_t rows, index_t n, const Coefficients<T>& c, const AffineRun<T>* affine) {
  with_bool(flags.weight_runs, [&](auto weight_runs) {
    with_bool(flags.bias_runs, [&](auto bias_runs) {
      with_bool(flags.stream, [&](auto stream) {
        for (index_t r = 0; r < rows; ++r) {
          const T* const one_folded[1] = {folded[r]};
          const T* const one_x[1] = {x[r]};
          T* const one_y[1] = {y[r]};
          double* of_row[Term::sums];
          for (std::size_t s = 0; s < Term::sums; ++s) of_row[s] = sums[s] + r;
          fold_map_run<Term, weight_runs.value, bias_runs.value, stream.value>(one_folded, pivots + r, of_row, one_x, one_y, n, c.from(r),
                                                                               affine[r]);
        }
      });
    });
  });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
