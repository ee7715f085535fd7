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

/// y[r][i] = ((x[r][i] - mean_r) * rstd_r + shift_r) * weight[i] + bias[i] for R rows, register by register; weight and bias are loaded
/// once for all rows. y[r] may be exactly x[r]. Streaming wants every y[r] aligned to 64 bytes.
template <bool WeightRuns, bool BiasRuns, bool Stream, bool Centred, std::size_t R, class T>
struct RunMap {
  Pack<T> mean[R], rstd[R], shift[R];
  Pack<T> weight_offset, weight_of_run, bias_of_run;
  const T* weights;  // copies: a store to y could change what is read through a reference
  const T* biases;

  NORMA_INLINE void start(const Coefficients<T>& c, const AffineRun<T>& affine) {
    weights = affine.weight;
    biases = affine.bias;
    weight_offset = Pack<T>(affine.weight_offset);
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      mean[r] = Pack<T>(c.mean[r]);
      rstd[r] = Pack<T>(c.rstd[r]);
      shift[r] = Pack<T>(c.shift[r]);
    });
    weight_of_run = WeightRuns ? weight_offset : Pack<T>(*weights) + weight_offset;
    bias_of_run = BiasRuns ? weight_offset : Pack<T>(*biases);
  }
  NORMA_INLINE void step(const T* const (&x)[R], T* const (&y)[R], index_t i) const {
    const Pack<T> weight = WeightRuns ? load(weights + i) + weight_offset : weight_of_run;
    const Pack<T> bias = BiasRuns ? load(biases + i) : bias_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      const Pack<T> v = fma(x_hat<Centred>(load(x[r] + i), mean[r], rstd[r], shift[r]), weight, bias);
      if constexpr (Stream) {
        store_streaming(y[r] + i, v);
      } else {
        store(y[r] + i, v);
      }
    });
  }
  /// `count` elements from i on, fewer than a register holds.
  NORMA_INLINE void part(const T* const (&x)[R], T* const (&y)[R], index_t i, int count) const {
    const Pack<T> weight = WeightRuns ? load_first(weights + i, count) + weight_offset : weight_of_run;
    const Pack<T> bias = BiasRuns ? load_first(biases + i, count) : bias_of_run;
    unroll<R>([&](auto r) __attribute__((always_inline)) {
      store_first(y[r] + i, fma(x_hat<Centred>(load_first(x[r] + i, count), mean[r], rstd[r], shift[r]), weight, bias), count);
    });
  }
  /// The elements before the first whole register that is stored to aligned memory, if there is one row; how many they are. Stores that
  /// straddle cache lines cost twice.
  NORMA_INLINE index_t head(const T* const (&x)[R], T* const (&y)[R], index_t n) const {
    if constexpr (R > 1) return 0;
    const index_t count = elements_to_alignment(y[0], n);
    if (count > 0) part(x, y, 0, static_cast<int>(count));
    return count;
  }
  /// Elements [i, n).
  NORMA_INLINE void finish(const T* const (&x)[R], T* const (&y)[R], index_t i, index_t n) const {
    for (; i + pack_size<T> <= n; i += pack_size<T>) step(x, y, i);
    if (i < n) part(x, y, i, static_cast<int>(n - i));
  }
};

template <bool WeightRuns, bool BiasRuns, bool Stream, bool Centred, std::size_t R, class T>
NORMA_INLINE void map_run(const T* const (&x)[R], T* const (&y)[R], index_t n, const Coefficients<T>& c, const AffineRun<T>& affine) {
  constexpr int W = pack_size<T>;
  constexpr int unrolled = R == 1 ? 4 : 1;
  RunMap<WeightRuns, BiasRuns, Stream, Centred, R, T> map;
  map.start(c, affine);
  index_t i = map.head(x, y, n);
  for (; i + unrolled * W <= n; i += unrolled * W) {
    unroll<unrolled>([&](auto u) __attribute__((always_inline)) { map.step(x, y, i + u * W); });
  }
  map.finish(x, y, i, n);
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

/// f(r, R as a constant) for `rows` rows: as many side by side as the registers hold, the rest one after the other.
template <class T, class F>
NORMA_INLINE void each_row_group(bool side_by_side, index_t rows, F&& f) {
  index_t r = 0;
  if constexpr (interleaved_rows < T >> 1) {
    for (; side_by_side && r + rows_of<interleaved_rows<T>> <= rows; r += rows_of<interleaved_rows<T>>) {
      f(r, std::integral_constant<std::size_t, interleaved_rows<T>>());
    }
  }
  for (; r < rows; ++r) f(r, std::integral_constant<std::size_t, 1>());
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
          each_row_group<T>(
              flags.side_by_side,
              rows, [&]<std::size_t R>(index_t r, std::integral_constant<std::size_t, R>) __attribute__((always_inline)) {
                const T* px[R];
                T* py[R];
                for (index_t i = 0; i < rows_of<R>; ++i) {
                  px[i] = x[r + i];
                  py[i] = y[r + i];
                }
                map_run<weight_runs.value, bias_runs.value, stream.value, centred.value>(px, py, n, c.from(r), affine);
              });
        });
      });
    });
  });
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
