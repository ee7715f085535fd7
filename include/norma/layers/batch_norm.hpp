// BatchNorm: mean and variance of each channel over the batch and all positions (Ioffe, Szegedy 2015, arXiv 1502.03167).
#pragma once

#include <norma/doors/batch_layer.hpp>
#include <norma/doors/epsilon.hpp>
#include <norma/doors/view_norm.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Views of inference with given statistics, both wanted: mean and variance (C). weight and bias: (C), or x's rank with 1 where they
/// repeat.
template <Parameter T>
struct BatchNormViews {
  ParameterView<T> mean = {};      ///< (C), wanted
  ParameterView<T> variance = {};  ///< (C), wanted: of the population
  ParameterView<T> weight = {};    ///< absent: not applied
  ParameterView<T> bias = {};      ///< absent: not applied
  double eps = 1e-5;               ///< added to the variance; 0 or more, else a ShapeError
  bool unit_offset = false;        ///< the weight enters as 1 + weight
};
/// Views of training. Running statistics (C), any stride: both or neither; momentum weighs the new value, std::nullopt is an error here
/// because nothing counts the batches.
template <Parameter T>
struct BatchNormTrainingViews {
  OptionalView<T> running_mean = {};  ///< (C), moved by momentum
  OptionalView<T> running_var = {};   ///< (C), moved by momentum
  double momentum = 0.1;              ///< the weight of the new value, in [0, 1], else a ShapeError
  ParameterView<T> weight = {};       ///< absent: not applied
  ParameterView<T> bias = {};         ///< absent: not applied
  double eps = 1e-5;                  ///< added to the variance; 0 or more, else a ShapeError
  bool unit_offset = false;           ///< the weight enters as 1 + weight
};
/// Views of the backward of training: weight and unit_offset as in its forward. Gradients have their parameter's shape, += ...; an absent
/// one is not computed.
template <Parameter T>
struct BatchNormBackwardViews {
  ParameterView<T> weight = {};      ///< as in the forward
  bool unit_offset = false;          ///< as in the forward
  OptionalView<T> weight_grad = {};  ///< += ..., of the weight's shape; absent: not computed
  OptionalView<T> bias_grad = {};    ///< += ..., of the bias' shape; absent: not computed
  ParameterView<T> bias = {};        ///< as in the forward; wanted with an activation or a gate
};
/// Views of the backward of inference: those of BatchNormViews, and gradients as in BatchNormBackwardViews.
template <Parameter T>
struct BatchNormFrozenBackwardViews {
  ParameterView<T> mean = {};        ///< as in the forward
  ParameterView<T> variance = {};    ///< as in the forward
  ParameterView<T> weight = {};      ///< as in the forward
  double eps = 1e-5;                 ///< as in the forward
  bool unit_offset = false;          ///< as in the forward
  OptionalView<T> weight_grad = {};  ///< += ..., of the weight's shape; absent: not computed
  OptionalView<T> bias_grad = {};    ///< += ..., of the bias' shape; absent: not computed
  ParameterView<T> bias = {};        ///< as in the forward; wanted with an activation or a gate
};

struct BatchNormSpec {
  template <Parameter T>
  using Views = BatchNormViews<T>;
  template <Parameter T>
  using TrainingViews = BatchNormTrainingViews<T>;
  template <Parameter T>
  using BackwardViews = BatchNormBackwardViews<T>;
  template <Parameter T>
  using FrozenBackwardViews = BatchNormFrozenBackwardViews<T>;
  static constexpr const char* layer = "BatchNorm";
  static constexpr int least_rank = 2;

  /// The sets: each channel of the batch.
  static Roles roles(const Extents& x) {
    check_channel_rank(layer, x, least_rank);
    return batch_roles(x.size());
  }
  template <class Views>
  static Roles roles(const Extents& x, const Views&) {
    return roles(x);
  }
  static void check_training(const Extents& x) { check_more_than_one_value(layer, x); }

  /// ShapeError unless mean and variance are there, one value per channel each.
  template <class T>
  static GivenStatistics checked_statistics(const Extents& x, const ParameterView<T>& mean, const ParameterView<T>& variance, double eps) {
    check_channel_rank(layer, x, least_rank);
    if ((!mean.has_value() || !variance.has_value()) && x[1] > 0) raise_shape_error(layer, ": mean and variance are both wanted here");
    check_per_channel(layer, "mean", mean.extents(), x[1]);
    check_per_channel(layer, "variance", variance.extents(), x[1]);
    return GivenStatistics(eps, mean.operand(), variance.operand());
  }

  template <class X, class Y, class P>
  static void infer(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, const BatchNormViews<P>& options) {
    const GivenStatistics given = checked_statistics<P>(x.extents(), options.mean, options.variance, checked_eps(layer, options.eps));
    check_forward(layer, call, x, y, roles(x.extents()));
    apply_statistics<P>(call, batch_roles(x.rank()), x, y, view_operands<BatchNormSpec>(x.extents(), channel_axis, options), given);
  }
  template <class X, class Y, class P>
  static void train(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<P>& saved,
                    const BatchNormTrainingViews<P>& options) {
    const Roles sets = roles(x.extents());
    check_forward(layer, call, x, y, sets);
    if (options.running_mean.has_value() != options.running_var.has_value()) {
      raise_shape_error(layer, ": running_mean and running_var are wanted both or not at all");
    }
    if (options.running_mean.has_value()) {
      check_per_channel(layer, "running_mean", options.running_mean->extents(), x.extent(1));
      check_per_channel(layer, "running_var", options.running_var->extents(), x.extent(1));
    }
    check_training(x.extents());
    const Statistic statistic{Statistic::Kind::deviation, checked_eps(layer, options.eps)};
    check_momentum(layer, options.momentum);
    const AffineOperands affine = view_operands<BatchNormSpec>(x.extents(), channel_axis, options);
    normalize<P>(call, statistic, sets, x, y, affine, &saved);
    if (options.running_mean.has_value() && x.size() > 0) {
      const RunningStep step = RunningStep::of(options.momentum, StatsConvention::torch, 1);
      update_running_of(saved, x.extents(), sets, step, *options.running_mean, *options.running_var);
    }
    saved.commit(layer, x.extents(), sets.signature(), statistic);
  }
  template <class DY, class X, class DX, class P>
  static void infer_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx,
                             const BatchNormFrozenBackwardViews<P>& options) {
    const GivenStatistics given = checked_statistics<P>(x.extents(), options.mean, options.variance, checked_eps(layer, options.eps));
    check_frozen_backward(layer, call, dy, x, dx, roles(x.extents()));
    apply_statistics_backward<P>(call, batch_roles(x.rank()), dy, x, dx, view_operands<BatchNormSpec>(x.extents(), channel_axis, options),
                                 given, x.extent(1));
  }
};

/// torch.nn.BatchNorm's options and defaults. momentum std::nullopt: the cumulative average of all batches.
struct BatchNormOptions {
  double eps = 1e-5;                                    ///< added to the variance; 0 or more, else a ShapeError
  std::optional<double> momentum = 0.1;                 ///< of the new value or the old, see convention; in [0, 1], else a ShapeError
  bool affine = true;                                   ///< false: neither weight nor bias
  bool bias = true;                                     ///< counts only with affine
  bool track_running_stats = true;                      ///< false: inference uses the statistics of x
  StatsConvention convention = StatsConvention::torch;  ///< what momentum weighs, and which variance runs
};

/// Normalizes each channel of (N, C) or (N, C, spatial...); weight and bias have C elements. Training uses the batch's statistics and moves
/// the running ones, inference uses the running ones (the batch's, if it does not track). An empty batch changes nothing. ShapeError where
/// a training batch has a single value per channel. T: float or double.
template <Parameter T = float>
class BatchNorm : public TrackingNorm<BatchNormSpec, T> {
 public:
  /// Of so many channels. ShapeError if they are negative, or an option is out of its range.
  explicit BatchNorm(index_t channels, const BatchNormOptions& options = {})
      : TrackingNorm<BatchNormSpec, T>({Statistic::Kind::deviation, checked_eps(BatchNormSpec::layer, options.eps)}, channels,
                                       {.weight = options.affine,
                                        .bias = options.affine && options.bias,
                                        .track_running_stats = options.track_running_stats,
                                        .momentum = options.momentum,
                                        .convention = options.convention}) {}
  /// Refuses a misspelt eps with a sentence of the compiler.
  BatchNorm(index_t channels, const EpsilonOptions&) : BatchNorm(channels, refuse_epsilon<T, BatchNormOptions>()) {}
};

/// BatchNorm on views you own. Inference: batch_norm(x, y, {.mean = m, .variance = v, ...}); it allocates nothing. Training forward:
/// batch_norm(x, y, saved, {.running_mean = m, .running_var = v, ...}). y may be exactly x.
inline constexpr ViewForward<BatchNormSpec> batch_norm{};

/// batch_norm_backward(dy, x, saved, dx, options), after the training forward.
inline constexpr ViewBackward<BatchNormSpec> batch_norm_backward{};

/// batch_norm_backward_frozen(dy, x, dx, {.mean = m, .variance = v, ...}): backward of inference, where the statistics are constants.
/// dx = ... unless absent, and it may be exactly dy or x; gradients += ...; allocates a few numbers per channel.
inline constexpr ViewFrozenBackward<BatchNormSpec> batch_norm_backward_frozen{};

}}  // namespace norma::NORMA_ISA_NAMESPACE
