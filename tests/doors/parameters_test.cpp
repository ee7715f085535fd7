// Parameters: axis sets from lists, and parameters as broadcast views of x.
#include <gtest/gtest.h>

#include <norma/doors/parameters.hpp>

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

TEST(ParameterOperand, AlongTheAxesOrOfFullRank) {
  const auto strides = [](const TensorView<float>& parameter, norma::AxisSet averaged) {
    return norma::parameter_operand("L", "weight", parameter, {2, 3, 4}, averaged).strides;
  };
  EXPECT_EQ(strides({memory, {4}}, 0b100), (Extents{0, 0, 1}));
  EXPECT_EQ(strides({memory, {3}, {5}}, 0b010), (Extents{0, 5, 0}));
  EXPECT_EQ(strides({memory, {2, 4}}, 0b101), (Extents{4, 0, 1}));
  EXPECT_EQ(strides({memory, {2, 1, 1}}, 0b100), (Extents{1, 0, 0}));
  EXPECT_EQ(strides({memory, {1, 1, 1}}, 0b100), (Extents{0, 0, 0}));
  EXPECT_EQ(strides({memory, {2, 3, 4}}, 0b100), (Extents{12, 4, 1}));
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
