// LayerNorm: x_hat = (x - mean) / sqrt(variance + eps), y = x_hat * weight + bias, over any axes (Ba, Kiros, Hinton 2016, arXiv
// 1607.06450).
#pragma once

#include <norma/doors/epsilon.hpp>
#include <norma/doors/row_norm.hpp>
#include <norma/doors/view_norm.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Views of the free functions. weight and bias: x's extents along axes (in x's order), or x's rank with 1 where they repeat.
template <Parameter T>
struct LayerNormViews {
  Extents axes = {-1};                 ///< counted from either end; ShapeError if empty, repeated or out of range
  ParameterView<T> weight = {};        ///< absent: not applied
  ParameterView<T> bias = {};          ///< absent: not applied
  double eps = 1e-5;                   ///< added to the variance; 0 or more, else a ShapeError
  bool unit_offset = false;            ///< the weight enters as 1 + weight
  Rounding rounding = Rounding::once;  ///< of results of 16 bits
};
/// Views of the backward of training.
template <Parameter T>
struct LayerNormBackwardViews {
  Extents axes = {-1};               ///< counted from either end; ShapeError if empty, repeated or out of range
  ParameterView<T> weight = {};      ///< as in the forward
  bool unit_offset = false;          ///< as in the forward
  OptionalView<T> weight_grad = {};  ///< += ..., of the weight's shape; absent: not computed
  OptionalView<T> bias_grad = {};    ///< += ..., of the bias' shape; absent: not computed
  ParameterView<T> bias = {};        ///< as in the forward; wanted with an activation or a gate
};

struct LayerNormSpec {
  template <Parameter T>
  using Views = LayerNormViews<T>;
  template <Parameter T>
  using BackwardViews = LayerNormBackwardViews<T>;
  static constexpr const char* layer = "LayerNorm";

  template <Parameter T>
  static Statistic statistic(const LayerNormViews<T>& options) {
    return {Statistic::Kind::deviation, checked_eps(layer, options.eps)};
  }
};

/// torch.nn.LayerNorm's options and defaults. unit_offset: the weight starts at 0 and enters as 1 + weight.
struct LayerNormOptions {
  double eps = 1e-5;                   ///< added to the variance; 0 or more, else a ShapeError
  bool affine = true;                  ///< false: neither weight nor bias
  bool bias = true;                    ///< counts only with affine
  bool unit_offset = false;            ///< the weight enters as 1 + weight
  Rounding rounding = Rounding::once;  ///< of results of 16 bits
};

/// Normalizes over the trailing axes of x, whose extents are normalized_shape; weight and bias have that shape. T: float or double.
template <Parameter T = float>
class LayerNorm : public RowNorm<LayerNormSpec, T> {
 public:
  ///@{
  /// ({768}), ({h, w}) or (768): 1 to 8 extents. ShapeError if there is none or a negative one.
  template <std::integral I>
  explicit LayerNorm(std::initializer_list<I> normalized_shape, const LayerNormOptions& options = {})
      : LayerNorm(Extents(normalized_shape), options) {}
  explicit LayerNorm(const Extents& normalized_shape, const LayerNormOptions& options = {})
      : RowNorm<LayerNormSpec, T>({Statistic::Kind::deviation, checked_eps(LayerNormSpec::layer, options.eps)}, normalized_shape,
                                  options.affine, options.affine && options.bias, options.unit_offset, options.rounding) {}
  ///@}
  /// Refuses a misspelt eps with a sentence of the compiler.
  LayerNorm(const Extents& normalized_shape, const EpsilonOptions&) : LayerNorm(normalized_shape, refuse_epsilon<T, LayerNormOptions>()) {}
};

/// LayerNorm on views you own, over options.axes: inference (layer_norm(x, y, options)), training forward (with a Saved before the
/// options), each with an executor first if you like. Allocates nothing; y may be exactly x. ShapeError before anything is written.
inline constexpr ViewForward<LayerNormSpec> layer_norm{};

/// layer_norm_backward(dy, x, saved, dx, options), after the training forward.
inline constexpr ViewBackward<LayerNormSpec> layer_norm_backward{};

}}  // namespace norma::NORMA_ISA_NAMESPACE
