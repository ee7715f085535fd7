// fold_run: sums over contiguous runs, R rows side by side.
#pragma once

#include <norma/kernels/grid.hpp>
#include <norma/stats/terms.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// sums[s][0, R) = the s-th sum of Term over x[r][0, n), each row about its own pivot. n <= block_length keeps the accuracy promised.
/// Element i is added in lane i mod lanes<T>, in ascending i; interleaving rows changes no row's order.
template <class Term, std::size_t R, class T>
NORMA_INLINE void fold_run(const T* const (&x)[R], index_t n, const T* pivot, double* const (&sums)[Term::sums]) {
  constexpr int W = pack_size<T>;
  LaneSum<T> acc[Term::sums][R];
  Pack<T> p[R];
  unroll<R>([&](auto r) __attribute__((always_inline)) {
    p[r] = Pack<T>(pivot[r]);
    unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { acc[s][r].clear(); });
  });
  const auto add = [&](auto r, auto k, const Pack<T>& value) __attribute__((always_inline)) {
    if constexpr (Term::sums == 1) {
      Term::add(value, {&acc[0][r].packs[k]});
    } else {
      Term::add(value, {&acc[0][r].packs[k], &acc[1][r].packs[k]});
    }
  };
  index_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) {
      unroll<R>([&](auto r) __attribute__((always_inline)) { add(r, k, Term::value(load(x[r] + i + k * W), p[r])); });
    });
  }
  if (i < n) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) {
      const int count = lanes_left<W>(n - i - k * W);
      if (count == 0) return;
      unroll<R>([&](auto r) __attribute__((always_inline)) {
        add(r, k, keep_first(Term::value(load_first(x[r] + i + k * W, count), p[r]), count));
      });
    });
  }
  unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { fold_trees(acc[s], sums[s]); });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
