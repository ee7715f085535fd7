// BatchNorm, layer and functions: running statistics to the bit, its counter, running statistics that are views, and its own errors.
#include <cstdint>
#include <limits>
#include <optional>
#include <type_traits>

#include "api/layers.hpp"

namespace norma_test {
namespace {

using norma::BatchNorm;
using norma::StatsConvention;
using norma::TensorView;

/// Values with exact statistics: mean 3, population variance 4, per channel offset by the channel.
std::vector<float> exact_batch(std::size_t samples, std::size_t channels) {
  std::vector<float> x;
  for (std::size_t n = 0; n < samples; ++n) {
    for (std::size_t c = 0; c < channels; ++c) x.push_back(static_cast<float>(c) + (n % 2 == 0 ? 1.0f : 5.0f));
  }
  return x;
}

TEST(BatchNorm, StartsAsTorchDoes) {
  BatchNorm<float> layer(1);
  EXPECT_EQ(layer.weight()[0], 1.0f);
  EXPECT_EQ(layer.running_var()[0], 1.0f);
  EXPECT_EQ(layer.num_batches_tracked(), 0);
  EXPECT_EQ(layer.eps(), 1e-5);
  train(layer, exact_batch(2, 1), {2, 1});
  EXPECT_EQ(layer.running_mean()[0], static_cast<float>(0.1 * 3)) << "momentum 0.1";
}

TEST(BatchNorm, RunningStatisticsToTheBit) {
  BatchNorm<float> torch(2, {.momentum = 0.25}), keras(2, {.momentum = 0.25, .convention = StatsConvention::keras});
  train(torch, exact_batch(4, 2), {4, 2});
  EXPECT_EQ(copy_of(torch.running_mean()), (std::vector<float>{0.75f, 1.0f}));
  EXPECT_EQ(torch.running_var()[0], static_cast<float>(0.75 + 0.25 * (16.0 / 3)));
  train(keras, exact_batch(4, 2), {4, 2});
  EXPECT_EQ(copy_of(keras.running_mean()), (std::vector<float>{2.25f, 3.0f}));
  EXPECT_EQ(copy_of(keras.running_var()), (std::vector<float>{0.25f + 3, 0.25f + 3}));
}

TEST(BatchNorm, TheCounterCanBeSetAndWeighsTheNextBatch) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  layer.set_num_batches_tracked(3);
  layer.running_mean()[0] = 7;
  train(layer, exact_batch(2, 1), {2, 1});
  EXPECT_EQ(layer.num_batches_tracked(), 4);
  EXPECT_EQ(layer.running_mean()[0], 6.0f) << "(3 * 7 + 3) / 4";
  static_assert(std::is_same_v<decltype(layer.num_batches_tracked()), std::int64_t>);
}

TEST(BatchNorm, TheCounterNeitherOverflowsNorGoesBelowZero) {
  BatchNorm<float> layer(1, {.momentum = std::nullopt});
  constexpr std::int64_t last = std::numeric_limits<std::int64_t>::max();
  layer.set_num_batches_tracked(last - 1);
  for (int step = 0; step < 2; ++step) {
    train(layer, exact_batch(2, 1), {2, 1});
    EXPECT_EQ(layer.num_batches_tracked(), last);
  }
  EXPECT_THROW(layer.set_num_batches_tracked(-1), norma::ShapeError);
  EXPECT_EQ(layer.num_batches_tracked(), last);
}

TEST(BatchNorm, InferenceUsesTheRunningStatisticsAndKeepsThem) {
  BatchNorm<double> layer(2, {.eps = 0.25});
  layer.running_mean()[0] = 3;
  layer.running_var()[0] = 3.75;
  layer.running_mean()[1] = -1;
  layer.running_var()[1] = 0;
  layer.weight()[0] = 4;
  layer.bias()[1] = 10;
  const Values before = state_of(layer);
  const std::vector<double> x = {5, 0, 3, -1};
  std::vector<double> y(4);
  const BatchNorm<double>& constant = layer;
  constant(shaped(x, {2, 2}), shaped(y, {2, 2}));
  EXPECT_EQ(y, (std::vector<double>{4, 12, 0, 10}));
  EXPECT_EQ(state_of(layer), before);
}

TEST(BatchNorm, WithoutTrackingThereIsNothingToFreeze) {
  BatchNorm<float> layer(3, {.track_running_stats = false});
  EXPECT_TRUE(layer.running_mean().empty() && layer.running_var().empty());
  Tensors<float> t({4, 3, 5});
  expect_shape_error("BatchNorm", {"backward_frozen", "running statistics"},
                     [&] { layer.backward_frozen(t.dy.view(), t.x.view(), TensorView<float>()); });
  for (const float g : layer.weight_grad()) EXPECT_EQ(g, 0.0f);
}

TEST(BatchNorm, RunningViewsMayBeStridedAndNeighboursStay) {
  BatchNorm<float> layer(5, {.momentum = 0.3});
  Tensors<float> of_layer({4, 5, 3}), t({4, 5, 3});
  layer.forward(of_layer.x.view(), of_layer.y.view(), of_layer.saved);
  for (const norma::index_t stride : {1, 2, 4, -1, -3}) {
    SCOPED_TRACE("stride " + std::to_string(stride));
    // Columns 1 of two matrices of |stride| columns each, bottom up where it is negative.
    const auto width = static_cast<std::size_t>(std::abs(stride));
    const std::size_t column = width == 1 ? 0 : 1, first = stride < 0 ? 4 * width + column : column;
    std::vector<float> mean(5 * width, 77), variance(5 * width, 88);
    const TensorView<float> mean_view(mean.data() + first, {5}, {stride}), variance_view(variance.data() + first, {5}, {stride});
    AnyView(mean_view).fill(0);
    AnyView(variance_view).fill(1);
    norma::batch_norm(t.x.view(), t.y.view(), t.saved, {.running_mean = mean_view, .running_var = variance_view, .momentum = 0.3});
    EXPECT_TRUE(same(t.y.values(), of_layer.y.values()));
    EXPECT_TRUE(same(AnyView(mean_view).values(), layer.running_mean()));
    EXPECT_TRUE(same(AnyView(variance_view).values(), layer.running_var()));
    for (std::size_t i = 0; i < mean.size(); ++i) {
      if (i % width == column) continue;
      EXPECT_EQ(mean[i], 77.0f) << "at " << i;
      EXPECT_EQ(variance[i], 88.0f) << "at " << i;
    }
  }
}

TEST(BatchNorm, WrongRunningViewsAreErrorsBeforeAnythingIsWritten) {
  Door<float> door("BatchNorm");
  std::vector<float> mean(3, 6), variance(3, 7), four(4, 8);
  norma::Saved<float> saved;
  const auto refuses = [&](const std::vector<std::string>& words, norma::index_t n, const norma::BatchNormTrainingViews<float>& options) {
    door.refuses(words, [&] { norma::batch_norm(door.in({n, 3}), door.out({n, 3}), saved, options); });
  };
  refuses({"running_mean and running_var", "both"}, 4, {.running_mean = mean});
  refuses({"running_mean and running_var", "both"}, 4, {.running_var = variance});
  refuses({"running_mean", "(4)", "3"}, 4, {.running_mean = four, .running_var = variance});
  refuses({"running_var", "(4)", "3"}, 4, {.running_mean = mean, .running_var = four});
  refuses({"more than one value"}, 1, {.running_mean = mean, .running_var = variance});
  refuses({"bias", "(4)"}, 4, {.running_mean = mean, .running_var = variance, .bias = four});
  door.refuses({"mean and variance"}, [&] { norma::batch_norm(door.in({4, 3}), door.out({4, 3}), {.mean = mean}); });
  EXPECT_EQ(mean, std::vector<float>(3, 6));
  EXPECT_EQ(variance, std::vector<float>(3, 7));
  EXPECT_EQ(four, std::vector<float>(4, 8));
  EXPECT_TRUE(saved.mean().empty());
}

TEST(BatchNorm, ErrorsNameTheLayerTheRuleAndTheShapes) {
  Door<float> door("BatchNorm");
  BatchNorm<float> layer(3);
  const Values before = state_of(layer);
  norma::Saved<float> saved;
  Tensors<float> of_instances({2, 3, 4});
  norma::InstanceNorm<float>(3).forward(of_instances.x.view(), of_instances.y.view(), of_instances.saved);
  door.refuses({"-1 channels"}, [] { BatchNorm<float> negative(-1); });
  door.refuses({"(2, 4)", "4 channels", "has 3"}, [&] { layer(door.in({2, 4}), door.out({2, 4})); });
  door.refuses({"(2, 4, 3)", "4 channels", "has 3"}, [&] { layer.forward(door.in({2, 4, 3}), door.out({2, 4, 3}), saved); });
  door.refuses({"(3)", "(N, C)"}, [&] { layer(door.in({3}), door.out({3})); });
  door.refuses({"more than one value per channel", "(1, 3, 1)"}, [&] { layer.forward(door.in({1, 3, 1}), door.out({1, 3, 1}), saved); });
  door.refuses({"(2, 5)", "has 3"}, [&] { layer.backward_frozen(door.in({2, 5}), door.in({2, 5}), door.out({2, 5})); });
  door.refuses({"InstanceNorm"}, [&] { layer.backward(door.in({2, 3, 4}), door.in({2, 3, 4}), of_instances.saved, door.out({2, 3, 4})); });
  EXPECT_EQ(state_of(layer), before);
}

}  // namespace
}  // namespace norma_test
