// The portable register alone: one rounding where floats are fused through double, on numbers that two roundings get wrong; masks.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <norma/simd/portable_pack.hpp>

#include "support/random.hpp"

namespace {

/// Equal, or both NaN; zeros by their sign.
bool same(float a, float b) { return (a != a && b != b) || std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b); }

int wrong_of(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& c) {
  int wrong = 0;
  for (const float u : a) {
    for (const float v : b) {
      for (const float w : c) wrong += same(norma::fused(u, v, w), std::fma(u, v, w)) ? 0 : 1;
    }
  }
  return wrong;
}

TEST(Fused, RoundsOnceWhereDoubleRoundsToATie) {
  // The product is a float's tie, or nearly; the addend lies below the last bit of the double sum and decides.
  const std::vector<float> a = {1 + 0x1p-12f, 0x1p40f + 0x1p20f, -1 - 0x1p-12f, 0x1p-80f}, b = {1 + 0x1p-12f, 1 + 0x1p-23f, 0x1p-60f, 3};
  std::vector<float> c;
  for (const float scale : {0x1p-24f, 0x1p-30f, 0x1p-60f, 0x1p-100f, 0x1p-149f, 1.0f, 0x1p60f}) {
    for (const float factor : {1.0f, 1 + 0x1p-23f, 3.0f}) {
      c.push_back(scale * factor);
      c.push_back(-scale * factor);
    }
  }
  EXPECT_EQ(wrong_of(a, b, c), 0);
}

TEST(Fused, HandlesWhatIsNoOrdinaryNumber) {
  using Limits = std::numeric_limits<float>;
  const std::vector<float> special = {0.0f,
                                      -0.0f,
                                      1.0f,
                                      -1.0f,
                                      Limits::denorm_min(),
                                      -Limits::denorm_min(),
                                      Limits::min(),
                                      Limits::max(),
                                      Limits::lowest(),
                                      Limits::infinity(),
                                      -Limits::infinity(),
                                      Limits::quiet_NaN()};
  EXPECT_EQ(wrong_of(special, special, special), 0);
}

TEST(Fused, AgreesOnRandomPatterns) {
  norma_test::Random random(3);
  int wrong = 0;
  for (int i = 0; i < 1'000'000; ++i) {
    const std::uint64_t bits = random.bits();
    const float a = std::bit_cast<float>(static_cast<std::uint32_t>(bits)),
                b = std::bit_cast<float>(static_cast<std::uint32_t>(bits >> 32));
    const float c = i % 2 == 0 ? std::bit_cast<float>(static_cast<std::uint32_t>(random.bits())) : -a * b;
    wrong += same(norma::fused(a, b, c), std::fma(a, b, c)) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0);
}

TEST(PortablePack, ComparesAndSelectsLaneByLane) {
  using Pack = norma::PortablePack<float>;
  const std::vector<float> numbers = {-1, 0, 1, 2, 3, std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity(), 1};
  const Pack v = Pack::load_unaligned(numbers.data()), one(1.0f), seven(7.0f);
  const Pack below = Pack::select(v < one, seven, v), at_most = Pack::select(v <= one, seven, v), equal = Pack::select(v == one, seven, v);
  const Pack above = Pack::select(v > one, seven, v), at_least = Pack::select(v >= one, seven, v);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const float n = numbers[i];
    EXPECT_TRUE(same(below.lane[i], n < 1 ? 7 : n));
    EXPECT_TRUE(same(at_most.lane[i], n <= 1 ? 7 : n));
    EXPECT_TRUE(same(equal.lane[i], n == 1 ? 7 : n));
    EXPECT_TRUE(same(above.lane[i], n > 1 ? 7 : n));
    EXPECT_TRUE(same(at_least.lane[i], n >= 1 ? 7 : n));
  }
  EXPECT_FALSE((v < seven).all()) << "NaN is less than nothing";
  EXPECT_TRUE((one < seven).all());
}

}  // namespace
