// Normalizing with statistics that come from elsewhere: inference of norms with running statistics.
#pragma once

#include <norma/engine/forward_call.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A mean and a variance for each statistic set, in row-major order of the kept axes: vectors of any element type and stride.
struct GivenStatistics {
  Statistic statistic;
  Operand mean, variance;

  GivenStatistics(double eps, const Operand& means, const Operand& variances)
      : statistic{Statistic::Kind::deviation, eps}, mean(means), variance(variances) {}

  /// Those of n sets, in columns.
  void read(const index_t* set, index_t n, double* means, double* variances) const {
    mean.access->gather(mean.data, mean.strides[0], set, n, means);
    variance.access->gather(variance.data, variance.strides[0], set, n, variances);
  }
  SetStatistics operator[](index_t set) const {
    alignas(64) double means[pack_size<double>], variances[pack_size<double>];
    read(&set, 1, means, variances);
    return {{means[0], 0}, statistic.rstd(variances[0], 0), variances[0]};
  }
};

/// A forward with given statistics whose tensors are operands. x has elements.
template <class A, class U>
void apply_statistics_to_operands(const CallRef& executor, const Roles& roles, const Extents& x, const Operands& operands, A weight_offset,
                                  bool streaming, const GivenStatistics& given) {
  const auto plan_for = [&](index_t most_sets) {
    return Plan(x, roles, operands, Span::none, most_sets, executor.concurrency(), Sums::none);
  };
  Plan plan = plan_for(coefficients_on_stack<A>);
  const bool per_cell = plan.parameters_vary_in_sets();  // then statistics are wanted beside the coefficients
  if (per_cell) plan = plan_for(sets_on_stack<A>);
  const ForwardCall call{given.statistic, static_cast<double>(weight_offset), plan.order(), streaming, executor.fusion(), false, per_cell};
  run_forward<A, U>(
      executor, call, plan, x, operands, nullptr,
      [&](const Forward<A, U>& forward, const Piece& piece, SetTable<A>& table, const auto&) { forward.take(piece, given, table); });
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
