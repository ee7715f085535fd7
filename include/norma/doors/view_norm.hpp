// Norms as functions on views their user owns: no layer object, no ownership, no allocation but that of a Saved.
#pragma once

#include <norma/doors/plain_layer.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Of norms with .axes: the parameters lie along the averaged axes. Others say it themselves: F::roles(extents, options), parameters (C).
template <class F, class Views>
inline NormAxes view_axes(const Extents& x, const Views& options) {
  if constexpr (requires { options.axes; }) {
    const AxisSet axes = axis_set(F::layer, options.axes, x.size());
    return {axes, axes};
  } else {
    return {F::roles(x, options), channel_axis};
  }
}

template <class F, class Views>
inline AffineOperands view_operands(const Extents& x, AxisSet parameters, const Views& options) {
  AffineOperands affine;
  affine.weight = parameter_operand(F::layer, "weight", options.weight.operand(), options.weight.extents(), x, parameters);
  if constexpr (requires { options.bias; }) {
    affine.bias = parameter_operand(F::layer, "bias", options.bias.operand(), options.bias.extents(), x, parameters);
  }
  if constexpr (requires { options.weight_grad; }) {
    affine.weight_grad = parameter_operand(F::layer, "weight_grad", *options.weight_grad, x, parameters);
    affine.bias_grad = parameter_operand(F::layer, "bias_grad", *options.bias_grad, x, parameters);
  }
  affine.unit_offset = options.unit_offset;
  return affine;
}

/// Forward on views; with `saved`, as training forward.
template <class F, class X, class Y, class P, class Views>
void normalize_views(const ExecutorRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<P>* saved, const Views& options) {
  const Statistic statistic = F::statistic(options);
  const NormAxes axes = view_axes<F>(x.extents(), options);
  check_forward(F::layer, x, y);
  normalize<P>(executor, statistic, axes.roles, x, y, view_operands<F>(x.extents(), axes.parameters, options), saved);
  if (saved != nullptr) saved->commit(F::layer, x.extents(), axes.roles.signature(), statistic);
}

/// Backward on views.
template <class F, class DY, class X, class DX, class P, class Views>
void normalize_views_backward(const ExecutorRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<P>& saved,
                              const TensorView<DX>& dx, const Views& options) {
  const NormAxes axes = view_axes<F>(x.extents(), options);
  check_backward(F::layer, dy, x, saved, dx, axes.roles);
  normalize_backward<P>(executor, saved.statistic(), axes.roles, dy, x, saved, dx, view_operands<F>(x.extents(), axes.parameters, options));
}

/// What a norm's training forward takes: F::TrainingViews, or the options of inference.
template <class F, class P>
struct TrainingViewsOf {
  using type = typename F::template Views<P>;
};

template <class F, class P>
  requires requires { typename F::template TrainingViews<P>; }
struct TrainingViewsOf<F, P> {
  using type = typename F::template TrainingViews<P>;
};

/// A norm as a function on views you own: `inline constexpr ViewForward<F> layer_norm;`. F says what its options are (F::Views<T>, and
/// F::TrainingViews<T> if those of a training forward are others) and what statistic they ask for (F::statistic(options)), or does it all
/// itself (F::infer, F::train). The first argument may be an executor; with a Saved before the options it is a training forward.
template <class F>
struct ViewForward {
  template <Executor E, class X, class Y>
  void operator()(const E& executor, X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options = {}) const {
    const auto input = norma::view(x);
    const auto output = norma::output_view(std::forward<Y>(y));
    if constexpr (requires { F::infer(ExecutorRef(executor), input, output, options); }) {
      F::infer(ExecutorRef(executor), input, output, options);
    } else {
      normalize_views<F>(ExecutorRef(executor), input, output, static_cast<Saved<ParameterOf<X>>*>(nullptr), options);
    }
  }
  template <class X, class Y>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options = {}) const {
    (*this)(sequential, x, std::forward<Y>(y), options);
  }
  template <Executor E, class X, class Y>
  void operator()(const E& executor, X&& x, Y&& y, Saved<ParameterOf<X>>& saved,
                  const typename TrainingViewsOf<F, ParameterOf<X>>::type& options = {}) const {
    const auto input = norma::view(x);
    const auto output = norma::output_view(std::forward<Y>(y));
    if constexpr (requires { F::train(ExecutorRef(executor), input, output, saved, options); }) {
      F::train(ExecutorRef(executor), input, output, saved, options);
    } else {
      normalize_views<F>(ExecutorRef(executor), input, output, &saved, options);
    }
  }
  template <class X, class Y>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, Saved<ParameterOf<X>>& saved, const typename TrainingViewsOf<F, ParameterOf<X>>::type& options = {}) const {
    (*this)(sequential, x, std::forward<Y>(y), saved, options);
  }
};

/// Its backward: dx = ..., weight_grad and bias_grad += ..., each where present. dx may be exactly dy or x.
template <class F>
struct ViewBackward {
  template <Executor E, class DY, class X, class DX>
  void operator()(const E& executor, DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options = {}) const {
    normalize_views_backward<F>(ExecutorRef(executor), norma::view(dy), norma::view(x), saved, norma::output_view(std::forward<DX>(dx)),
                                options);
  }
  template <class DY, class X, class DX>
    requires(!Executor<DY>)
  void operator()(DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options = {}) const {
    (*this)(sequential, dy, x, saved, std::forward<DX>(dx), options);
  }
};

/// The backward of inference whose statistics are constants: F::infer_backward.
template <class F>
struct ViewFrozenBackward {
  template <Executor E, class DY, class X, class DX>
  void operator()(const E& executor, DY&& dy, X&& x, DX&& dx,
                  const typename F::template FrozenBackwardViews<ParameterOf<X>>& options) const {
    F::infer_backward(ExecutorRef(executor), norma::view(dy), norma::view(x), norma::output_view(std::forward<DX>(dx)), options);
  }
  template <class DY, class X, class DX>
    requires(!Executor<DY>)
  void operator()(DY&& dy, X&& x, DX&& dx, const typename F::template FrozenBackwardViews<ParameterOf<X>>& options) const {
    (*this)(sequential, dy, x, std::forward<DX>(dx), options);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
