// Normalizing with statistics that come from elsewhere: inference of norms with running statistics.
#pragma once

#include <norma/engine/forward_call.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

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

  /// Those of n sets, in columns.
  void read(const index_t* set, index_t n, double* means, double* variances) const {
    with_element_type(type, [&]<class P>(P*) {
      gather(static_cast<const P*>(mean), mean_stride, set, n, means);
      gather(static_cast<const P*>(variance), variance_stride, set, n, variances);
    });
  }
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

}}  // namespace norma::NORMA_ISA_NAMESPACE
