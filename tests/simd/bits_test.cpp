// Signs, bounds, powers of two and residuals of registers, against scalars.
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include <norma/simd/math.hpp>

#include "support/random.hpp"

namespace {

using norma::first_lane;
using norma::Pack;

template <class T>
class BitsTest : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(BitsTest, Elements);

TYPED_TEST(BitsTest, SignsAndBounds) {
  using T = TypeParam;
  constexpr T inf = std::numeric_limits<T>::infinity();
  for (const T v : {T(0), T(3), T(5), std::numeric_limits<T>::denorm_min(), inf}) {
    for (const T z : {v, -v}) {
      EXPECT_EQ(first_lane(norma::abs(Pack<T>(z))), v);
      EXPECT_FALSE(std::signbit(first_lane(norma::abs(Pack<T>(z)))));
      EXPECT_EQ(first_lane(norma::minus_abs(Pack<T>(z))), -v);
      EXPECT_TRUE(std::signbit(first_lane(norma::minus_abs(Pack<T>(z)))));
      EXPECT_EQ(first_lane(norma::with_sign_of(Pack<T>(T(7)), Pack<T>(z))), std::copysign(T(7), z));
      EXPECT_EQ(first_lane(norma::at_least(Pack<T>(z), T(-4))), z < T(-4) ? T(-4) : z);
      EXPECT_EQ(first_lane(norma::at_most(Pack<T>(z), T(4))), z > T(4) ? T(4) : z);
    }
  }
  const Pack<T> nan(std::numeric_limits<T>::quiet_NaN());
  EXPECT_TRUE(std::isnan(first_lane(norma::at_least(nan, T(-4)))));
  EXPECT_TRUE(std::isnan(first_lane(norma::at_most(nan, T(4)))));
}

TYPED_TEST(BitsTest, ThePatternsLowestBitsBecomeTheExponent) {
  using T = TypeParam;
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  constexpr int bias = std::numeric_limits<T>::max_exponent - 1;
  const Bits of_a_large_number = std::bit_cast<Bits>(std::ldexp(T(1.5), std::numeric_limits<T>::digits - 1));
  for (int k = 1 - bias; k <= bias; ++k) {
    const T v = std::bit_cast<T>(static_cast<Bits>(of_a_large_number + static_cast<Bits>(k + bias)));
    EXPECT_EQ(first_lane(norma::exponent_from_low_bits(Pack<T>(v))), std::ldexp(T(1), k)) << k;
  }
}

TYPED_TEST(BitsTest, WhatRoundingLeavesOver) {
  using T = TypeParam;
  norma_test::Random random(1);
  for (int i = 0; i < 1000; ++i) {
    const T a = static_cast<T>(random.normal()), b = static_cast<T>(random.normal()), product = norma::mul(a, b);
    const T rest = first_lane(norma::residual(Pack<T>(product), Pack<T>(a), Pack<T>(b)));
    ASSERT_NEAR(rest, -std::fma(a, b, -product), sizeof(T) == 4 ? 0 : 0x1p-104 * std::fabs(product)) << a << ' ' << b;
  }
}

TYPED_TEST(BitsTest, SelectTakesEachLaneFromOneOfTwo) {
  using T = TypeParam;
  constexpr auto n = static_cast<std::size_t>(norma::pack_size<T>);
  std::array<T, n> numbers, selected;
  for (std::size_t i = 0; i < n; ++i) numbers[i] = static_cast<T>(i);
  const Pack<T> v = norma::load(numbers.data());
  norma::store(selected.data(), norma::select(v < Pack<T>(T(1)), Pack<T>(std::numeric_limits<T>::quiet_NaN()), v));
  EXPECT_TRUE(std::isnan(selected[0]));
  for (std::size_t i = 1; i < n; ++i) EXPECT_EQ(selected[i], numbers[i]);
  EXPECT_EQ(norma::select(true, T(1), T(2)), T(1));
  EXPECT_EQ(norma::select(false, T(1), T(2)), T(2));
}

}  // namespace
