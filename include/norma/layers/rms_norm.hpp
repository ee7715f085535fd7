// RMSNorm: y = x / sqrt(mean(x^2) + eps) * weight (+ bias), over any axes (Zhang, Sennrich 2019, arXiv 1910.07467).
#pragma once

#include <norma/doors/epsilon.hpp>
#include <norma/doors/row_norm.hpp>
#include <norma/doors/view_norm.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// Views of the free functions. weight and bias: x's extents along axes (in x's order), or x's rank with 1 where they repeat.
template <Parameter T>
struct RMSNormViews {
  Extents axes = {-1};           ///< counted from either end; ShapeError if empty, repeated or out of range
  ParameterView<T> weight = {};  ///< absent: not applied
  ParameterView<T> bias = {};    ///< absent: not applied
  double eps = static_cast<double>(std::numeric_limits<T>::epsilon());  ///< added to the mean square; 0 or more, else a ShapeError
  bool unit_offset = false;                                             ///< the weight enters as 1 + weight
  bool eps_outside_sqrt = false;                                        ///< divides by RMS(x) + eps instead
  Rounding rounding = Rounding::once;                                   ///< of results of 16 bits
};
/// Views of the backward of training.
template <Parameter T>
struct RMSNormBackwardViews {
  Extents axes = {-1};               ///< counted from either end; ShapeError if empty, repeated or out of range
  ParameterView<T> weight = {};      ///< as in the forward
  bool unit_offset = false;          ///< as in the forward
  OptionalView<T> weight_grad = {};  ///< += ..., of the weight's shape; absent: not computed
  OptionalView<T> bias_grad = {};    ///< += ..., of the bias' shape; absent: not computed
  ParameterView<T> bias = {};        ///< as in the forward; wanted with an activation or a gate
};

struct RMSNormSpec {
  template <Parameter T>
  using Views = RMSNormViews<T>;
  template <Parameter T>
  using BackwardViews = RMSNormBackwardViews<T>;
  static constexpr const char* layer = "RMSNorm";

  /// Of any options with eps and eps_outside_sqrt.
  template <class Options>
  static Statistic statistic(const Options& options) {
    return {Statistic::Kind::mean_square, checked_eps(layer, options.eps), options.eps_outside_sqrt};
  }
};

/// Defaults of torch.nn.RMSNorm. unit_offset: the weight starts at 0 and enters as 1 + weight (Gemma).
template <Parameter T>
struct RMSNormOptions {
  double eps = static_cast<double>(std::numeric_limits<T>::epsilon());  ///< added to the mean square; 0 or more, else a ShapeError
  bool affine = true;                                                   ///< false: neither weight nor bias
  bool bias = false;                                                    ///< counts only with affine
  bool unit_offset = false;                                             ///< the weight enters as 1 + weight
  bool eps_outside_sqrt = false;                                        ///< divides by RMS(x) + eps instead
  Rounding rounding = Rounding::once;                                   ///< of results of 16 bits
};

/// Normalizes over the trailing axes of x, whose extents are normalized_shape; weight and bias have that shape. T: float or double.
template <Parameter T = float>
class RMSNorm : public RowNorm<RMSNormSpec, T> {
 public:
  ///@{
  /// ({768}), ({h, w}) or (768): 1 to 8 extents. ShapeError if there is none or a negative one.
  template <std::integral I>
  explicit RMSNorm(std::initializer_list<I> normalized_shape, const RMSNormOptions<T>& options = {})
      : RMSNorm(Extents(normalized_shape), options) {}
  explicit RMSNorm(const Extents& normalized_shape, const RMSNormOptions<T>& options = {})
      : RowNorm<RMSNormSpec, T>(RMSNormSpec::statistic(options), normalized_shape, options.affine, options.affine && options.bias,
                                options.unit_offset, options.rounding) {}
  ///@}
  /// Refuses a misspelt eps with a sentence of the compiler.
  RMSNorm(const Extents& normalized_shape, const EpsilonOptions&) : RMSNorm(normalized_shape, refuse_epsilon<T, RMSNormOptions<T>>()) {}
};

/// RMSNorm on views you own, over options.axes: inference (rms_norm(x, y, options)), training forward (with a Saved before the options),
/// each with an executor first if you like. Allocates nothing; y may be exactly x. ShapeError before anything is written.
inline constexpr ViewForward<RMSNormSpec> rms_norm{};

/// rms_norm_backward(dy, x, saved, dx, options), after the training forward.
inline constexpr ViewBackward<RMSNormSpec> rms_norm_backward{};

}}  // namespace norma::NORMA_ISA_NAMESPACE
