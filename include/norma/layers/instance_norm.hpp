// InstanceNorm: mean and variance over the positions of each sample and channel (Ulyanov, Vedaldi, Lempitsky 2016, arXiv 1607.08022).
#pragma once

#include <norma/doors/batch_layer.hpp>
#include <norma/doors/epsilon.hpp>
#include <norma/doors/view_norm.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Views of the free functions. weight and bias: (C), or x's rank with 1 where they repeat, e.g. (N, C, 1, 1) for AdaIN.
template <Parameter T>
struct InstanceNormViews {
  ParameterView<T> weight = {};        ///< absent: not applied
  ParameterView<T> bias = {};          ///< absent: not applied
  double eps = 1e-5;                   ///< added to the variance; 0 or more, else a ShapeError
  bool unit_offset = false;            ///< the weight enters as 1 + weight
  Rounding rounding = Rounding::once;  ///< of results of 16 bits
};
/// Views of the backward of training.
template <Parameter T>
struct InstanceNormBackwardViews {
  ParameterView<T> weight = {};      ///< as in the forward
  bool unit_offset = false;          ///< as in the forward
  OptionalView<T> weight_grad = {};  ///< += ..., of the weight's shape; absent: not computed
  OptionalView<T> bias_grad = {};    ///< += ..., of the bias' shape; absent: not computed
  ParameterView<T> bias = {};        ///< as in the forward; wanted with an activation or a gate
};

struct InstanceNormSpec {
  template <Parameter T>
  using Views = InstanceNormViews<T>;
  template <Parameter T>
  using BackwardViews = InstanceNormBackwardViews<T>;
  static constexpr const char* layer = "InstanceNorm";
  static constexpr int least_rank = 3;

  template <Parameter T>
  static Statistic statistic(const InstanceNormViews<T>& options) {
    return {Statistic::Kind::deviation, checked_eps(layer, options.eps)};
  }
  /// The sets: each channel of a sample.
  static Roles roles(const Extents& x) {
    check_channel_rank(layer, x, least_rank);
    return plane_roles(x.size());
  }
  template <class Views>
  static Roles roles(const Extents& x, const Views&) {
    return roles(x);
  }
};

/// torch.nn.InstanceNorm's options and defaults: neither parameters nor running statistics. bias counts only with affine.
struct InstanceNormOptions {
  double eps = 1e-5;                     ///< added to the variance; 0 or more, else a ShapeError
  std::optional<double> momentum = 0.1;  ///< the weight of the new value, in [0, 1], else a ShapeError; std::nullopt averages all batches
  bool affine = false;                   ///< true: weight and bias, (C) each
  bool bias = true;                      ///< counts only with affine
  bool track_running_stats = false;      ///< true: running statistics for inference
  Rounding rounding = Rounding::once;    ///< of results of 16 bits
};

/// Normalizes each channel of each sample of (N, C, spatial...) over its positions; weight and bias have C elements. The same in training
/// and inference, unless it tracks: then inference uses the running statistics, which average each batch's per-sample statistics (the
/// variance unbiased; 0 where there is one position). One value per set gives exactly the bias. T: float or double.
template <Parameter T = float>
class InstanceNorm : public TrackingNorm<InstanceNormSpec, T> {
 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit InstanceNorm(index_t channels, const InstanceNormOptions& options = {})
      : TrackingNorm<InstanceNormSpec, T>({Statistic::Kind::deviation, checked_eps(InstanceNormSpec::layer, options.eps)}, channels,
                                          {.weight = options.affine,
                                           .bias = options.affine && options.bias,
                                           .track_running_stats = options.track_running_stats,
                                           .momentum = options.momentum,
                                           .rounding = options.rounding}) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  InstanceNorm(index_t channels, const EpsilonOptions&) : InstanceNorm(channels, refuse_epsilon<T, InstanceNormOptions>()) {}
};

/// InstanceNorm on views you own: inference (instance_norm(x, y, options)), training forward (with a Saved before the options), each with
/// an executor first if you like; statistics are always those of x. y may be exactly x. ShapeError before anything is written.
inline constexpr ViewForward<InstanceNormSpec> instance_norm{};

/// instance_norm_backward(dy, x, saved, dx, options), after the training forward.
inline constexpr ViewBackward<InstanceNormSpec> instance_norm_backward{};

}}  // namespace norma::NORMA_ISA_NAMESPACE
