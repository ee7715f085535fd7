// exp against long double over all sizes of numbers, minimum and maximum with NaN, and scalars against lanes. The other functions are
// tested as ops, in tests/kernels.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>

#include <norma/simd/math.hpp>

#include "support/ulps.hpp"

namespace {

using norma::Pack;

template <class T>
class MathTest : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(MathTest, Elements);

TYPED_TEST(MathTest, ExpIsWithinOneAndATenthOfAnUlp) {
  using T = TypeParam;
  double worst = 0;
  T where = 0;
  for (const T x : norma_test::numbers_of_all_sizes<T>(sizeof(T) == 4 ? 1'000'000 : 200'000, sizeof(T) == 4 ? T(110) : T(760))) {
    const double error = norma_test::ulps(norma::exp(x), std::exp(static_cast<long double>(x)));
    if (error > worst) worst = error, where = x;
  }
  EXPECT_LE(worst, 1.1) << "at " << where;
  EXPECT_EQ(norma::exp(T(0)), T(1));
  EXPECT_EQ(norma::exp(-std::numeric_limits<T>::infinity()), T(0));
}

TYPED_TEST(MathTest, EachLaneOfExpIsTheScalar) {
  using T = TypeParam;
  std::array<T, static_cast<std::size_t>(norma::pack_size<T>)> x{}, lanes{};
  for (const T first : norma_test::numbers_of_all_sizes<T>(1000, T(100))) {
    std::rotate(x.begin(), x.begin() + 1, x.end());
    x.back() = first;
    norma::store(lanes.data(), norma::exp(norma::load(x.data())));
    for (std::size_t i = 0; i < x.size(); ++i) {
      const T scalar = norma::exp(x[i]);
      ASSERT_TRUE(std::isnan(x[i]) ? std::isnan(lanes[i]) : std::memcmp(&scalar, &lanes[i], sizeof(T)) == 0) << x[i];
    }
  }
}

TYPED_TEST(MathTest, MinimumAndMaximumPassNaNOnFromEither) {
  using T = TypeParam;
  constexpr T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  for (const T a : {T(-2), T(0), T(-0.0), T(3), inf, -inf, nan}) {
    for (const T b : {T(-2), T(0), T(-0.0), T(3), inf, -inf, nan}) {
      const T least = std::isnan(b) ? b : b < a ? b : a, most = std::isnan(b) ? b : b > a ? b : a;
      const std::array<std::array<T, 3>, 2> results = {{{norma::min(a, b), norma::first_lane(norma::min(Pack<T>(a), Pack<T>(b))), least},
                                                        {norma::max(a, b), norma::first_lane(norma::max(Pack<T>(a), Pack<T>(b))), most}}};
      for (const auto& [scalar, register_lane, expected] : results) {
        EXPECT_TRUE(std::isnan(expected) ? std::isnan(scalar) : std::memcmp(&scalar, &expected, sizeof(T)) == 0) << a << ' ' << b;
        EXPECT_TRUE(std::isnan(expected) ? std::isnan(register_lane) : std::memcmp(&register_lane, &expected, sizeof(T)) == 0)
            << a << ' ' << b;
      }
      EXPECT_EQ(std::isnan(norma::max(a, b)), std::isnan(a) || std::isnan(b));
    }
  }
}

}  // namespace
