// Normalizing with statistics that come from elsewhere: inference of norms with running statistics, and its backward.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// A mean and a variance for each statistic set, in row-major order of the kept axes; strides in elements, 0 and negative allowed.
struct GivenStatistics {
  Statistic statistic;
  ElementType type;
  const void* mean;
  index_t mean_stride;
  const void* variance;
  index_t variance_stride;

  template <class P>
  GivenStatistics(double eps, const P* means, index_t stride_of_means, const P* variances, index_t stride_of_variances)
      : statistic{Statistic::Kind::deviation, eps},
        type(element_type_of<P>),
        mean(means),
        mean_stride(stride_of_means),
        variance(variances),
        variance_stride(stride_of_variances) {}

  SetStatistics operator[](index_t set) const {
    return with_element_type(type, [&]<class P>(P*) -> SetStatistics {
      const double v = static_cast<double>(static_cast<const P*>(variance)[set * variance_stride]);
      return {{static_cast<double>(static_cast<const P*>(mean)[set * mean_stride]), 0}, statistic.rstd(v, 0), v};
    });
  }
};

/// A forward with given statistics whose tensors are operands. x has elements.
template <class A>
void apply_statistics_to_operands(const ExecutorRef& executor, const Roles& roles, const Extents& x, const Operands& operands,
                                  A weight_offset, bool streaming, const GivenStatistics& given) {
  const Plan plan(x, roles, operands, Span::none, sets_on_stack, executor.concurrency());
  const ForwardCall call{given.statistic, static_cast<double>(weight_offset), plan.order(), streaming};
  run_forward<A>(
      executor, call, plan, x, operands, nullptr,
      [&](const Forward<A>& forward, const Piece& piece, SetTable<A>& table, const auto&) { forward.take(piece, given, table); });
}

/// y = (x - mean) / sqrt(variance + eps) * weight + bias. y may be exactly x. Shapes have been checked.
template <class P, class X, class Y>
inline void apply_statistics(const ExecutorRef& executor, const Roles& roles, const TensorView<X>& x, const TensorView<Y>& y,
                             const AffineOperands& affine, const GivenStatistics& given) {
  using A = Wider<P, std::remove_const_t<X>>;
  if (x.size() == 0) return;
  const Operands operands = forward_operands<A>(x, y, affine);
  apply_statistics_to_operands<A>(executor, roles, x.extents(), operands, affine.template offset<A>(),
                                  streams_output(executor, operands, y), given);
}

/// Its backward. dx = ..., weight and bias gradients += ..., each where present. dx may be exactly dy or x. Shapes have been checked.
template <class P, class DY, class X, class DX>
inline void apply_statistics_backward(const ExecutorRef& executor, const Roles& roles, const TensorView<DY>& dy, const TensorView<X>& x,
                                      const TensorView<DX>& dx, const AffineOperands& affine, const GivenStatistics& given, index_t sets) {
  if (affine.weight_grad.present() || affine.bias_grad.present()) {
    Saved<P> saved;
    const StatisticArrays statistics = saved.prepare(sets, true);
    for (index_t set = 0; set < sets; ++set) statistics.put(set, given[set]);
    differentiate<P>(executor, given.statistic, roles, dy, x, statistics, saved.scratch(), TensorView<DX>(), affine);
  }
  using A = Wider<P, std::remove_const_t<X>>;
  if (dx.data() == nullptr || x.size() == 0) return;
  // dx = dy * (rstd * weight) is a forward from dy to dx.
  static constexpr P no_mean(0);
  GivenStatistics without_mean = given;
  without_mean.mean = &no_mean;
  without_mean.mean_stride = 0;
  AffineOperands weight;
  weight.weight = affine.weight;
  weight.unit_offset = affine.unit_offset;
  const Operands operands = forward_operands<A>(dy, dx, weight);
  apply_statistics_to_operands<A>(executor, roles, dy.extents(), operands, weight.template offset<A>(),
                                  streams_output(executor, operands, dx), without_mean);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
