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

/// Sweep one. sum_g[r] and sum_g_x_hat[r] of dy[r][0, n), x[r][0, n) in the fixed lanes, with g = dy * weight; if Gradients, also
/// weight[i] += dy * x_hat and bias[i] += dy, row after row. The sums need room for four rows, as in fold_trees.
template <bool WeightRuns, bool Gradients, std::size_t R, class T>
NORMA_INLINE void backward_fold_run(const T* const (&dy)[R], const T* const (&x)[R], index_t n, const Coefficients<T>& c,
                                    const AffineRun<T>& affine, const GradientRun<T>& gradient, double* sum_of_g, double* sum_of_g_x_hat) {
  constexpr int W = pack_size<T>;
  const T* const weights = affine.weight;  // copies: a store could change what is read through a reference
  T* const weight_gradients = gradient.weight;
  T* const bias_gradients = gradient.bias;
  const Pack<T> offset(affine.weight_offset);
  const Pack<T> weight_of_run = WeightRuns ? offset : Pack<T>(*weights) + offset;
  LaneSum<T> sum_g[R], sum_gx[R];
  Pack<T> mean[R], rstd[R], shift[R];
  unroll<R>([&](auto r) __attribute__((always_inline)) {
    sum_g[r].clear();
    sum_gx[r].clear();
    mean[r] = Pack<T>(c.mean[r]);
    rstd[r] = Pack<T>(c.rstd[r]);
    shift[r] = Pack<T>(c.shift[r]);
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
      const Pack<T> normalized = keep(x_hat<true>(load_pack(x[r] + i), mean[r], rstd[r], shift[r]));
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
  fold_trees(sum_g, sum_of_g);
  fold_trees(sum_gx, sum_of_g_x_hat);
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
  constexpr int unrolled = R == 1 ? 4 : 1;
  const T* const weights = affine.weight;  // copies: a store could change what is read through a reference
  const Pack<T> weight_offset(affine.weight_offset);
  const Pack<T> weight_of_run = WeightRuns ? weight_offset : Pack<T>(*weights) + weight_offset;
  Pack<T> mean[R], rstd[R], shift[R], scale[R], slope[R], offset[R];
  unroll<R>([&](auto r) __attribute__((always_inline)) {
    mean[r] = Pack<T>(c.mean[r]);
    rstd[r] = Pack<T>(c.rstd[r]);
    shift[r] = Pack<T>(c.shift[r]);
    scale[r] = Pack<T>(pull.scale[r]);
    slope[r] = Pack<T>(pull.slope[r]);
    offset[r] = Pack<T>(pull.offset[r]);
  });
  const auto gradient = [&](auto r, const Pack<T>& upstream, const Pack<T>& input, const Pack<T>& weight) __attribute__((always_inline)) {
    const Pack<T> normalized = x_hat<true>(input, mean[r], rstd[r], shift[r]);
    return fma(mul(upstream, weight), scale[r], fma(normalized, slope[r], offset[r]));
  };
  const auto step = [&](index_t i) __attribute__((always_inline)) {
    const Pack<T> weight = WeightRuns ? load(weights + i) + weight_offset : weight_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      Pack<T> v = gradient(r, load(dy[r] + i), load(x[r] + i), weight);
      if constexpr (Adds) v = v + load(dx[r] + i);
      if constexpr (Stream) {
        store_streaming(dx[r] + i, v);
      } else {
        store(dx[r] + i, v);
      }
    });
  };
  const auto part = [&](index_t i, int count) __attribute__((always_inline)) {
    const Pack<T> weight = WeightRuns ? load_first(weights + i, count) + weight_offset : weight_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      Pack<T> v = gradient(r, load_first(dy[r] + i, count), load_first(x[r] + i, count), weight);
      if constexpr (Adds) v = v + load_first(dx[r] + i, count);
      store_first(dx[r] + i, v, count);
    });
  };
  index_t i = R > 1 ? 0 : elements_to_alignment(dx[0], n);  // as in RunMap
  if (i > 0) part(0, static_cast<int>(i));
  for (; i + unrolled * W <= n; i += unrolled * W) {
    unroll<unrolled>([&](auto u) __attribute__((always_inline)) { step(i + u * W); });
  }
  for (; i + W <= n; i += W) step(i);
  if (i < n) part(i, static_cast<int>(n - i));
}

/// backward_fold_run over `rows` rows that share a weight, each row's sums added to sum_g and sum_g_x_hat; no gradients where `gradient` is
/// null. One function per T, as map_rows.
template <class T>
void backward_fold_rows(bool weight_runs, const T* const* dy, const T* const* x, index_t rows, index_t n, const Coefficients<T>& c,
                        const AffineRun<T>& affine, const GradientRun<T>& gradient, double* sum_g, double* sum_g_x_hat) {
  with_bool(weight_runs, [&](auto runs) {
    with_bool(gradient.weight != nullptr, [&](auto gradients) {
      each_row_group<T>(
          true, rows, [&]<std::size_t R>(index_t r, std::integral_constant<std::size_t, R>) __attribute__((always_inline)) {
            const T *pdy[R], *px[R];
            for (index_t i = 0; i < rows_of<R>; ++i) {
              pdy[i] = dy[r + i];
              px[i] = x[r + i];
            }
            double g[4], g_x_hat[4];
            backward_fold_run<runs.value, gradients.value>(pdy, px, n, c.from(r), affine, gradient, g, g_x_hat);
            for (index_t i = 0; i < rows_of<R>; ++i) {
              sum_g[r + i] += g[i];
              sum_g_x_hat[r + i] += g_x_hat[i];
            }
          });
    });
  });
}

/// What is the same for all rows of a call.
struct PullFlags {
  bool weight_runs;
  bool stream;
  bool side_by_side;
  bool adds;
};

/// backward_map_run over `rows` rows that share a weight.
template <class T>
void backward_map_rows(const PullFlags& flags, const T* const* dy, const T* const* x, T* const* dx, index_t rows, index_t n,
                       const Coefficients<T>& c, const AffineRun<T>& affine, const Pull<T>& pull) {
  with_bool(flags.weight_runs, [&](auto runs) {
    const auto run = [&](auto stream, auto adds) __attribute__((always_inline)) {
      each_row_group<T>(
          flags.side_by_side, rows, [&]<std::size_t R>(index_t r, std::integral_constant<std::size_t, R>) __attribute__((always_inline)) {
            const T *pdy[R], *px[R];
            T* pdx[R];
            for (index_t i = 0; i < rows_of<R>; ++i) {
              pdy[i] = dy[r + i];
              px[i] = x[r + i];
              pdx[i] = dx[r + i];
            }
            backward_map_run<runs.value, stream.value, adds.value>(pdy, px, pdx, n, c.from(r), affine, pull.from(r));
          });
    };
    if (flags.adds) return run(std::false_type(), std::true_type());
    with_bool(flags.stream, [&](auto stream) { run(stream, std::false_type()); });
  });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
