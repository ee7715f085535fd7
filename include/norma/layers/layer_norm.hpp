// LayerNorm: x_hat = (x - mean) / sqrt(variance + eps), y = x_hat * weight + bias, over any axes (Ba, Kiros, Hinton 2016, arXiv 1607.06450).
#pragma once

#include <norma/engine/row_norm.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// rstd = 1 / sqrt(variance + eps), variance the population's.
struct LayerNormFormula {
  static constexpr const char* layer = "LayerNorm";
  static constexpr bool centred = true;
  double eps;

  template <class V>
  NORMA_INLINE V rstd(const V& variance) const {
    return divide(V(1.0), square_root(variance + V(eps)));
  }
  LayerNormFormula scaled(double s) const { return {eps * s * s}; }
  NORMA_INLINE double pull(double) const { return 1.0; }
};

/// torch.nn.LayerNorm's options and defaults. unit_offset: the weight starts at 0 and enters as 1 + weight.
struct LayerNormOptions {
  double eps = 1e-5;
  bool affine = true;
  bool bias = true;
  bool unit_offset = false;
};

/// Normalizes over the trailing axes of x, whose extents are normalized_shape; weight and bias have that shape. T: float or double.
template <Parameter T>
class LayerNorm : public RowNorm<LayerNormFormula, T> {
 public:
  template <std::integral I>
  explicit LayerNorm(std::initializer_list<I> normalized_shape, const LayerNormOptions& options = {})
      : LayerNorm(Extents(normalized_shape), options) {}
  explicit LayerNorm(const Extents& normalized_shape, const LayerNormOptions& options = {})
      : RowNorm<LayerNormFormula, T>({options.eps}, normalized_shape, options.affine, options.affine && options.bias, options.unit_offset) {}
};

/// Views of the free functions. weight and bias: x's extents along axes (in x's order), or x's rank with 1 where they repeat.
template <Parameter T>
struct LayerNormViews {
  Extents axes = {-1};
  OptionalView<const T> weight = {};
  OptionalView<const T> bias = {};
  double eps = 1e-5;
  bool unit_offset = false;
};
template <Parameter T>
struct LayerNormBackwardViews {
  Extents axes = {-1};
  OptionalView<const T> weight = {};
  bool unit_offset = false;
  OptionalView<T> weight_grad = {};
  OptionalView<T> bias_grad = {};
};

/// Inference on views you own: y = LayerNorm of x over options.axes. Allocates nothing; y may be exactly x. ShapeError before anything is written.
template <Executor E, class X, class Y>
void layer_norm(const E& executor, X&& x, Y&& y, const LayerNormViews<ParameterOf<X>>& options = {}) {
  using P = ParameterOf<X>;
  normalize_views(ExecutorRef(executor), LayerNormFormula{options.eps}, norma::view(x), norma::output_view(y), static_cast<Saved<P>*>(nullptr), options);
}
template <class X, class Y>
  requires(!Executor<X>)
void layer_norm(X&& x, Y&& y, const LayerNormViews<ParameterOf<X>>& options = {}) {
  layer_norm(sequential, x, y, options);
}

/// Training forward: also leaves in `saved` what layer_norm_backward needs.
template <Executor E, class X, class Y>
void layer_norm(const E& executor, X&& x, Y&& y, Saved<ParameterOf<X>>& saved, const LayerNormViews<ParameterOf<X>>& options = {}) {
  normalize_views(ExecutorRef(executor), LayerNormFormula{options.eps}, norma::view(x), norma::output_view(y), &saved, options);
}
template <class X, class Y>
  requires(!Executor<X>)
void layer_norm(X&& x, Y&& y, Saved<ParameterOf<X>>& saved, const LayerNormViews<ParameterOf<X>>& options = {}) {
  layer_norm(sequential, x, y, saved, options);
}

/// dx = ..., weight_grad and bias_grad += ..., each where present. dx may be exactly dy or x.
template <Executor E, class DY, class X, class DX>
void layer_norm_backward(const E& executor, DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx,
                         const LayerNormBackwardViews<ParameterOf<X>>& options = {}) {
  normalize_views_backward(ExecutorRef(executor), LayerNormFormula{saved.eps()}, norma::view(dy), norma::view(x), saved, norma::output_view(dx), options);
}
template <class DY, class X, class DX>
  requires(!Executor<DY>)
void layer_norm_backward(DY&& dy, X&& x, Saved<ParameterOf<X>>& saved, DX&& dx, const LayerNormBackwardViews<ParameterOf<X>>& options = {}) {
  layer_norm_backward(sequential, dy, x, saved, dx, options);
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
