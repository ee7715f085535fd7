// InstanceNorm: what it does not have by default, exact numbers with running statistics, outputs that are temporaries, and its errors.
#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::InstanceNorm;
using norma::TensorView;

TEST(InstanceNorm, HasNeitherParametersNorRunningStatisticsByDefault) {
  InstanceNorm<float> layer(3);
  EXPECT_EQ(layer.eps(), 1e-5);
  EXPECT_TRUE(layer.weight().empty() && layer.bias().empty() && layer.running_mean().empty() && layer.running_var().empty());
  EXPECT_EQ(names_of(layer), Names());
  Tensors<float> t({4, 3, 5});
  expect_shape_error("InstanceNorm", {"backward_frozen", "running statistics"},
                     [&] { layer.backward_frozen(t.dy.view(), t.x.view(), TensorView<float>()); });
}

TEST(InstanceNorm, TrackingInferenceUsesTheRunningStatistics) {
  InstanceNorm<float> layer(2, {.eps = 0.25, .affine = true, .track_running_stats = true});
  layer.running_mean()[0] = 3;
  layer.running_var()[0] = 3.75f;
  layer.running_mean()[1] = -1;
  layer.running_var()[1] = 0;
  layer.weight()[0] = 4;
  layer.bias()[1] = 10;
  const std::vector<float> x = {5, 3, 0, -1}, dy = {5, 3, 1, 2};
  std::vector<float> y(4), dx(4);
  layer(shaped(x, {1, 2, 2}), shaped(y, {1, 2, 2}));
  EXPECT_EQ(y, (std::vector<float>{4, 0, 12, 10}));
  layer.backward_frozen(shaped(dy, {1, 2, 2}), shaped(x, {1, 2, 2}), shaped(dx, {1, 2, 2}));
  EXPECT_EQ(dx, (std::vector<float>{10, 6, 2, 4}));
  EXPECT_EQ(copy_of(layer.weight_grad()), (std::vector<float>{5, 2}));
  EXPECT_EQ(copy_of(layer.bias_grad()), (std::vector<float>{8, 3}));
}

TEST(InstanceNorm, TemporaryViewsAreOutputs) {
  const InstanceNorm<float> layer(4);
  std::vector<float> x = random_values<float>(2 * 6 * 5, 7), y(60, -9), expected(40);
  const TensorView<float> xv = shaped(x, {2, 6, 5}), yv = shaped(y, {2, 6, 5});
  layer(xv.slice(1, 0, 4), yv.slice(1, 0, 4));
  layer(xv.slice(1, 0, 4), shaped(expected, {2, 4, 5}));
  for (std::size_t i = 0; i < 60; ++i) {
    const std::size_t n = i / 30, c = i / 5 % 6;
    EXPECT_EQ(y[i], c < 4 ? expected[n * 20 + c * 5 + i % 5] : -9.0f) << "at " << i;
  }
}

TEST(InstanceNorm, ErrorsNameTheLayerTheRuleAndTheShapes) {
  Door<float> door("InstanceNorm");
  door.refuses({"-2 channels"}, [] { InstanceNorm<float> layer(-2); });
  InstanceNorm<float> layer(3, {.affine = true, .track_running_stats = true});
  const Values before = state_of(layer);
  door.refuses({"(2, 3)", "(N, C, spatial...)"}, [&] { layer(door.in({2, 3}), door.out({2, 3})); });
  door.refuses({"(2, 4, 2)", "4 channels", "has 3"}, [&] { layer(door.in({2, 4, 2}), door.out({2, 4, 2})); });
  EXPECT_EQ(state_of(layer), before);
}

}  // namespace
}  // namespace norma_test
