// fold_columns: cells lie across the vector lanes and their elements stream past as rows. Fewer additions than fold_lanes, whose partial
// sums cost more than the rows where these are few; not its bits.
#pragma once

#include <norma/kernels/backward_lanes.hpp>
#include <norma/simd/convert.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Rows summed in T, one after the other, before the sums are added up in double: the chain of a lane in a block of fold_run.
inline constexpr index_t column_rows = block_length / lanes<float>;

/// sums[0, tile) += v, or = v.
template <class T, std::size_t K>
NORMA_INLINE void add_columns(const Pack<T> (&v)[K], bool first, double* sums) {
  alignas(64) T part[tile_positions<T>];
  unroll<K>([&](auto k) __attribute__((always_inline)) { store(part + k * pack_size<T>, v[k]); });
  for (int p = 0; p < tile_positions<T>; p += pack_size<double>) {
    const Pack<double> wide = load_doubles(part + p);
    store(sums + p, first ? wide : load(sums + p) + wide);
  }
}

/// sums[p] = the sum of rows [0, n) at position p, for n a power of two up to 64: a tree that only ever adds sums of as many rows, so that
/// equal numbers are summed exactly, as a pivot wants it.
template <bool Whole, int Tiles, class T>
NORMA_INLINE void sum_columns(const LaneRows<const T>& rows, index_t n, int count, double* sums) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  for (int tile = 0; tile < Tiles; ++tile) {
    const LaneRows<const T> x{rows.first + tile * tile_positions<T>, rows.stride};
    Pack<T> total[K];
    unroll<K>([&](auto k) __attribute__((always_inline)) {
      const auto row = [&](index_t i) __attribute__((always_inline)) { return load_positions<Whole>(x[i], k, count); };
      Pack<T> part[8];
      unroll<8>([&](auto i) __attribute__((always_inline)) { part[i] = Pack<T>(T(0)); });
      index_t parts = n < 8 ? n : n / 8;
      for (index_t i = 0; i < parts; ++i) {
        part[i] = n < 8 ? row(i)
                        : ((row(8 * i) + row(8 * i + 1)) + (row(8 * i + 2) + row(8 * i + 3))) +
                              ((row(8 * i + 4) + row(8 * i + 5)) + (row(8 * i + 6) + row(8 * i + 7)));
      }
      for (parts /= 2; parts > 0; parts /= 2) {
        for (index_t i = 0; i < parts; ++i) part[i] = part[i] + part[i + parts];
      }
      total[k] = part[0];
    });
    add_columns<T>(total, true, sums + tile * tile_positions<T>);
  }
}

/// sums[s][p] = the s-th sum of Term over rows [0, n) at position p, about pivot[p]. `Tiles` tiles lie side by side.
template <class Term, bool Whole, int Tiles, class T>
inline void fold_columns(const LaneRows<const T>& rows, index_t n, int count, const T* pivots, double* const (&sums)[Term::sums]) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  for (index_t begin = 0; begin < n; begin += column_rows) {
    const index_t end = begin + column_rows < n ? begin + column_rows : n;
    for (int tile = 0; tile < Tiles; ++tile) {
      const index_t column = tile * tile_positions<T>;
      const LaneRows<const T> x{rows.first + column, rows.stride};
      Pack<T> pivot[K], acc[Term::sums][K];
      unroll<K>([&](auto k) __attribute__((always_inline)) {
        pivot[k] = load(pivots + column + k * pack_size<T>);
        unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { acc[s][k] = Pack<T>(T(0)); });
      });
      for (index_t i = begin; i < end; ++i) {
        unroll<K>([&](auto k) __attribute__((always_inline)) {
          const Pack<T> value = Term::value(load_positions<Whole>(x[i], k, count), pivot[k]);
          if constexpr (Term::sums == 1) {
            Term::add(value, {&acc[0][k]});
          } else {
            Term::add(value, {&acc[0][k], &acc[1][k]});
          }
        });
      }
      unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { add_columns<T>(acc[s], begin == 0, sums[s] + column); });
    }
  }
}

/// sums[0][p] of dy, sums[1][p] of dy * x_hat over rows [0, n).
template <bool Whole, int Tiles, class T>
inline void backward_fold_columns(const LaneRows<const T>& dy_rows, const LaneRows<const T>& x_rows, index_t n, int count,
                                  const Coefficients<T>& c, double* const (&sums)[2]) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  for (index_t begin = 0; begin < n; begin += column_rows) {
    const index_t end = begin + column_rows < n ? begin + column_rows : n;
    for (int tile = 0; tile < Tiles; ++tile) {
      const index_t column = tile * tile_positions<T>;
      const LaneRows<const T> dy{dy_rows.first + column, dy_rows.stride}, x{x_rows.first + column, x_rows.stride};
      Pack<T> mean[K], rstd[K], shift[K], sum[K], sum_x_hat[K];
      unroll<K>([&](auto k) __attribute__((always_inline)) {
        const index_t at = column + k * pack_size<T>;
        mean[k] = load(c.mean + at);
        rstd[k] = load(c.rstd + at);
        shift[k] = load(c.shift + at);
        sum[k] = sum_x_hat[k] = Pack<T>(T(0));
      });
      for (index_t i = begin; i < end; ++i) {
        unroll<K>([&](auto k) __attribute__((always_inline)) {
          const Pack<T> upstream = load_positions<Whole>(dy[i], k, count);
          const Pack<T> normalized = x_hat<true>(load_positions<Whole>(x[i], k, count), mean[k], rstd[k], shift[k]);
          sum[k] = sum[k] + upstream;
          sum_x_hat[k] = fma(upstream, normalized, sum_x_hat[k]);
        });
      }
      add_columns<T>(sum, begin == 0, sums[0] + column);
      add_columns<T>(sum_x_hat, begin == 0, sums[1] + column);
    }
  }
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
