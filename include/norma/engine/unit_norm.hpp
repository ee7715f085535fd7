// The l2 norm as a formula of the engine: x_hat = x / sqrt(sum(x^2) + eps), a set's length becomes 1.
#pragma once

#include <norma/engine/normalize.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// For sets of `size` elements. A set of zeros stays one and has gradient 0 also without eps.
struct UnitNormFormula {
  static constexpr bool centred = false;
  double size;
  double eps;

  template <class V>
  NORMA_INLINE V rstd(const V& mean_square) const {
    return divide(V(1.0), square_root(fma(mean_square, V(size), V(eps))));
  }
  UnitNormFormula scaled(double s) const { return {size, eps * s * s}; }
  /// dx = rstd * (g - x_hat * sum(g * x_hat)): the sum itself where the other norms have the mean.
  double pull(double) const { return size; }
};

}  // namespace norma::inline NORMA_ISA_NAMESPACE
