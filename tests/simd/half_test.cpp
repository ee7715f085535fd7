// 16-bit numbers: every pattern, and what floats and doubles between them are rounded to, one at a time and in registers.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <norma/simd/half.hpp>

namespace {

/// What IEEE 754 says of `value` in a format of so many digits.
template <class H>
double rounded(double value) {
  using Limits = std::numeric_limits<H>;
  if (std::isnan(value) || std::isinf(value) || value == 0) return value;
  const int least = Limits::min_exponent - 1, exponent = std::ilogb(value) < least ? least : std::ilogb(value);
  const int spacing = exponent - (Limits::digits - 1);
  const double result = std::ldexp(std::nearbyint(std::ldexp(value, -spacing)), spacing);
  return std::fabs(result) > static_cast<double>(Limits::max()) ? std::copysign(std::numeric_limits<double>::infinity(), value) : result;
}

/// The number that a pattern stands for.
template <class H>
double number_of(std::uint16_t bits) {
  constexpr int fraction = std::numeric_limits<H>::digits - 1, bias = std::numeric_limits<H>::max_exponent - 1;
  const int exponent = (bits & 0x7FFF) >> fraction, mantissa = bits & ((1 << fraction) - 1);
  double magnitude = std::ldexp(mantissa + (exponent == 0 ? 0 : 1 << fraction), (exponent == 0 ? 1 : exponent) - bias - fraction);
  if (exponent == 2 * bias + 1) magnitude = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::nan("");
  return bits >= 0x8000 ? -magnitude : magnitude;
}

template <class H>
H pattern(std::uint32_t bits) {
  return std::bit_cast<H>(static_cast<std::uint16_t>(bits));
}

bool same(double a, double b) { return (std::isnan(a) && std::isnan(b)) || (a == b && std::signbit(a) == std::signbit(b)); }

template <class H>
class Half : public testing::Test {};
using Halves = testing::Types<norma::bfloat16, norma::float16>;
TYPED_TEST_SUITE(Half, Halves);

TYPED_TEST(Half, EveryPatternIsItsNumber) {
  using H = TypeParam;
  for (std::uint32_t bits = 0; bits <= 0xFFFF; ++bits) {
    const float value = static_cast<float>(pattern<H>(bits));
    ASSERT_TRUE(same(static_cast<double>(value), number_of<H>(static_cast<std::uint16_t>(bits)))) << bits;
    const H back(value);
    if (std::isnan(value)) {
      ASSERT_TRUE(std::isnan(static_cast<float>(back))) << bits;
    } else {
      ASSERT_EQ(std::bit_cast<std::uint16_t>(back), bits);
    }
  }
}

TYPED_TEST(Half, WhatLiesBetweenIsRoundedToTheNearest) {
  using H = TypeParam;
  const auto check = [](double value) {
    const auto single = static_cast<float>(value);
    ASSERT_TRUE(same(static_cast<double>(static_cast<float>(H(single))), rounded<H>(static_cast<double>(single)))) << value;
    ASSERT_TRUE(same(static_cast<double>(static_cast<float>(H(norma::rounded_to_odd(value)))), rounded<H>(value))) << value;
  };
  for (std::uint32_t bits = 0; bits < 0xFFFF; ++bits) {
    const auto low = static_cast<double>(static_cast<float>(pattern<H>(bits)));
    const auto high = static_cast<double>(static_cast<float>(pattern<H>(bits + 1)));
    if (!std::isfinite(low) || !std::isfinite(high)) continue;
    const double middle = low + (high - low) / 2, inf = std::numeric_limits<double>::infinity();
    for (const double v : {middle, std::nextafter(middle, -inf), std::nextafter(middle, inf), low + (high - low) / 3}) check(v);
    const auto nearest = static_cast<float>(middle);
    for (const float v : {std::nextafter(nearest, -1e38f), std::nextafter(nearest, 1e38f)}) check(static_cast<double>(v));
  }
  const auto most = static_cast<double>(std::numeric_limits<H>::max()), least = static_cast<double>(std::numeric_limits<H>::denorm_min());
  const double half_a_step = most * static_cast<double>(std::numeric_limits<H>::epsilon()) / 4;
  for (const double v :
       {most + half_a_step, std::nextafter(most + half_a_step, 0.0), most * 1.01, 1e300, least / 2, least * 0.51, least / 4, 1e-300}) {
    check(v);
    check(-v);
  }
}

TYPED_TEST(Half, RegistersHaveTheSameBits) {
  using H = TypeParam;
  constexpr std::size_t W = norma::pack_size<float>;
  std::vector<H> halves(W + 1), stored(W + 1);
  alignas(64) float wide[W];
  for (std::uint32_t first = 0; first <= 0xFFFF; first += W) {
    for (std::uint32_t i = 0; i < W; ++i) halves[i + 1] = pattern<H>(first + i);
    norma::store(wide, norma::load(halves.data() + 1));
    for (std::uint32_t i = 0; i < W; ++i) {
      const float value = static_cast<float>(halves[i + 1]);
      ASSERT_TRUE(std::bit_cast<std::uint32_t>(wide[i]) == std::bit_cast<std::uint32_t>(value)) << first + i;
    }
  }
  for (std::uint32_t high = 0; high <= 0xFFFF; high += W) {
    for (const std::uint32_t low : {0u, 1u, 0xFFFu, 0x1000u, 0x1001u, 0x1FFFu, 0x7FFFu, 0x8000u, 0x8001u, 0xFFFFu}) {
      for (std::uint32_t i = 0; i < W; ++i) {
        const std::uint32_t bits = (high + i) << 16 | low;
        wide[i] = std::bit_cast<float>((bits & 0x7F800000u) == 0x7F800000u && (bits & 0x7FFFFFu) != 0 ? bits | 0x400000u : bits);
      }
      norma::store(stored.data() + 1, norma::load(wide));
      for (std::uint32_t i = 0; i < W; ++i) {
        ASSERT_EQ(std::bit_cast<std::uint16_t>(stored[i + 1]), std::bit_cast<std::uint16_t>(H(wide[i]))) << high + i << ' ' << low;
      }
    }
  }
}

}  // namespace
