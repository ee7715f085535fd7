// Scales and limits of statistics: what is ordinary, and the power of two that makes it so.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <norma/engine/statistics.hpp>

namespace {

template <class T>
class Statistics : public testing::Test {};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Statistics, Elements);

TYPED_TEST(Statistics, ScaleToOneIsAPowerOfTwoThatBringsNumbersNearOne) {
  using T = TypeParam;
  using Limits = std::numeric_limits<T>;
  for (const T largest : {T(1), T(3), T(1e-20), T(1e20), Limits::max(), Limits::min(), Limits::min() * T(16)}) {
    const T scale = norma::scale_to_one(largest);
    int exponent = 0;
    EXPECT_EQ(std::frexp(scale, &exponent), T(0.5)) << "a power of two, for " << largest;
    EXPECT_GE(largest * scale, T(0.125)) << largest;
    EXPECT_LE(largest * scale, largest == Limits::max() ? T(4) : T(1)) << largest;
    EXPECT_TRUE(std::isnormal(scale) && std::isnormal(1 / scale)) << "what was scaled comes back, for " << largest;
  }
  EXPECT_TRUE(std::isfinite(norma::scale_to_one(Limits::denorm_min())));
  EXPECT_GT(Limits::denorm_min() * norma::scale_to_one(Limits::denorm_min()), Limits::min()) << "no longer subnormal";
}

TYPED_TEST(Statistics, NothingToScaleGivesOne) {
  using T = TypeParam;
  EXPECT_EQ(norma::scale_to_one(T(0)), T(1));
  EXPECT_EQ(norma::scale_to_one(std::numeric_limits<T>::infinity()), T(1));
  EXPECT_EQ(norma::scale_to_one(std::numeric_limits<T>::quiet_NaN()), T(1));
}

TEST(FiniteRstd, OnlyAConstantSetWithoutEpsGivesZero) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(norma::finite_rstd(0, inf), 0.0);
  EXPECT_EQ(norma::finite_rstd(0, 316.0), 316.0);
  EXPECT_EQ(norma::finite_rstd(inf, 0), 0.0);
  EXPECT_TRUE(std::isnan(norma::finite_rstd(std::nan(""), std::nan(""))));
}

TEST(StatisticArrays, AbsentArraysTakeNothing) {
  const norma::StatisticArrays nobody;
  nobody.put(0, {{1, 0}, 1});  // must not write anywhere
  float rstd[2] = {0, 0}, low[2] = {0, 0};
  const norma::StatisticArrays uncentred{norma::ElementType::f32, nullptr, nullptr, rstd, low};
  uncentred.put(1, {{5, 0}, 0.1});
  EXPECT_EQ(rstd[1], 0.1f);
  EXPECT_EQ(rstd[0], 0.0f);
  EXPECT_EQ(uncentred.get_mean<double>(1).high, 0.0);
  EXPECT_NEAR(uncentred.get_rstd<double>(1), 0.1, 1e-15) << "high and low part together";
}

}  // namespace
