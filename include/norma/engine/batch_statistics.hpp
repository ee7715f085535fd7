// Training of norms that do something of their own between the fold and the map of their statistic sets.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Forward in which `between(table, piece)` sees the statistics of at least `span` before they are kept in `statistics` and mapped with; it
/// may replace them (put) or change what is made of them (reshape). x has elements.
template <class P, class X, class Y, class Between>
inline void normalize_between(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                              const TensorView<Y>& y, const AffineOperands& affine, const StatisticArrays& statistics,
                              Buffer<std::byte>* scratch, Span span, const Between& between) {
  normalize<P>(executor, statistic, roles, x, y, affine, statistics, scratch, ForwardHook<Wider<P, std::remove_const_t<X>>>(span, between));
}

/// Backward of such a norm: resolve(piece, sum dy, sum dy * x_hat, f) calls f(set, scale, slope, offset) for every set of a piece, which
/// are planes of (n, c); then dx = dy * scale + (x_hat * slope + offset).
template <class P, class DY, class X, class DX, class Resolve>
inline void normalize_between_backward(const ExecutorRef& executor, const Roles& roles, const TensorView<DY>& dy, const TensorView<X>& x,
                                       const TensorView<DX>& dx, Saved<P>& saved, Span span, const Resolve& resolve) {
  using A = Wider<P, std::remove_const_t<X>>;
  const auto hook = [&](SumsTable<A>& table, const Piece& piece) {
    resolve(piece, table.g, table.g_x_hat, [&](index_t set, double scale, double slope, double offset) {
      table.scale[set] = static_cast<A>(scale);
      table.slope[set] = static_cast<A>(slope);
      table.offset[set] = static_cast<A>(offset);
    });
  };
  differentiate<P>(executor, {}, roles, dy, x, saved.statistics(), saved.scratch(), dx, {}, {}, Result::replaced,
                   BackwardHook<A>(span, hook));
}

/// (N, C) seen as (N, C, 1), so that planes have an axis. An absent tensor stays absent.
template <class X>
inline TensorView<X> with_planes(const TensorView<X>& x) {
  return x.rank() == 2 ? TensorView<X>(x.data(), {x.extent(0), x.extent(1), 1}, {x.stride(0), x.stride(1), 1}) : x;
}

/// Mean and variance of every plane of (N, C, spatial...) in row-major order of (N, C), and what they merge to.
struct PlaneMoments {
  index_t samples, channels;
  double* mean;
  double* variance;

  index_t count() const { return samples * channels; }

  /// Of `count` planes from `first` on, `stride` planes apart: the mean of means, the mean of variance + (mean - merged mean)^2.
  SetStatistics merged(index_t first, index_t stride, index_t n) const {
    const double inverse = 1.0 / static_cast<double>(n);
    double sum = 0, squares = 0;
    for (index_t i = 0; i < n; ++i) sum += mean[first + i * stride] - mean[first];
    const double of_all = std::fma(sum, inverse, mean[first]);
    for (index_t i = 0; i < n; ++i) {
      const double deviation = mean[first + i * stride] - of_all;
      squares += std::fma(deviation, deviation, variance[first + i * stride]);
    }
    return {{of_all, 0}, 0, squares * inverse};
  }
  SetStatistics of_sample(index_t n) const { return merged(n * channels, 1, channels); }
  SetStatistics of_channel(index_t c) const { return merged(c, channels, samples); }
};

/// Statistics of `n` planes of a table together, `stride` places apart from `first` on; their variances count `factor` times.
template <class A>
inline SetStatistics merged_planes(const SetTable<A>& forward, const Statistic& statistic, index_t first, index_t stride, index_t n,
                                   double factor = 1) {
  const SetStatistics origin = forward.statistics(first);
  const auto relative = [&](index_t i) {
    const SetStatistics s = forward.statistics(first + i * stride);
    return (s.mean.high - origin.mean.high) + s.mean.low;
  };
  const double inverse = 1.0 / static_cast<double>(n);
  double mean = 0, variance = 0;
  for (index_t i = 0; i < n; ++i) mean += relative(i);
  mean = mul(mean, inverse);
  for (index_t i = 0; i < n; ++i) {
    const double deviation = relative(i) - mean;
    variance += std::fma(deviation, deviation, mul(factor, forward.statistics(first + i * stride).second));
  }
  variance = mul(variance, inverse);
  return {two_sum(origin.mean.high, mean), finite_rstd(variance, statistic.rstd(variance, 0)), variance};
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
