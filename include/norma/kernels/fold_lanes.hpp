// fold_lanes, map_lanes: sets lie across the vector lanes, one position each, and their elements stream past as rows.
#pragma once

#include <limits>

#include <norma/kernels/map_run.hpp>
#include <norma/simd/convert.hpp>
#include <norma/stats/terms.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Registers of positions that go together: at least the lanes of a LaneSum, so that positions fall into the same lanes on every width.
template <class T>
inline constexpr int position_packs = lane_packs<T> < 4 ? 4 : lane_packs<T>;
/// Positions of such a tile.
template <class T>
inline constexpr int tile_positions = position_packs<T>* pack_size<T>;

/// Rows of a matrix with unit stride along positions.
template <class T>
struct LaneRows {
  T* first;
  index_t stride;
  NORMA_INLINE T* operator[](index_t row) const { return first + row * stride; }
};

/// The k-th register of a row whose tile holds `count` positions.
template <bool Whole, class T>
NORMA_INLINE Pack<T> load_positions(const T* row, int k, int count) {
  if constexpr (Whole) {
    return load(row + k * pack_size<T>);
  } else {
    const int left = lanes_left<pack_size<T>>(count - k * pack_size<T>);
    return left == 0 ? Pack<T>(T(0)) : load_first(row + k * pack_size<T>, left);
  }
}
template <bool Whole, class T>
NORMA_INLINE void store_positions(T* row, int k, int count, const Pack<T>& v) {
  if constexpr (Whole) {
    store(row + k * pack_size<T>, v);
  } else {
    const int left = lanes_left<pack_size<T>>(count - k * pack_size<T>);
    if (left > 0) store_first(row + k * pack_size<T>, v, left);
  }
}

/// Partial sums of each virtual lane, for a tile of positions; folding them is fold_tree, position by position.
template <class T, std::size_t Sums>
struct LanePartials {
  alignas(64) T lane[Sums][lanes<T>][tile_positions<T>];

  /// The tree over the first `used` lanes (the others hold nothing): lane l + lane (l + H), H = lanes / 2 ... 1.
  NORMA_INLINE void fold(int used, double* const* result) {
    for (int half = lanes<T> / 2; half > 0; half /= 2) {
      for (int l = 0; l < half && l + half < used; ++l) {
        for (std::size_t s = 0; s < Sums; ++s) {
          unroll<position_packs<T>>([&](auto k) __attribute__((always_inline)) {
            T* const to = lane[s][l] + k * pack_size<T>;
            store(to, load(to) + load(lane[s][l + half] + k * pack_size<T>));
          });
        }
      }
      if (used > half) used = half;
    }
    for (std::size_t s = 0; s < Sums; ++s) {
      for (int p = 0; p < tile_positions<T>; p += pack_size<double>) store(result[s] + p, load_doubles(lane[s][0] + p));
    }
  }
};

/// Rows that are walked lane by lane: few enough to be read almost in the order of memory.
template <class T>
inline constexpr index_t lane_sweep = 4 * lanes<T>;

/// sums[s][p] = the s-th sum of Term over rows [0, n) at position p, about pivot[p]: the additions of fold_run in the same order.
template <class Term, bool Whole, class T>
inline void fold_lanes(const LaneRows<const T>& x, index_t n, int count, const T* pivots, double* const (&sums)[Term::sums]) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  LanePartials<T, Term::sums> partials;
  const int used = n < lanes<T> ? static_cast<int>(n) : lanes<T>;
  Pack<T> pivot[K];
  unroll<K>([&](auto k) __attribute__((always_inline)) { pivot[k] = load(pivots + k * pack_size<T>); });
  const auto sweep = [&](index_t begin, index_t end, int l) __attribute__((always_inline)) {
    Pack<T> acc[Term::sums][K];
    unroll<K>([&](auto k) __attribute__((always_inline)) {
      unroll<Term::sums>([&](auto s) __attribute__((always_inline)) {
        acc[s][k] = begin == 0 ? Pack<T>(T(0)) : load(partials.lane[s][l] + k * pack_size<T>);
      });
    });
    for (index_t i = begin + l; i < end; i += lanes<T>) {
      unroll<K>([&](auto k) __attribute__((always_inline)) {
        const Pack<T> value = Term::value(load_positions<Whole>(x[i], k, count), pivot[k]);
        if constexpr (Term::sums == 1) {
          Term::add(value, {&acc[0][k]});
        } else {
          Term::add(value, {&acc[0][k], &acc[1][k]});
        }
      });
    }
    unroll<K>([&](auto k) __attribute__((always_inline)) {
      unroll<Term::sums>([&](auto s) __attribute__((always_inline)) { store(partials.lane[s][l] + k * pack_size<T>, acc[s][k]); });
    });
  };
  for (index_t begin = 0; begin < n; begin += lane_sweep<T>) {
    const index_t end = begin + lane_sweep<T> < n ? begin + lane_sweep<T> : n;
    for (int l = 0; l < used; ++l) sweep(begin, end, l);
  }
  partials.fold(used, sums);
}

/// Tiles side by side, where a row has so many positions and kernels take them: rows are read in longer pieces then.
inline constexpr int wide_tiles = 4;

/// Weight and bias down the rows: one value per row, or the same value for all with a stride of 0.
template <class T>
struct AffineColumn {
  const T* weight;
  index_t weight_stride;
  const T* bias;
  index_t bias_stride;
  T weight_offset;
};

/// y[i][p] = ((x[i][p] - mean_p) * rstd_p + shift_p) * weight[i] + bias[i]. y may be exactly x. Streaming wants rows of y aligned to 64
/// bytes. `Tiles` tiles lie side by side.
template <bool Whole, bool Stream, int Tiles, class T>
inline void map_lanes(const LaneRows<const T>& x, const LaneRows<T>& y, index_t n, int count, const Coefficients<T>& c,
                      const AffineColumn<T>& affine) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  constexpr index_t rows_at_once = Tiles == 1 ? std::numeric_limits<index_t>::max() : 8;
  for (index_t begin = 0; begin < n;) {
    const index_t end = n - begin > rows_at_once ? begin + rows_at_once : n;
    for (int tile = 0; tile < Tiles; ++tile) {
      const index_t at = tile * tile_positions<T>;
      Pack<T> mean[K], rstd[K], shift[K];
      unroll<K>([&](auto k) __attribute__((always_inline)) {
        mean[k] = load(c.mean + at + k * pack_size<T>);
        rstd[k] = load(c.rstd + at + k * pack_size<T>);
        shift[k] = load(c.shift + at + k * pack_size<T>);
      });
      for (index_t i = begin; i < end; ++i) {
        const Pack<T> weight = Pack<T>(affine.weight[i * affine.weight_stride]) + Pack<T>(affine.weight_offset);
        const Pack<T> bias(affine.bias[i * affine.bias_stride]);
        const T* const from = x[i] + at;
        T* const to = y[i] + at;
        unroll<K>([&](auto k) __attribute__((always_inline)) {
          const Pack<T> v = fma(x_hat<true>(load_positions<Whole>(from, k, count), mean[k], rstd[k], shift[k]), weight, bias);
          if constexpr (Stream) {
            store_streaming(to + k * pack_size<T>, v);
          } else {
            store_positions<Whole>(to, k, count, v);
          }
        });
      }
    }
    begin = end;
  }
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
