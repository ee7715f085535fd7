// Running statistics: exponential or cumulative averages of batch statistics, in the conventions of the frameworks.
#pragma once

#include <cstdint>
#include <optional>

#include <norma/core/extents.hpp>
#include <norma/simd/pack.hpp>

namespace norma {

/// What BatchNorm's momentum weighs and which variance is averaged. The default momentum stays 0.1: set one that fits, 0.99 for Keras'
/// default and 0.9 for ONNX's.
enum class StatsConvention : unsigned char {
  torch,  ///< momentum weighs the new value; the running variance is that of the unbiased estimator, m / (m - 1) times the population's
  keras,  ///< momentum weighs the old value; the population variance
  onnx,   ///< as keras
};

}  // namespace norma

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// ShapeError unless momentum is in [0, 1].
inline void check_momentum(const char* layer, const std::optional<double>& momentum) {
  if (momentum && !(*momentum >= 0 && *momentum <= 1)) raise_shape_error(layer, ": momentum is ", *momentum, "; 0 to 1 is wanted");
}

/// One step: running = keep * running + take * batch.
struct RunningStep {
  double keep = 1;
  double take = 0;
  bool unbiased = true;

  /// `batches` counts this step's batch too. Without momentum all batches weigh the same (cumulative average), in every convention.
  static RunningStep of(const std::optional<double>& momentum, StatsConvention convention, std::int64_t batches) {
    RunningStep step;
    step.unbiased = convention == StatsConvention::torch;
    const double weight = momentum ? *momentum : 1.0 / static_cast<double>(batches);
    const bool weighs_new = !momentum || convention == StatsConvention::torch;
    step.take = weighs_new ? weight : 1 - weight;
    step.keep = weighs_new ? 1 - weight : weight;
    return step;
  }

  NORMA_INLINE double blend(double running, double batch) const { return fma(take, batch, mul(keep, running)); }

  /// The variance that is averaged, of m values with this population variance. A single value has none to estimate from: 0.
  double averaged_variance(double population, index_t m) const {
    if (!unbiased) return population;
    return m > 1 ? population * (static_cast<double>(m) / static_cast<double>(m - 1)) : 0;
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
