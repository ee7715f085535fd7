// fold_run: sums over contiguous runs, R rows side by side.
#pragma once

#include <norma/kernels/grid.hpp>
#include <norma/stats/terms.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// The sums of Term over R rows on their way, each row about its own pivot. Element i is added in lane i mod lanes<T>, in ascending i;
/// interleaving rows changes no row's order.
template <class Term, std::size_t R, class T>
struct RunSums {
  LaneSum<T> acc[Term::sums][R];
  Pack<T> pivot[R];

  NORMA_INLINE void start(const T* pivots) {
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      pivot[r] = Pack<T>(pivots[r]);
      unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { acc[s][r].clear(); });
    });
  }
  /// The register at element i, which falls into the k-th register of lanes.
  template <class K>
  NORMA_INLINE void step(const T* const (&x)[R], index_t i, K k) {
    unroll<R>([&](auto r) __attribute__((always_inline)) { add(r, k, Term::value(load(x[r] + i), pivot[r])); });
  }
  /// Elements [i, n), fewer than there are lanes.
  NORMA_INLINE void finish(const T* const (&x)[R], index_t i, index_t n) {
    constexpr int W = pack_size<T>;
    if (i == n) return;
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) {
      const int count = lanes_left<W>(n - i - k * W);
      if (count == 0) return;
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        add(r, k, keep_first(Term::value(load_first(x[r] + i + k * W, count), pivot[r]), count));
      });
    });
  }
  /// sums[s][0, R) = the s-th sum.
  NORMA_INLINE void fold(double* const (&sums)[Term::sums]) const {
    unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { fold_trees(acc[s], sums[s]); });
  }

 private:
  template <class Row, class K>
  NORMA_INLINE void add(Row r, K k, const Pack<T>& value) {
    if constexpr (Term::sums == 1) {
      Term::add(value, {&acc[0][r].packs[k]});
    } else {
      Term::add(value, {&acc[0][r].packs[k], &acc[1][r].packs[k]});
    }
  }
};

/// sums[s][0, R) = the s-th sum of Term over x[r][0, n). n <= block_length keeps the accuracy promised.
template <class Term, std::size_t R, class T>
NORMA_INLINE void fold_run(const T* const (&x)[R], index_t n, const T* pivot, double* const (&sums)[Term::sums]) {
  RunSums<Term, R, T> running;
  running.start(pivot);
  index_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) { running.step(x, i + k * pack_size<T>, k); });
  }
  running.finish(x, i, n);
  running.fold(sums);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
