// BatchLayer: what layers with one mean and variance per channel share: parameters, running statistics, their use at inference, all calls.
#pragma once

#include <norma/doors/calls.hpp>
#include <norma/doors/normalize.hpp>
#include <norma/doors/running_statistics.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Options that these layers have in common.
struct BatchLayerOptions {
  bool weight = true;
  bool bias = true;
  bool track_running_stats = true;
  bool variance = true;  ///< false: a norm that only subtracts the mean
  std::optional<double> momentum = 0.1;
  StatsConvention convention = StatsConvention::torch;
  double first_variance = 1;
  Rounding rounding = Rounding::once;
};

/// What most of them tell: each channel of the batch is a set, and one value has no variance to learn from. Name::layer is the layer's
/// name.
template <class Name>
struct BatchSets {
  static constexpr const char* layer = Name::layer;
  static constexpr int least_rank = 2;

  static Roles roles(const Extents& x) {
    check_channel_rank(layer, x, least_rank);
    return batch_roles(x.size());
  }
  static void check_training(const Extents& x) { check_more_than_one_value(layer, x); }
};

/// F says the sets: F::roles(extents), F::least_rank; F::check_training(extents), if it has one, refuses batches it cannot learn from.
/// Layer gives `train` and `train_backward`, and its own `infer` and `infer_backward` if these do not fit.
template <class Layer, class F, Parameter T>
class BatchLayer : public AssignedWhole<Layer>, public AffineParameters<T>, public RunningStatistics<T>, public LayerCalls<Layer, T> {
 public:
  using RunningStatistics<T>::for_each_buffer;

  ///@{
  /// The options of that name.
  double eps() const { return statistic_.eps; }
  Rounding rounding() const { return rounding_; }
  ///@}

  ///@{
  /// Backward of inference with running statistics, which are constants: dx = ..., parameter gradients += .... A dx with a null pointer is
  /// not computed; dx may be exactly dy or x. ShapeError without tracked statistics. Allocates a few numbers per channel
  /// (SwitchableNorm and BatchInstanceNorm: per sample and channel).
  template <class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void backward_frozen(DY&& dy, X&& x, DX&& dx, const O&... op) { backward_frozen(sequential, dy, x, std::forward<DX>(dx), op...); }
  template <InPlaceOfExecutor E, class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void backward_frozen(const E& executor, DY&& dy, X&& x, DX&& dx, const O&... op) {
    run_backward_frozen(ExecutorRef(executor), norma::view(dy), norma::view(x), norma::output_view(std::forward<DX>(dx)), op...);
  }
  template <class DY, class X, class DX, class O = Identity>
  void backward_frozen(DY&& dy, X&& x, DX&& dx, const FusedBackward& fused, const O& op = {}) {
    backward_frozen(sequential, dy, x, std::forward<DX>(dx), fused, op);
  }
  template <InPlaceOfExecutor E, class DY, class X, class DX, class O = Identity>
  void backward_frozen(const E& executor, DY&& dy, X&& x, DX&& dx, const FusedBackward& fused, const O& op = {}) {
    run_backward_frozen(ExecutorRef(executor), norma::view(dy), norma::view(x), norma::output_view(std::forward<DX>(dx)), fused, op);
  }
  ///@}

 protected:
  BatchLayer(const Statistic& statistic, index_t channels, const BatchLayerOptions& options)
      : AffineParameters<T>({checked_channel_count(F::layer, channels)}, options.weight, options.bias, false),
        RunningStatistics<T>(options.track_running_stats
                                 ? RunningStatistics<T>(channels, options.variance, static_cast<T>(options.first_variance))
                                 : RunningStatistics<T>()),
        statistic_(statistic),
        momentum_(options.momentum),
        convention_(options.convention),
        rounding_(options.rounding) {
    check_momentum(F::layer, momentum_);
  }

  template <class X, class Y>
  void infer(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y) const {
    const Roles roles = checked_roles(x.extents());
    check_forward(F::layer, call, x, y, roles);
    const AffineOperands affine = this->operands(x.extents(), channel_axis);
    if (this->tracks()) {
      apply_statistics<T>(call, batch_roles(x.rank()), x, y, affine, running());
    } else {
      normalize<T>(call, statistic_, roles, x, y, affine, static_cast<Saved<T>*>(nullptr));
    }
  }

  template <class DY, class X, class DX>
  void infer_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx) {
    check_frozen(call, dy, x, dx);
    apply_statistics_backward<T>(call, batch_roles(x.rank()), dy, x, dx, this->operands_with_gradients(x.extents(), channel_axis),
                                 running(), x.extent(1));
  }

  template <class DY, class X, class DX>
  void check_frozen(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx) const {
    const Roles roles = checked_roles(x.extents());
    if (!this->tracks()) raise_shape_error(F::layer, ": backward_frozen wants running statistics, this layer does not track any");
    check_frozen_backward(F::layer, call, dy, x, dx, roles);
  }
  template <class X, class Y>
  Roles checked_training(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y) const {
    const Roles roles = checked_roles(x.extents());
    check_forward(F::layer, call, x, y, roles);
    check_training<F>(x.extents());
    return roles;
  }
  Roles checked_roles(const Extents& x) const {
    check_channels(F::layer, x, F::least_rank, this->parameter_shape()[0]);
    return F::roles(x);
  }
  index_t channels() const { return this->parameter_shape()[0]; }

  /// One step of the running statistics, if there are any, with the statistics a training forward has left in `saved`.
  void learn(const Saved<T>& saved, const Extents& x, const Roles& roles) {
    if (!this->tracks() || x.product() == 0) return;
    update_running_of(saved, x, roles, next_step(), this->mean_view(), this->variance_view());
  }
  /// The same from of_channel(c), mean and population variance of a channel of m elements.
  template <class OfChannel>
  void learn_from(index_t m, bool unbiased, const OfChannel& of_channel) {
    if (!this->tracks()) return;
    RunningStep step = next_step();
    step.unbiased = step.unbiased && unbiased;
    const TensorView<T> mean = this->mean_view(), variance = this->variance_view();
    for (index_t c = 0; c < channels(); ++c) {
      const SetStatistics batch = of_channel(c);
      mean(c) = static_cast<T>(step.blend(static_cast<double>(mean(c)), batch.mean.high + batch.mean.low));
      variance(c) = static_cast<T>(step.blend(static_cast<double>(variance(c)), step.averaged_variance(batch.second, m)));
    }
  }
  RunningStep next_step() { return RunningStatistics<T>::next_step(momentum_, convention_); }

  /// Statistics of inference. A norm without variance has the one that scales nothing.
  GivenStatistics running() const {
    static constexpr T no_variance = T(1);
    const Operand mean(this->mean_view());
    if (this->variance_view().data() != nullptr) return GivenStatistics(statistic_.eps, mean, Operand(this->variance_view()));
    return GivenStatistics(0, mean, constant_operand(no_variance, 1));
  }

  const Statistic& statistic() const { return statistic_; }

 private:
  friend LayerCalls<Layer, T>;

  template <class DY, class X, class DX, class... What>
  void run_backward_frozen(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx,
                           const What&... what) {
    const auto run = [&](const CallRef& fused, const auto& upstream, const auto& input, const auto& result) {
      static_cast<Layer&>(*this).infer_backward(fused, upstream, input, result);
    };
    fused_backward<T>(call, dy, x, dx, run, what...);
  }

  Statistic statistic_;
  std::optional<double> momentum_;
  StatsConvention convention_;
  Rounding rounding_;
};

/// F as BatchLayer wants it.
template <class F, Parameter T>
class TrackingNorm : public BatchLayer<TrackingNorm<F, T>, F, T> {
 protected:
  using Base = BatchLayer<TrackingNorm<F, T>, F, T>;
  using Base::Base;

 private:
  friend LayerCalls<TrackingNorm<F, T>, T>;
  friend Base;

  template <class X, class Y>
  void train(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = this->checked_training(call, x, y);
    normalize<T>(call, this->statistic(), roles, x, y, this->operands(x.extents(), channel_axis), &saved);
    this->learn(saved, x.extents(), roles);
    saved.commit(F::layer, x.extents(), roles.signature(), this->statistic());
  }
  template <class DY, class X, class DX>
  void train_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx) {
    const Roles roles = this->checked_roles(x.extents());
    check_backward(F::layer, call, dy, x, saved, dx, roles);
    normalize_backward<T>(call, this->statistic(), roles, dy, x, saved, dx, this->operands_with_gradients(x.extents(), channel_axis));
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
