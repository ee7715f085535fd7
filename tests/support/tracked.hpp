// A number that knows how far a computation with rounding may be from it: tolerances of formulas too long to bound by hand.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include "support/element.hpp"

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

/// Exactly this number: what is added to or multiplied with an exact 0 or 1 is not rounded.
inline bool is(Tracked a, real exact) { return a.error == 0 && a.value == exact; }

inline Tracked operator+(Tracked a, Tracked b) {
  if (is(a, 0)) return b;
  if (is(b, 0)) return a;
  return rounded(a.value + b.value, a.error + b.error);
}
inline Tracked operator-(Tracked a, Tracked b) { return a + -b; }
inline Tracked operator*(Tracked a, Tracked b) {
  if (is(a, 1)) return b;
  if (is(b, 1)) return a;
  return rounded(a.value * b.value, std::abs(a.value) * b.error + std::abs(b.value) * a.error);
}
inline Tracked operator/(Tracked a, Tracked b) {
  const real quotient = a.value / b.value;
  return rounded(quotient, (a.error + std::abs(quotient) * b.error) / std::abs(b.value));
}
inline Tracked& operator+=(Tracked& a, Tracked b) { return a = a + b; }

inline Tracked square_root(Tracked a) {
  const real root = std::sqrt(a.value);
  return a.value == 0 ? Tracked() : rounded(root, a.error / (2 * root));
}
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

/// Rounding of a sum of n terms, in eps times the sum of the terms' magnitudes: 32 lanes accumulate n / 32 terms each, whose roundings walk
/// randomly (sqrt), with 1/2 eps per step; the fold tree and the conversion add a few more.
inline real sum_growth(std::size_t n) { return 3 + std::sqrt(static_cast<real>(n) / 32) / 2; }

/// A sum, term by term.
class Sum {
 public:
  void add(const Tracked& term) {
    value_ += term.value;
    error_ += term.error;
    magnitude_ += std::abs(term.value);
    ++terms_;
  }
  Tracked total() const { return {value_, error_ + sum_growth(terms_) * magnitude_}; }

 private:
  real value_ = 0, error_ = 0, magnitude_ = 0;
  std::size_t terms_ = 0;
};

/// The sum of term(i) over a set of indices.
template <class F>
Tracked sum_of(const std::vector<std::size_t>& set, F term) {
  Sum sum;
  for (const std::size_t i : set) sum.add(term(i));
  return sum.total();
}
template <class F>
Tracked mean_of(const std::vector<std::size_t>& set, F term) {
  return sum_of(set, term) / static_cast<real>(set.size());
}

inline Values values_of(const std::vector<Tracked>& numbers) {
  Values result;
  for (const Tracked& n : numbers) result.push_back(static_cast<double>(n.value));
  return result;
}
/// How far from its value a number may be in this precision.
inline real bound_of(const Tracked& n, const Precision& p) { return (n.error + std::abs(n.value)) * p.eps + 2 * p.tiny; }

}  // namespace norma_test
