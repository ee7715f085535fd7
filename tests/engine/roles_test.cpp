// Roles: axis sets from lists, and parameters as broadcast views of x.
#include <gtest/gtest.h>

#include <norma/engine/roles.hpp>

namespace {

using norma::Extents;
using norma::ShapeError;
using norma::TensorView;

float memory[64];

TEST(AxisSets, FromLists) {
  EXPECT_EQ(norma::axis_set("L", {-1}, 3), 0b100u);
  EXPECT_EQ(norma::axis_set("L", {0, 2}, 3), 0b101u);
  EXPECT_EQ(norma::axis_set("L", {-1, -3}, 3), 0b101u);
  EXPECT_EQ(norma::axis_set("L", {0, 1, 2, 3, 4, 5, 6, 7}, 8), 0xFFu);
  EXPECT_EQ(norma::trailing_axes(4, 2), 0b1100u);
  EXPECT_EQ(norma::trailing_axes(3, 3), 0b111u);
  for (const Extents& wrong : {Extents{}, Extents{3}, Extents{-4}, Extents{1, 1}, Extents{0, -3}})
    EXPECT_THROW(norma::axis_set("L", wrong, 3), ShapeError);
}

TEST(ParameterOperand, AlongTheAxes) {
  const Extents x{2, 3, 4};
  const auto last = norma::parameter_operand("L", "weight", TensorView<float>(memory, {4}), x, 0b100);
  EXPECT_EQ(last.strides, (Extents{0, 0, 1}));
  const auto middle = norma::parameter_operand("L", "weight", TensorView<float>(memory, {3}, {5}), x, 0b010);
  EXPECT_EQ(middle.strides, (Extents{0, 5, 0}));
  const auto outer = norma::parameter_operand("L", "weight", TensorView<float>(memory, {2, 4}), x, 0b101);
  EXPECT_EQ(outer.strides, (Extents{4, 0, 1}));
}

TEST(ParameterOperand, OfFullRank) {
  const Extents x{2, 3, 4};
  EXPECT_EQ(norma::parameter_operand("L", "w", TensorView<float>(memory, {2, 1, 1}), x, 0b100).strides, (Extents{1, 0, 0}));
  EXPECT_EQ(norma::parameter_operand("L", "w", TensorView<float>(memory, {1, 1, 1}), x, 0b100).strides, (Extents{0, 0, 0}));
  EXPECT_EQ(norma::parameter_operand("L", "w", TensorView<float>(memory, {2, 3, 4}), x, 0b100).strides, (Extents{12, 4, 1}));
}

TEST(ParameterOperand, AbsentAndWrong) {
  const Extents x{2, 3, 4};
  EXPECT_FALSE(norma::parameter_operand("L", "w", TensorView<float>(), x, 0b100).present());
  for (const Extents& wrong :
       {Extents{3}, Extents{5}, Extents{0}, Extents{1}, Extents{3, 4}, Extents{2, 3, 5}, Extents{1, 1, 1, 4}, Extents{}}) {
    EXPECT_THROW(norma::parameter_operand("L", "w", TensorView<float>(memory, wrong), x, 0b100), ShapeError);
  }
}

}  // namespace
