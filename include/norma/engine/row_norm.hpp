// Norms whose statistics and parameters share their axes: the layer over trailing axes, and the same over any axes on views.
#pragma once

#include <norma/engine/layer.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// normalized_shape, or ShapeError: at least one extent, none negative.
inline const Extents& checked_normalized_shape(const char* layer, const Extents& shape) {
  if (shape.size() == 0) raise_shape_error(layer, ": normalized_shape is empty");
  for (const index_t extent : shape) {
    if (extent < 0) raise_shape_error(layer, ": normalized_shape ", shape, " has a negative extent");
  }
  return shape;
}

/// The trailing axes of x, whose extents must be `shape`.
inline AxisSet checked_trailing_axes(const char* layer, const Extents& x, const Extents& shape) {
  bool fits = x.size() >= shape.size();
  for (int i = 1; fits && i <= shape.size(); ++i) fits = x[x.size() - i] == shape[shape.size() - i];
  if (!fits) raise_shape_error(layer, ": x has extents ", x, ", normalized_shape is ", shape);
  return trailing_axes(x.size(), shape.size());
}

template <class P, Formula F>
inline void commit(Saved<P>& saved, const F& formula, const Extents& x, AxisSet axes) {
  if constexpr (requires { formula.eps_outside_sqrt; }) {
    saved.commit(F::layer, x, axes, formula.eps, formula.eps_outside_sqrt);
  } else {
    saved.commit(F::layer, x, axes, formula.eps);
  }
}

/// A layer over trailing axes with parameters of their shape. F::layer is its name in messages. T: float or double.
template <Formula F, Parameter T>
class RowNorm : public AffineParameters<T>, public LayerCalls<RowNorm<F, T>, T> {
 public:
  double eps() const { return formula_.eps; }

 protected:
  RowNorm(const F& formula, const Extents& normalized_shape, bool has_weight, bool has_bias, bool unit_offset)
      : AffineParameters<T>(checked_normalized_shape(F::layer, normalized_shape), has_weight, has_bias, unit_offset), formula_(formula) {}

 private:
  friend LayerCalls<RowNorm<F, T>, T>;

  template <class X, class Y>
  void infer(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y) const {
    run(executor, x, y, nullptr);
  }
  template <class X, class Y>
  void train(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>& saved) {
    commit(saved, formula_, x.extents(), run(executor, x, y, &saved));
  }
  template <class X, class Y>
  AxisSet run(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<T>* saved) const {
    const AxisSet axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
    check_forward(F::layer, x, y);
    normalize<T>(executor, formula_, axes, x, y, this->operands(F::layer, x.extents(), axes), saved);
    return axes;
  }
  template <class DY, class X, class DX>
  void pull(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<T>& saved, const TensorView<DX>& dx) {
    const AxisSet axes = checked_trailing_axes(F::layer, x.extents(), this->parameter_shape());
    check_backward(F::layer, dy, x, saved, dx, axes);
    normalize_backward<T>(executor, formula_, axes, dy, x, saved, dx, this->operands_with_gradients(F::layer, x.extents(), axes));
  }

  F formula_;
};

/// Forward on views, over options.axes; with `saved`, as training forward.
template <Formula F, class X, class Y, class P, class Views>
void normalize_views(const ExecutorRef& executor, const F& formula, const TensorView<X>& x, const TensorView<Y>& y, Saved<P>* saved,
                     const Views& options) {
  const AxisSet axes = axis_set(F::layer, options.axes, x.rank());
  check_forward(F::layer, x, y);
  AffineOperands affine;
  affine.weight = parameter_operand(F::layer, "weight", *options.weight, x.extents(), axes);
  affine.bias = parameter_operand(F::layer, "bias", *options.bias, x.extents(), axes);
  affine.unit_offset = options.unit_offset;
  normalize<P>(executor, formula, axes, x, y, affine, saved);
  if (saved != nullptr) commit(*saved, formula, x.extents(), axes);
}

/// Backward on views, over options.axes.
template <Formula F, class DY, class X, class DX, class P, class Views>
void normalize_views_backward(const ExecutorRef& executor, const F& formula, const TensorView<DY>& dy, const TensorView<X>& x,
                              Saved<P>& saved, const TensorView<DX>& dx, const Views& options) {
  const AxisSet axes = axis_set(F::layer, options.axes, x.rank());
  check_backward(F::layer, dy, x, saved, dx, axes);
  AffineOperands affine;
  affine.weight = parameter_operand(F::layer, "weight", *options.weight, x.extents(), axes);
  affine.weight_grad = parameter_operand(F::layer, "weight_grad", *options.weight_grad, x.extents(), axes);
  affine.bias_grad = parameter_operand(F::layer, "bias_grad", *options.bias_grad, x.extents(), axes);
  affine.unit_offset = options.unit_offset;
  normalize_backward<P>(executor, formula, axes, dy, x, saved, dx, affine);
}

/// A norm as a function on views you own: `inline constexpr ViewForward<F> layer_norm;`. F says what its options are (F::Views<T>) and what
/// formula they ask for (F::from(options)). The first argument may be an executor; with a Saved before the options it is a training
/// forward.
template <class F>
struct ViewForward {
  template <Executor E, class X, class Y>
  void operator()(const E& executor, X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options = {}) const {
    using P = ParameterOf<X>;
    normalize_views(ExecutorRef(executor), F::from(options), norma::view(x), norma::output_view(y), static_cast<Saved<P>*>(nullptr),
                    options);
  }
  template <class X, class Y>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options = {}) const {
    (*this)(sequential, x, y, options);
  }
  template <Executor E, class X, class Y>
  void operator()(const E& executor, X&& x, Y&& y, Saved<ParameterOf<X>>& saved,
                  const typename F::template Views<ParameterOf<X>>& options = {}) const {
    normalize_views(ExecutorRef(executor), F::from(options), norma::view(x), norma::output_view(y), &saved, options);
  }
  template <class X, class Y>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, Saved<ParameterOf<X>>& saved, const typename F::template Views<ParameterOf<X>>& options = {}) const {
    (*this)(sequential, x, y, saved, options);
  }
};

/// Its backward: dx = ..., weight_grad and bias_grad += ..., each where present. dx may be exactly dy or x. F::from(saved) recalls the
/// formula.
template <class F>
struct ViewBackward {
  template <Executor E, class DY, class X, class DX>
  void operator()(const E& executor, DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options = {}) const {
    normalize_views_backward(ExecutorRef(executor), F::from(saved), norma::view(dy), norma::view(x), saved, norma::output_view(dx),
                             options);
  }
  template <class DY, class X, class DX>
    requires(!Executor<DY>)
  void operator()(DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options = {}) const {
    (*this)(sequential, dy, x, saved, dx, options);
  }
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
