// PlainLayer: a layer that does nothing but normalize over some axes.
#pragma once

#include <norma/doors/calls.hpp>
#include <norma/doors/normalize.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What a norm says of x's axes: its sets, and the axes whose extents its parameters have.
struct NormAxes {
  Roles roles;
  AxisSet parameters;
};

/// F::layer is its name in messages. Layer gives axes_of(extents of x), which throws ShapeError where x does not fit. T: float or double.
template <class Layer, class F, Parameter T>
class PlainLayer : public AssignedWhole<Layer>, public AffineParameters<T>, public LayerCalls<Layer, T> {
 public:
  ///@{
  /// The options of that name.
  double eps() const { return statistic_.eps; }
  Rounding rounding() const { return rounding_; }
  ///@}

 protected:
  PlainLayer(const Statistic& statistic, const Extents& parameter_shape, bool has_weight, bool has_bias, bool unit_offset,
             Rounding rounding)
      : AffineParameters<T>(parameter_shape, has_weight, has_bias, unit_offset), statistic_(statistic), rounding_(rounding) {}

  const Statistic& statistic() const { return statistic_; }

 private:
  friend LayerCalls<Layer, T>;

  template <class X, class Y>
  void infer(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y) const {
    run(call, x, y, nullptr);
  }
  template <class X, class Y>
  void train(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    const Roles roles = run(call, x, y, &saved);
    saved.commit(F::layer, x.extents(), roles.signature(), statistic_);
  }
  template <class X, class Y>
  Roles run(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>* saved) const {
    const NormAxes axes = static_cast<const Layer&>(*this).axes_of(x.extents());
    check_forward(F::layer, call, x, y, axes.roles);
    normalize<T>(call, statistic_, axes.roles, x, y, this->operands(x.extents(), axes.parameters), saved);
    return axes.roles;
  }
  template <class DY, class X, class DX>
  void train_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx) {
    const NormAxes axes = static_cast<const Layer&>(*this).axes_of(x.extents());
    check_backward(F::layer, call, dy, x, saved, dx, axes.roles);
    normalize_backward<T>(call, statistic_, axes.roles, dy, x, saved, dx, this->operands_with_gradients(x.extents(), axes.parameters));
  }

  Statistic statistic_;
  Rounding rounding_;
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
