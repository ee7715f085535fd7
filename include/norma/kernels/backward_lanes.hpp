// The two sweeps of a backward pass with sets across the vector lanes.
#pragma once

#include <norma/kernels/backward_run.hpp>
#include <norma/kernels/fold_lanes.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Weight down the rows, as in AffineColumn.
template <class T>
struct WeightColumn {
  const T* weight;
  index_t stride;
  T offset;
  NORMA_INLINE Pack<T> operator[](index_t row) const { return Pack<T>(weight[row * stride]) + Pack<T>(offset); }
};

/// Running parameter gradients per row, each in the fixed lanes: position p is added in lane p mod lanes<T>.
template <class T>
struct GradientLanes {
  T* weight;
  T* bias;
};

/// Sweep one over rows [0, n) of a tile. sums[0][p] of g, sums[1][p] of g * x_hat, added as backward_fold_run adds them.
template <bool Whole, bool Gradients, class T>
inline void backward_fold_lanes(const LaneRows<const T>& dy, const LaneRows<const T>& x, index_t n, int count, const Coefficients<T>& c,
                                const WeightColumn<T>& weight, const GradientLanes<T>& gradient, double* const (&sums)[2]) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  constexpr std::size_t L = static_cast<std::size_t>(lane_packs<T>);
  LanePartials<T, 2> partials;
  const int used = n < lanes<T> ? static_cast<int>(n) : lanes<T>;
  const auto sweep = [&](index_t begin, index_t end, int l) __attribute__((always_inline)) {
    Pack<T> sum_g[K], sum_gx[K], mean[K], rstd[K], shift[K];
    unroll<K>([&](auto k) __attribute__((always_inline)) {
      mean[k] = load(c.mean + k * pack_size<T>);
      rstd[k] = load(c.rstd + k * pack_size<T>);
      shift[k] = load(c.shift + k * pack_size<T>);
      sum_g[k] = begin == 0 ? Pack<T>(T(0)) : load(partials.lane[0][l] + k * pack_size<T>);
      sum_gx[k] = begin == 0 ? Pack<T>(T(0)) : load(partials.lane[1][l] + k * pack_size<T>);
    });
    for (index_t i = begin + l; i < end; i += lanes<T>) {
      const Pack<T> row_weight = weight[i];
      Pack<T> weight_gradient[L], bias_gradient[L];
      if constexpr (Gradients) {
        unroll<L>([&](auto k) __attribute__((always_inline)) {
          weight_gradient[k] = load(gradient.weight + i * lanes<T> + k * pack_size<T>);
          bias_gradient[k] = load(gradient.bias + i * lanes<T> + k * pack_size<T>);
        });
      }
      unroll<K>([&](auto k) __attribute__((always_inline)) {
        const Pack<T> upstream = load_positions<Whole>(dy[i], k, count);
        Pack<T> normalized = x_hat<true>(load_positions<Whole>(x[i], k, count), mean[k], rstd[k], shift[k]);
        if constexpr (!Whole) normalized = keep_first(normalized, lanes_left<pack_size<T>>(count - k * pack_size<T>));
        const Pack<T> g = mul(upstream, row_weight);
        sum_g[k] = sum_g[k] + g;
        sum_gx[k] = fma(g, normalized, sum_gx[k]);
        if constexpr (Gradients) {
          weight_gradient[k % L] = fma(upstream, normalized, weight_gradient[k % L]);
          bias_gradient[k % L] = bias_gradient[k % L] + upstream;
        }
      });
      if constexpr (Gradients) {
        unroll<L>([&](auto k) __attribute__((always_inline)) {
          store(gradient.weight + i * lanes<T> + k * pack_size<T>, weight_gradient[k]);
          store(gradient.bias + i * lanes<T> + k * pack_size<T>, bias_gradient[k]);
        });
      }
    }
    unroll<K>([&](auto k) __attribute__((always_inline)) {
      store(partials.lane[0][l] + k * pack_size<T>, sum_g[k]);
      store(partials.lane[1][l] + k * pack_size<T>, sum_gx[k]);
    });
  };
  for (index_t begin = 0; begin < n; begin += lane_sweep<T>) {
    const index_t end = begin + lane_sweep<T> < n ? begin + lane_sweep<T> : n;
    for (int l = 0; l < used; ++l) sweep(begin, end, l);
  }
  partials.fold(used, sums);
}

/// Sweep two: dx = g * scale + (x_hat * slope + offset), one pull per position. dx may be exactly dy or x. Streaming wants rows of dx
/// aligned to 64 bytes.
template <bool Whole, bool Stream, int Tiles, class T>
inline void backward_map_lanes(const LaneRows<const T>& dy, const LaneRows<const T>& x, const LaneRows<T>& dx, index_t n, int count,
                               const Coefficients<T>& c, const WeightColumn<T>& weight, const Pull<T>& pull) {
  constexpr std::size_t K = static_cast<std::size_t>(position_packs<T>);
  constexpr index_t rows_at_once = Tiles == 1 ? std::numeric_limits<index_t>::max() : 8;
  for (index_t begin = 0; begin < n;) {
    const index_t end = n - begin > rows_at_once ? begin + rows_at_once : n;
    for (int tile = 0; tile < Tiles; ++tile) {
      const index_t column = tile * tile_positions<T>;
      Pack<T> mean[K], rstd[K], shift[K], scale[K], slope[K], offset[K];
      unroll<K>([&](auto k) __attribute__((always_inline)) {
        const index_t at = column + k * pack_size<T>;
        mean[k] = load(c.mean + at);
        rstd[k] = load(c.rstd + at);
        shift[k] = load(c.shift + at);
        scale[k] = load(pull.scale + at);
        slope[k] = load(pull.slope + at);
        offset[k] = load(pull.offset + at);
      });
      for (index_t i = begin; i < end; ++i) {
        const Pack<T> row_weight = weight[i];
        unroll<K>([&](auto k) __attribute__((always_inline)) {
          const Pack<T> normalized = x_hat<true>(load_positions<Whole>(x[i] + column, k, count), mean[k], rstd[k], shift[k]);
          const Pack<T> g = mul(load_positions<Whole>(dy[i] + column, k, count), row_weight);
          const Pack<T> v = fma(g, scale[k], fma(normalized, slope[k], offset[k]));
          if constexpr (Stream) {
            store_streaming(dx[i] + column + k * pack_size<T>, v);
          } else {
            store_positions<Whole>(dx[i] + column, k, count, v);
          }
        });
      }
    }
    begin = end;
  }
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
