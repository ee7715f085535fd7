// GivenStatistics: statistics that come from elsewhere, for inference of norms with running statistics.
#pragma once

#include <norma/engine/operands.hpp>
#include <norma/engine/piece.hpp>
#include <norma/stats/statistic.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// A mean and a variance for each statistic set, in row-major order of the kept axes: vectors of any element type and stride.
struct GivenStatistics {
  Statistic statistic;
  Operand mean, variance;

  GivenStatistics(double eps, const Operand& means, const Operand& variances)
      : statistic{Statistic::Kind::deviation, eps}, mean(means), variance(variances) {}

  /// Those of n sets, in columns, which reach to whole registers.
  void read(const index_t* set, index_t n, double* means, double* variances) const {
    mean.access->gather(mean.data, mean.strides[0], set, n, means);
    variance.access->gather(variance.data, variance.strides[0], set, n, variances);
  }
  SetStatistics operator[](index_t set) const {
    alignas(64) double means[padded_sets(1)], variances[padded_sets(1)];
    read(&set, 1, means, variances);
    return {{means[0], 0}, statistic.rstd(variances[0], 0), variances[0]};
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
