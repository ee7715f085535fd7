// Dense rows: which calls they take. That their bits are those of a plan is asked by the properties Executors, Misalignment and Batch.
#include <gtest/gtest.h>

#include <norma/engine/dense_rows.hpp>

namespace norma_test { namespace {

using norma::Extents;

constexpr norma::AxisSet last_of_two = 0b10, last_two_of_three = 0b110, last_of_three = 0b100;

bool found(const Extents& x, const norma::Roles& roles, const Extents& x_strides, const Extents& y_strides, const Extents& weight_strides) {
  norma::Operand weight;
  float number = 1;
  weight.data = &number;
  weight.strides = weight_strides;
  return norma::DenseRows<float, float, 2>().find(x, roles, {&x_strides, &y_strides}, {&weight});
}

TEST(DenseRows, AreRunsOfMemoryInRowsAStrideApart) {
  EXPECT_TRUE(found({5, 8}, last_of_two, {8, 1}, {8, 1}, {0, 1}));
  EXPECT_TRUE(found({5, 8}, last_of_two, {20, 1}, {-8, 1}, {0, 1}));
  EXPECT_TRUE(found({3, 5, 8}, last_of_three, {40, 8, 1}, {50, 10, 1}, {0, 0, 1}));
  EXPECT_TRUE(found({3, 5, 8}, last_two_of_three, {40, 8, 1}, {40, 8, 1}, {0, 8, 1}));
  EXPECT_TRUE(found({3, 1, 8}, last_two_of_three, {8, 99, 1}, {8, 7, 1}, {0, 5, 1}));
  EXPECT_FALSE(found({5, 8}, last_of_two, {8, 1}, {16, 2}, {0, 1})) << "gaps";
  EXPECT_FALSE(found({5, 8}, last_of_two, {1, 5}, {8, 1}, {0, 1})) << "columns";
  EXPECT_FALSE(found({3, 5, 8}, last_of_three, {80, 8, 1}, {40, 8, 1}, {0, 0, 1})) << "no single stride";
  EXPECT_FALSE(found({3, 5, 8}, last_two_of_three, {40, 8, 1}, {8, 24, 1}, {0, 8, 1})) << "another order of rows";
  EXPECT_FALSE(found({5, 8}, last_of_two, {8, 1}, {8, 1}, {8, 1})) << "a weight for each row";
  EXPECT_FALSE(found({5, 8}, last_of_two, {8, 1}, {8, 1}, {0, 0})) << "one weight for all elements";
  EXPECT_FALSE(found({8, 5}, 0b01, {5, 1}, {5, 1}, {1, 0})) << "averaged axes come last";
  EXPECT_FALSE(found({5, 8}, norma::Roles(last_of_two).of_planes(), {8, 1}, {8, 1}, {0, 1})) << "planes";
  EXPECT_FALSE(found({5, 1}, last_of_two, {1, 1}, {1, 1}, {0, 1})) << "nothing along a row";
  EXPECT_FALSE(found({0, 8}, last_of_two, {8, 1}, {8, 1}, {0, 1})) << "no rows";
  EXPECT_FALSE(found({5, 0}, last_of_two, {0, 1}, {0, 1}, {0, 1})) << "empty rows";
  EXPECT_FALSE(found({64, 1024}, last_of_two, {1024, 1}, {1024, 1}, {0, 1})) << "worth a plan";
}

}}  // namespace norma_test
