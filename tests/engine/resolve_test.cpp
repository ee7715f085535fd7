// resolve: moments become coefficients; small means move into the shift; what left the range of its type is reported.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <norma/engine/resolve.hpp>

namespace {

constexpr std::size_t columns = 16;

template <class T>
class Resolve : public testing::Test {
 protected:
  norma::MomentTable<T, columns> moments;
  norma::CoefficientTable<T, columns> result;

  void set(std::size_t r, double pivot, double mean, double second) {
    moments.pivot[r] = pivot;
    moments.mean[r] = mean;
    moments.second[r] = second;
  }
  bool resolve(norma::index_t sets, double eps = 0) {
    return norma::resolve<T>({norma::Statistic::Kind::deviation, eps}, 10, moments, sets, result);
  }
  /// x_hat of x in column r.
  double x_hat(std::size_t r, double x) const {
    return (x - static_cast<double>(result.mean[r])) * static_cast<double>(result.rstd[r]) + static_cast<double>(result.shift[r]);
  }
};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Resolve, Elements);

TYPED_TEST(Resolve, CoefficientsNormalize) {
  this->set(0, 8, 2, 4);      // mean 10, sigma 2: five sigmas
  this->set(1, 0.5, 0.5, 4);  // mean 1, half a sigma
  this->set(2, -100, 0, 0.25);
  ASSERT_TRUE(this->resolve(3));
  EXPECT_EQ(this->result.rstd[0], TypeParam(0.5));
  EXPECT_EQ(this->result.rstd[2], TypeParam(2));
  EXPECT_EQ(this->x_hat(0, 14), 2);
  EXPECT_EQ(this->x_hat(1, -3), -2);
  EXPECT_EQ(this->x_hat(2, -101), -2);
  EXPECT_EQ(this->result.mean[0], TypeParam(10)) << "a large mean is subtracted first";
  EXPECT_EQ(this->result.mean[1], TypeParam(0)) << "a small one is in the shift";
  EXPECT_EQ(this->result.shift[1], TypeParam(-0.5));
  EXPECT_TRUE(this->result.subtracts);
  this->set(0, 0, 0, 3.75);
  ASSERT_TRUE(this->resolve(1, 0.25));
  EXPECT_EQ(this->result.rstd_double[0], 0.5) << "eps is added to the variance";
}

/// Registers reach beyond the last set: what lies there are numbers, whatever was in that memory before.
TYPED_TEST(Resolve, ColumnsThatNoSetFillsHoldNumbers) {
  for (const norma::index_t sets : {1, 5, 8, 9, 15, 16}) {
    const TypeParam nan = std::numeric_limits<TypeParam>::quiet_NaN();
    for (std::size_t r = 0; r < columns; ++r) this->result.mean[r] = this->result.rstd[r] = this->result.shift[r] = nan;
    norma::MomentTable<TypeParam, columns> fresh;
    for (norma::index_t r = 0; r < sets; ++r) fresh.second[r] = 4;
    ASSERT_TRUE(norma::resolve<TypeParam>({norma::Statistic::Kind::deviation, 1e-5}, 10, fresh, sets, this->result));
    for (std::size_t r = 0; r < columns; ++r) {
      EXPECT_TRUE(std::isfinite(this->result.mean[r]) && std::isfinite(this->result.rstd[r]) && std::isfinite(this->result.shift[r]))
          << "column " << r << " with " << sets << " sets";
    }
  }
}

TYPED_TEST(Resolve, NothingIsSubtractedWhereAllMeansMoved) {
  for (std::size_t r = 0; r < 5; ++r) this->set(r, 0.25, 0.25 * static_cast<double>(r), 1);
  ASSERT_TRUE(this->resolve(5));
  for (std::size_t r = 0; r < 5; ++r) EXPECT_EQ(this->result.mean[r], TypeParam(0));
  EXPECT_FALSE(this->result.subtracts);
  this->set(3, 10, 0, 1);
  ASSERT_TRUE(this->resolve(5));
  EXPECT_TRUE(this->result.subtracts);
}

TYPED_TEST(Resolve, WhatOneNumberCannotHoldOfTheMeanIsInTheShift) {
  const double exact = 1e6 + 0x1p-40;
  this->set(0, 1e6, 0x1p-40, 1);
  ASSERT_TRUE(this->resolve(1));
  const auto s = this->result.statistics(0);
  EXPECT_EQ(s.mean.high + s.mean.low, exact);
  EXPECT_EQ(s.rstd, 1);
  EXPECT_EQ(s.second, 1);
  if (sizeof(TypeParam) == 4) {
    this->set(0, 1e6 + 0.001, 0, 1);
    ASSERT_TRUE(this->resolve(1));
    EXPECT_NE(this->result.shift[0], TypeParam(0));
    EXPECT_NEAR(this->x_hat(0, 1e6 + 1), 0.999, 1e-6);
  }
}

TYPED_TEST(Resolve, ExtremeSetsAreNotOrdinary) {
  const double huge = sizeof(TypeParam) == 4 ? 0x1p121 : 0x1p1001, tiny = sizeof(TypeParam) == 4 ? 0x1p-82 : 0x1p-902;
  for (const double second : {huge, tiny, 0.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    for (std::size_t r = 0; r < 9; ++r) this->set(r, 0, 0, 1);
    ASSERT_TRUE(this->resolve(9));
    this->set(8, 0, 0, second);
    EXPECT_FALSE(this->resolve(9)) << second;
    EXPECT_TRUE(this->resolve(8)) << "behind the last set: " << second;
  }
}

}  // namespace
