// The algebra of (count, mean, m2): from sums, merge, variance. No loops over memory.
#pragma once

#include <norma/simd/pack.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// What a set of numbers says of itself: how many, their mean, and m2, the sum of squared deviations from that mean. V is a double, or a
/// Pack<double> for several sets of one count at a time.
template <class V = double>
struct Moments {
  double count = 0;
  V mean = V(0.0);
  V m2 = V(0.0);

  /// From the sums of d and d * d over `count` numbers d.
  NORMA_INLINE static Moments from_sums(double count, const V& sum, const V& sum_of_squares) {
    const V mean = mul(sum, V(1.0 / count));
    return {count, mean, clear_negative(fma(V(0.0) - sum, mean, sum_of_squares))};
  }

  /// Population variance: what normalizing divides by.
  NORMA_INLINE V variance() const { return mul(m2, V(1.0 / count)); }
};

/// Moments of two disjoint sets together (Chan, Golub, LeVeque 1983): no difference of large numbers.
template <class V>
NORMA_INLINE Moments<V> merge(const Moments<V>& a, const Moments<V>& b) {
  if (a.count == 0) return b;
  if (b.count == 0) return a;
  const double count = a.count + b.count;
  const double share = b.count / count;
  const V delta = b.mean - a.mean;
  return {count, fma(delta, V(share), a.mean), fma(mul(delta, delta), V(a.count * share), a.m2 + b.m2)};
}

/// A sum in two parts, high + low, where high is the rounded sum and low what rounding lost (Knuth's two-sum).
template <class V = double>
struct SplitSum {
  V high;
  V low;
};

template <class V>
NORMA_INLINE SplitSum<V> two_sum(const V& a, const V& b) {
  const V high = a + b;
  const V b_seen = high - a;
  return {high, (a - (high - b_seen)) + (b - b_seen)};
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
