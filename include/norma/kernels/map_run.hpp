// map_run: y = x_hat * weight + bias over contiguous runs, R rows side by side.
#pragma once

#include <norma/kernels/grid.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// What a set needs to normalize an element: x_hat = (x - mean) * rstd + shift; one number per row in each array. `shift` carries the part
/// of the mean that one T cannot hold; where the mean is small against sigma it carries all of it, and mean is 0.
template <class T>
struct Coefficients {
  const T* mean;
  const T* rstd;
  const T* shift;

  NORMA_INLINE Coefficients from(index_t row) const { return {mean + row, rstd + row, shift + row}; }
};

/// Weight and bias along a run: a pointer that advances, or one value for the whole run. `weight_offset` is added to every weight.
template <class T>
struct AffineRun {
  const T* weight;
  const T* bias;
  T weight_offset;
};

/// Centred = false leaves out the subtraction, for sets whose mean is 0: the same bits.
template <bool Centred, class T>
NORMA_INLINE Pack<T> x_hat(const Pack<T>& x, const Pack<T>& mean, const Pack<T>& rstd, const Pack<T>& shift) {
  if constexpr (Centred) {
    return fma(x - mean, rstd, shift);
  } else {
    return fma(x, rstd, shift);
  }
}

/// y[r][i] = ((x[r][i] - mean_r) * rstd_r + shift_r) * weight[i] + bias[i]. Weight and bias are loaded once for R rows.
/// y[r] may be exactly x[r]. Streaming wants every y[r] aligned to 64 bytes.
template <bool WeightRuns, bool BiasRuns, bool Stream, bool Centred, std::size_t R, class T>
NORMA_INLINE void map_run(const T* const (&x)[R], T* const (&y)[R], index_t n, const Coefficients<T>& c, const AffineRun<T>& affine) {
  constexpr int W = pack_size<T>;
  constexpr int unrolled = R == 1 ? 4 : 1;
  const T* const weights = affine.weight;  // copies: a store to y could change what is read through a reference
  const T* const biases = affine.bias;
  const Pack<T> offset(affine.weight_offset);
  Pack<T> mean[R], rstd[R], shift[R];
  unroll<R>([&](auto r) __attribute__((always_inline)) {
    mean[r] = Pack<T>(c.mean[r]);
    rstd[r] = Pack<T>(c.rstd[r]);
    shift[r] = Pack<T>(c.shift[r]);
  });
  const Pack<T> weight_of_run = WeightRuns ? offset : Pack<T>(*weights) + offset;
  const Pack<T> bias_of_run = BiasRuns ? offset : Pack<T>(*biases);
  const auto step = [&](index_t i) __attribute__((always_inline)) {
    const Pack<T> weight = WeightRuns ? load(weights + i) + offset : weight_of_run;
    const Pack<T> bias = BiasRuns ? load(biases + i) : bias_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      const Pack<T> v = fma(x_hat<Centred>(load(x[r] + i), mean[r], rstd[r], shift[r]), weight, bias);
      if constexpr (Stream) {
        store_streaming(y[r] + i, v);
      } else {
        store(y[r] + i, v);
      }
    });
  };
  index_t i = 0;
  for (; i + unrolled * W <= n; i += unrolled * W) {
    unroll<unrolled>([&](auto u) __attribute__((always_inline)) { step(i + u * W); });
  }
  for (; i + W <= n; i += W) step(i);
  if (i < n) {
    const int count = static_cast<int>(n - i);
    const Pack<T> weight = WeightRuns ? load_first(weights + i, count) + offset : weight_of_run;
    const Pack<T> bias = BiasRuns ? load_first(biases + i, count) : bias_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      store_first(y[r] + i, fma(x_hat<Centred>(load_first(x[r] + i, count), mean[r], rstd[r], shift[r]), weight, bias), count);
    });
  }
}

/// Calls f(std::true_type) or f(std::false_type).
template <class F>
NORMA_INLINE void with_bool(bool value, F&& f) {
  if (value) {
    f(std::true_type());
  } else {
    f(std::false_type());
  }
}

/// What is the same for all rows of a call, and chooses among the kernels.
struct MapFlags {
  bool weight_runs;
  bool bias_runs;
  bool stream;
  bool centred;
  bool side_by_side;
};

/// map_run over `rows` rows that share weight and bias, as many side by side as the registers hold if side_by_side. One function per T, so
/// that the kernels are compiled once and not once per norm.
template <class T>
void map_rows(const MapFlags& flags, const T* const* x, T* const* y, index_t rows, index_t n, const Coefficients<T>& c,
              const AffineRun<T>& affine) {
  with_bool(flags.weight_runs, [&](auto weight_runs) {
    with_bool(flags.bias_runs, [&](auto bias_runs) {
      with_bool(flags.stream, [&](auto stream) {
        with_bool(flags.centred, [&](auto centred) {
          const auto group = [&]<std::size_t R>(index_t r, std::integral_constant<std::size_t, R>) __attribute__((always_inline)) {
            const T* px[R];
            T* py[R];
            for (index_t i = 0; i < rows_of<R>; ++i) {
              px[i] = x[r + i];
              py[i] = y[r + i];
            }
            map_run<weight_runs.value, bias_runs.value, stream.value, centred.value>(px, py, n, c.from(r), affine);
          };
          index_t r = 0;
          if constexpr (interleaved_rows < T >> 1) {
            for (; flags.side_by_side && r + rows_of<interleaved_rows<T>> <= rows; r += rows_of<interleaved_rows<T>>) {
              group(r, std::integral_constant<std::size_t, interleaved_rows<T>>());
            }
          }
          for (; r < rows; ++r) group(r, std::integral_constant<std::size_t, 1>());
        });
      });
    });
  });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
