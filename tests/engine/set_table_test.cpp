// SetTable: moments become statistics, statistics become coefficients; what left the range of its type is told apart.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include <norma/engine/set_table.hpp>

namespace {

using norma::index_t;

template <class T>
class Table : public testing::Test {
 protected:
  static constexpr index_t columns = 16;
  alignas(64) std::byte memory[static_cast<std::size_t>(norma::SetTable<T>::bytes(columns))];
  norma::SetTable<T> table{columns, memory};

  void set(index_t s, double pivot, double mean, double m2) {
    table.high[s] = pivot;
    table.low[s] = mean;
    table.second[s] = m2;
  }
  /// Of sets of 10 elements with these second moments.
  bool finish(index_t sets, double eps = 0) {
    table.start(sets);
    for (index_t s = 0; s < sets; ++s) table.second[s] *= 10;
    const bool ordinary = table.finish({norma::Statistic::Kind::deviation, eps}, 10);
    norma::make_coefficients<T>(sets, table.high, table.low, table.rstd, nullptr, nullptr, table.mean, table.factor, table.offset);
    return ordinary;
  }
  /// x_hat of x in column s.
  double x_hat(index_t s, double x) const {
    return (x - static_cast<double>(table.mean[s])) * static_cast<double>(table.factor[s]) + static_cast<double>(table.offset[s]);
  }
};
using Elements = testing::Types<float, double>;
TYPED_TEST_SUITE(Table, Elements);

TYPED_TEST(Table, CoefficientsNormalize) {
  this->set(0, 8, 2, 4);      // mean 10, sigma 2: five sigmas
  this->set(1, 0.5, 0.5, 4);  // mean 1, half a sigma
  this->set(2, -100, 0, 0.25);
  ASSERT_TRUE(this->finish(3));
  EXPECT_EQ(this->table.factor[0], TypeParam(0.5));
  EXPECT_EQ(this->table.factor[2], TypeParam(2));
  EXPECT_EQ(this->x_hat(0, 14), 2);
  EXPECT_EQ(this->x_hat(1, -3), -2);
  EXPECT_EQ(this->x_hat(2, -101), -2);
  EXPECT_EQ(this->table.mean[0], TypeParam(10)) << "it is subtracted first, so that nothing is lost";
  EXPECT_TRUE(std::signbit(this->table.offset[1])) << "-0 leaves the sign of a zero alone";
  this->set(0, 0, 0, 3.75);
  ASSERT_TRUE(this->finish(1, 0.25));
  EXPECT_EQ(this->table.rstd[0], 0.5) << "eps is added to the variance";
}

TYPED_TEST(Table, WeightAndBiasGoIntoTheCoefficients) {
  this->set(0, 10, 0, 4);
  this->set(1, 1, 0, 4);
  ASSERT_TRUE(this->finish(2));
  alignas(64) double weight[16] = {3, -2}, bias[16] = {7, 0.5};
  norma::make_coefficients<TypeParam>(2, this->table.high, this->table.low, this->table.rstd, weight, bias, this->table.mean,
                                      this->table.factor, this->table.offset);
  EXPECT_EQ(this->x_hat(0, 14), 2 * 3 + 7);
  EXPECT_EQ(this->x_hat(1, -3), -2 * -2 + 0.5);
}

TYPED_TEST(Table, ExtremeSetsAreNotOrdinary) {
  const double huge = sizeof(TypeParam) == 4 ? 0x1p121 : 0x1p1001, tiny = sizeof(TypeParam) == 4 ? 0x1p-82 : 0x1p-902;
  for (const double second : {huge, tiny, 0.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()}) {
    const auto fill = [&] {
      for (index_t s = 0; s < 9; ++s) this->set(s, 0, 0, s == 8 ? second : 1);
    };
    fill();
    EXPECT_FALSE(this->finish(9)) << second;
    this->table.mark_extraordinary();
    for (index_t s = 0; s < 8; ++s) EXPECT_EQ(this->table.scale[s], 1);
    EXPECT_EQ(this->table.scale[8], 0) << "to be found: " << second;
    fill();
    EXPECT_TRUE(this->finish(8)) << "behind the last set: " << second;
  }
}

}  // namespace
