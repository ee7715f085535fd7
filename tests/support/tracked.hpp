// A number that knows how far a computation with rounding may be from it: tolerances of formulas too long to bound by hand.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "support/tolerance.hpp"

namespace norma_test {

/// A value in long double, and the error that the same computation in an arithmetic with rounding may have, in units of that arithmetic's
/// eps (first order: running error analysis, Higham 2002, section 3.3). An operation is granted one eps, twice what it needs, as the
/// library may order operations otherwise; a sum of n terms what sum_growth(n) grants.
struct Tracked {
  real value = 0;
  real error = 0;

  Tracked() = default;
  Tracked(real exact) : value(exact) {}
  Tracked(real v, real e) : value(v), error(e) {}

  Tracked operator-() const { return {-value, error}; }
};

inline Tracked rounded(real value, real error) { return {value, error + std::abs(value)}; }

inline Tracked operator+(Tracked a, Tracked b) { return rounded(a.value + b.value, a.error + b.error); }
inline Tracked operator-(Tracked a, Tracked b) { return a + -b; }
inline Tracked operator*(Tracked a, Tracked b) {
  return rounded(a.value * b.value, std::abs(a.value) * b.error + std::abs(b.value) * a.error);
}
inline Tracked operator/(Tracked a, Tracked b) {
  const real quotient = a.value / b.value;
  return rounded(quotient, (a.error + std::abs(quotient) * b.error) / std::abs(b.value));
}
inline Tracked& operator+=(Tracked& a, Tracked b) { return a = a + b; }

/// 1 / sqrt(a); 0 for 0.
inline Tracked inverse_root(Tracked a) {
  if (a.value == 0) return {};
  const real root = 1 / std::sqrt(a.value);
  return rounded(root, root * (a.error / (2 * a.value) + 1));
}
inline Tracked exponential(Tracked a) {
  const real e = std::exp(a.value);
  return rounded(e, e * a.error);
}
/// No farther from its exact value than a is.
inline Tracked clipped(Tracked a, real low, real high) { return {a.value < low ? low : a.value > high ? high : a.value, a.error}; }

/// The sum of term(i) over a set of indices.
template <class F>
Tracked sum_of(const std::vector<std::size_t>& set, F term) {
  Tracked sum;
  real magnitude = 0;
  for (const std::size_t i : set) {
    const Tracked t = term(i);
    sum.value += t.value;
    sum.error += t.error;
    magnitude += std::abs(t.value);
  }
  sum.error += sum_growth(set.size()) * magnitude;
  return sum;
}
template <class F>
Tracked mean_of(const std::vector<std::size_t>& set, F term) {
  return sum_of(set, term) / static_cast<real>(set.size());
}

inline std::vector<real> values_of(const std::vector<Tracked>& numbers) {
  std::vector<real> result;
  for (const Tracked& n : numbers) result.push_back(n.value);
  return result;
}
/// What `within` wants: the allowed error of each number in this precision.
inline std::vector<real> bounds_of(const std::vector<Tracked>& numbers, const Precision& p) {
  std::vector<real> result;
  for (const Tracked& n : numbers) result.push_back(rounded(n.value, n.error).error * p.eps + 2 * p.tiny);
  return result;
}

}  // namespace norma_test
