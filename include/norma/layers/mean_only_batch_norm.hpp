// MeanOnlyBatchNorm: subtracts the mean of each channel and nothing more (Salimans, Kingma 2016, arXiv 1602.07868); meant for use with
// WeightNorm.
#pragma once

#include <norma/doors/batch_layer.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

struct MeanOnlySpec {
  static constexpr const char* layer = "MeanOnlyBatchNorm";
  static constexpr int least_rank = 2;

  /// The sets: each channel of the batch.
  static Roles roles(const Extents& x) {
    check_channel_rank(layer, x, least_rank);
    return batch_roles(x.size());
  }
};

/// momentum std::nullopt: the cumulative average of all batches.
struct MeanOnlyBatchNormOptions {
  std::optional<double> momentum = 0.1;  ///< the weight of the new value, in [0, 1], else a ShapeError; std::nullopt averages all batches
  bool bias = true;                      ///< false: y = x - mean
  bool track_running_stats = true;       ///< false: inference uses the statistics of x
};

/// y = x - mean + bias over (N, C) or (N, C, spatial...). Running mean and conventions are BatchNorm's; there is no weight and no running
/// variance, and one value per channel is legal: it gives the bias. T: float or double.
template <Parameter T = float>
class MeanOnlyBatchNorm : public TrackingNorm<MeanOnlySpec, T> {
 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit MeanOnlyBatchNorm(index_t channels, const MeanOnlyBatchNormOptions& options = {})
      : TrackingNorm<MeanOnlySpec, T>({Statistic::Kind::mean_only}, channels,
                                      {.weight = false,
                                       .bias = options.bias,
                                       .track_running_stats = options.track_running_stats,
                                       .variance = false,
                                       .momentum = options.momentum}) {}
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
