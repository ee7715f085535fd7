// Norms as functions on views their user owns: no layer object, no ownership, no allocation but that of a Saved.
#pragma once

#include <norma/doors/epsilon.hpp>
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
void normalize_views(const CallRef& call, const TensorView<X>& x, const TensorView<Y>& y, Saved<P>* saved, const Views& options) {
  const Statistic statistic = F::statistic(options);
  const NormAxes axes = view_axes<F>(x.extents(), options);
  check_forward(F::layer, call, x, y, axes.roles);
  normalize<P>(call, statistic, axes.roles, x, y, view_operands<F>(x.extents(), axes.parameters, options), saved);
  if (saved != nullptr) saved->commit(F::layer, x.extents(), axes.roles.signature(), statistic);
}

/// Backward on views.
template <class F, class DY, class X, class DX, class P, class Views>
void normalize_views_backward(const CallRef& call, const TensorView<DY>& dy, const TensorView<X>& x, Saved<P>& saved,
                              const TensorView<DX>& dx, const Views& options) {
  const NormAxes axes = view_axes<F>(x.extents(), options);
  check_backward(F::layer, call, dy, x, saved, dx, axes.roles);
  normalize_backward<P>(call, saved.statistic(), axes.roles, dy, x, saved, dx, view_operands<F>(x.extents(), axes.parameters, options));
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
struct ViewForward : RefusesEpsilon {
  using RefusesEpsilon::operator();

  ///@{
  /// Inference: allocates nothing, thread-safe. y may be exactly x.
  template <InPlaceOfExecutor E, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void operator()(const E& executor, X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options = {}, const O&... op) const {
    infer(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), options, op...);
  }
  template <class X, class Y, class... O>
    requires(!Executor<X> && AtMostOneOp<O...>)
  void operator()(X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options = {}, const O&... op) const {
    (*this)(sequential, x, std::forward<Y>(y), options, op...);
  }
  template <InPlaceOfExecutor E, class X, class Y, class O = Identity>
  void operator()(const E& executor, X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options, const Fused& fused,
                  const O& op = {}) const {
    infer(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), options, fused, op);
  }
  template <class X, class Y, class O = Identity>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, const typename F::template Views<ParameterOf<X>>& options, const Fused& fused, const O& op = {}) const {
    (*this)(sequential, x, std::forward<Y>(y), options, fused, op);
  }
  ///@}

  ///@{
  /// Training forward: leaves in `saved` what backward needs besides x.
  template <InPlaceOfExecutor E, class X, class Y, class... O>
    requires AtMostOneOp<O...>
  void operator()(const E& executor, X&& x, Y&& y, Saved<ParameterOf<X>>& saved,
                  const typename TrainingViewsOf<F, ParameterOf<X>>::type& options = {}, const O&... op) const {
    train(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), saved, options, op...);
  }
  template <class X, class Y, class... O>
    requires(!Executor<X> && AtMostOneOp<O...>)
  void operator()(X&& x, Y&& y, Saved<ParameterOf<X>>& saved, const typename TrainingViewsOf<F, ParameterOf<X>>::type& options = {},
                  const O&... op) const {
    (*this)(sequential, x, std::forward<Y>(y), saved, options, op...);
  }
  template <InPlaceOfExecutor E, class X, class Y, class O = Identity>
  void operator()(const E& executor, X&& x, Y&& y, Saved<ParameterOf<X>>& saved,
                  const typename TrainingViewsOf<F, ParameterOf<X>>::type& options, const Fused& fused, const O& op = {}) const {
    train(ExecutorRef(executor), norma::view(x), norma::output_view(std::forward<Y>(y)), saved, options, fused, op);
  }
  template <class X, class Y, class O = Identity>
    requires(!Executor<X>)
  void operator()(X&& x, Y&& y, Saved<ParameterOf<X>>& saved, const typename TrainingViewsOf<F, ParameterOf<X>>::type& options,
                  const Fused& fused, const O& op = {}) const {
    (*this)(sequential, x, std::forward<Y>(y), saved, options, fused, op);
  }
  ///@}

 private:
  template <class Views>
  static Rounding rounding_of(const Views& options) {
    if constexpr (requires { options.rounding; }) {
      return options.rounding;
    } else {
      return Rounding::once;
    }
  }
  template <class X, class Y, class Views, class... What>
  static void infer(const CallRef& executor, const TensorView<X>& x, const TensorView<Y>& y, const Views& options, const What&... what) {
    using P = ParameterFor<X>;
    const auto run = [&](const CallRef& call) {
      if constexpr (requires { F::infer(call, x, y, options); }) {
        F::infer(call, x, y, options);
      } else {
        normalize_views<F>(call, x, y, static_cast<Saved<P>*>(nullptr), options);
      }
    };
    fused_forward<P>(executor, x, y, rounding_of(options), run, what...);
  }
  template <class X, class Y, class P, class Views, class... What>
  static void train(const CallRef& executor, const TensorView<X>& x, const TensorView<Y>& y, Saved<P>& saved, const Views& options,
                    const What&... what) {
    const auto run = [&](const CallRef& call) {
      if constexpr (requires { F::train(call, x, y, saved, options); }) {
        F::train(call, x, y, saved, options);
      } else {
        normalize_views<F>(call, x, y, &saved, options);
      }
    };
    fused_forward<P>(executor, x, y, rounding_of(options), run, what...);
  }
};

/// Its backward: dx = ..., weight_grad and bias_grad += ..., each where present. dx may be exactly dy or x. The bias of the forward is
/// wanted with an activation or a gate.
template <class F>
struct ViewBackward {
  ///@{
  /// dx = ... unless absent; with an executor first or without, with what is fused or an activation at the end.
  template <InPlaceOfExecutor E, class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void operator()(const E& executor, DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options = {}, const O&... op) const {
    run(ExecutorRef(executor), norma::view(dy), norma::view(x), saved, norma::output_view(std::forward<DX>(dx)), options, op...);
  }
  template <class DY, class X, class DX, class... O>
    requires(!Executor<DY> && AtMostOneOp<O...>)
  void operator()(DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options = {}, const O&... op) const {
    (*this)(sequential, dy, x, saved, std::forward<DX>(dx), options, op...);
  }
  template <InPlaceOfExecutor E, class DY, class X, class DX, class O = Identity>
  void operator()(const E& executor, DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                  const typename F::template BackwardViews<ParameterOf<X>>& options, const FusedBackward& fused, const O& op = {}) const {
    run(ExecutorRef(executor), norma::view(dy), norma::view(x), saved, norma::output_view(std::forward<DX>(dx)), options, fused, op);
  }
  template <class DY, class X, class DX, class O = Identity>
    requires(!Executor<DY>)
  void operator()(DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx, const typename F::template BackwardViews<ParameterOf<X>>& options,
                  const FusedBackward& fused, const O& op = {}) const {
    (*this)(sequential, dy, x, saved, std::forward<DX>(dx), options, fused, op);
  }
  ///@}

 private:
  template <class DY, class X, class P, class DX, class Views, class... What>
  static void run(const CallRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, Saved<P>& saved, const TensorView<DX>& dx,
                  const Views& options, const What&... what) {
    const auto on_views = [&](const CallRef& call, const auto& upstream, const auto& input, const auto& result) {
      normalize_views_backward<F>(call, upstream, input, saved, result, options);
    };
    fused_backward<P>(executor, dy, x, dx, on_views, what...);
  }
};

/// The backward of inference whose statistics are constants: F::infer_backward.
template <class F>
struct ViewFrozenBackward : RefusesEpsilon {
  using RefusesEpsilon::operator();

  ///@{
  /// dx = ... unless absent; with an executor first or without, with what is fused or an activation at the end.
  template <InPlaceOfExecutor E, class DY, class X, class DX, class... O>
    requires AtMostOneOp<O...>
  void operator()(const E& executor, DY&& dy, X&& x, DX&& dx, const typename F::template FrozenBackwardViews<ParameterOf<X>>& options,
                  const O&... op) const {
    run(ExecutorRef(executor), norma::view(dy), norma::view(x), norma::output_view(std::forward<DX>(dx)), options, op...);
  }
  template <class DY, class X, class DX, class... O>
    requires(!Executor<DY> && AtMostOneOp<O...>)
  void operator()(DY&& dy, X&& x, DX&& dx, const typename F::template FrozenBackwardViews<ParameterOf<X>>& options, const O&... op) const {
    (*this)(sequential, dy, x, std::forward<DX>(dx), options, op...);
  }
  template <InPlaceOfExecutor E, class DY, class X, class DX, class O = Identity>
  void operator()(const E& executor, DY&& dy, X&& x, DX&& dx, const typename F::template FrozenBackwardViews<ParameterOf<X>>& options,
                  const FusedBackward& fused, const O& op = {}) const {
    run(ExecutorRef(executor), norma::view(dy), norma::view(x), norma::output_view(std::forward<DX>(dx)), options, fused, op);
  }
  template <class DY, class X, class DX, class O = Identity>
    requires(!Executor<DY>)
  void operator()(DY&& dy, X&& x, DX&& dx, const typename F::template FrozenBackwardViews<ParameterOf<X>>& options,
                  const FusedBackward& fused, const O& op = {}) const {
    (*this)(sequential, dy, x, std::forward<DX>(dx), options, fused, op);
  }
  ///@}

 private:
  template <class DY, class X, class DX, class Views, class... What>
  static void run(const CallRef& executor, const TensorView<DY>& dy, const TensorView<X>& x, const TensorView<DX>& dx, const Views& options,
                  const What&... what) {
    const auto on_views = [&](const CallRef& call, const auto& upstream, const auto& input, const auto& result) {
      F::infer_backward(call, upstream, input, result, options);
    };
    fused_backward<ParameterFor<X>>(executor, dy, x, dx, on_views, what...);
  }
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
