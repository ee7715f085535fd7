// TrackingNorm: a layer over (N, C, spatial...) that may keep running statistics and use them at inference.
#pragma once

#include <norma/engine/channel_norm.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// F says the sets: F::roles(extents), F::least_rank; F::check_training(extents), if it has one, refuses batches it cannot learn from.
template <class F, Parameter T>
class TrackingNorm : public AffineParameters<T>, public RunningStatistics<T>, public LayerCalls<TrackingNorm<F, T>, T> {
 public:
  using RunningStatistics<T>::for_each_buffer;

  double eps() const { return formula_.eps; }

  /// Backward of inference with running statistics, which are constants: dx = ..., parameter gradients += .... A dx with a null pointer is
  /// not computed; dx may be exactly dy or x. ShapeError without tracked statistics.
  template <class DY, class X, class DX>
  void backward_frozen(DY&& dy, X&& x, DX&& dx) {
    backward_frozen(sequential, dy, x, dx);
  }
  template <Executor E, class DY, class X, class DX>
  void backward_frozen(const E& executor, DY&& dy, X&& x, DX&& dx) {
    pull_frozen(ExecutorRef(executor), norma::view(dy), norma::view(x), norma::output_view(dx));
  }

 protected:
  TrackingNorm(const F& formula, index_t channels, bool has_weight, bool has_bias, bool tracks, const std::optional<double>& momentum,
               StatsConvention convention)
      : AffineParameters<T>({checked_channel_count(F::layer, channels)}, has_weight, has_bias, false),
        RunningStatistics<T>(tracks ? RunningStatistics<T>(channels, T(1)) : RunningStatistics<T>()),
        formula_(formula),
        momentum_(momentum),
        convention_(convention) {}

 private:
  friend LayerCalls<TrackingNorm<F, T>, T>;

  template <class X, class Y>
  void infer(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y) const {
    const Roles roles = checked_roles(x.extents());
    check_forward(F::layer, x, y);
    const AffineOperands affine = this->operands(F::layer, x.extents(), channel_axis);
    if (this->tracks()) {
      apply_statistics<T>(executor, batch_roles(x.rank()), x, y, affine, running());
    } else {
      normalize<T>(executor, algebra_of(formula_), roles, x, y, affine, static_cast<Saved<T>*>(nullptr));
    }
  }
  template <class X, class Y>
  void train(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = checked_roles(x.extents());
    check_forward(F::layer, x, y);
    check_training<F>(x.extents());
    normalize<T>(executor, algebra_of(formula_), roles, x, y, this->operands(F::layer, x.extents(), channel_axis), &saved);
    if (this->tracks() && x.size() > 0) {
      const RunningStep step = this->next_step(momentum_, convention_);
      update_running_of(saved, x.extents(), roles, step, this->mean_view(), this->variance_view());
    }
    commit(saved, formula_, x.extents(), roles);
  }
  template <class DY, class X, class DX>
  void pull(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx) {
    const Roles roles = checked_roles(x.extents());
    check_backward(F::layer, dy, x, saved, dx, roles);
    normalize_backward<T>(executor, algebra_of(formula_), roles, dy, x, saved, dx,
                          this->operands_with_gradients(F::layer, x.extents(), channel_axis));
  }
  template <class DY, class X, class DX>
  void pull_frozen(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx) {
    checked_roles(x.extents());
    if (!this->tracks()) raise_shape_error(F::layer, ": backward_frozen wants running statistics, this layer does not track any");
    check_frozen_backward(F::layer, dy, x, dx);
    apply_statistics_backward<T>(executor, batch_roles(x.rank()), dy, x, dx,
                                 this->operands_with_gradients(F::layer, x.extents(), channel_axis), running(), x.extent(1));
  }

  Roles checked_roles(const Extents& x) const {
    check_channels(F::layer, x, F::least_rank, this->parameter_shape()[0]);
    return F::roles(x);
  }
  GivenStatistics<T> running() const { return given_statistics<T>(this->mean_view(), this->variance_view(), formula_.eps); }

  F formula_;
  std::optional<double> momentum_;
  StatsConvention convention_;
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
