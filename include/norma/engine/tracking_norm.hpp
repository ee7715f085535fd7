// TrackingNorm: a plain norm of (N, C, spatial...) that may keep running statistics and use them at inference.
#pragma once

#include <norma/engine/batch_layer.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

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
  void train(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = this->checked_training(x, y);
    normalize<T>(executor, this->statistic(), roles, x, y, this->operands(F::layer, x.extents(), channel_axis), &saved);
    this->learn(saved, x.extents(), roles);
    saved.commit(F::layer, x.extents(), roles.signature(), this->statistic());
  }
  template <class DY, class X, class DX>
  void train_backward(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved,
                      const TensorView<DX>& dx) {
    const Roles roles = this->checked_roles(x.extents());
    check_backward(F::layer, dy, x, saved, dx, roles);
    normalize_backward<T>(executor, this->statistic(), roles, dy, x, saved, dx,
                          this->operands_with_gradients(F::layer, x.extents(), channel_axis));
  }
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
