// Normalizing with statistics that come from elsewhere: inference of norms with running statistics, and its backward.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// A mean and a variance for each statistic set, in row-major order of the kept axes; strides in elements, 0 and negative allowed.
template <class P>
struct GivenStatistics {
  const P* mean;
  index_t mean_stride;
  const P* variance;
  index_t variance_stride;
  InverseSigma formula;

  SetStatistics operator[](index_t set) const {
    const double v = static_cast<double>(variance[set * variance_stride]);
    return {{static_cast<double>(mean[set * mean_stride]), 0}, formula.rstd(v), v};
  }
};

/// The algebra of a backward in which statistics are constants: dx = g * rstd.
struct FrozenFormula {
  static constexpr bool centred = false;
  static constexpr bool constant_statistics = true;

  template <class V>
  NORMA_INLINE V rstd(const V& second) const {
    return second;  // never asked: the statistics are given
  }
  FrozenFormula scaled(double) const { return {}; }
  NORMA_INLINE double pull(double) const { return 0.0; }
};

/// A forward with given statistics whose tensors are operands, like normalize_operands. x has elements.
template <class A, class P>
void apply_statistics_to_operands(const ExecutorRef& executor, const Roles& roles, const Extents& x, const Operands& operands,
                                  A weight_offset, bool streaming, const GivenStatistics<P>& given) {
  const CellPlan plan(x, roles, operands, false);
  if (plan.suits()) {
    apply_to_cells<A, P>(executor, plan, static_cast<double>(weight_offset), given, streaming);
    return;
  }
  const Layout layout(x, roles, operands);
  const ForwardPass<A, P, InverseSigma> pass(given.formula, layout, operands, weight_offset, {}, false);
  parallel_sets(executor, layout.sets, x.product(), [&](index_t first, index_t last) {
    for (; first < last; ++first) pass.apply(first, given[layout.kept.offset(stream_stat, first)]);
  });
}

/// y = (x - mean) / sqrt(variance + eps) * weight + bias. y may be exactly x. Shapes have been checked.
template <class P, class X, class Y>
inline void apply_statistics(const ExecutorRef& executor, const Roles& roles, const TensorView<X>& x, const TensorView<Y>& y,
                             const AffineOperands& affine, const GivenStatistics<P>& given) {
  using A = Wider<P, std::remove_const_t<X>>;
  if (x.size() == 0) return;
  const Operands operands = forward_operands<A>(x, y, affine);
  apply_statistics_to_operands<A>(executor, roles, x.extents(), operands, affine.template offset<A>(),
                                  streams_output(executor, operands, y), given);
}

/// Its backward. dx = ..., weight and bias gradients += ..., each where present. dx may be exactly dy or x. Shapes have been checked.
template <class P, class DY, class X, class DX>
inline void apply_statistics_backward(const ExecutorRef& executor, const Roles& roles, const TensorView<DY>& dy, const TensorView<X>& x,
                                      const TensorView<DX>& dx, const AffineOperands& affine, const GivenStatistics<P>& given,
                                      index_t sets) {
  Saved<P> saved;
  const StatisticArrays<P> statistics = saved.prepare(sets, true);
  for (index_t set = 0; set < sets; ++set) statistics.put(set, given[set]);
  pull_back(executor, FrozenFormula(), roles, dy, x, statistics, saved.scratch(), dx, affine);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
