// exp, tanh, the logistic function and the normal distribution's: the same bits wherever the hardware fuses a product and a sum.
//
// What is added to a product is added by an explicit fma, or the product is hidden (mul) or exact: compilers have no choice. "high" and
// "low" are two numbers whose sum is meant; an excess is a low part with the other sign. Results keep a power of two to spare until the
// last instruction, so that those below the smallest normal number are right, too.
#pragma once

#include <cstddef>
#include <type_traits>

#include <norma/simd/math_constants.hpp>

namespace norma { inline namespace NORMA_ISA_NAMESPACE {

/// The smaller and the larger of two, registers or scalars: NaN if either is NaN, a of two equals (zeros of either sign among them). By
/// comparison, for the instructions of different processors disagree about NaN.
template <class T>
NORMA_INLINE Pack<T>(min)(const Pack<T>& a, const Pack<T>& b) {
  return select(b < a, b, select(b == b, a, b));
}
template <class T>
NORMA_INLINE Pack<T>(max)(const Pack<T>& a, const Pack<T>& b) {
  return select(a < b, b, select(b == b, a, b));
}
/// The larger of two that are not negative, as their patterns are ordered, of which those of NaN are the largest.
template <class T>
NORMA_INLINE Pack<T> larger_magnitude(const Pack<T>& a, const Pack<T>& b) {
#if NORMA_AVX512
  if constexpr (sizeof(T) == 4) return _mm512_castsi512_ps(_mm512_maskz_max_epi32(0xFFFF, _mm512_castps_si512(a), _mm512_castps_si512(b)));
#elif NORMA_AVX2
  if constexpr (sizeof(T) == 4) return _mm256_castsi256_ps(_mm256_max_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b)));
#endif
  return (max)(a, b);
}
NORMA_INLINE constexpr float(min)(float a, float b) { return b < a || b != b ? b : a; }
NORMA_INLINE constexpr float(max)(float a, float b) { return a < b || b != b ? b : a; }
NORMA_INLINE constexpr double(min)(double a, double b) { return b < a || b != b ? b : a; }
NORMA_INLINE constexpr double(max)(double a, double b) { return a < b || b != b ? b : a; }

/// What a function of registers gives for a scalar: lane 0 of what it gives for a register full of it.
template <class T>
NORMA_INLINE T first_lane(const Pack<T>& v) {
  alignas(64) T lanes[pack_size<T>];
  store(lanes, v);
  return lanes[0];
}

/// `value` as a V: in every lane, or the scalar.
template <class V>
NORMA_INLINE V splat(double value) {
  if constexpr (std::is_floating_point_v<V>) {
    return static_cast<V>(value);
  } else {
    return V(static_cast<typename V::value_type>(value));
  }
}

/// c[First] + c[First + 1] x + ... + c[N - 1] x^(N - 1 - First): Horner's rule in x^2, of pairs of terms, so that few instructions wait for
/// each other.
template <std::size_t First = 0, class T, std::size_t N>
NORMA_INLINE Pack<T> polynomial(const Pack<T>& x, const Pack<T>& square_of_x, const T (&c)[N]) {
  if constexpr (First + 1 == N) {
    return Pack<T>(c[First]);
  } else {
    const Pack<T> pair = fma(x, Pack<T>(c[First + 1]), Pack<T>(c[First]));
    if constexpr (First + 2 == N) {
      return pair;
    } else {
      return fma(polynomial<First + 2>(x, square_of_x, c), square_of_x, pair);
    }
  }
}

/// exp(x) as (1 + t) 2^k, |t| < 0.42.
template <class T>
struct Exponential {
  Pack<T> t, k;
  Pack<T> scale;  ///< 2^k up, or 2^k down: a normal number for every argument that the functions below let through
};

/// exp(x) or exp(x + low); |x| < 2^8 (float), 2^11 (double), |low| small beside 1. A NaN becomes a NaN t. Down: the scale is 2^k down.
template <bool Down = false, class T, class... Low>
NORMA_INLINE Exponential<T> exponential(const Pack<T>& x, const Low&... low) {
  using M = Math<T>;
  const Pack<T> round(Down ? M::round_down : M::round_up);
  const Pack<T> pattern = fma(x, Pack<T>(M::log2_e), round), k = pattern - round;
  const Pack<T> r_high = minus_product(x, k, Pack<T>(M::ln2_high));
  Pack<T> r = minus_product(r_high, k, Pack<T>(M::ln2_low));
  if constexpr (sizeof...(Low) == 1) r = r_high + minus_product(low..., k, Pack<T>(M::ln2_low));
  const Pack<T> square = r * r;
  return {fma(square, polynomial(r, square, M::exp_terms), r), k, exponent_from_low_bits(pattern)};
}

/// exp(x), of registers, float and double, within 1.1 ulp: 0 at -Inf, Inf at Inf and where it is beyond the largest number; a NaN stays.
template <class T>
NORMA_INLINE Pack<T> exp(const Pack<T>& x) {
  using M = Math<T>;
  const Exponential<T> e = exponential(at_most(at_least(x, M::exp_least), M::exp_most));
  const auto negative = x < Pack<T>(T(0));
  const Pack<T> towards = select(negative, Pack<T>(M::round_up), Pack<T>(M::round_down));
  return mul(mul(e.t + Pack<T>(T(1)), exponent_from_low_bits(e.k + towards)), select(negative, Pack<T>(M::down), Pack<T>(M::up)));
}
NORMA_INLINE float exp(float x) { return first_lane(exp(Pack<float>(x))); }
NORMA_INLINE double exp(double x) { return first_lane(exp(Pack<double>(x))); }

/// n / ((1 + e) up): one division, and a correction for what it and the sum rounded off. Where the quotient is below the normal numbers it
/// is the division that rounds it to one of those.
template <class T>
NORMA_INLINE Pack<T> over_one_plus(const Pack<T>& n, const Exponential<T>& e) {
  using M = Math<T>;
  const Pack<T> up(M::up), d = fma(e.scale, e.t, up + e.scale), d_low = fma(e.scale, e.t, (up - d) + e.scale);
  const Pack<T> q = divide(n, d), rest = minus_product(residual(n, q, d), q, d_low);
  const Pack<T> inverse = minus_product(Pack<T>(T(1.457) * M::down), Pack<T>(T(0.5) * M::down * M::down), d);  // within 5 %
  return fma(rest, inverse, q);
}

/// factor e / (1 + e) where `negative`, factor / (1 + e) elsewhere: factor times the logistic function, e of minus the modulus of its
/// argument.
template <class T>
NORMA_INLINE Pack<T> times_logistic(const Pack<T>& factor, const Mask<T>& negative, const Exponential<T>& e) {
  const Pack<T> scaled = factor * select(negative, e.scale, Pack<T>(Math<T>::up));
  return over_one_plus(fma(scaled, select(negative, e.t, Pack<T>(T(0))), scaled), e);
}

/// factor / (1 + exp(-z)) for z between logistic_least and logistic_most: the sum is made small, so that it does not leave the range, and
/// has one rounding, what its first addition lost being added with the small part.
template <class T>
NORMA_INLINE Pack<T> over_one_plus_exp_of_minus(const Pack<T>& factor, const Pack<T>& z) {
  using M = Math<T>;
  const Exponential<T> e = exponential<true>(z ^ Pack<T>(T(-0.0)));
  const Pack<T> down(M::down), sum = e.scale + down, lost = down - (sum - e.scale);
  return mul(divide(factor, sum + fma(e.scale, e.t, lost)), down);
}

/// 1 / (1 + exp(-z)), and z times it; 0 (of the product -0) at -Inf.
template <class T>
NORMA_INLINE Pack<T> logistic(const Pack<T>& z) {
  return over_one_plus_exp_of_minus(Pack<T>(T(1)), at_most(at_least(z, Math<T>::logistic_least), Math<T>::logistic_most));
}
template <class T>
NORMA_INLINE Pack<T> z_times_logistic(const Pack<T>& z) {
  using M = Math<T>;
  const Pack<T> bounded = at_most(at_least(z, M::logistic_least), M::logistic_most);
  return select(z < Pack<T>(M::logistic_most), over_one_plus_exp_of_minus(bounded, bounded), z);
}

/// z times the logistic function of 2 sqrt(2 / pi) (z + 0.044715 z^3); -0 at -Inf. exp makes an error of its argument as many times larger
/// as the argument is, so the argument is carried in two parts.
template <class T>
NORMA_INLINE Pack<T> z_times_cubic_logistic(const Pack<T>& z) {
  using M = Math<T>;
  const Pack<T> bounded = at_least(z, M::cubic_least), a = at_most(abs(bounded), -M::cubic_least);
  const Pack<T> square = mul(a, a), linear(M::linear), cubic(M::cubic), slope = fma(cubic, square, linear);
  const Pack<T> corrections = fma(Pack<T>(M::cubic_low), square, minus_product(Pack<T>(M::linear_low), cubic, residual(square, a, a)));
  const Pack<T> slope_low = corrections - residual(slope - linear, cubic, square), x = mul(a, slope);
  const Exponential<T> e = exponential(minus_abs(x), minus_product(residual(x, a, slope), a, slope_low));
  return select(z < Pack<T>(M::cubic_most), with_sign_of(times_logistic(bounded, z < Pack<T>(T(0)), e), z), z);
}

/// Derivative of z times the logistic function of x, where x' is given: with s(-|x|) = c it is c or 1 - c, plus z x' c (1 - c).
template <class T>
NORMA_INLINE Pack<T> logistic_product_slope(const Pack<T>& z, const Exponential<T>& e, const Pack<T>& x_slope) {
  const Pack<T> c = over_one_plus(fma(e.scale, e.t, e.scale), e), one(T(1));
  return fma(z * x_slope, minus_product(c, c, c), select(z < Pack<T>(T(0)), c, one - c));
}
template <class T>
NORMA_INLINE Pack<T> z_times_logistic_slope(const Pack<T>& z) {
  const Pack<T> bounded = at_most(at_least(z, Math<T>::logistic_least), -Math<T>::logistic_least);
  return logistic_product_slope(bounded, exponential(minus_abs(bounded)), Pack<T>(T(1)));
}
template <class T>
NORMA_INLINE Pack<T> z_times_cubic_logistic_slope(const Pack<T>& z) {
  using M = Math<T>;
  const Pack<T> bounded = at_most(at_least(z, M::cubic_least), -M::cubic_least), square = bounded * bounded;
  const Pack<T> linear(T(M::linear + M::linear_low)), cubic(M::cubic), x = bounded * fma(cubic, square, linear);
  return logistic_product_slope(bounded, exponential(minus_abs(x)), fma(Pack<T>(3 * M::cubic), square, linear));
}

/// tanh(z) = (1 - e) / (1 + e) with the sign of z, e = exp(-2 |z|). 1 - e is made of exp - 1 and so has all its digits at small z, too.
template <class T>
NORMA_INLINE Pack<T> hyperbolic_tangent(const Pack<T>& z) {
  const Pack<T> x = at_least(minus_abs(z), -Math<T>::logistic_most / 2);
  const Exponential<T> e = exponential(x + x);
  return with_sign_of(over_one_plus(minus_product(Pack<T>(Math<T>::up) - e.scale, e.scale, e.t), e), z);
}

/// a times the normal distribution's tail Phi(-a), a >= 0, as (high - excess) (1 + t) 2^k: a Phi(-a) = s h(s) exp(-a^2 / 2) with
/// s = a / (a + pole), which is between 0 and 1 and lets h be a polynomial.
template <class T>
struct NormalTail {
  Pack<T> high, excess;
  Pack<T> ratio;  ///< Phi(-a) exp(a^2 / 2), not corrected
  Exponential<T> e;
};
template <class T>
NORMA_INLINE NormalTail<T> a_times_normal_tail(const Pack<T>& a) {
  using M = Math<T>;
  const Pack<T> half = a * Pack<T>(T(0.5)), square = mul(a, half), pole(M::tail_pole);
  const Exponential<T> e = exponential(minus_abs(square), residual(square, a, half));
  const Pack<T> d = a + pole, d_low = a - (d - pole), inverse = divide(Pack<T>(T(1)), d), s = mul(a, inverse);
  const Pack<T> s_low = minus_product(residual(a, s, d), s, d_low) * inverse;
  const Pack<T> centre(M::tail_centre), y = s - centre, y_low = s - (y + centre), terms = polynomial(y, y * y, M::tail_terms),
                                        first(M::tail_first);
  // y has lost digits of s where s is small; the derivative of h is about -2 there (-4 with the pole 4).
  const Pack<T> h = fma(y, terms, first), h_excess = residual(h - first, y, terms);
  const Pack<T> h_low = fma(y_low, Pack<T>(T(-2)), Pack<T>(M::tail_first_low)) - h_excess;
  // The derivative of s h(s) is about pole / 2 (pole / d)^3, near enough for the low part of s.
  const Pack<T> slope = (inverse * inverse) * (inverse * Pack<T>(T(M::tail_pole * M::tail_pole * M::tail_pole * M::tail_pole / 2)));
  const Pack<T> high = mul(s, h);
  return {high, minus_product(minus_product(residual(high, s, h), s, h_low), s_low, slope), h * inverse, e};
}

/// z Phi(z), Phi the normal distribution function: z - z Phi(-z) for positive z. -0 at -Inf.
template <class T>
NORMA_INLINE Pack<T> z_times_normal(const Pack<T>& z) {
  using M = Math<T>;
  const NormalTail<T> tail = a_times_normal_tail(at_most(abs(z), M::tail_most));
  const Pack<T> excess = fma(tail.excess, tail.e.t, tail.excess), product = tail.high - minus_product(excess, tail.high, tail.e.t);
  const Pack<T> correction = mul(mul(product, tail.e.scale), Pack<T>(-M::down));
  return with_sign_of(at_least(z, T(0)) + correction, z);
}

/// Derivative of z Phi(z): Phi(z) + z phi(z).
template <class T>
NORMA_INLINE Pack<T> z_times_normal_slope(const Pack<T>& z) {
  using M = Math<T>;
  const Pack<T> bounded = at_most(at_least(z, -M::tail_most), M::tail_most);
  const NormalTail<T> tail = a_times_normal_tail(abs(bounded));
  const Pack<T> power = tail.e.scale * Pack<T>(M::down), exp_of_square = fma(power, tail.e.t, power);
  const Pack<T> below = mul(tail.ratio, exp_of_square), distribution = select(z < Pack<T>(T(0)), below, Pack<T>(T(1)) - below);
  return fma(bounded * Pack<T>(T(0.39894228040143268)), exp_of_square, distribution);
}

}}  // namespace norma::NORMA_ISA_NAMESPACE
