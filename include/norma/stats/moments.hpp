// The algebra of (count, mean, m2): from sums, merge, variance. No loops over memory.
#pragma once

#include <cmath>

#include <norma/core/extents.hpp>

namespace norma::inline NORMA_ISA_NAMESPACE {

/// What a set of numbers says of itself: how many, their mean, and m2, the sum of squared deviations from that mean.
struct Moments {
  double count = 0;
  double mean = 0;
  double m2 = 0;

  /// From the sums of d and d * d over `count` numbers d; `inverse` is 1 / count, computed once by the caller.
  NORMA_INLINE static Moments from_sums(double count, double inverse, double sum, double sum_of_squares) {
    const double mean = sum * inverse;
    const double m2 = std::fma(-sum, mean, sum_of_squares);
    return {count, mean, m2 < 0 ? 0 : m2};  // rounding may leave -0.0...1; NaN stays
  }

  /// Moments of the same numbers, each enlarged by `shift`.
  NORMA_INLINE Moments shifted(double shift) const { return {count, mean + shift, m2}; }

  /// Population variance: what normalizing divides by.
  NORMA_INLINE double variance() const { return m2 / count; }
};

/// Moments of two disjoint sets together (Chan, Golub, LeVeque 1983): no difference of large numbers.
NORMA_INLINE Moments merge(const Moments& a, const Moments& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const double count = a.count + b.count;
  const double delta = b.mean - a.mean;
  const double share = b.count / count;
  return {count, std::fma(delta, share, a.mean), std::fma(delta * delta, a.count * share, a.m2 + b.m2)};
}

/// A sum in two parts, high + low, where high is the rounded sum and low what rounding lost (Knuth's two-sum).
struct SplitSum {
  double high;
  double low;
};

NORMA_INLINE SplitSum two_sum(double a, double b) {
  const double high = a + b;
  const double b_seen = high - a;
  return {high, (a - (high - b_seen)) + (b - b_seen)};
}

}  // namespace norma::inline NORMA_ISA_NAMESPACE
