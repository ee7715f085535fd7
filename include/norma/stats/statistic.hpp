// What a norm makes of the moments of a set: a value, so that one engine serves all of them.
#pragma once

#include <limits>

#include <norma/stats/moments.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The second moment m of a set (about its mean where the kind is centred, about 0 where it is not) becomes rstd, the factor that
/// x - mean, or x, is multiplied with.
struct Statistic {
  enum class Kind : unsigned char {
    deviation,    ///< 1 / sqrt(m + eps), m the population variance
    mean_only,    ///< 1: the mean is subtracted and nothing more
    mean_square,  ///< 1 / sqrt(m + eps), or 1 / (sqrt(m) + eps) with eps_outside_sqrt; m the mean of x^2
    length        ///< 1 / sqrt(n * m + eps): x_hat has length 1. A set of zeros stays one and has gradient 0 also without eps
  };
  Kind kind = Kind::deviation;
  double eps = 0;
  bool eps_outside_sqrt = false;
  double unit = 1;  ///< what x has been multiplied with: a power of two where its squares would have left their range

  NORMA_INLINE bool centred() const { return kind == Kind::deviation || kind == Kind::mean_only; }

  /// Whether a backward asks for mean(g * x_hat).
  NORMA_INLINE bool damps() const { return kind != Kind::mean_only; }

  /// Of sets of n elements. V is a double, or a Pack<double> for several sets.
  template <class V>
  NORMA_INLINE V rstd(const V& second, double n) const {
    if (kind == Kind::deviation) return divide(V(1.0), square_root(second + V(eps)));
    if (kind == Kind::mean_only) return V(1.0 / unit);
    if (kind == Kind::length) return divide(V(1.0), square_root(fma(second, V(n), V(eps))));
    if (!eps_outside_sqrt) return divide(V(1.0), square_root(second + V(eps)));
    return divide(V(1.0), square_root(second) + V(eps));
  }

  /// The same norm of x * s, s a power of two.
  Statistic scaled(double s) const {
    const bool linear = kind == Kind::mean_square && eps_outside_sqrt;
    return {kind, linear ? eps * s : eps * s * s, eps_outside_sqrt, unit * s};
  }

  /// Backward: dx = rstd * (g - mean(g) - damping * x_hat * mean(g * x_hat)), without mean(g) where the kind is not centred. With eps
  /// outside the root, d rms / d x brings a factor (rms + eps) / rms = 1 / (1 - eps * rstd); a set of zeros has gradient 0 there.
  double damping(double rstd, double n) const {
    if (!damps()) return 0;
    if (kind == Kind::length) return n;
    if (!eps_outside_sqrt) return 1;
    const double rms_share = std::fma(-eps, rstd, 1.0);
    return rms_share > 0 ? 1.0 / rms_share : rms_share <= 0 ? 0.0 : rms_share;
  }
};

/// A constant set without eps has rstd = 1 / 0; its x_hat is 0 all the same.
NORMA_INLINE double finite_rstd(double second, double rstd) {
  return second == 0 && rstd > (std::numeric_limits<double>::max)() ? 0 : rstd;
}

/// What normalizing needs to know of one set. The mean has two parts because one T cannot hold it when |mean| >> sigma.
struct SetStatistics {
  SplitSum<> mean{0, 0};
  double rstd = 0;
  double second = 0;  // variance (population), or mean square
};

}}  // namespace norma::NORMA_ISA_NAMESPACE
