// The two sweeps of a backward pass over contiguous runs, R rows side by side.
#pragma once

#include <norma/kernels/map_run.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Running parameter gradients of a run, one number per element, summed over rows in ascending order; padded to whole lane groups.
template <class T>
struct GradientRun {
  T* weight;
  T* bias;
};

/// Sums of a backward pass over one set: of g and of g * x_hat, with g = dy * weight.
template <std::size_t R>
struct PullSums {
  double g[R];
  double g_x_hat[R];
};

/// Sweep one. sums over dy[r][0, n), x[r][0, n) in the fixed lanes; if Gradients, also weight[i] += dy * x_hat and bias[i] += dy, row after
/// row.
template <bool WeightRuns, bool Gradients, std::size_t R, class T>
NORMA_INLINE void backward_fold_run(const T* const (&dy)[R], const T* const (&x)[R], index_t n, const Coefficients<T>& c,
                                    const AffineRun<T>& affine, const GradientRun<T>& gradient, PullSums<R>& sums) {
  constexpr int W = pack_size<T>;
  const T* const weights = affine.weight;  // copies: a store could change what is read through a reference
  T* const weight_gradients = gradient.weight;
  T* const bias_gradients = gradient.bias;
  const Pack<T> offset(affine.weight_offset);
  const Pack<T> weight_of_run = WeightRuns ? offset : Pack<T>(*weights) + offset;
  LaneSum<T> sum_g[R], sum_gx[R];
  unroll<R>([&](auto r) __attribute__((always_inline)) {
    sum_g[r].clear();
    sum_gx[r].clear();
  });
  // `keep` clears padding lanes; a whole register passes through.
  const auto step = [&](index_t i, auto k, auto&& load_pack, auto&& keep) __attribute__((always_inline)) {
    const Pack<T> weight = WeightRuns ? load_pack(weights + i) + offset : weight_of_run;
    Pack<T> weight_gradient(T(0)), bias_gradient(T(0));
    if constexpr (Gradients) {
      weight_gradient = load(weight_gradients + i);
      bias_gradient = load(bias_gradients + i);
    }
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      const Pack<T> upstream = load_pack(dy[r] + i);
      const Pack<T> normalized = keep(x_hat<true>(load_pack(x[r] + i), Pack<T>(c.mean[r]), Pack<T>(c.rstd[r]), Pack<T>(c.shift[r])));
      const Pack<T> g = keep(mul(upstream, weight));
      sum_g[r].packs[k] = sum_g[r].packs[k] + g;
      sum_gx[r].packs[k] = fma(g, normalized, sum_gx[r].packs[k]);
      if constexpr (Gradients) {
        weight_gradient = fma(upstream, normalized, weight_gradient);
        bias_gradient = bias_gradient + upstream;
      }
    });
    if constexpr (Gradients) {
      store(weight_gradients + i, weight_gradient);
      store(bias_gradients + i, bias_gradient);
    }
  };
  index_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) {
      step(
          i + k * W, k, [](const T* p) __attribute__((always_inline)) { return load(p); },
          [](const Pack<T>& v) __attribute__((always_inline)) { return v; });
    });
  }
  if (i < n) {
    unroll<lane_packs<T>>([&](auto k) __attribute__((always_inline)) {
      const int count = lanes_left<W>(n - i - k * W);
      if (count == 0) return;
      step(
          i + k * W, k, [&](const T* p) __attribute__((always_inline)) { return load_first(p, count); },
          [&](const Pack<T>& v) __attribute__((always_inline)) { return keep_first(v, count); });
    });
  }
  fold_trees(sum_g, sums.g);
  fold_trees(sum_gx, sums.g_x_hat);
}

/// What sweep two needs per set, one number per row: dx = g * scale + (x_hat * slope + offset).
template <class T>
struct Pull {
  const T* scale;
  const T* slope;
  const T* offset;

  NORMA_INLINE Pull from(index_t row) const { return {scale + row, slope + row, offset + row}; }
};

/// Sweep two. dx[r] may be exactly dy[r] or x[r]. Adds: dx += ... instead of dx = ....
template <bool WeightRuns, bool Stream, bool Adds, std::size_t R, class T>
NORMA_INLINE void backward_map_run(const T* const (&dy)[R], const T* const (&x)[R], T* const (&dx)[R], index_t n, const Coefficients<T>& c,
                                   const AffineRun<T>& affine, const Pull<T>& pull) {
  constexpr int W = pack_size<T>;
  const T* const weights = affine.weight;  // a copy: a store could change what is read through a reference
  const Pack<T> offset(affine.weight_offset);
  const Pack<T> weight_of_run = WeightRuns ? offset : Pack<T>(*weights) + offset;
  const auto gradient = [&](auto r, const Pack<T>& upstream, const Pack<T>& input, const Pack<T>& weight) __attribute__((always_inline)) {
    const Pack<T> normalized = x_hat<true>(input, Pack<T>(c.mean[r]), Pack<T>(c.rstd[r]), Pack<T>(c.shift[r]));
    return fma(mul(upstream, weight), Pack<T>(pull.scale[r]), fma(normalized, Pack<T>(pull.slope[r]), Pack<T>(pull.offset[r])));
  };
  index_t i = 0;
  for (; i + W <= n; i += W) {
    const Pack<T> weight = WeightRuns ? load(weights + i) + offset : weight_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      Pack<T> v = gradient(r, load(dy[r] + i), load(x[r] + i), weight);
      if constexpr (Adds) v = v + load(dx[r] + i);
      if constexpr (Stream) {
        store_streaming(dx[r] + i, v);
      } else {
        store(dx[r] + i, v);
      }
    });
  }
  if (i < n) {
    const int count = static_cast<int>(n - i);
    const Pack<T> weight = WeightRuns ? load_first(weights + i, count) + offset : weight_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      Pack<T> v = gradient(r, load_first(dy[r] + i, count), load_first(x[r] + i, count), weight);
      if constexpr (Adds) v = v + load_first(dx[r] + i, count);
      store_first(dx[r] + i, v, count);
    });
  }
}

/// backward_fold_run, its sums added to `total`; no gradients where `gradient` is null. One function per T, as map_rows.
template <std::size_t R, class T>
void backward_fold_rows(bool weight_runs, const T* const (&dy)[R], const T* const (&x)[R], index_t n, const Coefficients<T>& c,
                        const AffineRun<T>& affine, const GradientRun<T>& gradient, PullSums<R>& total) {
  PullSums<R> sums;
  with_bool(weight_runs, [&](auto runs) {
    with_bool(gradient.weight != nullptr,
              [&](auto gradients) { backward_fold_run<runs.value, gradients.value>(dy, x, n, c, affine, gradient, sums); });
  });
  for (std::size_t r = 0; r < R; ++r) {
    total.g[r] += sums.g[r];
    total.g_x_hat[r] += sums.g_x_hat[r];
  }
}

/// backward_map_run for flags known at run time.
template <std::size_t R, class T>
void backward_map_rows(bool weight_runs, bool stream, const T* const (&dy)[R], const T* const (&x)[R], T* const (&dx)[R], index_t n,
                       const Coefficients<T>& c, const AffineRun<T>& affine, const Pull<T>& pull, bool adds = false) {
  with_bool(weight_runs, [&](auto runs) {
    if (adds) return backward_map_run<runs.value, false, true>(dy, x, dx, n, c, affine, pull);
    with_bool(stream, [&](auto streams) { backward_map_run<runs.value, streams.value, false>(dy, x, dx, n, c, affine, pull); });
  });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
