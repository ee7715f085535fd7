// MeanOnlyBatchNorm: subtracts the mean of each channel and nothing more (Salimans, Kingma 2016, arXiv 1602.07868); meant for use with
// WeightNorm.
#pragma once

#include <norma/engine/tracking_norm.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// x_hat = x - mean: the deviation is not divided by. `factor` undoes a scaling of x.
struct MeanOnlyFormula {
  static constexpr const char* layer = "MeanOnlyBatchNorm";
  static constexpr bool centred = true;
  static constexpr int least_rank = 2;
  double factor = 1;
  double eps = 0;

  template <class V>
  NORMA_INLINE V rstd(const V&) const {
    return V(factor);
  }
  MeanOnlyFormula scaled(double s) const { return {factor / s, eps}; }
  /// dx = dy - mean(dy): nothing depends on the deviation.
  NORMA_INLINE double pull(double) const { return 0.0; }

  /// The sets: each channel of the batch.
  static Roles roles(const Extents& x) {
    check_channel_rank(layer, x, least_rank);
    return batch_roles(x.size());
  }
};

/// momentum std::nullopt: the cumulative average of all batches.
struct MeanOnlyBatchNormOptions {
  std::optional<double> momentum = 0.1;
  bool bias = true;
  bool track_running_stats = true;
};

/// y = x - mean + bias over (N, C) or (N, C, spatial...). Running mean and conventions are BatchNorm's; there is no weight and no running
/// variance, and one value per channel is legal: it gives the bias. T: float or double.
template <Parameter T>
class MeanOnlyBatchNorm : public TrackingNorm<MeanOnlyFormula, T> {
 public:
  explicit MeanOnlyBatchNorm(index_t channels, const MeanOnlyBatchNormOptions& options = {})
      : TrackingNorm<MeanOnlyFormula, T>({}, channels,
                                         {.weight = false,
                                          .bias = options.bias,
                                          .track_running_stats = options.track_running_stats,
                                          .variance = false,
                                          .momentum = options.momentum}) {}
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
