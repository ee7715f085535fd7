// Training of norms that do something of their own between the fold and the map of their statistic sets.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// Forward in which `between(forward, slice)` sees the statistics of each slice before they are kept in `statistics` and mapped with; it
/// may replace them (put) or change what is made of them (reshape). `plan_of` chooses among a plan's slicings. x has elements.
template <class P, class X, class Y, class PlanOf, class Between>
inline void normalize_between(const ExecutorRef& executor, const Statistic& statistic, const Roles& roles, const TensorView<X>& x,
                              const TensorView<Y>& y, const AffineOperands& affine, const StatisticArrays& statistics,
                              Buffer<std::byte>* scratch, const PlanOf& plan_of, const Between& between) {
  using A = Wider<P, std::remove_const_t<X>>;
  const Operands operands = forward_operands<A>(x, y, affine);
  const bool streaming = streams_output(executor, operands, y);
  const CellPlan plan = plan_of(CellPlan(x.extents(), roles, operands, scratch != nullptr, roles.keeps(0) ? 1 : CellPlan::least_plane));
  each_slice_forward<A>(executor, plan, static_cast<double>(affine.template offset<A>()), true, streaming, scratch,
                        [&](SliceForward<A>& forward, const ExecutorRef& inside, const CellSlice& slice) {
                          forward.fold_any(inside, statistic);
                          between(forward, slice);
                          for (index_t s = 0; s < forward.set_count(); ++s) {
                            statistics.put(slice.place(s), forward.statistics(s));
                          }
                          if (operands[stream_y].present()) forward.map(inside);
                        });
}

/// Backward of such a norm, whose resolve is its own; see SlicePull::run_with. The slices' sets are their cells: planes of (n, c).
template <class P, class DY, class X, class DX, class PlanOf, class Resolve>
inline void pull_back_with(const ExecutorRef& executor, const Roles& roles, const TensorView<DY>& dy, const TensorView<X>& x,
                           const TensorView<DX>& dx, Saved<P>& saved, const PlanOf& plan_of, const Resolve& resolve) {
  using A = Wider<P, std::remove_const_t<X>>;
  const Operands operands = backward_operands<A>(dy, x, dx, {});
  const bool streaming = streams_output(executor, operands, dx);
  const CellPlan plan = plan_of(CellPlan(x.extents(), roles, operands, true, 1));
  const index_t doubles = SlicePull<A>::workspace_size(plan);
  double* memory = nullptr;
  if (!Workspace::fits_stack(doubles)) {
    saved.scratch().resize(slice_tasks(executor, plan) * doubles * static_cast<index_t>(sizeof(double)));
    memory = reinterpret_cast<double*>(saved.scratch().data());
  }
  each_slice(executor, plan, doubles, memory, [&](const CellSlice& slice, const ExecutorRef& inside, Workspace& workspace) {
    SlicePull<A>(slice, 0, streaming, workspace).run_with(inside, saved.statistics(), resolve);
  });
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

/// Statistics of `n` planes of a slice's forward together, `stride` places apart from `first` on; their variances count `factor` times.
template <class Forward>
inline SetStatistics merged_planes(const Forward& forward, const Statistic& statistic, index_t first, index_t stride, index_t n,
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
